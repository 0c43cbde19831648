import Capture
import LogModel
import TestSupport
import Testing

@testable import ConsoleHub

@Suite struct ConsoleLimitTests {
    @Test("consoles for which there is no descriptor are refused by name, and captured when another one goes")
    func full() throws {
        let house = try House(consoleLimit: 2)
        let chardevs = try ["a", "b", "c"].map { try Chardev(house.folder.path + "/\($0).sock") }
        for (name, chardev) in zip(["a", "b", "c"], chardevs) {
            let added = house.hub.add(try .init(key: StreamKey(name: name), endpoint: .connect(path: chardev.path)))
            #expect(added == (name == "c" ? .full : .new))
        }
        let first = try chardevs[0].accept()
        send("whole\n", to: first)
        #expect(try eventually { try house.text("a").bytes.elementsEqual("whole\n".utf8) })
        #expect(house.capture.problems.all.contains { $0.subject.hasPrefix("c/console0") })
        #expect(house.hub.remove(StreamKey(name: "a")))
        let last = try chardevs[2].accept()
        send("now\n", to: last)
        #expect(try eventually { try house.text("c").bytes.elementsEqual("now\n".utf8) })
        #expect(eventually { house.capture.problems.all.isEmpty })
    }
}
