// SPDX-License-Identifier: Apache-2.0

import LogModel

// Levels as network appliances and hypervisors write them.
extension SeverityWords {
    /// The level between the facility and the name of a message, `%LINK-3-UPDOWN: …`, as the systems of Cisco, Arista and
    /// Juniper write it. A time, a host and a process may precede it.
    static func ofMnemonic(in text: UnsafeRawBufferPointer) -> Severity? {
        var start = 0
        while start < text.count, let mark = text.firstOffset(of: UInt8(ascii: "%"), from: start) {
            if mark == 0 || text[mark - 1] == UInt8(ascii: " "), let severity = ofMnemonic(in: text, at: mark + 1) {
                return severity
            }
            start = mark + 1
        }
        return nil
    }

    private static func ofMnemonic(in text: UnsafeRawBufferPointer, at start: Int) -> Severity? {
        guard start < text.count, (0x41...0x5a).contains(text[start]) else {
            return nil
        }
        var severity: Severity?
        var part = start
        for offset in text.indices[start...] {
            switch text[offset] {
            case UInt8(ascii: "-"), UInt8(ascii: ":"), UInt8(ascii: " "):
                if offset == part + 1, (0x30...0x37).contains(text[part]) {
                    severity = Severity(rawValue: text[part] - 0x30)
                }
                if text[offset] == UInt8(ascii: "-"), offset > part {
                    part = offset + 1
                    continue
                }
                let next = offset + 1 < text.count ? text[offset + 1] : 0
                let isEnd = text[offset] == UInt8(ascii: ":") || next == UInt8(ascii: ":")
                return offset > part && isEnd ? severity : nil
            case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
                continue
            case UInt8(ascii: "a")...UInt8(ascii: "z") where part > start:
                continue
            default:
                return nil
            }
        }
        return nil
    }

    /// The most severe of RouterOS's topics between a time and the message: `10:00:00 system,error,critical …`.
    static func ofTopics(_ start: ConsoleLine) -> Severity? {
        var line = start
        guard line.take("echo: ") || line.takeTimeOfRouterOS() else {
            return nil
        }
        let topics = line.rest.prefix(ConsoleLine.longestField).prefix { $0 > 0x20 }
        guard topics.contains(UInt8(ascii: ",")), topics.endIndex < line.rest.count,
            topics.allSatisfy({ $0 == UInt8(ascii: ",") || ConsoleLine.isNameByte($0) && !(0x41...0x5a).contains($0) })
        else {
            return nil
        }
        return topics.split(separator: UInt8(ascii: ",")).lazy
            .compactMap { severity(of: UnsafeRawBufferPointer(rebasing: $0), in: levels) }
            .min { $0.rawValue < $1.rawValue }
    }
}

extension ConsoleLine {
    /// Skips RouterOS's time, also with its date, `nov/30/2026 10:00:00 `; false when there is none.
    fileprivate mutating func takeTimeOfRouterOS() -> Bool {
        var line = self
        let name = line.rest.prefix(3)
        if name.count == 3, name.allSatisfy({ (0x61...0x7a).contains($0) }) {
            line.advance(by: 3)
            guard line.take("/"), line.takeDigits(2) == 2, !line.take("/") || line.takeDigits(4) == 4, line.take(" ")
            else {
                return false
            }
        } else if !mayBeginTime {
            return false
        }
        guard line.takeProgramTime() else {
            return false
        }
        self = line
        return true
    }

    /// Skips ESXi's time and the processor on which its kernel printed a message, `cpu0:2097152)`. Returns the level before
    /// a program's name, `Wa(180) `, and skips nothing else then.
    mutating func takeVMkernel() -> Severity? {
        guard let first = current,
            first == UInt8(ascii: "c") || mayBeginTime || rest.count > 2 && rest[2] == UInt8(ascii: "(")
        else {
            return nil
        }
        var line = self
        if first.isDecimalDigit {
            while let byte = line.current,
                (0x2d...0x3a).contains(byte) || byte == UInt8(ascii: "T") || byte == UInt8(ascii: "Z")
            {
                line.advance()
            }
            guard line.takeSpaces() else {
                return nil
            }
        }
        if let level = line.takeLevelOfESXi() {
            self = line
            return level
        }
        guard line.take("cpu"), line.takeDigits(5) > 0, line.take(":"), line.takeDigits(10) > 0 else {
            return nil
        }
        let end = line.rest.prefix(Self.longestField).firstIndex(of: UInt8(ascii: ")"))
        if let end, end == 0 || line.begins(with: " opID=") {
            line.advance(by: end + 1)
            self = line
        }
        return nil
    }

    /// The abbreviation of a level, and syslog's priority.
    private mutating func takeLevelOfESXi() -> Severity? {
        var line = self
        guard Self.levelsOfESXi.contains(where: { line.take($0) }), line.take("(") else {
            return nil
        }
        var priority = 0
        while let byte = line.current, byte.isDecimalDigit, priority < 100 {
            priority = priority * 10 + Int(byte - 0x30)
            line.advance()
        }
        guard line.take(") ") else {
            return nil
        }
        self = line
        return Severity(rawValue: UInt8(priority & 7))
    }

    private static let levelsOfESXi: [StaticString] = ["Em", "Al", "Cr", "Er", "Wa", "No", "In", "Db"]
}
