// SPDX-License-Identifier: Apache-2.0

/// Growing memory for lines that span batches.
struct LineBuffer: ~Copyable {
    private var memory: UnsafeMutableRawBufferPointer
    private var range = 0..<0

    init() {
        memory = .allocate(byteCount: 4096, alignment: 16)
    }

    deinit {
        memory.deallocate()
    }

    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: memory[range]) }
    var count: Int { range.count }
    var isEmpty: Bool { range.isEmpty }

    /// Removes bytes from the beginning; they stay valid until bytes are appended.
    mutating func removeFirst(_ count: Int) {
        range = range.lowerBound + count..<range.upperBound
    }

    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        guard !bytes.isEmpty else {
            return
        }
        if range.upperBound + bytes.count > memory.count {
            makeRoom(for: bytes.count)
        }
        UnsafeMutableRawBufferPointer(rebasing: memory[range.upperBound...]).copyMemory(from: bytes)
        range = range.lowerBound..<range.upperBound + bytes.count
    }

    /// Moves what is there to the beginning, of larger memory where that is not enough.
    private mutating func makeRoom(for added: Int) {
        let count = range.count
        if count + added > memory.count / 2 {
            let larger = UnsafeMutableRawBufferPointer.allocate(
                byteCount: max(2 * memory.count, 2 * (count + added)),
                alignment: 16
            )
            larger.copyMemory(from: bytes)
            memory.deallocate()
            memory = larger
        } else {
            UnsafeMutableRawBufferPointer(rebasing: memory[..<count]).copyMemory(from: bytes)
        }
        range = 0..<count
    }
}
