// SPDX-License-Identifier: Apache-2.0

import KubeVirt
import LogModel
import Testing

@testable import HTTPAPI

@Suite("The admission of pods")
struct PodAdmissionTests {
    private static let uid = "bf9afcc1-fe55-4f63-919a-807b59efff76"

    private func review(labels: String = #""kubevirt.io":"virt-launcher""#) throws -> AdmissionReview {
        try AdmissionReview(
            JSON(
                parsing: """
                    {"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"u","namespace":"simone",
                     "object":{"metadata":{"generateName":"virt-launcher-testvm-","annotations":{"kubevirt.io/domain":"testvm"},
                       "labels":{"kubevirt.io/created-by":"\(Self.uid)",\(labels)}},
                      "spec":{"containers":[{"name":"compute","image":"i"}],"volumes":[{"name":"private"}]}}}}
                    """.utf8
            )
        )
    }

    private func instance(_ devices: String) throws -> JSON {
        try JSON(parsing: #"{"spec":{"domain":{"devices":{\#(devices)}}}}"#.utf8)
    }

    @Test("a VM that is to be logged gets a patch, one that is not gets none")
    func decides() async throws {
        for (devices, isPatched) in [("", true), (#""logSerialConsole":false"#, false)] {
            let found = try instance(devices)
            let admission = PodAdmission(settings: PodPatch.Settings()) { namespace, name in
                #expect(namespace == "simone" && name == "testvm")
                return found
            }
            let (answer, message) = await admission.answer(try review())
            #expect(answer["response"]?["allowed"]?.bool == true)
            #expect((answer["response"]?["patch"] != nil) == isPatched, "\(message)")
        }
    }

    @Test("without lookups a pod stays as it is unless KubeVirt or its annotation says otherwise")
    func withoutLookups() async throws {
        let (answer, message) = await PodAdmission(settings: PodPatch.Settings()).answer(try review())
        #expect(answer["response"]?["patch"] == nil && message.contains("the VM's settings are not known"))
    }

    @Test("a lookup that fails allows the pod as it is, with a warning that says why")
    func failure() async throws {
        struct Refused: Error, CustomStringConvertible {
            var description: String { "forbidden" }
        }
        let admission = PodAdmission(settings: PodPatch.Settings()) { _, _ in throw Refused() }
        let response = await admission.answer(try review()).answer["response"]
        #expect(response?["allowed"]?.bool == true && response?["patch"] == nil)
        #expect(response?["warnings"]?.elements?.first?.text?.contains("forbidden") == true)
    }

    @Test("a lookup that hangs is given up before the API server's time limit")
    func hangs() async throws {
        let admission = PodAdmission(settings: PodPatch.Settings()) { _, _ in
            try await Task.sleep(for: .seconds(600))
            return .null
        }
        let response = await admission.answer(try review()).answer["response"]
        #expect(response?["allowed"]?.bool == true)
        #expect(response?["warnings"]?.elements?.first?.text?.contains("within") == true)
    }

    @Test("a pod that is no virt-launcher pod is allowed as it is")
    func otherPod() async throws {
        let response = await PodAdmission(settings: PodPatch.Settings()).answer(try review(labels: #""a":"b""#))
            .answer["response"]
        #expect(response?["allowed"]?.bool == true && response?["patch"] == nil)
    }
}
