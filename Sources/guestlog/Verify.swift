// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Glibc
import GuestlogService
import HTTPAPI
import LogModel
import LogStore
import Query
import SystemIO

struct Verify: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Read the whole store and verify every checksum.",
        discussion: """
            Exit status 4 when something is damaged, 3 when this user may not read all of the store. Changes nothing; safe \
            while the daemon runs.
            """
    )

    @Argument(help: "The VMs; all when none is named.", completion: Completions.vms)
    var vms: [String] = []

    @OptionGroup var paths: PathOptions

    func run() async throws {
        let (source, store) = try await paths.storeSource()
        let words = await source.untitled(vms)
        let chosen =
            try words.isEmpty ? store.vms() : VMLookup.resolve(words, in: store, previousInstance: false)
        if chosen.isEmpty {
            try Output.write("the store \(Terminal.safe(store.root)) is empty: nothing was captured yet\n")
        }
        var damaged = 0
        var hasFailed = false
        var progress = ProgressLine()
        for (index, vm) in chosen.enumerated() {
            progress.show("verifying \(Terminal.safe(vm.identity.nameWithNamespace)), \(index + 1) of \(chosen.count)")
            let found = Result { () throws(SystemError) in try StoreCheck(store).check(vm) }
            progress.clear()
            switch found {
            case .success(let found):
                damaged += try report(found, on: vm)
            case .failure(let error):
                // What is forbidden is reported at the end.
                if store.forbidden?.add(error) != true {
                    Output.error(Terminal.safe("\(vm.identity.nameWithNamespace) cannot be checked: \(error)"))
                    hasFailed = true
                }
            }
        }
        if words.isEmpty {
            damaged += try reportStore(store)
        }
        if damaged > 0 {
            source.reportLeftOut(of: vms)
            Output.error(damaged == 1 ? "found 1 damage" : "found \(damaged) damages")
            throw ExitCode.damageFound
        }
        try source.checkCompleteness(of: vms)
        if hasFailed {
            throw ExitCode.outOfReach
        }
    }

    /// Prints what was found on a VM; returns the number of damages.
    private func report(_ found: StoreCheck.VM, on vm: Store.VM) throws -> Int {
        let name = Terminal.safe(vm.identity.nameWithNamespace)
        for damage in found.damages {
            try Output.write(Self.line(damage))
        }
        for stream in found.streams {
            for damage in stream.damages {
                try Output.write(Self.line(damage))
            }
            let size =
                stream.textBytes < 1024 ? "\(stream.textBytes) bytes" : Output.size(Int64(clamping: stream.textBytes))
            let state = stream.damages.isEmpty ? "intact" : "damaged"
            try Output.write("\(name)/\(stream.id.stream): \(size) of text, \(state)\n")
        }
        if found.streams.isEmpty {
            try Output.write("\(name): no text, \(found.damages.isEmpty ? "intact" : "damaged")\n")
        }
        return found.damages.count + found.streams.reduce(0) { $0 + $1.damages.count }
    }

    /// Prints what was found on the store's own files; returns the number of damages.
    private func reportStore(_ store: Store) throws -> Int {
        var found: [String] = []
        do {
            found = try StoreCheck(store).checkStore().map(Self.line)
        } catch {
            guard store.forbidden?.add(error) == true else {
                throw error
            }
        }
        switch TokenRegister(in: store).damage {
        case let damage as TokenRegister.Damaged: found.append(Terminal.safe("\(damage)") + "\n")
        case let error as SystemError where error.isDamagedFile: found.append(Terminal.safe("\(error)") + "\n")
        default: break
        }
        for words in found {
            try Output.write(words)
        }
        return found.count
    }

    private static func line(_ damage: Damage) -> String {
        let lost = damage.lost.map { " (bytes \($0.lowerBound) to \($0.upperBound) of the log)" } ?? ""
        return Terminal.safe("\(damage.path): \(damage.problem)\(lost); \(damage.remedy)") + "\n"
    }
}
