// SPDX-License-Identifier: Apache-2.0

public import LogModel

/// The time of an RFC 3164 message (section 4.1.2): `Mmm dd hh:mm:ss`, local time without a year.
public struct YearlessTime: Hashable, Sendable {
    /// 1 to 12.
    public var month: Int
    /// 1 to the length of the month; 29 for February.
    public var day: Int
    public var hour: Int
    public var minute: Int
    /// 0 to 60.
    public var second: Int

    private static let months = Array("JanFebMarAprMayJunJulAugSepOctNovDec".utf8)

    /// Parses the time at the beginning of `bytes`; returns it with its length, 14 or 15: a day below 10 may have a
    /// space before it.
    public static func parse(_ bytes: UnsafeRawBufferPointer) -> (time: YearlessTime, length: Int)? {
        guard bytes.count >= 14, bytes[3] == space,
            let index = stride(from: 0, to: months.count, by: 3).first(where: {
                bytes.starts(with: months[$0..<$0 + 3])
            })
        else {
            return nil
        }
        let first = bytes[4] == space ? 5 : 4
        guard let end = bytes[first..<min(first + 3, bytes.count)].firstIndex(of: space),
            let day = ASCIIDigits.value(of: bytes[first..<end]), bytes.count >= end + 9,
            bytes[end + 3] == colon, bytes[end + 6] == colon,
            let hour = ASCIIDigits.value(of: bytes[end + 1..<end + 3]),
            let minute = ASCIIDigits.value(of: bytes[end + 4..<end + 6]),
            let second = ASCIIDigits.value(of: bytes[end + 7..<end + 9])
        else {
            return nil
        }
        let time = YearlessTime(month: index / 3 + 1, day: day, hour: hour, minute: minute, second: second)
        // In a leap year, so that February has 29 days.
        return time.civil(in: 2000).isValid ? (time, end + 9) : nil
    }

    private static let space = UInt8(ascii: " ")
    private static let colon = UInt8(ascii: ":")

    /// The moment nearest to `received` at which clocks in `zone` showed this time. So a message of 31 December that is
    /// received on 1 January is a second old, and not from the next December. nil for 29 February when none of the three
    /// years around `received` has one.
    public func moment(near received: Timestamp, zone: LocalZone) -> Timestamp? {
        let year = zone.civil(at: received).year
        var nearest: Timestamp?
        for candidate in [year - 1, year, year + 1].map(civil(in:)) where candidate.isValid {
            let moments = zone.moments(of: candidate)
            for moment in [moments.lowerBound, moments.upperBound] {
                if nearest.map({ Self.distance(moment, received) < Self.distance($0, received) }) ?? true {
                    nearest = moment
                }
            }
        }
        return nearest
    }

    private func civil(in year: Int) -> CivilTime {
        CivilTime(year: year, month: month, day: day, hour: hour, minute: minute, second: second)
    }

    private static func distance(_ left: Timestamp, _ right: Timestamp) -> UInt64 {
        left.microseconds.subtractingReportingOverflow(right.microseconds).partialValue.magnitude
    }
}
