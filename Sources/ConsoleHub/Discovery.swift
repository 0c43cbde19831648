// SPDX-License-Identifier: Apache-2.0

import Capture
import SystemIO

/// Finds consoles in watched folders. Lives on the hub's control thread.
final class Discovery: @unchecked Sendable {
    // Sendable because it is touched on the control thread alone, after its callbacks were set.

    private let paths: PathDiscovery
    private var patterns: [DiscoveryPattern] = []

    /// Called for a discovered console.
    var onFound: (ConsoleHub.Definition) -> Void = { _ in }

    /// A discovery on `loop` with `watch`; without a watch it scans at intervals.
    init(
        loop: EventLoop,
        diagnostics: Diagnostics,
        problems: Problems,
        watch: Result<DirectoryWatch, SystemError> = Result { () throws(SystemError) in try DirectoryWatch() }
    ) throws(SystemError) {
        paths = try PathDiscovery(
            of: "consoles",
            on: loop,
            diagnostics: diagnostics,
            problems: problems,
            watch: watch
        )
        paths.onFound = { [unowned self] in found($0) }
    }

    /// Called when a followed path has appeared, changed or gone.
    var onChanged: (String) -> Void {
        get { paths.onChanged }
        set { paths.onChanged = newValue }
    }

    /// Called when a followed path has gone, though it may have come back.
    var onGone: (String) -> Void {
        get { paths.onGone }
        set { paths.onGone = newValue }
    }

    func setPatterns(_ patterns: [DiscoveryPattern]) {
        self.patterns = patterns
        paths.setPatterns(patterns.map(\.path))
    }

    /// Scans everything.
    func begin() { paths.begin() }

    /// Scans everything when there are no events to rely on.
    func scanAll() { paths.scanAll() }

    /// Reports changes of `path` from now on, and its current state.
    func follow(_ path: String) { paths.follow(path) }

    /// Stops reporting changes of `path`.
    func unfollow(_ path: String) { paths.unfollow(path) }

    /// Reports the console at a path; returns why it is not captured.
    private func found(_ found: PathDiscovery.Found) -> String? {
        let endpoint: Endpoint
        switch found.kind {
        case .socket: endpoint = .connect(path: found.path)
        case .fifo: endpoint = .fifo(path: found.path)
        case .characterDevice: endpoint = .terminal(path: found.path)
        case .regular where patterns[found.pattern].path.endsInLiteral:
            return "it is \(found.kind); a console is a socket, a FIFO or a terminal"
        case .link, .regular, .directory, .blockDevice: return nil
        }
        let pattern = patterns[found.pattern]
        do {
            let definition = try pattern.definition(at: endpoint, found.values)
            if case .terminal = endpoint {
                // Other devices must not even be registered as consoles.
                _ = try endpoint.locate(trusted: pattern.trustedFolder)
            }
            onFound(definition)
            return nil
        } catch let error as SystemError {
            return error.reason
        } catch {
            return "\(error)"
        }
    }
}
