// SPDX-License-Identifier: Apache-2.0

import LogModel
import SystemIO

/// Assigns logs to streams of their VM: libvirtd provides a path, and no kind of contents.
struct LogNames {
    /// The prefix of consoles' streams.
    private static let console = "console"

    /// Whether a log that has this stream is a console's.
    static func isConsole(_ stream: StreamName) -> Bool { stream.text.hasPrefix(console) }

    /// Whether a log that has this stream is that of QEMU's messages about its VM.
    static func isOfMachine(_ stream: StreamName, _ owner: LogOwner) -> Bool {
        stream.text == owner.driver.lowercased()
    }

    /// The streams of each VM with open logs, by path.
    private var streams: [String: [Bytewise<String>: StreamName]] = [:]

    /// The stream of the log at `path`.
    ///
    /// Logs of QEMU and its helpers are in libvirt's own folder, `…/qemu/` or, for a session, `…/qemu/log/`: QEMU's
    /// messages in `NAME.log`, the stream `qemu`, and those of helpers under libvirt's names for them, such as
    /// `NAME-fs0-virtiofsd.log`, the stream `qemu-fs0-virtiofsd`. Every other log is a console, whatever its name;
    /// consoles are numbered in the order in which they are opened, which is that of the domain's XML.
    ///
    /// The streams in `besides` belong to other logs of the VM, and are not assigned again.
    mutating func stream(of path: String, _ owner: LogOwner, besides inUse: [StreamName]) -> StreamName {
        if let known = streams[owner.uuid]?[Bytewise(path)] {
            return known
        }
        if let own = Self.ownStream(path, owner), !inUse.contains(own) {
            return own
        }
        let taken = Set((streams[owner.uuid] ?? [:]).values)
        let stream = (0...).lazy.compactMap { StreamName(Self.console + String($0)) }.first { !taken.contains($0) }
        streams[owner.uuid, default: [:]][Bytewise(path)] = stream
        return stream ?? .console0
    }

    /// Assigns the log at `path` to the stream that it had in an earlier process.
    mutating func resume(_ path: String, _ owner: LogOwner, as stream: StreamName) {
        streams[owner.uuid, default: [:]][Bytewise(path)] = stream
    }

    /// The VM has no open log any more.
    mutating func forget(_ uuid: String) {
        streams[uuid] = nil
    }

    /// The helpers whose messages libvirt writes to a file beside QEMU's: `NAME-HELPER.log`, `NAME-ALIAS-HELPER.log` or
    /// `NAME-HELPER-ALIAS.log` (libvirt's qemu_virtiofs.c, qemu_nbdkit.c, qemu_tpm.c and the like).
    private static let helpers = ["virtiofsd", "nbdkit", "swtpm", "vhost-user-gpu", "dbus", "slirp"]

    private static func ownStream(_ path: String, _ owner: LogOwner) -> StreamName? {
        var parts = path.split(separator: "/")
        guard let file = parts.popLast(), let helper = helper(of: file, owner),
            parts.last.map(String.init) == owner.driver || parts.suffix(2) == [Substring(owner.driver), "log"]
        else {
            return nil
        }
        let name = (owner.driver + helper).lowercased().map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "-" }
        return StreamName(String(name.prefix(64)))
    }

    /// The part between the domain's name and `.log`: empty, or a dash and a helper's name; nil when `file` belongs to
    /// neither.
    private static func helper(of file: Substring, _ owner: LogOwner) -> String? {
        guard file.utf8.starts(with: owner.name.utf8), file.hasSuffix(".log") else {
            return nil
        }
        let rest = file.utf8.dropFirst(owner.name.utf8.count).dropLast(".log".utf8.count)
        let helper = String(Substring(rest))
        let isHelper = helpers.contains { name in
            helper == "-" + name || helper.hasPrefix("-" + name + "-")
                || helper.hasPrefix("-") && helper.hasSuffix("-" + name)
        }
        return helper.isEmpty || isHelper ? helper : nil
    }
}

extension LogOwner {
    /// The streams of the VM's logs at `paths`, which libvirtd opens in this order. One that is not a console's is nil.
    public func consoleStreams(of paths: [String]) -> [StreamName?] {
        var names = LogNames()
        return paths.map { path in
            let stream = names.stream(of: DirectoryHandle.normalized(path), self, besides: [])
            return LogNames.isConsole(stream) ? stream : nil
        }
    }
}
