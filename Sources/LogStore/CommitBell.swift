import LogModel
import Synchronization
import SystemIO

/// Tells followers in this process that a VM has said more, in a stream they know or in a new one.
///
/// Rung by the writer after each commit; when nobody has subscribed that costs one atomic load.
public final class CommitBell: Sendable {
    /// A subscription; ends when it goes.
    public final class Subscription: Sendable {
        fileprivate let bell: CommitBell
        fileprivate let number: UInt64
        fileprivate let vm: String?

        fileprivate init(bell: CommitBell, number: UInt64, vm: String?) {
            self.bell = bell
            self.number = number
            self.vm = vm
        }

        deinit {
            bell.unsubscribe(self)
        }
    }

    private struct Listeners {
        var next: UInt64 = 0
        /// By the VM's folder; those of any VM under nil.
        var byVM: [String?: [UInt64: @Sendable () -> Void]] = [:]
    }

    private let listeners = Mutex(Listeners())
    private let count = Atomic<Int>(0)

    /// A bell nobody listens to.
    public init() {}

    /// Has `body` called, on the writer's thread, after each commit to a stream of the VM in that folder, or of any VM
    /// when it is nil: it must only wake somebody.
    public func subscribe(to vm: String?, _ body: @escaping @Sendable () -> Void) -> Subscription {
        count.wrappingAdd(1, ordering: .sequentiallyConsistent)
        let number = listeners.withLock { listeners in
            listeners.next += 1
            listeners.byVM[vm, default: [:]][listeners.next] = body
            return listeners.next
        }
        return Subscription(bell: self, number: number, vm: vm)
    }

    private func unsubscribe(_ subscription: Subscription) {
        listeners.withLock { listeners in
            listeners.byVM[subscription.vm]?[subscription.number] = nil
            if listeners.byVM[subscription.vm]?.isEmpty == true {
                listeners.byVM[subscription.vm] = nil
            }
        }
        count.wrappingSubtract(1, ordering: .sequentiallyConsistent)
    }

    /// Wakes the followers of `stream`'s VM.
    public func ring(_ stream: StreamID) {
        guard count.load(ordering: .sequentiallyConsistent) > 0 else {
            return
        }
        let bodies = listeners.withLock { listeners in
            [stream.vm, nil].flatMap { listeners.byVM[$0].map { Array($0.values) } ?? [] }
        }
        for body in bodies {
            body()
        }
    }
}
