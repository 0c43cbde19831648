// SPDX-License-Identifier: Apache-2.0

import SystemIO

/// The body of a `DomainWatch`'s thread: connects to libvirt, follows the changes of its domains, and reconnects.
struct DomainFollower: Sendable {
    let socket: LibvirtSocket
    let directory: DomainDirectory
    let diagnostics: Diagnostics
    let interruption: Interruption
    let onChange: @Sendable (DomainDirectory) -> Void
    private let clock = SystemClock()
    private var backoff = Backoff()
    /// The condition of libvirt that was last logged.
    private var condition = Condition.unknown

    /// The interval between complete scans, in microseconds.
    private static let refreshInterval: Int64 = 300_000_000
    /// The delay of the first scan after connecting, in microseconds; it doubles with each further one. A libvirtd that
    /// has just started reports domains as running, and sends no event when it finds that they have ended.
    private static let firstInterval: Int64 = 1_000_000

    private enum Condition {
        case unknown, absent, failing, answering
    }

    init(
        socket: LibvirtSocket,
        directory: DomainDirectory,
        diagnostics: Diagnostics,
        interruption: Interruption,
        onChange: @escaping @Sendable (DomainDirectory) -> Void
    ) {
        self.socket = socket
        self.directory = directory
        self.diagnostics = diagnostics
        self.interruption = interruption
        self.onChange = onChange
    }

    /// Runs until it is interrupted.
    mutating func run() {
        repeat {
            guard let path = socket.currentPath else {
                logAbsence()
                continue
            }
            do throws(LibvirtError) {
                try follow(LibvirtConnection(to: path, interruption: interruption), at: path)
            } catch {
                if error.reason != .interrupted {
                    logFailure(error)
                }
            }
        } while !interruption.isRaised(within: backoff.next())
    }

    /// Follows the domains until the connection fails.
    private mutating func follow(_ connection: LibvirtConnection, at path: String) throws(LibvirtError) -> Never {
        var survey = DomainSurvey(connection, diagnostics: diagnostics)
        publish(try survey.scan())
        logAnswer(path)
        backoff = Backoff()
        var interval = Self.firstInterval
        var nextScan = clock.monotonicMicroseconds() + interval
        while true {
            let wait = max(0, nextScan - clock.monotonicMicroseconds())
            if let event = try connection.nextEvent(microseconds: wait) {
                survey.apply(event)
                while let another = try connection.nextEvent(microseconds: 0) {
                    survey.apply(another)
                }
            }
            if clock.monotonicMicroseconds() >= nextScan {
                if interval == Self.refreshInterval {
                    survey.forgetAll()
                }
                interval = min(interval * 2, Self.refreshInterval)
                nextScan = clock.monotonicMicroseconds() + interval
            }
            publish(try survey.scan())
        }
    }

    private func publish(_ domains: [Domain]) {
        if directory.replace(with: domains) {
            onChange(directory)
        }
    }

    // MARK: - Messages

    /// Logged at level info: most hosts without libvirt never get it.
    private mutating func logAbsence() {
        if condition == .unknown {
            diagnostics.log(.info, "no libvirt is at \(socket)")
            condition = .absent
        }
    }

    private mutating func logFailure(_ error: LibvirtError) {
        if condition != .failing {
            diagnostics.log(.warning, "\(error); retrying; until then the VMs that libvirt last listed are used")
            condition = .failing
        }
    }

    private mutating func logAnswer(_ path: String) {
        diagnostics.log(condition == .failing ? .notice : .info, "following the VMs of libvirt at \(path)")
        condition = .answering
    }
}
