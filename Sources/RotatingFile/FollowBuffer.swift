// SPDX-License-Identifier: Apache-2.0

/// The memory that followers read into. Many followers on one thread can share one.
///
/// Each read begins with the last bytes that were read before, so that a file whose contents were replaced is noticed
/// without a further system call.
public final class FollowBuffer {
    /// The known bytes end, and the new ones begin, here.
    static let margin = ContentCheck.window
    let memory: UnsafeMutableRawBufferPointer

    /// The standard size, in bytes: large enough that system calls cost less than copying.
    public static let defaultSize = 128 << 10

    /// Memory for `size` bytes at a time, at least 4 KiB.
    public init(size: Int = defaultSize) {
        memory = .allocate(byteCount: Self.margin + max(size, 4096), alignment: 16)
    }

    deinit {
        memory.deallocate()
    }

    /// The first `count` new bytes.
    func bytes(_ count: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: memory[Self.margin..<(Self.margin + count)])
    }
}

/// The last bytes that were read of a file, at most `ContentCheck.window`.
struct RecentBytes {
    private(set) var bytes: [UInt8] = []

    init(_ bytes: [UInt8] = []) {
        self.bytes = bytes
    }

    var count: Int { bytes.count }

    var check: ContentCheck { bytes.withUnsafeBytes { ContentCheck(endOf: $0) } }

    /// Whether `buffer`, into which a read from `count` bytes before the offset went, has these bytes first.
    func begin(_ buffer: FollowBuffer) -> Bool {
        let read = buffer.memory[(FollowBuffer.margin - count)..<FollowBuffer.margin]
        return bytes.withUnsafeBytes { $0.elementsEqual(read) }
    }

    /// Replaces them after a read of `added` new bytes into `buffer`.
    mutating func advance(_ added: Int, in buffer: FollowBuffer) {
        let end = FollowBuffer.margin + added
        let kept = min(ContentCheck.window, count + added)
        bytes.replaceSubrange(0..., with: buffer.memory[(end - kept)..<end])
    }
}
