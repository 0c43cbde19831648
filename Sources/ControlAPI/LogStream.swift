import Capture
import LogModel
import LogStore
import NIOCore
import NIOHTTP1
import Query
import SystemIO

/// Answers a question for log text: a body as long as it takes, then trailers that say where it ended and why.
///
/// `Guestlog-Cursor` resumes after the answer, `Guestlog-Matched` is 1 or 0, `Guestlog-Explanation` says why an empty
/// answer is empty.
struct LogStream {
    let server: ControlServer

    func answer(_ target: RequestTarget, _ outbound: ResponseWriter, until closed: EventLoopFuture<Void>) async throws {
        let request = try LogRequest(target, now: server.now)
        let (store, now) = (server.capture.store, server.now)
        let query = try await server.blocking { try Handed(request.open(store, now: now)) }
        var headers = HTTPHeaders()
        headers.add(name: "Content-Type", value: request.rendering.format.contentType)
        headers.add(name: "Transfer-Encoding", value: "chunked")
        headers.add(name: "Trailer", value: "Guestlog-Cursor, Guestlog-Matched, Guestlog-Explanation")
        try await outbound.write(.head(HTTPResponseHead(version: .http1_1, status: .ok, headers: headers)))

        let news = CommitNews(server.capture.bell, until: closed)
        while true {
            news.listen(to: query.value.streams)
            while let chunk = try await server.blocking({ try query.value.next() }) {
                try await outbound.write(.body(ByteBuffer(bytes: chunk)))
            }
            guard request.selection.follow, !query.value.isFinished else {
                break
            }
            switch await news.wait(milliseconds: Self.partialDelay) {
            case .commit: continue
            case .closed: return
            case .timeout: break
            }
            if let partial = query.value.flushPartial() {
                try await outbound.write(.body(ByteBuffer(bytes: partial)))
            }
            if await news.wait() == .closed {
                return
            }
        }
        var trailers = HTTPHeaders()
        trailers.add(name: "Guestlog-Cursor", value: query.value.cursor)
        trailers.add(name: "Guestlog-Matched", value: query.value.matchedAny ? "1" : "0")
        if let explanation = query.value.explanation() {
            trailers.add(name: "Guestlog-Explanation", value: RequestTarget.encode(explanation))
        }
        try await outbound.write(.end(trailers))
    }

    /// An unfinished line is shown to a follower after this many milliseconds.
    private static let partialDelay = 100
}

extension OutputFormat {
    var contentType: String {
        switch self {
        case .json: "application/x-ndjson"
        case .export: "application/vnd.fdo.journal"
        case .raw: "application/octet-stream"
        case .text, .short, .logfmt, .cri: "text/plain; charset=utf-8"
        }
    }
}
