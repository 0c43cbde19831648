/// A value that is used by one thread at a time, handed from one to the next.
final class Handed<Value>: @unchecked Sendable {
    // Sendable because its only users await one another: each blocking call ends before the next begins.

    let value: Value

    init(_ value: Value) {
        self.value = value
    }
}
