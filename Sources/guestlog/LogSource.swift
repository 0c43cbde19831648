// SPDX-License-Identifier: Apache-2.0

import HTTPAPI
import LogModel
import LogStore
import Query

/// Where a command reads the log.
struct LogSource {
    /// The store, when this process may read it.
    var store: Store?
    /// The daemon, when it keeps this store, or when nothing else can answer.
    var daemon: APIClient?
    /// The folders of the store's VMs that this user may not read.
    let hidden: [String]
    /// The socket that the store's daemon has left; nil while it runs, or where there was none.
    var staleSocket: String?

    init(_ readable: (store: Store, hidden: [String])? = nil, daemon: APIClient? = nil) {
        store = readable?.store
        hidden = readable?.hidden ?? []
        self.daemon = daemon
    }

    /// The daemon, which is set where the store is not.
    var client: APIClient {
        get throws {
            guard let daemon else {
                throw APIClient.Unreachable(socket: "", reason: "none was named")
            }
            return daemon
        }
    }

    /// `words`, with titles replaced by the UUIDs of the VMs that have them: the store knows no titles, the daemon
    /// learns them from libvirt. Words that name a VM in the store stay as they are. Words that only a VM may have
    /// which this user cannot read are reported.
    func untitled(_ words: [String]) async -> [String] {
        reportHidden(named: words)
        guard let store, let daemon, words.contains(where: { Self.isUnknown($0, in: store) }),
            let vms = try? await daemon.get(RequestTarget(["v1", "vms"]))["vms"]?.elements
        else {
            return words
        }
        return words.map { word in
            let titled = Self.isUnknown(word, in: store) ? vms.filter { $0["title"]?.text == word } : []
            return titled.count == 1 ? titled[0]["uuid"]?.text ?? word : word
        }
    }

    /// Whether `word` names no VM in `store` that this user may read.
    static func isUnknown(_ word: String, in store: Store) -> Bool {
        (try? VMLookup.resolve([word], in: store, previousInstance: false)) == nil
    }
}
