// SPDX-License-Identifier: Apache-2.0

public import LogModel
public import LogStore

/// The end of a result in each of its streams, as one word: `v1:<vm>/<stream>=<offset>.<markers>,…;<vm>/…`.
///
/// Readable for people, opaque for programs. VMs are named by their folders.
public struct QueryCursor: Hashable, Sendable {
    /// The position in each stream; a stream without one is at its beginning.
    public internal(set) var positions: [StreamID: Cursor] = [:]

    private static let version = "v1:"

    /// The begin of all streams.
    public init() {}

    /// These positions.
    public init(_ positions: [StreamID: Cursor]) {
        self.positions = positions
    }

    /// The cursor `word`. Throws `badCursor` if the word is not a cursor.
    public init(_ word: String) throws(QueryError) {
        guard word.hasPrefix(Self.version) else {
            let isNewer = word.first == "v" && word.dropFirst().prefix { $0.isNumber }.count > 0 && word.contains(":")
            throw QueryError(
                .badCursor,
                isNewer
                    ? "cursor \(Self.shown(word)) was made by a newer guestlog; omit it to start from the beginning"
                    : "\(Self.shown(word)) is not a cursor; use one from an earlier result, or omit it"
            )
        }
        for part in word.dropFirst(Self.version.count).split(separator: ";") {
            guard let slash = part.firstIndex(of: "/") else {
                throw Self.damaged(word)
            }
            let vm = String(part[..<slash])
            for entry in part[part.index(after: slash)...].split(separator: ",") {
                // A folder's name may contain '=', a stream's name cannot.
                let halves = entry.split(separator: "=", omittingEmptySubsequences: false)
                guard halves.count == 2, let stream = StreamName(String(halves[0])),
                    let position = Cursor(String(halves[1]))
                else {
                    throw Self.damaged(word)
                }
                positions[StreamID(vm: vm, stream: stream)] = position
            }
        }
    }

    private static func damaged(_ word: String) -> QueryError {
        QueryError(
            .badCursor,
            "cursor \(shown(word)) is damaged; copy it completely, or omit it to start from the beginning"
        )
    }

    /// At most a line's length of untrusted text.
    private static func shown(_ word: String) -> String {
        let safe = word.unicodeScalars.prefix(60).map { (0x21..<0x7f).contains($0.value) ? Character($0) : "?" }
        return "'" + String(safe) + (word.unicodeScalars.count > 60 ? "…" : "") + "'"
    }

    /// Moves the streams in `moved` to their positions there.
    public mutating func merge(_ moved: QueryCursor) {
        positions.merge(moved.positions) { $1 }
    }

    public var text: String {
        let vms = Dictionary(grouping: positions) { $0.key.vm }.sorted { $0.key < $1.key }
        return Self.version
            + vms.map { vm, positions in
                let streams = positions.sorted { $0.key.stream < $1.key.stream }.map { "\($0.key.stream)=\($0.value)" }
                return vm + "/" + streams.joined(separator: ",")
            }.joined(separator: ";")
    }
}
