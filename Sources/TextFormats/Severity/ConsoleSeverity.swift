// SPDX-License-Identifier: Apache-2.0

public import LogModel

extension Severity {
    /// The severity of a console line according to its text, for colours and filters; nil when it has none.
    ///
    /// Examined in this order: the level that `<N>` of the kernel and syslog, or `dmesg -x`, states, or the mnemonic of a
    /// network device (`%LINK-3-UPDOWN:`); the alarms of kernels, firmware and services (`SeverityAlarms`); a tag or a word at
    /// the beginning (systemd's `[FAILED]`, `ERROR:`) or behind a program's time; klog's letter; sysvinit's and OpenRC's
    /// result at the end; a `level=` of logfmt or JSON. What `ConsolePrefix` describes, and a program's name (`sshd[812]: `),
    /// may precede alarms and words. Behind the prefix of a console's client the kernel's message counts first, behind that
    /// of a log the level of the log. Examines the first 512 bytes, never allocates.
    public init?(consoleLine bytes: UnsafeRawBufferPointer) {
        let line = ConsoleLine(bytes)
        var message = line
        message.skipNoise()
        let found: Severity? =
            switch message.takeLogger() {
            case .client: Self.severity(of: message) ?? Self.severity(of: line)
            case .log: Self.severity(of: line) ?? Self.severity(of: message)
            case .quotation, nil: Self.severity(of: line)
            }
        guard let found else {
            return nil
        }
        self = found
    }

    private static func severity(of line: ConsoleLine) -> Severity? {
        var line = line
        let prefix = line.takePrefix()
        if let level = prefix.level {
            return level
        }
        let isKernel = prefix.isKernel
        if !isKernel, let level = SeverityWords.ofMnemonic(in: line.rest) {
            return level
        }
        // OpenRC's.
        _ = line.take(" * ")
        let whole = line
        let program = line.takeProgram()
        line.takeDevice()
        guard !SeverityWords.isCountOfNothing(line.rest) else {
            return nil
        }
        return SeverityAlarms.severity(of: whole, behindProgram: line, program, isKernel: isKernel)
            ?? SeverityWords.ofBeginning(whole, behindProgram: line)
            ?? SeverityAlarms.severity(behindTimeOf: line)
            ?? (line.isCut ? nil : SeverityWords.ofResult(in: whole.rest))
            ?? SeverityWords.ofField(in: whole.rest)
    }
}
