// SPDX-License-Identifier: Apache-2.0

import Glibc
import SystemIO
import Testing

@Suite struct NetworkAddressTests {
    @Test("a connection asks a silent other end every 10 s after 30 s, and fails when it has been gone for a minute")
    func keepAlive() throws {
        let listener = try #require(NetworkAddress("127.0.0.1:0")).listen()
        let socket = try #require(NetworkAddress(boundTo: listener.raw)).connect()
        func option(_ level: Int32, _ name: Int32) -> Int32 {
            var value: Int32 = 0
            var size = socklen_t(MemoryLayout<Int32>.size)
            getsockopt(socket.raw, level, name, &value, &size)
            return value
        }
        let tcp = Int32(IPPROTO_TCP)
        #expect(option(SOL_SOCKET, SO_KEEPALIVE) == 1)
        #expect(option(tcp, TCP_KEEPIDLE) == 30)
        #expect(option(tcp, TCP_KEEPINTVL) == 10)
        #expect(option(tcp, TCP_KEEPCNT) == 3)
        #expect(option(tcp, TCP_USER_TIMEOUT) == 60_000)
    }
}
