// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc
import SystemIO

/// A service manager that stores descriptors as systemd does: an open file that it has already keeps its first name.
final class StandInManager {
    private let address: String
    private let socket: Descriptor
    private var stored: [(name: String, descriptor: Int32)] = []

    init(in folder: String) throws {
        address = folder + "/manager.sock"
        socket = try UnixSocket.datagrams(at: address)
    }

    deinit {
        stored.forEach { close($0.descriptor) }
    }

    /// For the processes that it manages.
    var client: ServiceManager { ServiceManager(address: address) }

    /// The names of the stored descriptors.
    var names: [String] {
        receiveAll()
        return stored.map(\.name)
    }

    /// A copy of each stored descriptor, for the next process.
    func copies() -> [(name: String, descriptor: Int32)] {
        receiveAll()
        return stored.map { ($0.name, gl_fcntl($0.descriptor, F_DUPFD_CLOEXEC, 0)) }
    }

    private func receiveAll() {
        var text = [UInt8](repeating: 0, count: 4096)
        var number: Int32 = -1
        while case let count = gl_receive_descriptor(socket.raw, &text, text.count, &number), count >= 0 {
            let lines = String(decoding: text.prefix(count), as: UTF8.self).split(separator: "\n")
            let name = lines.first { $0.hasPrefix("FDNAME=") }.map { String($0.dropFirst("FDNAME=".count)) } ?? ""
            if lines.contains("FDSTOREREMOVE=1") {
                stored.filter { $0.name == name }.forEach { close($0.descriptor) }
                stored.removeAll { $0.name == name }
            } else if lines.contains("FDSTORE=1"), !stored.contains(where: { gl_same_file($0.descriptor, number) }) {
                stored.append((name, number))
            } else if number >= 0 {
                close(number)
            }
        }
    }
}
