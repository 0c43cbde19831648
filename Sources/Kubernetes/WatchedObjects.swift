// SPDX-License-Identifier: Apache-2.0

import LogModel

/// The objects that a list and the watch after it have reported so far
/// (https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes).
struct WatchedObjects: Sendable {
    /// The objects, by UID.
    private(set) var objects: [String: JSON] = [:]
    /// The version from which the watch continues; nil: the objects are to be listed first.
    private(set) var version: String?

    /// What follows from an event.
    enum Step: Hashable, Sendable {
        /// The objects have changed.
        case changed
        /// They have not.
        case unchanged
        /// The server has forgotten the version, or reported an error: list again.
        case list
    }

    init() {}

    /// Replaces the objects by a whole list: those that it does not have are gone.
    mutating func replace(by list: [JSON], version: String) {
        objects = [:]
        list.forEach { insert($0) }
        self.version = version
    }

    /// Applies an event of the watch.
    mutating func apply(event: JSON) -> Step {
        guard let object = event["object"], let type = event["type"]?.text else {
            version = nil
            return .list
        }
        switch type {
        case "ADDED", "MODIFIED":
            insert(object)
        case "DELETED":
            objects[Self.uid(of: object)] = nil
        case "BOOKMARK":
            version = Self.version(of: object) ?? version
            return .unchanged
        default:
            version = nil
            return .list
        }
        version = Self.version(of: object) ?? version
        return .changed
    }

    /// The server refused to watch from `version`.
    mutating func forget() {
        version = nil
    }

    private mutating func insert(_ object: JSON) {
        objects[Self.uid(of: object)] = object
    }

    private static func uid(of object: JSON) -> String { object["metadata"]?["uid"]?.text ?? "" }
    private static func version(of object: JSON) -> String? { object["metadata"]?["resourceVersion"]?.text }
}
