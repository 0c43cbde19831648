// SPDX-License-Identifier: Apache-2.0

/// A part of a container's line, or a whole line, as a runtime has written it to a log.
public struct ContainerPart: Equatable, Sendable {
    /// When the text was received, in nanoseconds since the Unix epoch.
    public var time: Int64
    public var isError: Bool
    /// Without its line feed.
    public var text: [UInt8]
    /// Whether the text continues in the next part of that stream.
    public var isPartial: Bool

    public init(time: Int64, isError: Bool, text: [UInt8], isPartial: Bool) {
        self.time = time
        self.isError = isError
        self.text = text
        self.isPartial = isPartial
    }
}
