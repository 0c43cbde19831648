// SPDX-License-Identifier: Apache-2.0

import CBytes
import Glibc
import LogModel
import LogStore
import SystemIO
import TextFormats
import Transforms

/// A file that is read once, from its beginning to its end.
///
/// `resume`, where reading begins again, is the file's offset and the number of records to skip, eight bytes each, most
/// significant first, then how many of the file's first bytes are known, two bytes, and their checksum, four: another
/// file under the same name is read from its beginning.
final class ImportInput: SourceInput {
    private let path: String
    private let file: Descriptor
    private let clock: any HostClock
    private var decoder: RecordDecoder
    private var skip = 0
    private var fingerprint: [UInt8] = []
    private var buffer = [UInt8](repeating: 0, count: 256 << 10)
    /// The number of bytes read, and of all.
    private(set) var done = 0
    let size: Int

    private static let fingerprintSize = 4096

    init(_ path: String, _ format: RecordFormat, clock: any HostClock) throws(SystemError) {
        self.path = path
        self.clock = clock
        let descriptor = try systemCall("open", path) { Glibc.open(path, O_RDONLY | O_CLOEXEC) }
        file = Descriptor(owning: descriptor)
        decoder = RecordDecoder(format)
        size = (try? FileAttributes(of: descriptor).size) ?? 0
    }

    func begin(at resume: [UInt8]?) throws(SystemError) -> SourceStart {
        var isSame = true
        if let resume, resume.count == 22 {
            let known = Int(resume[16..<18].bigEndian)
            isSame = try Array(resume[16...]) == firstBytes(known)
            if isSame {
                let offset = resume[..<8].bigEndian
                decoder = RecordDecoder(decoder.format, at: offset)
                skip = Int(clamping: resume[8..<16].bigEndian)
                done = Int(clamping: offset)
            }
        }
        fingerprint = try firstBytes(Self.fingerprintSize)
        return isSame ? .resumed : .replaced
    }

    /// The number of the file's first bytes, at most `limit`, and their CRC-32C.
    private func firstBytes(_ limit: Int) throws(SystemError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: limit)
        let count = try systemCall("read", path) { pread(file.raw, &bytes, limit, 0) }
        let sum = gl_crc32c(0, bytes, count)
        return [UInt8](bigEndian: UInt16(count)) + [UInt8](bigEndian: sum)
    }

    func read(into consumer: any RecordConsumer) throws -> ReadResult {
        let count = try systemCall("read", path) { pread(file.raw, &buffer, buffer.count, off_t(done)) }
        var failure: (any Error)?
        func take(_ record: inout RecordBuffer, _ location: RecordDecoder.Location) {
            guard skip == 0 else {
                skip -= 1
                return
            }
            guard failure == nil else {
                return
            }
            do {
                try consumer.add(&record, endingAt: resume(at: location))
            } catch {
                failure = error
            }
        }
        if count > 0 {
            done += count
            let now = clock.now
            buffer.withUnsafeBytes { decoder.add(UnsafeRawBufferPointer(rebasing: $0[..<count]), readAt: now, take) }
        } else {
            decoder.finish(take)
        }
        if let failure {
            throw failure
        }
        return count > 0 ? .more : .end
    }

    private func resume(at location: RecordDecoder.Location) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(22)
        bytes.append(bigEndian: location.end)
        bytes.append(bigEndian: UInt64(location.skip))
        bytes += fingerprint
        return bytes
    }

    func wait(_ interruption: Interruption, within microseconds: Int64) {}
}
