// SPDX-License-Identifier: Apache-2.0

/// How entries are written.
public struct Rendering: Sendable {
    public var format: OutputFormat
    /// Whether `text` has the time before each line.
    public var timestamps: Bool
    /// Whether `text` has VM and stream before each line; nil: if there is more than one stream.
    public var prefix: Bool?
    /// Whether formats for people have colours, the guest's or by severity.
    public var color: Bool
    /// Whether formats for people show UTC rather than local time.
    public var utc: Bool
    /// Whether formats for people show the begins and ends of boots, and which lines were painted over. Losses are shown
    /// always; formats for programs have everything.
    public var markers: Bool

    public init(format: OutputFormat = .text) {
        self.format = format
        timestamps = false
        prefix = nil
        color = false
        utc = false
        markers = true
    }
}
