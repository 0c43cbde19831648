// SPDX-License-Identifier: Apache-2.0

import LogModel
import SystemIO

// Which positions have been used.
extension Store {
    /// Where reading of `stream` goes on after it has come to `cursor`: at its beginning when it never had so much text,
    /// because the cursor is of an earlier stream in the same folder.
    public func start(of stream: StreamID, after cursor: Cursor) -> Cursor {
        guard cursor.offset > 0 else {
            return cursor
        }
        let state = writerState(of: stream.vm)
        // After a crash of the host text may be gone that was read, until a writer has found that. Then the stream goes
        // on after all positions that were used.
        let isUnrepaired = state.unrepaired.contains(stream.stream)
        let hostDied = state.hostBoot.map { $0 != ProcFile.bootID } ?? false
        return isUnrepaired || hostDied || cursor.offset <= knownEnd(of: stream, state) ? cursor : .start
    }

    /// The positions that the VM's streams have used: their ends, and the first multiple of `StoreLimits.restartStride`
    /// after all of them; nil when they have used none.
    func usedPositions(of vm: String) -> (ends: [StreamName: UInt64], stride: UInt64)? {
        let state = writerState(of: vm)
        var ends = state.ends.mapValues(\.offset)
        for stream in (try? streams(of: vm)) ?? [] {
            ends[stream.stream] = knownEnd(of: stream, state)
        }
        let (end, stride) = (ends.values.max() ?? 0, max(state.lastStride, state.firstStride))
        return end == 0 && stride == 0 ? nil : (ends, max(end / StoreLimits.restartStride, stride) + 1)
    }

    private func writerState(of vm: String) -> WriterState {
        (try? WriterState(at: path(of: vm), on: fileSystem)).flatMap(\.self) ?? WriterState()
    }

    /// The end of a stream, as far as its files and what is recorded of them tell.
    private func knownEnd(of stream: StreamID, _ state: WriterState) -> UInt64 {
        let layout = StreamLayout(path: path(of: stream))
        let found = (try? reader(of: stream).end().offset) ?? 0
        let sealed = SealedExtents(of: layout, on: fileSystem)?.end ?? 0
        let last = (try? layout.extents(on: fileSystem).last?.base).flatMap(\.self) ?? 0
        return max(found, sealed, last, state.ends[stream.stream]?.offset ?? 0)
    }
}
