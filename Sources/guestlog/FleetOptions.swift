// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import GuestlogService
import HTTPClient
import LogModel
import Outputs
import Query

/// The options with which a log engine is read in place of a store.
struct FleetOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            """
            Read what outputs have sent to a log engine: loki+http://HOST:3100, victorialogs+http://HOST:9428, or the name \
            of an output.
            """,
            valueName: "url"
        )
    )
    var from: String?

    @Option(help: ArgumentHelp("With --from: Loki's tenant (X-Scope-OrgID).", valueName: "name"))
    var tenant: String?

    @Option(
        help: ArgumentHelp("With --from: a file with a bearer token.", valueName: "file"),
        completion: .file()
    )
    var tokenFile: String?

    @Option(help: ArgumentHelp("With --from: a PEM file with the trusted CAs.", valueName: "file"), completion: .file())
    var caFile: String?

    func validate() throws {
        let dependent = [("--tenant", tenant), ("--token-file", tokenFile), ("--ca-file", caFile)]
        if from == nil, let option = dependent.first(where: { $0.1 != nil })?.0 {
            throw ValidationError("\(option) is for a log engine; name it with --from")
        }
    }

    /// The engine; nil when none is named.
    func source(_ paths: PathOptions) throws -> FleetSource? {
        guard let from else {
            return nil
        }
        var source = try named(from, paths) ?? FleetSource(from)
        if let tenant {
            source.http.headers["X-Scope-OrgID"] = tenant
        }
        source.http.tokenFile = tokenFile ?? source.http.tokenFile
        source.http.tls.authorities = caFile.map { .file($0) } ?? source.http.tls.authorities
        return source
    }

    /// The engine to which the output `name` of the configuration sends; nil when it is no name.
    private func named(_ name: String, _ paths: PathOptions) throws -> FleetSource? {
        guard let wanted = StreamName(name) else {
            return nil
        }
        let outputs = try paths.configuration().outputs
        guard let output = outputs.first(where: { $0.name == wanted }) else {
            let names = outputs.map(\.name.text).joined(separator: ", ")
            let there = outputs.isEmpty ? "the configuration has no outputs" : "the outputs are \(names)"
            throw CommandLineError(
                description: "--from \(name): there is no such output; \(there); a URL begins with loki+http:// or "
                    + "victorialogs+http://"
            )
        }
        return try FleetSource(output)
    }

    /// Refuses options that an engine cannot honour; `FleetQuery` refuses the others.
    func check(charset: String?, showsCursor: Bool) throws {
        if charset != nil {
            throw ValidationError("--charset cannot be used with --from: engines have the text in UTF-8")
        }
        if showsCursor {
            throw ValidationError("--show-cursor cannot be used with --from: engines have no positions")
        }
    }
}
