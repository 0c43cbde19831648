// SPDX-License-Identifier: Apache-2.0

public import Capture
public import LogModel
public import RotatingFile

/// The path pattern of discovered consoles, and what applies to each of them.
public struct DiscoveryPattern: Hashable, Sendable {
    public let path: PathPattern
    /// The stream of the consoles.
    public var stream: StreamName
    /// The path of each console's plain file, with the same placeholders; nil: none.
    public var plainFile: String?
    /// The plain files' size and backups.
    public var plainLimits: RotationLimits
    /// The rate above which bytes are dropped from the store; nil: none.
    public var rate: RateLimit?

    public var text: String { path.text }
    var trustedFolder: String { path.trustedFolder }

    /// An example of each placeholder.
    private static let sample = ["name": "web", "uuid": "6c5b4c1e-8a53-4d59-9a37-2f4e1b6f0a11", "namespace": "lab"]

    /// Parses `text`. Throws with the reason when it is not a valid pattern.
    public init(
        _ text: String,
        stream: StreamName = .console0,
        plainFile: String? = nil,
        plainLimits: RotationLimits = .default,
        rate: RateLimit? = .default
    ) throws(PathPatternError) {
        path = try PathPattern(text)
        if let plainFile, !path.used.isEmpty, !PathPattern.isPattern(plainFile) {
            let example = "{" + path.used[0] + "}"
            throw PathPatternError(
                pattern: text,
                reason: "every console would write to the same plain file \(plainFile); put \(example) into its path"
            )
        }
        self.stream = stream
        self.plainFile = plainFile
        self.plainLimits = plainLimits
        self.rate = rate
        do throws(DefinitionError) {
            // Checks size, backups and rate now, rather than at the first discovered console.
            _ = try definition(at: .inherited, Dictionary(path.used.map { ($0, Self.sample[$0] ?? "") }) { $1 })
        } catch {
            throw PathPatternError(pattern: text, reason: "\(error)")
        }
    }

    /// The definition of the console found at `endpoint`, whose path gave `values`.
    func definition(at endpoint: Endpoint, _ values: [String: String]) throws(DefinitionError) -> ConsoleHub.Definition
    {
        let vm: VMIdentity
        do throws(PathPatternError) {
            vm = try path.vm(values)
        } catch {
            throw DefinitionError(description: error.reason)
        }
        return try ConsoleHub.Definition(
            key: StreamKey(vm: vm, stream: stream),
            endpoint: endpoint,
            plainFile: plainFile.map { template in
                StreamOptions.PlainFile(
                    path: PathPattern.fill(template, values),
                    trustedFolder: PathPattern.literalFolder(of: template),
                    limits: plainLimits
                )
            },
            rate: rate,
            trustedFolder: trustedFolder
        )
    }

    /// The definition of a console found where `previous` was; nil when this pattern does not match there.
    func definition(like previous: ConsoleHub.Definition) -> ConsoleHub.Definition? {
        previous.endpoint.path.flatMap(path.values).flatMap { try? definition(at: previous.endpoint, $0) }
    }
}
