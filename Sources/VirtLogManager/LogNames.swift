import LogModel

/// Which stream of its VM a log is: libvirtd tells a path, and nothing of what is written there.
struct LogNames {
    /// What the names of consoles begin with.
    static let console = "console"

    /// The numbers of the consoles of each VM that has logs open, by path.
    private var consoles: [String: [String: Int]] = [:]

    /// The stream of the log at `path`.
    ///
    /// What libvirt writes itself lies in its own folder, `…/qemu/NAME.log` or, for a session, `…/qemu/log/NAME.log`:
    /// QEMU's own messages, the stream `qemu`, and its helpers', as `qemu-fs0-virtiofsd`. Anything else is a console;
    /// they are numbered in the order in which they are opened, which is that of the domain's XML.
    ///
    /// Those `besides` are other logs' of the VM, and are not given again.
    mutating func stream(of path: String, _ owner: LogOwner, besides inUse: [StreamName]) -> StreamName {
        if let own = Self.ownStream(path, owner), !inUse.contains(own) {
            return own
        }
        var numbers = consoles[owner.uuid] ?? [:]
        let taken = Set(numbers.values)
        let number = numbers[path] ?? (0...).first { !taken.contains($0) } ?? 0
        numbers[path] = number
        consoles[owner.uuid] = numbers
        return StreamName(Self.console + String(number)) ?? .console0
    }

    /// The log at `path` goes on as the stream that it was in an earlier process.
    mutating func goOn(_ path: String, _ owner: LogOwner, as stream: StreamName) {
        if stream.text.hasPrefix(Self.console), let number = Int(stream.text.dropFirst(Self.console.count)) {
            consoles[owner.uuid, default: [:]][path] = number
        }
    }

    /// No log of the VM is open any more.
    mutating func forget(_ uuid: String) {
        consoles[uuid] = nil
    }

    private static func ownStream(_ path: String, _ owner: LogOwner) -> StreamName? {
        var parts = path.split(separator: "/")
        guard let file = parts.popLast(), file.hasPrefix(owner.name), file.hasSuffix(".log"),
            parts.last.map(String.init) == owner.driver || parts.suffix(2) == [Substring(owner.driver), "log"]
        else {
            return nil
        }
        let helper = file.dropFirst(owner.name.count).dropLast(".log".count)
        guard helper.isEmpty || helper.hasPrefix("-") else {
            return nil
        }
        let name = (owner.driver + helper).lowercased().map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "-" }
        return StreamName(String(name.prefix(64)))
    }
}
