import Capture
import Glibc
import LogModel
import Synchronization
import SystemIO

/// Opens consoles' endpoints: each file for one console, by whatever path it is reached, and none that is Guestlog's own.
final class EndpointOpener: Sendable {
    /// The folder of the sockets that Guestlog offers to other programs.
    private let ownFolder: String?
    /// Whether a console may be served by this very process.
    private let acceptsOwnProcess: Bool
    private let claims = Mutex(Claims())

    /// Which file is whose console, and by what path it was found.
    private struct Claims {
        var owners: [FileAttributes.Identity: (key: StreamKey, endpoint: Endpoint)] = [:]
        var files: [StreamKey: FileAttributes.Identity] = [:]

        mutating func release(_ key: StreamKey) {
            if let file = files.removeValue(forKey: key) {
                owners[file] = nil
            }
        }
    }

    init(ownFolder: String?, acceptsOwnProcess: Bool) {
        self.ownFolder = ownFolder
        self.acceptsOwnProcess = acceptsOwnProcess
    }

    /// Opens the console; it must be one that is dialled.
    ///
    /// EBUSY: the file is another console's. ELOOP: a link where none is followed, or Guestlog itself is at the other end.
    func open(_ definition: ConsoleHub.Definition) throws(SystemError) -> Connection {
        let descriptor = try connect(definition)
        try descriptor.setNonBlocking()
        return Connection(descriptor)
    }

    private func connect(_ definition: ConsoleHub.Definition) throws(SystemError) -> Descriptor {
        if case .tcp(let address) = definition.endpoint {
            return try address.connect()
        }
        let file = try definition.endpoint.locate(trusted: definition.trustedFolder)
        if let ownFolder, let location = file.location, location == Self.identity(ofFolder: ownFolder) {
            throw Self.isOwn(definition)
        }
        try claim(file, for: definition)
        do throws(SystemError) {
            let descriptor = try definition.endpoint.open(file)
            let peer = try? UnixSocket.peer(of: descriptor.raw)
            guard acceptsOwnProcess || peer?.process != getpid() else {
                throw Self.isOwn(definition)
            }
            return descriptor
        } catch {
            release(definition.key)
            throw error
        }
    }

    private static func isOwn(_ definition: ConsoleHub.Definition) -> SystemError {
        let path = definition.endpoint.path ?? ""
        return SystemError("connect", path, code: ELOOP, reason: "it is one of Guestlog's own sockets")
    }

    private static func identity(ofFolder path: String) -> FileAttributes.Identity? {
        guard let folder = try? DirectoryHandle(path) else {
            return nil
        }
        return try? folder.attributes().identity
    }

    private func claim(_ file: borrowing PathHandle, for definition: ConsoleHub.Definition) throws(SystemError) {
        let identity = file.attributes.identity
        let other = claims.withLock { claims in
            let owner = claims.owners[identity]
            // What is reached only while a client is on it takes nothing from a console that is captured.
            if owner == nil, !definition.isOnDemand {
                claims.release(definition.key)
                claims.files[definition.key] = identity
                claims.owners[identity] = (definition.key, definition.endpoint)
            }
            return owner?.key == definition.key ? nil : owner
        }
        if let other {
            let name = "\(other.key.name)/\(other.key.stream)"
            let reason = "it leads to the same file as \(other.endpoint), which is the console of \(name)"
            throw SystemError("open", definition.endpoint.path ?? "", code: EBUSY, reason: reason)
        }
    }

    /// The console has come over from an earlier process, with what lies at its path, as far as can be told.
    func claim(_ definition: ConsoleHub.Definition) {
        guard definition.endpoint.isDialled, definition.endpoint.path != nil,
            let file = try? definition.endpoint.locate(trusted: definition.trustedFolder)
        else {
            return
        }
        try? claim(file, for: definition)
    }

    /// The console is closed, or gone: what it had may be another's.
    func release(_ key: StreamKey) {
        claims.withLock { $0.release(key) }
    }
}
