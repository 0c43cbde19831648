// SPDX-License-Identifier: Apache-2.0

import Capture
import LogModel
import LogStore
import NIOCore
import NIOHTTP1
import Query
import SystemIO

/// Responds to a request for log text with a body of unknown length, then trailers.
///
/// `Guestlog-Cursor` resumes after the response, `Guestlog-Matched` is 1 or 0, `Guestlog-Explanation` explains an empty
/// response. HTTP/1.0 has neither chunks nor trailers: there the end of the connection ends the response.
struct LogStream {
    let server: APIServer

    func answer(
        _ target: RequestTarget,
        for caller: Caller,
        _ request: APIServer.Request,
        _ outbound: ResponseWriter
    ) async throws {
        let parameters = try LogParameters(target, now: server.now)
        let question = parameters.request
        let (store, now) = (server.store(for: caller), server.now)
        // A follower or a search may send nothing for a long time, so a write does not detect that the client has
        // closed.
        let isQuiet = question.selection.follow || question.selection.filtersByText
        let hasLeft = isQuiet ? request.hasLeft : request.channel.closeFuture
        let turn = ReadTurn()
        hasLeft.whenComplete { _ in turn.cancel() }
        let reader = server.reader(for: caller, request.channel)
        let vms = try await reader.read { try question.resolve(in: store) }
        let folders = vms.isEmpty ? ["*"] : Set(vms.map(\.directory))
        try await server.sessions.reading(folders, for: caller) {
            let query = try await reader.read { try question.open(vms, of: store, now: now, turn: turn) }
            let framing = Framing(request.head)
            try await outbound.write(.head(framing.head(question.rendering.format)))
            guard request.head.method != .HEAD else {
                try await outbound.write(.end(nil))
                return
            }
            do {
                if parameters.isResumable {
                    try await outbound.write(.body(ByteBuffer(bytes: ResumableAnswer.piece([], cursor: query.cursor))))
                }
                let following = Following(CommitNotifications(server.capture.notifier, reader, until: hasLeft))
                let isWhole = try await following.answer(query) { bytes in
                    let piece =
                        parameters.isResumable ? ResumableAnswer.piece(bytes, cursor: query.takeMovedCursor()) : bytes
                    try await outbound.write(.body(ByteBuffer(bytes: piece)))
                }
                guard isWhole else {
                    throw ReadTurn.Cancelled()
                }
                let trailers = try await reader.read { Self.trailers(of: query) }
                try await outbound.write(.end(framing.isChunked ? trailers : nil))
            } catch {
                let ending = query.finishLine() + Array(question.rendering.format.words(for: error).utf8)
                let piece =
                    parameters.isResumable ? ResumableAnswer.piece(ending, cursor: query.takeMovedCursor()) : ending
                try? await outbound.write(.body(ByteBuffer(bytes: piece)))
                throw BrokenAnswer(cause: error)
            }
        }
    }

    /// The framing of the body.
    private struct Framing {
        let isChunked: Bool
        private let isKeepAlive: Bool

        init(_ request: HTTPRequestHead) {
            isChunked = request.isHTTP11 && request.method != .HEAD
            isKeepAlive = request.isHTTP11 && request.isKeepAlive
        }

        func head(_ format: OutputFormat) -> HTTPResponseHead {
            var headers = HTTPHeaders([("Content-Type", format.contentType)])
            if isChunked {
                headers.add(name: "Transfer-Encoding", value: "chunked")
                headers.add(name: "Trailer", value: "Guestlog-Cursor, Guestlog-Matched, Guestlog-Explanation")
            }
            if !isKeepAlive {
                headers.add(name: "Connection", value: "close")
            }
            return HTTPResponseHead(version: .http1_1, status: .ok, headers: headers)
        }
    }

    private static func trailers(of query: LogQuery) -> HTTPHeaders {
        var trailers = HTTPHeaders()
        trailers.add(name: "Guestlog-Cursor", value: query.cursor)
        trailers.add(name: "Guestlog-Matched", value: query.matchedAny ? "1" : "0")
        if let explanation = query.explanation() {
            trailers.add(name: "Guestlog-Explanation", value: PercentEncoding.uri.encode(explanation))
        }
        return trailers
    }
}

/// A response failed after it had begun: its connection is closed, so that the client does not take it for complete.
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

    /// The text that ends a response that failed; empty in formats without comments.
    func words(for error: any Error) -> String {
        switch self {
        case .text, .short: "-- the response ends here: \(APIServer.apiError(error)) --\n"
        case .json: String(decoding: APIServer.apiError(error).json.bytes, as: UTF8.self) + "\n"
        case .logfmt, .cri, .export, .raw: ""
        }
    }
}
