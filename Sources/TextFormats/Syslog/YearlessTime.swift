// SPDX-License-Identifier: Apache-2.0

import LogModel

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
    static func parse(_ bytes: UnsafeRawBufferPointer) -> (time: YearlessTime, length: Int)? {
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

    /// The last moment before `received`, or at most two days after it because clocks differ, at which clocks in `zone`
    /// showed this time. So a message of 31 December that is received on 1 January is a second old, and a file of half a
    /// year ago is not from the future. nil for 29 February when none of the three years around `received` has one.
    func moment(near received: Timestamp, zone: LocalZone) -> Timestamp? {
        let year = zone.civil(at: received).year
        let latest = received.advanced(byMicroseconds: Self.tolerance)
        let moments = [year - 1, year, year + 1].map(civil(in:)).filter(\.isValid)
            .map { zone.moments(of: $0) }.filter { $0.lowerBound <= latest }
        // A time that clocks showed twice: the one that is nearer.
        return moments.max { $0.lowerBound < $1.lowerBound }.map { moments in
            Self.distance(moments.lowerBound, received) <= Self.distance(moments.upperBound, received)
                ? moments.lowerBound : moments.upperBound
        }
    }

    /// The first moment of `year` at which clocks in `zone` showed this time; nil for 29 February of a year without one.
    func moment(in year: Int, zone: LocalZone) -> Timestamp? {
        let time = civil(in: year)
        return time.isValid ? zone.moments(of: time).lowerBound : nil
    }

    /// In microseconds.
    private static let tolerance: Int64 = 2 * 86_400_000_000

    private func civil(in year: Int) -> CivilTime {
        CivilTime(year: year, month: month, day: day, hour: hour, minute: minute, second: second)
    }

    private static func distance(_ left: Timestamp, _ right: Timestamp) -> UInt64 {
        left.microseconds.subtractingReportingOverflow(right.microseconds).partialValue.magnitude
    }
}
