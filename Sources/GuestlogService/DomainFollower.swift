import ConsoleHub
import LibvirtRPC
import Platforms
import SystemIO

/// What a `DomainWatch`'s thread does: connects to libvirt, follows what happens to its domains, and connects again when
/// libvirt has gone.
struct DomainFollower: Sendable {
    let socket: LibvirtSocket
    let directory: DomainDirectory
    let diagnostics: Diagnostics
    let interruption: Interruption
    let onChange: @Sendable (DomainDirectory) -> Void
    private let clock = SystemClock()
    private var backoff = Backoff()
    private var condition = Condition.unknown

    /// How often all is read anew, in microseconds.
    private static let refreshInterval: Int64 = 300_000_000
    /// How long after connecting the list is looked at again, in microseconds, and then twice as long each time: a
    /// libvirtd that has just begun shows domains as running, and tells of no event when it finds that they have ended.
    private static let firstInterval: Int64 = 1_000_000
    /// What was last said of libvirt.
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

    /// Goes on until it is interrupted.
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

    /// Follows what happens until the connection fails.
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

    // MARK: Words

    /// Most hosts that have no libvirt never will.
    private mutating func logAbsence() {
        if condition == .unknown {
            diagnostics.log(.info, "no libvirt is at \(socket)")
            condition = .absent
        }
    }

    private mutating func logFailure(_ error: LibvirtError) {
        if condition != .failing {
            diagnostics.log(.warning, "\(error); what is known of its VMs stays, and it is tried again")
            condition = .failing
        }
    }

    private mutating func logAnswer(_ path: String) {
        diagnostics.log(condition == .failing ? .notice : .info, "libvirt at \(path) tells of its VMs")
        condition = .answering
    }
}
