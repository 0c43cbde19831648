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

    func answer(
        _ target: RequestTarget,
        for caller: Caller,
        _ outbound: ResponseWriter,
        until closed: EventLoopFuture<Void>
    ) async throws {
        let request = try LogRequest(target, now: server.now)
        let (store, now) = (server.store(for: caller), server.now)
        let query = try await server.blocking(for: caller) { try request.open(store, now: now) }
        var headers = HTTPHeaders()
        headers.add(name: "Content-Type", value: request.rendering.format.contentType)
        headers.add(name: "Transfer-Encoding", value: "chunked")
        headers.add(name: "Trailer", value: "Guestlog-Cursor, Guestlog-Matched, Guestlog-Explanation")
        try await outbound.write(.head(HTTPResponseHead(version: .http1_1, status: .ok, headers: headers)))
        do {
            if request.isResumable {
                try await outbound.write(.body(ByteBuffer(bytes: ResumableAnswer.piece([], cursor: query.cursor))))
            }
            let following = Following(CommitNews(server.capture.bell, on: server.threads(for: caller), until: closed))
            let isWhole = try await following.answer(query) { bytes in
                let piece = request.isResumable ? ResumableAnswer.piece(bytes, cursor: query.cursor) : bytes
                try await outbound.write(.body(ByteBuffer(bytes: piece)))
            }
            if isWhole {
                try await outbound.write(.end(trailers(of: query)))
            }
        } catch {
            let ending = query.finishLine() + Array(request.rendering.format.words(for: error).utf8)
            let piece = request.isResumable ? ResumableAnswer.piece(ending, cursor: query.cursor) : ending
            try? await outbound.write(.body(ByteBuffer(bytes: piece)))
            throw BrokenAnswer(cause: error)
        }
    }

    private func trailers(of query: LogQuery) -> HTTPHeaders {
        var trailers = HTTPHeaders()
        trailers.add(name: "Guestlog-Cursor", value: query.cursor)
        trailers.add(name: "Guestlog-Matched", value: query.matchedAny ? "1" : "0")
        if let explanation = query.explanation() {
            trailers.add(name: "Guestlog-Explanation", value: RequestTarget.encode(explanation))
        }
        return trailers
    }
}

/// An answer failed after it had begun: its connection is closed, so that nobody takes it for whole.
struct BrokenAnswer: Error {
    let cause: any Error
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

    /// How an answer that has begun says that it failed; nothing where the format has no words of its own.
    func words(for error: any Error) -> String {
        switch self {
        case .text, .short: "-- the answer ends here: \(ControlServer.apiError(error)) --\n"
        case .json: String(decoding: ControlServer.apiError(error).json.bytes, as: UTF8.self) + "\n"
        case .logfmt, .cri, .export, .raw: ""
        }
    }
}
