// SPDX-License-Identifier: Apache-2.0

/// A parser of bytes that others write, and what must hold for it whatever they are.
///
/// The targets are driven by `FuzzTests`, from the committed corpus and random changes of it, and by libFuzzer
/// (`scripts/fuzz`).
public enum FuzzTarget: String, CaseIterable, Sendable {
    /// libvirt's messages, and the calls of the log manager in them.
    case xdr
    /// The XML of domains.
    case xml
    case json
    /// The file of a ring that an ended process left.
    case ring
    /// Index records and their details.
    case index
    /// Segments and boot heads.
    case segment
    /// The escaping of text for terminals.
    case escaper
    /// The cutting and painting of displayed lines.
    case displayed
    /// The literal that a pattern requires, compared with PCRE2: the first line is the pattern, the rest the text.
    case literal
    /// Structured records.
    case record
    case logfmt
    /// The lines of runtime logs in all their formats.
    case runtimeLog
    /// The framing of vSphere Integrated Containers.
    case iolog
    /// Saved positions, and the names of rotated files.
    case follow
    /// The log of a container, as the Kubernetes API returns it.
    case podLog
    /// Questions of the Kubernetes API about pods.
    case admission
    /// Syslog messages of both RFCs.
    case syslog
    /// Records of /dev/kmsg.
    case kmsg
    /// The Journal Export Format.
    case journal
    /// The messages of agent and collector.
    case guestMessage
    /// The frames of their streams.
    case guestFrame
    /// HTTP requests with journals.
    case upload
    /// gRPC over HTTP/2.
    case unary
    /// The answers of a gRPC server.
    case unaryAnswer
    /// MessagePack, of the Forward protocol.
    case messagepack
    /// gzip.
    case gzip
    /// The answers of outputs' receivers.
    case answers
    /// What senders of the Forward protocol send.
    case forward

    /// Gives `bytes` to the parser. Returns what does not hold; nil when all does. A crash is a finding too.
    public func check(_ bytes: [UInt8]) -> String? {
        do {
            try run(bytes)
            return nil
        } catch {
            return "\(error)"
        }
    }

    private func run(_ bytes: [UInt8]) throws {
        switch self {
        case .xdr: try Self.xdr(bytes)
        case .xml: try Self.xml(bytes)
        case .json: try Self.json(bytes)
        case .ring: try Self.ring(bytes)
        case .index: try Self.index(bytes)
        case .segment: try Self.segment(bytes)
        case .escaper: try Self.escaper(bytes)
        case .displayed: try Self.displayed(bytes)
        case .literal: try Self.literal(bytes)
        case .record: try Self.record(bytes)
        case .logfmt: try Self.logfmt(bytes)
        case .runtimeLog: try Self.runtimeLog(bytes)
        case .iolog: try Self.iolog(bytes)
        case .follow: try Self.follow(bytes)
        case .podLog: try Self.podLog(bytes)
        case .admission: try Self.admission(bytes)
        case .syslog: try Self.syslog(bytes)
        case .kmsg: try Self.kmsg(bytes)
        case .journal: try Self.journal(bytes)
        case .guestMessage: try Self.guestMessage(bytes)
        case .guestFrame: try Self.guestFrame(bytes)
        case .upload: try Self.upload(bytes)
        case .unary: try Self.unary(bytes)
        case .unaryAnswer: try Self.unaryAnswer(bytes)
        case .messagepack: try Self.messagePack(bytes)
        case .gzip: try Self.gzip(bytes)
        case .answers: try Self.answers(bytes)
        case .forward: try Self.forward(bytes)
        }
    }

    /// What does not hold.
    struct Violation: Error, CustomStringConvertible {
        let description: String
    }

    /// Throws unless `isTrue`.
    static func require(_ isTrue: Bool, _ what: @autoclosure () -> String) throws(Violation) {
        guard isTrue else {
            throw Violation(description: what())
        }
    }
}
