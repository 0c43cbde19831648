// SPDX-License-Identifier: Apache-2.0

/// The identity of a virtual machine.
///
/// The identity never changes during a VM's life and determines its folder's name; the name is an alias. It comes from
/// the transport (a socket's path, libvirt's call, a peer's CID), never from the guest's output.
public struct VMIdentity: Hashable, Sendable {
    /// The name, unchanged; any text.
    @Bytewise public var name: String
    /// The UUID, in lower case with dashes, if the transport provides one.
    public var uuid: String?
    /// The namespace or project, if the transport provides one: the same name in two namespaces means two VMs.
    @Bytewise public var namespace: String?
    /// For VMs known by name alone: the number of deleted VMs with that name before this one.
    public var instance: Int

    public init(name: String, uuid: String? = nil, namespace: String? = nil, instance: Int = 0) {
        self.name = name
        self.uuid = uuid
        self.namespace = namespace
        self.instance = instance
    }

    /// The VM as the transport knows it: without what only the store's history tells.
    public var withoutInstance: VMIdentity { VMIdentity(name: name, uuid: uuid, namespace: namespace) }

    /// What distinguishes the VM from others: a VM with a UUID may change its name.
    public var withoutAlias: VMIdentity {
        guard let uuid = uuid.flatMap(Self.canonicalUUID) else {
            return VMIdentity(name: name, namespace: namespace, instance: instance)
        }
        return VMIdentity(name: "", uuid: uuid)
    }

    /// The folder's name: the UUID, else the name (with its namespace) percent-encoded, with `~n` for the nth VM
    /// created under a deleted VM's name.
    ///
    /// Always a single safe path component of at most `maximumDirectoryLength` bytes, and different for different
    /// identities: a name that is too long keeps a prefix and a 64-bit hash of the whole, and a name with another
    /// meaning (a UUID, the store's own files) has its first byte encoded.
    public var directoryName: String {
        if let uuid = uuid.flatMap(Self.canonicalUUID) {
            return uuid
        }
        var encoded = PercentEncoding.folder.encode(name)
        if let namespace {
            encoded = PercentEncoding.folder.encode(namespace) + "." + encoded
        } else if let first = encoded.utf8.first,
            Self.canonicalUUID(encoded) == encoded || Self.reservedNames.contains(encoded)
        {
            encoded = "%" + String(first, radix: 16, uppercase: true) + encoded.dropFirst()
        }
        if encoded.utf8.count > Self.maximumDirectoryLength {
            let hash = String(encoded.stableHash(), radix: 16)
            let prefix = encoded.utf8.prefix(Self.maximumDirectoryLength - hash.utf8.count - 1)
            encoded = String(decoding: prefix, as: UTF8.self) + "=" + hash
        }
        return instance == 0 ? encoded : encoded + "~" + String(instance)
    }

    /// Maximum size of a name or namespace of a VM, in bytes.
    public static let maximumName = 128

    /// The name under which a VM called `name` is stored: that, or its beginning of at most `maximumName` bytes.
    public static func storedName(_ name: String) -> String { name.prefix(utf8: maximumName) }

    /// The rule that `name` violates as the name or the namespace of a VM; nil when it is valid. Names become parts of
    /// paths, messages and the in-flight ring's table.
    public static func fault(inName name: String) -> String? {
        guard !name.isEmpty, name != ".", name != "..", name.utf8.count <= maximumName,
            !name.utf8.contains(UInt8(ascii: "/")), !name.unicodeScalars.contains(where: \.isControl)
        else {
            return "1 to \(maximumName) bytes of UTF-8 without / and control characters, and not . or .."
        }
        return nil
    }

    /// The identity of a folder with this name, as far as the name determines it; nil when no VM's folder has such a
    /// name. A UUID also stands for the unknown name. Of a shortened name only the beginning is left.
    public init?(directoryName: String) {
        if Self.canonicalUUID(directoryName) == directoryName {
            self.init(name: directoryName, uuid: directoryName)
            return
        }
        var text = directoryName[...]
        var instance = 0
        if let mark = text.lastIndex(of: "~") {
            guard let number = Int(text[text.index(after: mark)...]), number > 0 else {
                return nil
            }
            instance = number
            text = text[..<mark]
        }
        var isCut = false
        if let mark = text.lastIndex(of: "=") {
            isCut = true
            text = text[..<mark]
        }
        let parts = text.split(separator: ".", omittingEmptySubsequences: false).map(Self.decoded)
        guard parts.count <= 2, let last = parts.last, let name = last, !name.isEmpty, let first = parts[0] else {
            return nil
        }
        self.init(name: name, namespace: parts.count == 2 ? first : nil, instance: instance)
        guard isCut || self.directoryName == directoryName, !Self.reservedNames.contains(directoryName) else {
            return nil
        }
    }

    /// Names in the store's folder that are not VMs'.
    public static let reservedNames: Set<String> = ["access", "lock", "outputs", "reserve", "sources"]

    /// Leaves room for the instance's suffix below the 255 bytes that file systems allow.
    static let maximumDirectoryLength = 200

    /// Decodes a part of a folder's name; nil when it is malformed. A `%XX` that is cut at the end is omitted.
    private static func decoded(_ text: Substring) -> String? {
        let cut = text.utf8.suffix(2).firstIndex(of: UInt8(ascii: "%"))
        let whole = cut.map { text[..<$0] } ?? text
        guard PercentEncoding.folder.isEncoded(whole), let bytes = PercentEncoding.decode(whole) else {
            return nil
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// `text` as a UUID in its canonical form (lower case, dashes), or nil when it is not a UUID.
    public static func canonicalUUID(_ text: String) -> String? {
        let digits = text.lowercased().filter { $0 != "-" }
        guard digits.utf8.count == 32, [UInt8](hexadecimal: digits) != nil else {
            return nil
        }
        var canonical = ""
        for (index, digit) in digits.enumerated() {
            if [8, 12, 16, 20].contains(index) {
                canonical.append("-")
            }
            canonical.append(digit)
        }
        return canonical
    }
}

/// The name of one of a VM's streams, such as `console0` or `kernel`: 1–64 bytes of `[a-z0-9_-]`, which is a safe path
/// component. `lock` is a file's name in every VM's folder, and not allowed.
public struct StreamName: Hashable, Comparable, Sendable, CustomStringConvertible {
    public let text: String

    /// The first serial console.
    public static let console0 = StreamName(unchecked: "console0")
    /// What the agent in a guest sends.
    public static let guest = StreamName(unchecked: "guest")
    /// The guest's journal.
    public static let journal = StreamName(unchecked: "journal")
    /// Lines of another agent in the guest, such as Kata's.
    public static let agent = StreamName(unchecked: "agent")
    /// What the guest's service manager reports about its state.
    public static let notify = StreamName(unchecked: "notify")

    /// The rule of streams' names, as a part of messages.
    public static let rule = "1 to 64 of a-z, 0-9, _ and -, and not lock"

    private init(unchecked text: String) {
        self.text = text
    }

    /// A stream's name, or nil when `text` is not one.
    public init?(_ text: String) {
        let bytes = text.utf8
        let allowed = bytes.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"),
                UInt8(ascii: "-"):
                true
            default:
                false
            }
        }
        guard (1...64).contains(bytes.count), allowed, text != "lock" else {
            return nil
        }
        self.text = text
    }

    public static func < (left: StreamName, right: StreamName) -> Bool {
        left.text < right.text
    }

    public var description: String { text }
}

/// One stream of one VM.
public struct StreamID: Hashable, Sendable {
    public var vm: String
    public var stream: StreamName

    public init(vm: String, stream: StreamName) {
        self.vm = vm
        self.stream = stream
    }

    /// Its folder, relative to the store's root.
    public var folder: String { vm + "/" + stream.text }

    /// The stream in the folder `<vm>/<stream>`, relative to the store's root; nil for other folders.
    public init?(folder: String) {
        let parts = folder.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty, let stream = StreamName(String(parts[1])) else {
            return nil
        }
        self.init(vm: String(parts[0]), stream: stream)
    }
}
