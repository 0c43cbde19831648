import LogModel
import SystemIO

/// Which store a folder holds, whatever path leads to it: 32 random hexadecimal digits in the store's file `.id`, made
/// when the store is first written and never changed.
///
/// What one process leaves for the next, such as bytes in flight, names the store that it belongs to by this.
public struct StoreIdentity: Hashable, Sendable {
    /// The digits.
    public let text: String

    /// How many digits there are.
    public static let length = 32
    /// The file's name, which is no VM's folder's: those never begin with a dot.
    static let file = ".id"
    /// How often the file's lock is tried for, 5 ms apart: another process holds it for one small write.
    private static let attempts = 400

    /// The identity of `store`, whose folder must be there; made when it has none.
    public init(of store: Store) throws(SystemError) {
        let path = store.root + "/" + Self.file
        let file = try StoredFile(path, .create, on: store.fileSystem)
        if let known = try Self.read(file) {
            text = known
            return
        }
        for _ in 0..<Self.attempts {
            if file.tryLock() {
                // Another process may have been faster.
                if let known = try Self.read(file) {
                    text = known
                    return
                }
                let fresh = Self.random()
                try file.truncate(to: 0)
                try file.write(at: 0, Array(fresh.utf8) + [Lines.feed])
                try file.synchronize()
                text = fresh
                return
            }
            WorkerThread.pause(microseconds: 5000)
        }
        throw SystemError("lock", path, code: SystemError.wouldBlock)
    }

    private static func read(_ file: StoredFile) throws(SystemError) -> String? {
        let bytes = try file.read(at: 0, count: length + 1)
        let isDigit = { (byte: UInt8) in
            (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
        }
        guard bytes.count == length + 1, bytes.last == Lines.feed, bytes.dropLast().allSatisfy(isDigit) else {
            return nil
        }
        return String(decoding: bytes.dropLast(), as: UTF8.self)
    }

    private static func random() -> String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: (0..<length).map { _ in digits[Int.random(in: 0..<16)] }, as: UTF8.self)
    }
}
