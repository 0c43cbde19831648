// SPDX-License-Identifier: Apache-2.0

extension XMLDocument {
    /// The files that libvirt's log daemon writes for the devices of a domain, in the order in which libvirt opens them:
    /// by kind of device, each in the order of the XML. A device of type `file` has one without a `<log>` too.
    var logFiles: [String] {
        let devices = children(of: root, named: "devices")
        func all(_ name: String) -> [XMLElement] {
            devices.flatMap { children(of: $0, named: name) }
        }
        let consoles = all("console")
        // libvirt makes the serial device from a console without one.
        let serials = all("serial").isEmpty ? consoles.filter(isSerial(console:)) : all("serial")
        let ordered =
            all("smartcard") + serials + all("parallel") + all("channel")
            + consoles.filter { !isSerial(console: $0) } + all("redirdev")
        return ordered.flatMap { device in
            let isFile = device.attribute("type")?.value == "file"
            let source = isFile ? children(of: device, named: "source").first?.attribute("path") : nil
            let log = children(of: device, named: "log").first?.attribute("file")
            return [source, log].compactMap { $0?.value }
        }
    }
}
