import Capture
import LogModel
import LogStore
import NIOCore
import Query

/// Answers when a guest has said what was asked for, or when the time is over.
struct WaitRequest {
    let server: ControlServer

    /// The match as JSON, or null when `timeout` passed without one.
    func answer(_ word: String, _ target: RequestTarget, until closed: EventLoopFuture<Void>) async throws -> JSON {
        guard let pattern = try LogRequest.pattern(target["pattern"], ignoreCase: nil) else {
            throw APIError.badRequest("pattern is missing")
        }
        let since = try LogRequest.time(target, "since", server.now)
        let stream = try target["stream"].map { (text: String) throws(APIError) -> StreamName in
            guard let stream = StreamName(text) else {
                throw .badRequest("\(text) is no stream's name")
            }
            return stream
        }
        var deadline: NIODeadline?
        if let text = target["timeout"] {
            do {
                let seconds = try Quantities.parseDuration(text).components.seconds
                deadline = .now() + .seconds(min(seconds, Self.longest))
            } catch {
                throw APIError.badRequest("timeout: \(error)")
            }
        }
        let store = server.capture.store
        let wait = try await server.blocking {
            let vm = try VMLookup.resolve(word, in: store, previousInstance: false)
            return try Handed(PatternWait(store: store, vm: vm, stream: stream, pattern: pattern, since: since))
        }
        let news = CommitNews(server.capture.bell, until: closed)
        while true {
            news.listen(to: wait.value.streams)
            if let match = try await server.blocking({ try wait.value.poll() }) {
                return .object([
                    ("stream", .string(match.stream.stream.text)),
                    ("time", .string(match.time.description)),
                    ("text", .string(String(decoding: match.line, as: UTF8.self))),
                ])
            }
            let rest = deadline.map { ($0 - .now()).nanoseconds / 1_000_000 }
            if let rest, rest <= 0 {
                return .null
            }
            if await news.wait(milliseconds: rest.map { Int($0) + 1 }) == .closed {
                throw ChannelError.eof
            }
        }
    }

    /// Longest timeout, in seconds: a day.
    private static let longest: Int64 = 86_400
}
