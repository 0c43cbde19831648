// SPDX-License-Identifier: Apache-2.0

import Glibc
import SystemIO
import TestSupport
import TestTraits
import Testing

@testable import Capture

@Suite("Problems of plain files", .blocking)
struct PlainFileProblemTests {
    @Test("the end of each problem with a plain file is reported, also of several in a minute")
    func ends() throws {
        let site = try Site(threshold: .notice)
        let folder = site.folder.path + "/plain"
        let options = StreamOptions(plainFile: StreamOptions.PlainFile(path: folder + "/x.log"))
        let opened = Opened()
        /// Whether messages with `words` have been logged so often, after some more output. Nothing is written afterwards.
        func hasLogged(_ words: String, _ count: Int) throws -> Bool {
            let (key, done) = (StreamKey(name: "x"), OneShot())
            try site.onShard { capture, shard in
                let intake = try opened.intake ?? capture.open(key, options: options, on: shard)
                opened.intake = intake
                Array("text\n".utf8).withUnsafeBytes { intake.put($0) }
                capture.commit(key, on: shard) { done.signal() }
            }
            done.wait()
            return site.notices.all.count { $0.contains(words) } == count
        }
        // Nothing is at the path of the folder, and then a file.
        for problem in 1...2 {
            #expect(try eventually { try hasLogged("cannot write its plain file", problem) }, "\(site.notices.all)")
            unlink(folder)
            mkdir(folder, 0o700)
            #expect(try eventually { try hasLogged("is written again", problem) }, "\(site.notices.all)")
            unlink(folder + "/x.log")
            rmdir(folder)
            close(open(folder, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600))
        }
        #expect(site.notices.all.contains { $0.hasSuffix("Not a directory") && $0.contains("it was not written: ") })
        let counts = site.notices.all.compactMap { $0.firstMatch(of: #/up to ([0-9]+) bytes are missing in it/#)?.1 }
        #expect(counts.count == 2 && counts.allSatisfy { Int($0).map { $0 > 0 && $0 % 5 == 0 } ?? false }, "\(counts)")
        try site.onShard { _, _ in opened.intake?.close() }
    }
}
