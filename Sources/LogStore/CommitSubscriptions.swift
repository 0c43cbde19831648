// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// Subscriptions to the VMs whose folders a `StoreObserver` observes in this process, and what has changed in them.
public final class CommitSubscriptions: Sendable {
    private let notifier: CommitNotifier
    private let onChange: @Sendable () -> Void
    private let changes = Changes()
    private let subscriptions = Mutex<[String?: CommitNotifier.Subscription]>([:])

    /// What has changed since the last `takeChanges`. The subscriptions hold it, and not their owner, which ends them.
    private final class Changes: Sendable {
        let value = Mutex(StoreChanges.nothing)
    }

    /// No subscriptions yet. `onChange` is called after each change, on the thread that makes it, and must not block.
    public init(to notifier: CommitNotifier, onChange: @escaping @Sendable () -> Void) {
        self.notifier = notifier
        self.onChange = onChange
    }

    /// Observes more of the store's folders, named relative to its root (`""` is the root itself).
    public func observe(_ folders: [String]) {
        let (changes, onChange) = (changes, onChange)
        subscriptions.withLock { subscriptions in
            // The first component is the VM's folder; the root stands for all VMs.
            for vm in Set(folders.map { $0.split(separator: "/").first.map { String($0) } })
            where subscriptions[vm] == nil {
                subscriptions[vm] = notifier.subscribe(to: vm) { new in
                    changes.value.withLock { $0 = $0.union(new) }
                    onChange()
                }
            }
        }
    }

    /// What has changed since the last call.
    public func takeChanges() -> StoreChanges {
        changes.value.withLock { changes in
            defer { changes = .nothing }
            return changes
        }
    }
}
