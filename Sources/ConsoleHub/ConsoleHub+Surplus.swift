// SPDX-License-Identifier: Apache-2.0

import Capture
import Glibc
import LogModel
import Synchronization
import SystemIO

// Consoles that wait because the console limit is reached. One whose VM ends meanwhile must not be captured instead of
// one whose VM runs, so the paths of waiting consoles are followed.
extension ConsoleHub {
    /// The definitions of all consoles, waiting ones included, in no order. Waits for no other thread.
    public func knownDefinitions() -> [Definition] {
        state.withLock { $0.consoles.all.map(\.definition) + $0.surplus.definitions }
    }

    /// Follows the path of a console that waits from now on.
    func followSurplus(_ definition: Definition) {
        guard definition.isDiscovered, let path = definition.endpoint.watchedPath else {
            return
        }
        control.post { [discovery] in discovery.follow(path) }
    }

    /// Captures waiting consoles while the console limit is not reached.
    func addSurplus() {
        while let next = takeSurplus() {
            problems.clear(of: next)
            if !isGone(next) {
                add(next, with: nil)
            }
        }
    }

    /// One waiting console, if the console limit allows it.
    private func takeSurplus() -> Definition? {
        state.withLock { [consoleLimit] state in
            state.consoles.capturedCount < consoleLimit ? state.surplus.popFirst() : nil
        }
    }

    /// Whether a console was discovered at a path that does not exist any more.
    func isGone(_ definition: Definition) -> Bool {
        definition.isDiscovered && definition.endpoint.path.map { access($0, F_OK) != 0 } ?? false
    }

    /// Removes the waiting consoles that were discovered at `path`, which has gone. On the control thread.
    func surplusGone(_ path: String) {
        let removed = state.withLock { state in
            state.surplus.removeAll { $0.isDiscovered && Bytewise($0.endpoint.path) == Bytewise(path) }
        }
        for definition in removed {
            problems.clear(of: definition)
            discovery.unfollow(path)
        }
    }

    /// Removes the waiting consoles that `shouldRemove` accepts: those that were discovered are dropped at their endpoints.
    /// Returns whether there were any.
    func removeSurplus(where shouldRemove: (Definition) -> Bool) -> Bool {
        let removed = state.withLock { state in
            let removed = state.surplus.removeAll(where: shouldRemove)
            for definition in removed where definition.isDiscovered {
                setDropped(definition.endpoint, true)
            }
            return removed
        }
        removed.forEach { problems.clear(of: $0) }
        return !removed.isEmpty
    }
}
