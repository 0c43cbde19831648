import CLinux
import Glibc

/// systemd's side of a service: readiness, watchdog, passed and stored descriptors (sd_notify(3), sd_listen_fds(3)).
///
/// Over our own exec descriptors are passed in the same words, so the daemon gets them back in one way only.
public final class ServiceManager: Sendable {
    private let address: String?
    /// How often the watchdog wants to hear from us, in microseconds; nil when there is none.
    public let watchdogMicroseconds: Int64?

    /// The manager named by the environment, if there is one.
    public init() {
        address = getenv("NOTIFY_SOCKET").map { String(cString: $0) }
        let interval = getenv("WATCHDOG_USEC").flatMap { Int64(String(cString: $0)) }
        let process = getenv("WATCHDOG_PID").flatMap { Int32(String(cString: $0)) }
        watchdogMicroseconds = process == nil || process == getpid() ? interval : nil
    }

    /// Sends `state` (lines of `NAME=value`) with `descriptors` attached; false when there is no manager, or it is
    /// deaf.
    @discardableResult
    public func notify(_ state: String, descriptors: [Int32] = []) -> Bool {
        guard let address else {
            return false
        }
        let raw = gl_datagram_socket()
        guard raw >= 0 else {
            return false
        }
        let socket = Descriptor(owning: raw)
        var target = sockaddr_un()
        target.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(address.utf8)
        guard bytes.count < MemoryLayout.size(ofValue: target.sun_path) else {
            return false
        }
        withUnsafeMutableBytes(of: &target.sun_path) { place in
            place.copyBytes(from: bytes)
            if bytes.first == UInt8(ascii: "@") {
                place[0] = 0
            }
        }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + bytes.count)
        let connected = withUnsafePointer(to: &target) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(socket.raw, $0, length) }
        }
        guard connected == 0 else {
            return false
        }
        let text = Array(state.utf8)
        return gl_send_descriptors(socket.raw, text, text.count, descriptors, descriptors.count, 0) == text.count
    }

    /// The descriptors passed in by LISTEN_FDS, each handed to `body` once with the name it was passed under
    /// (`FileDescriptorName=`, `FDNAME=`; `unknown` without one). The variables are removed, so that no
    /// child takes them for its own.
    public static func takePassedDescriptors(_ body: (String, consuming Descriptor) -> Void) {
        defer {
            unsetenv("LISTEN_FDS")
            unsetenv("LISTEN_PID")
            unsetenv("LISTEN_FDNAMES")
        }
        guard let process = getenv("LISTEN_PID").flatMap({ Int32(String(cString: $0)) }), process == getpid(),
            let count = getenv("LISTEN_FDS").flatMap({ Int32(String(cString: $0)) }), count > 0
        else {
            return
        }
        let text = getenv("LISTEN_FDNAMES").map { String(cString: $0) } ?? ""
        let names = text.split(separator: ":", omittingEmptySubsequences: false)
        for place in 0..<count {
            let descriptor = Descriptor(owning: 3 + place)
            guard gl_fcntl(descriptor.raw, F_GETFD, 0) >= 0 else {
                _ = descriptor.release()
                continue
            }
            try? descriptor.setCloseOnExec()
            let name = Int(place) < names.count && !names[Int(place)].isEmpty ? String(names[Int(place)]) : "unknown"
            body(name, descriptor)
        }
    }
}
