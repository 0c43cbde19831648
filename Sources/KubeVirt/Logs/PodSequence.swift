// SPDX-License-Identifier: Apache-2.0

public import LogModel

/// Joins the logs of a VM's pods into one: a live migration moves the VM to another pod, on another node, and each run of
/// the VM has pods of its own.
///
/// A VM runs in one pod at a time, so the order of the pods is that of the lines, even where the clocks of the nodes
/// differ. Lines of a later pod are held while the earlier one may still print its last ones: until its log has ended,
/// or for `holdLimit`. Where the pod changes there is a boundary.
public struct PodSequence: Sendable {
    /// What the joined log consists of.
    public enum Entry: Hashable, Sendable {
        case line(PodLogLine)
        /// The lines that follow are from this pod, possibly of another run of the VM; the first of them has that time.
        case boundary(LauncherPod, time: Timestamp)
    }

    /// How long lines of a later pod are held, in microseconds: the source of a migration ends within it, if at all.
    static let holdLimit: Int64 = 2_000_000
    /// Bytes of a later pod that are held at most.
    static let holdBytes = 4 << 20

    private struct Input {
        let pod: LauncherPod
        var held: [PodLogLine] = []
        var heldBytes = 0
        /// When its first held line came, in monotonic microseconds.
        var heldSince: Int64?
        var hasEnded = false
    }

    /// The pods, in the order of their creation.
    private var inputs: [Input] = []
    /// The index of the pod whose lines pass.
    private var current = 0
    /// The pod of the last line.
    private var lastPod: String?

    public init() {}

    var pods: [LauncherPod] { inputs.map(\.pod) }

    /// Adds a pod whose log is read; one that is known already is not added again. Pods are added in the order of their
    /// creation: a new one is the last.
    public mutating func add(_ pod: LauncherPod) {
        if !inputs.contains(where: { $0.pod.uid == pod.uid }) {
            inputs.append(Input(pod: pod))
        }
    }

    /// Takes a line of the pod with that UID, received at `now`, in monotonic microseconds.
    public mutating func receive(_ line: PodLogLine, from uid: String, at now: Int64) -> [Entry] {
        guard let index = inputs.firstIndex(where: { $0.pod.uid == uid }) else {
            return []
        }
        if index > current, inputs[current..<index].allSatisfy(\.hasEnded) {
            return advance(to: index) + emit([line], of: index)
        }
        guard index > current else {
            return emit([line], of: index)
        }
        inputs[index].held.append(line)
        inputs[index].heldBytes += line.text.count
        inputs[index].heldSince = inputs[index].heldSince ?? now
        return inputs[index].heldBytes > Self.holdBytes ? advance(to: index) : expire(at: now)
    }

    /// The log of the pod with that UID has ended.
    public mutating func end(_ uid: String) -> [Entry] {
        guard let index = inputs.firstIndex(where: { $0.pod.uid == uid }) else {
            return []
        }
        inputs[index].hasEnded = true
        var entries: [Entry] = []
        while inputs[current].hasEnded, current + 1 < inputs.count {
            entries += advance(to: current + 1)
        }
        return entries
    }

    /// When `expire` is to be called, in monotonic microseconds; nil: nothing is held.
    public var deadline: Int64? {
        inputs.compactMap { $0.heldSince.map { $0 + Self.holdLimit } }.min()
    }

    /// Returns what was held for too long.
    public mutating func expire(at now: Int64) -> [Entry] {
        guard let index = inputs.lastIndex(where: { $0.heldSince.map { $0 + Self.holdLimit <= now } ?? false }) else {
            return []
        }
        return advance(to: index)
    }

    private mutating func advance(to index: Int) -> [Entry] {
        var entries: [Entry] = []
        for next in current..<index {
            current = next + 1
            let held = inputs[current].held
            (inputs[current].held, inputs[current].heldBytes, inputs[current].heldSince) = ([], 0, nil)
            entries += emit(held, of: current)
        }
        return entries
    }

    private mutating func emit(_ lines: [PodLogLine], of index: Int) -> [Entry] {
        guard let first = lines.first else {
            return []
        }
        let pod = inputs[index].pod
        let isBoundary = lastPod.map { $0 != pod.uid } ?? (pod.instance != inputs[0].pod.instance)
        lastPod = pod.uid
        return (isBoundary ? [.boundary(pod, time: first.time)] : []) + lines.map { .line($0) }
    }
}
