/// Why a question cannot be answered as it was put, and what to ask instead.
public struct QueryError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The kind of error, for programs.
    public struct Code: Hashable, Sendable {
        private enum Kind { case noSuchVM, ambiguousVM, noSuchStream, noSuchBoot, badCursor, tooCostly }
        private let kind: Kind

        /// No VM has that name.
        public static let noSuchVM = Code(kind: .noSuchVM)
        /// Several VMs could be meant.
        public static let ambiguousVM = Code(kind: .ambiguousVM)
        /// The VM has no such stream.
        public static let noSuchStream = Code(kind: .noSuchStream)
        /// That boot is not kept.
        public static let noSuchBoot = Code(kind: .noSuchBoot)
        /// The cursor is none, or of something else.
        public static let badCursor = Code(kind: .badCursor)
        /// The pattern takes too many steps.
        public static let tooCostly = Code(kind: .tooCostly)
    }

    /// The kind of error.
    public let code: Code
    /// What is wrong and what to do, for people.
    public let message: String

    /// The pattern was given up.
    static func tooCostly(_ pattern: Pattern) -> QueryError {
        QueryError(
            .tooCostly,
            "matching '\(VMLookup.quoted(pattern.expression))' was given up: it tries too many ways on these lines; "
                + "simplify it, or ask for fewer lines"
        )
    }

    init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    public var description: String { message }
}
