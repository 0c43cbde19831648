// SPDX-License-Identifier: Apache-2.0

import LogModel
import TestTraits
import Testing
import VirtLogManager

/// The file with which virtlogd hands over to its next image, and this program to its own and to virtlogd.
@Suite(.blocking) struct LogManagerStateTests {
    /// As virtlogd 9.0.0 writes it, with a client connected.
    private let theirs = """
        {"daemon":{"servers":{"virtlogd":{"min_workers":1,"max_workers":1,"priority_workers":0,"max_clients":1024,
        "max_anonymous_clients":20,"keepaliveInterval":4294967295,"keepaliveCount":0,"next_client_id":3,"services":[
        {"auth":0,"readonly":false,"nrequests_client_max":1,"socks":[
        {"fd":4,"errfd":-1,"pid":0,"isClient":false,"unlinkUNIX":true}]}],"clients":[{"id":2,"auth":0,
        "auth_pending":false,"readonly":false,"nrequests_max":1,"conn_time":1,"sock":{"fd":12,"errfd":-1,"pid":0,
        "isClient":true,"unlinkUNIX":false},"privateData":{}}]},"admin":{"min_workers":1,"max_workers":1,
        "priority_workers":0,"max_clients":5000,"max_anonymous_clients":20,"keepaliveInterval":4294967295,
        "keepaliveCount":0,"next_client_id":1,"services":[{"auth":0,"readonly":false,"nrequests_client_max":1,"socks":[
        {"fd":5,"errfd":-1,"pid":0,"isClient":false,"unlinkUNIX":true}]}],"clients":[]}}},"magic":"812",
        "handler":{"files":[{"pipefd":14,"path":"/var/log/libvirt/qemu/web.log","driver":"qemu","domname":"web",
        "domuuid":"2614BD12-833F-4016-BE72-D82C29D2E247"}]}}
        """

    @Test("virtlogd's file is parsed: sockets, descriptors to be closed, logs")
    func readsTheirs() throws {
        let state = try #require(LogManagerState(Array(theirs.utf8), of: 812))
        #expect(state.sockets == [4])
        #expect(state.others == [12, 5])
        let log = try #require(state.logs.first)
        #expect(state.logs.count == 1)
        #expect(log.descriptor == 14 && log.path == "/var/log/libvirt/qemu/web.log" && log.stream == nil)
        let uuid = "2614bd12-833f-4016-be72-d82c29d2e247"
        #expect(log.owner == LogOwner(driver: "qemu", uuid: uuid, name: "web"))
    }

    @Test("a written state is parsed again, for its process only")
    func roundTrip() throws {
        let owner = LogOwner(driver: "qemu", uuid: "2614bd12-833f-4016-be72-d82c29d2e247", name: "a \"b\" \u{1}")
        let log = LogManager.InheritedLog(owner: owner, path: "/x/ö.log", stream: .console0, descriptor: 9)
        let text = LogManagerState(sockets: [7], logs: [log]).text(for: 42)
        #expect(LogManagerState(text, of: 43) == nil)
        let state = try #require(LogManagerState(text, of: 42))
        #expect(state.sockets == [7] && state.others == [])
        #expect(state.logs.map(\.owner) == [owner])
        #expect(state.logs.map(\.path) == [log.path])
        #expect(state.logs.map(\.stream) == [.console0])
        #expect(state.logs.map(\.descriptor) == [9])
    }

    @Test("a damaged state is refused, or has fewer parts")
    func damaged() {
        let bytes = Array(theirs.utf8)
        for offset in stride(from: 0, to: bytes.count, by: 7) {
            _ = LogManagerState(Array(bytes[..<offset]), of: 812)
            var damaged = bytes
            damaged[offset] = UInt8(ascii: "9")
            if let state = LogManagerState(damaged, of: 812) {
                #expect(state.logs.count <= 1 && state.sockets.count <= 1)
            }
        }
    }
}
