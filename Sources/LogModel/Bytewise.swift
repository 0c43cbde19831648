// SPDX-License-Identifier: Apache-2.0

/// A name or a path, compared by its UTF-8 bytes, as the kernel and the store compare it.
///
/// Swift's `String` treats canonically equivalent texts as equal: `é` as one scalar (NFC) and as two (NFD). They are
/// two names, of two VMs. Keys are held by this wrapper: a property as `@Bytewise var name: String`, a dictionary's key
/// as `Bytewise(path)`.
@propertyWrapper
public struct Bytewise<Value: BytewiseText>: Hashable, Sendable {
    /// The text as it is.
    public var wrappedValue: Value

    /// A text to be compared by its bytes.
    public init(wrappedValue: Value) {
        self.wrappedValue = wrappedValue
    }

    /// A text to be compared by its bytes.
    public init(_ text: Value) {
        wrappedValue = text
    }

    public static func == (left: Bytewise, right: Bytewise) -> Bool {
        // Most texts also differ for Swift, which is fast.
        guard left.wrappedValue == right.wrappedValue else {
            return false
        }
        guard let left = left.wrappedValue.bytes, let right = right.wrappedValue.bytes else {
            return true
        }
        return left.count == right.count && left.elementsEqual(right)
    }

    public func hash(into hasher: inout Hasher) {
        guard let bytes = wrappedValue.bytes else {
            return hasher.combine(-1)
        }
        hasher.combine(bytes.count)
        let isDone: Void? = bytes.withContiguousStorageIfAvailable { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
        if isDone == nil {
            Array(bytes).withUnsafeBytes { hasher.combine(bytes: $0) }
        }
    }
}

/// A text that `Bytewise` compares: a `String`, or an optional one.
public protocol BytewiseText: Equatable, Sendable {
    /// Its UTF-8 bytes; nil when there is no text.
    var bytes: String.UTF8View? { get }
}

extension String: BytewiseText {
    public var bytes: String.UTF8View? { utf8 }
}

extension String?: BytewiseText {
    public var bytes: String.UTF8View? { self?.utf8 }
}
