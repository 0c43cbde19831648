import LogModel
import LogStore

/// Where an answer ended, in each of its streams, as one word: `v1:<vm>/<stream>=<offset>.<markers>,…;<vm>/…`.
///
/// Readable, so that people can see what it is, but nobody need read it. A VM is named by its folder.
struct QueryCursor: Equatable {
    /// The place in each stream.
    var places: [StreamID: Cursor] = [:]

    private static let version = "v1:"

    /// A cursor of nothing.
    init() {}

    /// The cursor that `word` spells.
    init(_ word: String) throws(QueryError) {
        guard word.hasPrefix(Self.version) else {
            let isNewer = word.first == "v" && word.dropFirst().prefix { $0.isNumber }.count > 0 && word.contains(":")
            throw QueryError(
                .badCursor,
                isNewer
                    ? "cursor \(Self.shown(word)) was made by a newer guestlog; leave it out to begin anew"
                    : "\(Self.shown(word)) is no cursor; take one as an earlier answer gave it, or leave it out"
            )
        }
        for part in word.dropFirst(Self.version.count).split(separator: ";") {
            guard let slash = part.firstIndex(of: "/") else {
                throw Self.damaged(word)
            }
            let vm = String(part[..<slash])
            for entry in part[part.index(after: slash)...].split(separator: ",") {
                // A folder's name may hold '=', a stream's name cannot.
                let halves = entry.split(separator: "=", omittingEmptySubsequences: false)
                guard halves.count == 2, let stream = StreamName(String(halves[0])),
                    let place = Cursor(String(halves[1]))
                else {
                    throw Self.damaged(word)
                }
                places[StreamID(vm: vm, stream: stream)] = place
            }
        }
    }

    private static func damaged(_ word: String) -> QueryError {
        QueryError(.badCursor, "cursor \(shown(word)) is damaged; take it whole, or leave it out to begin anew")
    }

    /// At most a line's worth of what may be anything.
    private static func shown(_ word: String) -> String {
        let safe = word.unicodeScalars.prefix(60).map { (0x21..<0x7f).contains($0.value) ? Character($0) : "?" }
        return "'" + String(safe) + (word.unicodeScalars.count > 60 ? "…" : "") + "'"
    }

    /// The word.
    var text: String {
        let vms = Dictionary(grouping: places) { $0.key.vm }.sorted { $0.key < $1.key }
        return Self.version
            + vms.map { vm, places in
                let streams = places.sorted { $0.key.stream < $1.key.stream }.map { "\($0.key.stream)=\($0.value)" }
                return vm + "/" + streams.joined(separator: ",")
            }.joined(separator: ";")
    }
}
