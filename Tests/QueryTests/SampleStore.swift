// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore
import SystemIO

#if canImport(Glibc)
    import Glibc
#endif

/// A store in a folder of its own, written with the real writer and sealer; removed with the object.
final class SampleStore {
    let store: Store
    let sealer: Sealer
    private(set) var vms: [VMStore] = []
    private var writers: [StreamID: StreamWriter] = [:]
    /// The time of the next append.
    var now = Timestamp(microseconds: 1_763_658_005_000_000)

    private struct FixedClock: HostClock {
        func wallMicroseconds() -> Int64 { 1_763_658_005_000_000 }
        func monotonicMicroseconds() -> Int64 { 0 }
    }

    /// `quota` of every VM in bytes; segments are closed at an eighth of it.
    init(quota: Int = 100 << 20) throws {
        var template = Array("/tmp/guestlog-query-XXXXXX".utf8CString)
        let made = template.withUnsafeMutableBufferPointer { mkdtemp($0.baseAddress!) != nil }
        precondition(made, "no temporary folder can be made")
        let root = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        store = Store(root: root)
        let retention = Retention(store: store) { _ in Quota(bytes: quota) }
        sealer = Sealer(store: store, retention: retention, clock: FixedClock(), smallestFiltered: 0)
    }

    deinit {
        Self.removeTree(store.root)
    }

    private static func removeTree(_ path: String) {
        let files = LinuxFileSystem()
        for name in (try? files.names(in: path)) ?? [] {
            let entry = path + "/" + name
            if files.status(entry)?.isDirectory == true {
                removeTree(entry)
            } else {
                try? files.remove(entry)
            }
        }
        try? files.removeDirectory(path)
    }

    /// Adds a VM; the first is number 0.
    @discardableResult
    func add(_ name: String, uuid: String? = nil, namespace: String? = nil) throws -> Store.VM {
        let vm = try VMStore(
            store: store,
            name: name,
            uuid: uuid,
            namespace: namespace,
            hostBoot: "boot",
            now: now
        )
        vms.append(vm)
        return vm.vm
    }

    /// Removes a VM's folder, as retention does.
    func remove(vm: Int) {
        Self.removeTree(store.root + "/" + vms[vm].vm.directory)
    }

    func writer(_ stream: String = "console0", vm: Int = 0) throws -> StreamWriter {
        let id = id(stream, vm: vm)
        if let known = writers[id] {
            return known
        }
        let writer = try vms[vm].open(id.stream, now: now)
        writers[id] = writer
        return writer
    }

    func id(_ stream: String = "console0", vm: Int = 0) -> StreamID {
        StreamID(vm: vms[vm].vm.directory, stream: StreamName(stream)!)
    }

    /// Appends text at `now`, or `after` microseconds later.
    func append(_ text: String, _ stream: String = "console0", vm: Int = 0, after: Int64 = 0) throws {
        try append(Array(text.utf8), stream, vm: vm, after: after)
    }

    func append(_ bytes: [UInt8], _ stream: String = "console0", vm: Int = 0, after: Int64 = 0) throws {
        now = now.advanced(byMicroseconds: after)
        let writer = try writer(stream, vm: vm)
        try bytes.withUnsafeBytes { try writer.append($0, time: now) }
    }

    func mark(_ detail: RecordDetail, _ stream: String = "console0", vm: Int = 0, after: Int64 = 0) throws {
        now = now.advanced(byMicroseconds: after)
        try writer(stream, vm: vm).mark(detail, time: now)
    }

    func boot(_ event: BootEvent, _ stream: String = "console0", vm: Int = 0, back: UInt64 = 0) throws {
        let position = try writer(stream, vm: vm).nextOffset - back
        try mark(RecordDetail(boot: BootDetail(event: event, position: position)), stream, vm: vm)
    }

    /// Releases the VMs, as the end of the process that writes them does.
    func release() {
        writers.removeAll()
        vms.removeAll()
    }

    /// Closes the active pair: the next text begins a block.
    func roll(_ stream: String = "console0", vm: Int = 0) throws {
        try writer(stream, vm: vm).roll()
    }

    /// Seals the closed pairs.
    func seal(_ stream: String = "console0", vm: Int = 0) throws {
        for base in try writer(stream, vm: vm).takeClosedPairs() {
            try sealer.seal(base, of: id(stream, vm: vm))
        }
    }

    func synchronize() throws {
        try sealer.synchronize()
    }
}
