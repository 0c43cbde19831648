// SPDX-License-Identifier: Apache-2.0

/// Why a request cannot be answered, and the remedy.
public struct QueryError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The kind of error, for programs.
    public struct Code: Hashable, Sendable {
        private enum Kind { case noSuchVM, ambiguousVM, noSuchStream, noSuchBoot, badCursor, badRequest, tooCostly }
        private let kind: Kind

        public static let noSuchVM = Code(kind: .noSuchVM)
        /// Several VMs match.
        public static let ambiguousVM = Code(kind: .ambiguousVM)
        public static let noSuchStream = Code(kind: .noSuchStream)
        /// That boot is not stored.
        public static let noSuchBoot = Code(kind: .noSuchBoot)
        /// The cursor is malformed, belongs to another VM, or lies beyond the end of a stream.
        public static let badCursor = Code(kind: .badCursor)
        /// A value of the request is malformed.
        public static let badRequest = Code(kind: .badRequest)
        /// The pattern takes too long.
        public static let tooCostly = Code(kind: .tooCostly)
    }

    public let code: Code
    /// What is wrong and how to correct it, for people.
    public let message: String

    /// Matching was given up.
    static func tooCostly(_ pattern: Pattern) -> QueryError {
        QueryError(
            .tooCostly,
            "matching '\(VMLookup.quoted(pattern.expression))' was given up: it takes too long on these lines; "
                + "simplify it, or request fewer lines"
        )
    }

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    public var description: String { message }
}
