// SPDX-License-Identifier: Apache-2.0

/// Where an output sends its records.
public enum DestinationSettings: Hashable, Sendable {
    case syslog(SyslogSettings)
    case otlp(OTLPSettings)
    case elasticsearch(ElasticsearchSettings)
    case loki(LokiSettings)
    case forward(ForwardSettings)
    case file(FileSettings)

    /// The destination that they describe.
    func open() -> any OutputDestination {
        switch self {
        case .syslog(let settings): SyslogDestination(settings)
        case .otlp(let settings): OTLPDestination(settings)
        case .elasticsearch(let settings): ElasticsearchDestination(settings)
        case .loki(let settings): LokiDestination(settings)
        case .forward(let settings): ForwardDestination(settings)
        case .file(let settings): FileDestination(settings)
        }
    }

    /// The destination for people, without secrets.
    public var summary: String {
        switch self {
        case .syslog(let settings): settings.summary
        case .otlp(let settings): "OTLP at \(settings.http.endpoint)"
        case .elasticsearch(let settings): "Elasticsearch at \(settings.http.endpoint), index \(settings.index)"
        case .loki(let settings): "Loki at \(settings.http.endpoint)"
        case .forward(let settings): "Forward at \(settings.servers.map { "\($0)" }.joined(separator: ", "))"
        case .file(let settings): settings.summary
        }
    }
}
