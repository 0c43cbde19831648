// SPDX-License-Identifier: Apache-2.0

import Capture
import LogModel
import LogStore
import SystemIO

// The choice of a connection's protocol.
extension GuestCollector {
    /// The conversation of a connection that begins with `bytes`; nil when they are too few to know the protocol.
    func conversation(
        of guest: GuestState,
        on connection: CollectorConnection,
        for purpose: Purpose,
        beginning bytes: [UInt8]
    ) throws -> (any Conversation)? {
        switch purpose {
        case .serial:
            return AgentConversation(
                guest,
                log: try guest.log(.guest),
                host: connection,
                greets: true
            )
        case .lines:
            return LinesConversation(guest, log: try guest.log(.agent), host: connection)
        case .notify:
            let clock = capture.clock
            return NotifyConversation(guest, log: try guest.log(.notify), host: connection) {
                clock.wallMicroseconds() * 1000
            }
        case .logs:
            switch try GuestProtocol.detect(bytes) {
            case nil:
                return nil
            case .agent:
                return AgentConversation(
                    guest,
                    log: try guest.log(.guest),
                    host: connection,
                    greets: false
                )
            case .journal:
                return JournalConversation(guest, log: try guest.log(.journal), host: connection)
            case .upload:
                return UploadConversation(guest, log: try guest.log(.journal), host: connection)
            case .logCollector:
                return LogCollectorConversation(guest, log: try guest.log(.guest), host: connection)
            case .syslog(let framing):
                let clock = capture.clock
                return SyslogConversation(guest, log: try guest.log(.guest), host: connection, framing) {
                    clock.now
                }
            }
        }
    }
}
