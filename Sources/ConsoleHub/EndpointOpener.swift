// SPDX-License-Identifier: Apache-2.0

import Capture
import Glibc
import LogModel
import Synchronization
import SystemIO

/// Opens consoles' endpoints. A file belongs to one console, by whatever path it is reached, and Guestlog's own files
/// are refused.
final class EndpointOpener: Sendable {
    /// The folder of the sockets that Guestlog offers to other programs.
    private let ownFolder: String?
    /// Whether this process itself may serve a console.
    private let acceptsOwnProcess: Bool
    private let claims = Mutex(Claims())

    /// The console and path of each claimed file.
    private struct Claims {
        var owners: [FileIdentity: (key: StreamKey, endpoint: Endpoint)] = [:]
        var files: [StreamKey: FileIdentity] = [:]

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

    /// Opens a console of a dialled kind.
    ///
    /// EBUSY: the file is another console's. ELOOP: a link where none is followed, or Guestlog itself is at the other
    /// end.
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

    private static func identity(ofFolder path: String) -> FileIdentity? {
        guard let folder = try? DirectoryHandle(path) else {
            return nil
        }
        return try? folder.attributes().identity
    }

    private func claim(_ file: borrowing PathHandle, for definition: ConsoleHub.Definition) throws(SystemError) {
        let identity = file.attributes.identity
        let other = claims.withLock { claims in
            let owner = claims.owners[identity]
            // A console on demand does not claim the file of a captured console.
            if owner == nil, !definition.isOnDemand {
                claims.release(definition.key)
                claims.files[definition.key] = identity
                claims.owners[identity] = (definition.key, definition.endpoint)
            }
            return owner?.key == definition.key ? nil : owner
        }
        if let other {
            let name = other.key.description
            let reason = "it leads to the same file as \(other.endpoint), which is the console of \(name)"
            throw SystemError("open", definition.endpoint.path ?? "", code: EBUSY, reason: reason)
        }
    }

    /// Claims the file of an inherited console, as far as it can be determined.
    func claim(_ definition: ConsoleHub.Definition) {
        guard definition.endpoint.isDialled, definition.endpoint.path != nil,
            let file = try? definition.endpoint.locate(trusted: definition.trustedFolder)
        else {
            return
        }
        try? claim(file, for: definition)
    }

    /// Releases the files of a closed or removed console.
    func release(_ key: StreamKey) {
        claims.withLock { $0.release(key) }
    }
}
