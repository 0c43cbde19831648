// SPDX-License-Identifier: Apache-2.0

import RotatingFile
import SystemIO

/// The files beside the log whose appearance or disappearance ends the program, as far as they do.
struct StopMarkers {
    private struct Marker {
        let path: String
        let id: LogFileWatch.ID
        let event: @Sendable (Bool) -> TailState.Event
    }

    private let markers: [Marker]

    init(_ options: TailOptions, _ watch: LogFileWatch) {
        var markers: [Marker] = []
        if options.stopCauses.contains(.socket), let socket = options.socket {
            markers.append(Marker(path: socket, id: watch.add(socket)) { .socket(exists: $0) })
        }
        if options.stopCauses.contains(.file) {
            let (done, running) = (options.terminationFile, options.runningFile)
            markers.append(Marker(path: done, id: watch.add(done)) { .terminationFile(exists: $0) })
            markers.append(Marker(path: running, id: watch.add(running)) { .runningFile(exists: $0) })
        }
        self.markers = markers
    }

    var all: Set<LogFileWatch.ID> { Set(markers.map(\.id)) }

    /// What the files say whose entries may have changed.
    func events(_ changed: Set<LogFileWatch.ID>) -> [TailState.Event] {
        markers.filter { changed.contains($0.id) }.map { $0.event(FileAttributes(at: $0.path) != nil) }
    }
}
