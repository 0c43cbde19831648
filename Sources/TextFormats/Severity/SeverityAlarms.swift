// SPDX-License-Identifier: Apache-2.0

import LogModel

/// Fixed words of kernels, firmware and services, and the severity at which they are printed, for consoles that do not
/// show `<N>`. The words are in extensions, by the systems that print them.
///
/// A kernel's message also has idioms of all its parts, `*ERROR*` or ` error -5`, which need no row for each driver.
enum SeverityAlarms {
    /// The severity of `message`. `line` is behind the name of the program before it, if there is one.
    static func severity(
        of message: ConsoleLine,
        behindProgram line: ConsoleLine,
        _ program: ConsoleLine.Program?,
        isKernel: Bool
    ) -> Severity? {
        if let severity = starts.severity(atStartOf: message.rest) {
            return severity
        }
        // A process has a number: it wrote to the kernel's log, or is what the kernel's message is about.
        let isProcess = program?.hasNumber ?? false
        if line.offset > message.offset,
            let severity = (isProcess ? serviceStarts : starts).severity(atStartOf: line.rest)
        {
            return severity
        }
        if let program, program.name.starts(with: "systemd".utf8),
            let severity = systemdStarts.severity(atStartOf: line.rest)
                ?? systemdParts.severity(anywhereIn: line.rest)
        {
            return severity
        }
        guard isKernel else {
            return nil
        }
        guard !isProcess else {
            return signals.severity(anywhereIn: message.rest)
        }
        return kernelParts.severity(anywhereIn: message.rest) ?? ofErrorNumber(endOf: message.rest)
    }

    /// The severity of a message behind a program's time, without a level.
    static func severity(behindTimeOf start: ConsoleLine) -> Severity? {
        var line = start
        let mayBeTime = line.mayBeginTime || line.current == UInt8(ascii: "[")
        return mayBeTime && line.takeProgramTime() ? starts.severity(atStartOf: line.rest) : nil
    }

    /// With which a message begins.
    private static let starts = AlarmTable(
        linux,
        linuxFileSystems,
        programs,
        services,
        unixes,
        windows,
        hypervisors,
        firmware,
        loaders
    )
    private static let serviceStarts = AlarmTable(programs, services)
    /// Anywhere in a kernel's message: a device or a process is named before them.
    private static let kernelParts = AlarmTable(linuxSignals, linuxFileSystemParts, linuxParts, linuxDeviceParts)
    private static let signals = AlarmTable(linuxSignals)
    private static let systemdStarts = AlarmTable(systemd)
    private static let systemdParts = AlarmTable(systemdAnywhere)

    // MARK: - Error numbers

    /// An error for a kernel's message that says that something failed and ends with an error's number or name: `failed to
    /// resolve '/x': -2`, `Unable to load firmware a.fw (-2)`, `failed to get clock: -ENOENT`.
    private static func ofErrorNumber(endOf text: UnsafeRawBufferPointer) -> Severity? {
        var end = text.count
        while end > 0, text[end - 1] <= 0x20 {
            end -= 1
        }
        if end > 0, text[end - 1] == UInt8(ascii: ")") {
            end -= 1
        }
        var start = end
        while start > 0, (0x30...0x39).contains(text[start - 1]) || (0x41...0x5a).contains(text[start - 1]) {
            start -= 1
        }
        guard start > 1, start < end, text[start - 1] == UInt8(ascii: "-"), " =(".utf8.contains(text[start - 2]) else {
            return nil
        }
        let isNumber = text[start..<end].allSatisfy { (0x30...0x39).contains($0) }
        guard isNumber ? end - start <= 4 : text[start] == UInt8(ascii: "E") else {
            return nil
        }
        return failures.severity(anywhereIn: text)
    }

    private static let failures = AlarmTable([
        .error: ["ailed", "annot ", "nable to ", "ouldn't ", "ould not ", "an't ", "rror"]
    ])
}
