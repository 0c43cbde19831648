// SPDX-License-Identifier: Apache-2.0

import RotatingFile
import SystemIO

/// Saves how far the log has been written, at most once a second and at the end. A position that cannot be read or
/// saved is a warning.
struct PositionKeeper {
    private let file: StateFile?
    private let messages: Diagnostics
    /// Where to begin.
    let start: RotatingFileFollower.Start
    /// The position after what was given to the output.
    var shown: FollowPosition?
    private var saved: FollowPosition?
    private var nextSave: Int64 = 0

    /// The shortest time between two saves, in microseconds.
    private static let interval: Int64 = 1_000_000

    init(_ options: TailOptions, _ messages: Diagnostics) {
        self.messages = messages
        file = options.stateFolder.map { StateFile(for: options.logFile, in: $0) }
        guard let file else {
            start = options.start
            return
        }
        do throws(SystemError) {
            switch try file.read() {
            case .absent:
                start = options.start
            case .position(let position):
                start = .position(position)
                saved = position
            case .invalid:
                start = options.start
                messages.log(.warning, "\(file.path) has no valid position and is ignored")
            }
        } catch {
            start = options.start
            messages.log(.warning, "\(error); the position is not known: output may be repeated")
        }
    }

    /// When the position is to be saved; nil when it is saved.
    var due: Int64? { file != nil && shown != nil && shown != saved ? nextSave : nil }

    /// Saves the position if that is due, and all of it was accepted by the output.
    mutating func save(at now: Int64, _ output: TailOutput, isEnd: Bool = false) {
        guard let due, due <= now || isEnd, output.status == .ready, let shown, let file else {
            return
        }
        nextSave = now + Self.interval
        do throws(SystemError) {
            try file.write(shown)
            saved = shown
        } catch {
            messages.log(.warning, "\(error); the position is not saved: output will be repeated after a restart")
        }
    }
}
