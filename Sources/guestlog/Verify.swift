import ArgumentParser
import GuestlogService
import LogModel
import LogStore
import Query

struct Verify: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Read everything that is stored and check every checksum.",
        discussion: "Exit status 1 when something is damaged. Changes nothing; safe while the daemon runs."
    )

    @Argument(help: "The VMs; all when none is named.")
    var vms: [String] = []

    @OptionGroup var places: PlaceOptions

    func run() async throws {
        let store = try await places.readableStore()
        let chosen =
            try vms.isEmpty
            ? store.vms() : vms.map { try VMLookup.resolve($0, in: store, previousInstance: false) }
        var damaged = 0
        for vm in chosen {
            for stream in try store.streams(of: vm.directory) {
                damaged += try verify(stream, of: vm, in: store)
            }
        }
        if damaged > 0 {
            throw ExitCode.damageFound
        }
    }

    private func verify(_ stream: StreamID, of vm: Store.VM, in store: Store) throws -> Int {
        let follower = Follower(store.reader(of: stream))
        var bytes: Int64 = 0
        var damaged = 0
        while let batch = try follower.next() {
            bytes += Int64(batch.block.end - batch.start)
            if let missing = batch.missing, missing.reason == .corruption {
                damaged += 1
                let name = Terminal.safe(vm.identity.name)
                try Output.write("\(name)/\(stream.stream): damaged: bytes \(missing.from) to \(missing.to)\n")
            }
        }
        let name = Terminal.safe(vm.identity.name)
        try Output.write(
            "\(name)/\(stream.stream): \(Output.size(bytes)) of text, \(damaged == 0 ? "sound" : "damaged")\n"
        )
        return damaged
    }
}
