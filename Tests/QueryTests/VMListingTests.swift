// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore
import Query
import TestTraits
import Testing

@Suite(.blocking) struct VMListingTests {
    @Test("a store alone tells that a VM is stored, damaged or deleted, and what is stored of it")
    func stored() throws {
        let sample = try SampleStore()
        try sample.add("a")
        try sample.append("words\n")
        var vm = try #require(sample.store.vms().first)
        var report = VMReport(of: vm, in: sample.store)
        let json = VMListing(vm: vm, report: report).json
        #expect(json["name"]?.text == "a" && json["folder"]?.text == vm.directory && json["title"] == nil)
        #expect(json["state"]?.text == "stored" && json["problem"] == .null)
        #expect(json["text_bytes"]?.integer == 6 && json["received_bytes"]?.integer == 0)
        report.problem = "a file cannot be read"
        let damaged = VMListing(vm: vm, report: report)
        #expect(damaged.state == "damaged" && damaged.problem == report.problem)
        vm.ended = sample.now
        #expect(VMListing(vm: vm, report: report).state == "deleted")
    }
}
