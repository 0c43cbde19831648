// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogStore
import TestSupport
import Testing

extension FaultTests {
    /// Random sequences of faults: whatever happens to the daemon, its disk and its memory, in whatever order, every
    /// byte that a guest wrote is stored, or counted where it is missing.
    @Suite struct HistoryTests {
        /// `GUESTLOG_SEED` repeats one sequence, `GUESTLOG_HISTORIES` sets their number.
        private static let seeds: [UInt64] = {
            if let seed = Program.variable("GUESTLOG_SEED").flatMap({ UInt64($0) }) {
                return [seed]
            }
            let count = Program.variable("GUESTLOG_HISTORIES").flatMap { Int($0) } ?? 3
            return (0..<count).map { _ in .random(in: 0..<1_000_000_000) }
        }()

        @Test(
            "after any sequence of faults every byte is stored or counted in its place, and there is one boot",
            .enabled(if: FuseMount.isPossible, Comment(rawValue: FuseMount.requirement)),
            arguments: seeds
        )
        func history(seed: UInt64) throws {
            let history = try FaultHistory(seed: seed)
            defer { history.end() }
            for _ in 0..<20 {
                history.step()
            }
            try history.recover()
            let faults = try history.audit()
            #expect(
                faults.isEmpty,
                "GUESTLOG_SEED=\(seed), \(history)\n\(faults.joined(separator: "\n"))\n\(history.messages)"
            )
        }
    }
}

/// A host with a daemon, guests, a small disk that can hang, and little memory; and its history so far.
private final class FaultHistory: CustomStringConvertible {
    private var random: SeededGenerator
    private let disk = SmallDisk(megabytes: 96)
    private let memory = SmallDisk(megabytes: 48)
    private let mount: FuseMount
    private let site: Site
    private let guests: [(vm: String, chardev: TalkingChardev)]
    private let isKept: Bool
    private var steps: [String] = []

    private var isDiskFull = false
    private var isMemoryFull = false
    private var isHanging = false
    /// The number of daemons that must have begun to serve before the current one works; nil: it does.
    private var isAwaited: Int?
    /// Whether the daemon may have started without memory that outlives it: then the loss at its end is unknown.
    private var isVolatile = false {
        didSet { isUnknown = isUnknown || isVolatile }
    }
    /// Whether the daemon was told to stop: no keeper takes its consoles over when it is killed then.
    private var isStopping = false
    /// Whether something happened after which the loss is unknown.
    private var isUnknown = false

    private static let rate = 5000

    private enum Step: CaseIterable {
        case kill, stop, replace, freeze, fillDisk, freeDisk, fillMemory, freeMemory, hang, resume, quiet
    }

    init(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        isKept = .random(using: &random)
        mount = FuseMount(of: disk.folder.path)
        site = try Site(store: mount.folder.path + "/store", runtime: memory.folder.path, isServed: false)
        let site = site
        try site.start(under: isKept ? site.keep : [])
        guests = try (0..<Int.random(in: 2...3, using: &random)).map { number in
            ("vm\(number)", try site.chardev("vm\(number)", rate: Self.rate))
        }
        self.random = random
        for guest in guests {
            #expect(try eventually { try site.stored(guest.vm).bytes.count > 10_000 })
        }
    }

    var description: String { (isKept ? "kept: " : "not kept: ") + steps.joined(separator: ", ") }

    /// Lets time pass; a daemon without a keeper is restarted when it has ended.
    private func pass(_ seconds: Double) {
        _ = eventually(within: seconds) {
            tend()
            return false
        }
    }

    private func tend() {
        if site.daemon?.hasEnded ?? true {
            isVolatile = isMemoryFull
            isAwaited = site.servings
            isStopping = false
            site.launch(under: isKept ? site.keep : [])
        }
        if let servings = isAwaited, site.servings > servings {
            isAwaited = nil
        }
    }

    /// Performs a random step.
    func step() {
        tend()
        let step = Step.allCases.randomElement(using: &random)!
        let seconds = Double.random(in: 0.02..<0.3, using: &random)
        if perform(step, seconds) {
            steps.append("\(step) \(Int(seconds * 1000)) ms")
        }
        pass(seconds)
    }

    /// Whether the step could be performed.
    private func perform(_ step: Step, _ seconds: Double) -> Bool {
        switch step {
        case .kill:
            guard isAwaited == nil else { return false }
            isUnknown = isUnknown || !isKept || isStopping
            isAwaited = site.servings
            isVolatile = isMemoryFull
            site.killServing()
        case .stop:
            // A keeper that is told to end while it has no daemon loses the descriptors.
            guard isAwaited == nil else { return false }
            isStopping = true
            site.daemon?.signal(SIGTERM)
        case .replace:
            guard isAwaited == nil else { return false }
            isAwaited = site.servings
            isVolatile = isMemoryFull
            site.daemon?.signal(SIGUSR2)
        case .freeze:
            guard let process = site.serving else { return false }
            kill(process, SIGSTOP)
            pass(seconds)
            kill(process, SIGCONT)
        case .fillDisk:
            guard !isDiskFull else { return false }
            disk.fill(leaving: .random(in: 0..<64, using: &random))
            isDiskFull = true
        case .freeDisk:
            guard isDiskFull else { return false }
            disk.clear()
            isDiskFull = false
        case .fillMemory:
            guard !isMemoryFull else { return false }
            isVolatile = isVolatile || isAwaited != nil
            memory.fill(leaving: .random(in: 0..<64, using: &random))
            isMemoryFull = true
        case .freeMemory:
            guard isMemoryFull else { return false }
            memory.clear()
            isMemoryFull = false
        case .hang:
            guard !isHanging else { return false }
            mount.hang()
            isHanging = true
        case .resume:
            guard isHanging else { return false }
            mount.resume()
            isHanging = false
        case .quiet:
            guests.forEach { $0.chardev.setRate(0) }
            pass(seconds)
            guests.forEach { $0.chardev.setRate(Self.rate) }
        }
        return true
    }

    /// Ends all faults, and waits until every guest's output is stored.
    func recover() throws {
        disk.clear()
        memory.clear()
        mount.resume()
        (isDiskFull, isMemoryFull, isHanging) = (false, false, false)
        let isServing = eventually(within: 60) {
            tend()
            return isAwaited == nil && guests.allSatisfy(\.chardev.isConnected)
        }
        #expect(isServing, "\(self)\n\(site.daemon?.standardError ?? "")")
        for guest in guests {
            let before = try site.stored(guest.vm).bytes.count
            let isStored = try eventually {
                // A daemon that was told to stop may have been serving until now.
                tend()
                return try site.stored(guest.vm).bytes.count > before + 5000
            }
            #expect(isStored, "\(self)")
        }
    }

    /// The daemons' log messages.
    var messages: String { FileText.text(site.path + "/daemon.err") }

    /// The errors in the stored output.
    func audit() throws -> [String] {
        var faults: [String] = []
        for guest in guests {
            let audit = try site.audit(guest.chardev, guest.vm, isExact: !isUnknown)
            if !audit.faults.isEmpty || !(audit.isExact || isUnknown) {
                faults.append("\(guest.vm): \(audit)")
            }
        }
        let verified = site.guestlog("verify")
        if verified.status != 0 {
            faults.append(verified.text + verified.standardError)
        }
        return faults
    }

    func end() {
        mount.resume()
        site.stop()
        mount.end()
    }
}
