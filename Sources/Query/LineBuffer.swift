// SPDX-License-Identifier: Apache-2.0

/// Growing memory for a line that spans blocks.
struct LineBuffer: ~Copyable {
    private var memory: UnsafeMutableRawBufferPointer
    private(set) var count = 0

    init() {
        memory = .allocate(byteCount: 4096, alignment: 16)
    }

    deinit {
        memory.deallocate()
    }

    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: memory[..<count]) }

    mutating func removeAll() {
        count = 0
    }

    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        if count + bytes.count > memory.count {
            let larger = UnsafeMutableRawBufferPointer.allocate(
                byteCount: max(2 * memory.count, count + bytes.count),
                alignment: 16
            )
            larger.copyMemory(from: self.bytes)
            memory.deallocate()
            memory = larger
        }
        guard !bytes.isEmpty else {
            return
        }
        UnsafeMutableRawBufferPointer(rebasing: memory[count...]).copyMemory(from: bytes)
        count += bytes.count
    }
}
