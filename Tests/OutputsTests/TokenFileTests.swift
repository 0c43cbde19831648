// SPDX-License-Identifier: Apache-2.0

import Glibc
import HTTPClient
import SystemIO
import TestSupport
import TestTraits
import Testing

@testable import Outputs

@Suite(.blocking) struct TokenFileTests {
    @Test("a token is read for each request, through a link; a missing file names the remedy")
    func token() throws {
        let folder = TemporaryFolder()
        for name in ["1", "2"] {
            let file = try StoredFile(folder.path + "/" + name, .create, on: LinuxFileSystem())
            try file.write(at: 0, Array("t\(name)\n".utf8))
        }
        let path = folder.path + "/token"
        var settings = HTTPOutputSettings(try #require(HTTPEndpoint("http://collector.example")))
        settings.tokenFile = path
        let token = try #require(settings.client.bearerToken)
        let error = #expect(throws: HTTPClientError.self) { try token() }
        #expect(error?.description.contains("\(path): No such file or directory; create the file") == true)
        for name in ["1", "2"] {
            unlink(path)
            symlink(name, path)
            #expect(try token() == "t" + name)
        }
    }
}
