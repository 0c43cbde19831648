// SPDX-License-Identifier: Apache-2.0

import LogModel
import Synchronization
import SystemIO

/// Notifies followers in this process of commits to a VM's streams.
///
/// The writer calls `notify` after each commit; without subscriptions that costs one atomic load. What other processes
/// commit a `StoreWatcher` reports.
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

    /// What a `StoreWatcher` must know.
    enum Change {
        /// There is a subscription, for the first time since there was none.
        case subscribed
        /// This process does not write the stream any more.
        case ended(StreamID)
    }

    private let observers = Mutex(Observers())
    private let count = Atomic<Int>(0)
    /// The streams that this process writes, and the observer of their changes.
    private let own = Mutex<(streams: Set<StreamID>, onChange: (@Sendable (Change) -> Void)?)>(([], nil))

    /// A notifier without subscriptions.
    public init() {}

    /// Calls `body`, on the writer's thread, after each commit to a stream of the VM in that folder, or of any VM when
    /// it is nil, with what has changed. `body` must not block.
    public func subscribe(to vm: String?, _ body: @escaping @Sendable (StoreChanges) -> Void) -> Subscription {
        let isFirst = count.wrappingAdd(1, ordering: .sequentiallyConsistent).oldValue == 0
        let number = observers.withLock { observers in
            observers.next += 1
            observers.byVM[vm, default: [:]][observers.next] = body
            return observers.next
        }
        if isFirst {
            own.withLock { $0.onChange }?(.subscribed)
        }
        return Subscription(notifier: self, number: number, vm: vm)
    }

    var hasSubscriptions: Bool { count.load(ordering: .sequentiallyConsistent) > 0 }

    /// Calls `action` at each change, on the thread that makes it; nil: no more.
    func onChange(_ action: (@Sendable (Change) -> Void)?) {
        own.withLock { $0.onChange = action }
    }

    /// From now on this process commits to `stream`, and notifies of it.
    public func began(_ stream: StreamID) {
        own.withLock { _ = $0.streams.insert(stream) }
    }

    /// This process commits no more to `stream`; another may.
    public func ended(_ stream: StreamID) {
        let action = own.withLock { own in
            own.streams.remove(stream)
            return own.onChange
        }
        action?(.ended(stream))
    }

    /// Whether this process commits to `stream`.
    func isOwn(_ stream: StreamID) -> Bool { own.withLock { $0.streams.contains(stream) } }

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

    /// Notifies all subscriptions that anything may have changed.
    func notifyAll() {
        for body in observers.withLock({ $0.byVM.values.flatMap(\.values) }) {
            body(.anything)
        }
    }

    private func notify(_ vm: String, _ changes: @autoclosure () -> StoreChanges) {
        guard hasSubscriptions else {
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
