// SPDX-License-Identifier: Apache-2.0

import LogModel
import Synchronization
import SystemIO

/// Notifies followers in this process of commits to a VM's streams.
///
/// The writer calls `notify` after each commit; without subscriptions that costs one atomic load.
public final class CommitNotifier: Sendable {
    /// A subscription; ends when it is deinitialized.
    public final class Subscription: Sendable {
        fileprivate let notifier: CommitNotifier
        fileprivate let number: UInt64
        fileprivate let vm: String?

        fileprivate init(notifier: CommitNotifier, number: UInt64, vm: String?) {
            self.notifier = notifier
            self.number = number
            self.vm = vm
        }

        deinit {
            notifier.unsubscribe(self)
        }
    }

    private struct Observers {
        var next: UInt64 = 0
        /// By the VM's folder; those for all VMs under nil.
        var byVM: [String?: [UInt64: @Sendable (StoreChanges) -> Void]] = [:]
    }

    private let observers = Mutex(Observers())
    private let count = Atomic<Int>(0)

    /// A notifier without subscriptions.
    public init() {}

    /// Calls `body`, on the writer's thread, after each commit to a stream of the VM in that folder, or of any VM when
    /// it is nil, with what has changed. `body` must not block.
    public func subscribe(to vm: String?, _ body: @escaping @Sendable (StoreChanges) -> Void) -> Subscription {
        count.wrappingAdd(1, ordering: .sequentiallyConsistent)
        let number = observers.withLock { observers in
            observers.next += 1
            observers.byVM[vm, default: [:]][observers.next] = body
            return observers.next
        }
        return Subscription(notifier: self, number: number, vm: vm)
    }

    private func unsubscribe(_ subscription: Subscription) {
        observers.withLock { observers in
            observers.byVM[subscription.vm]?[subscription.number] = nil
            if observers.byVM[subscription.vm]?.isEmpty == true {
                observers.byVM[subscription.vm] = nil
            }
        }
        count.wrappingSubtract(1, ordering: .sequentiallyConsistent)
    }

    /// Notifies the subscriptions to `stream`'s VM of a commit to it.
    public func notify(_ stream: StreamID) {
        notify(stream.vm, .streams([stream]))
    }

    /// Notifies the subscriptions to the VM in that folder of another change, such as its deletion.
    public func notify(vm: String) {
        notify(vm, .anything)
    }

    private func notify(_ vm: String, _ changes: @autoclosure () -> StoreChanges) {
        guard count.load(ordering: .sequentiallyConsistent) > 0 else {
            return
        }
        let bodies = observers.withLock { observers in
            [vm, nil].flatMap { observers.byVM[$0].map { Array($0.values) } ?? [] }
        }
        guard !bodies.isEmpty else {
            return
        }
        let changes = changes()
        for body in bodies {
            body(changes)
        }
    }
}
