// SPDX-License-Identifier: Apache-2.0

import LogModel
import TestTraits
import Testing

@testable import KubeVirt

@Suite("An AdmissionReview", .blocking)
struct AdmissionReviewTests {
    private func review(_ object: JSON, dryRun: String = "false") -> JSON {
        Objects.parse(
            """
            {"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"0df28fbd","operation":"CREATE",
             "namespace":"simone","dryRun":\(dryRun),"object":\(String(decoding: object.bytes, as: UTF8.self))}}
            """
        )
    }

    @Test("the answer allows the pod, repeats the question's uid, and has the patch in base 64")
    func answer() throws {
        let review = try AdmissionReview(review(Objects.pod(), dryRun: "true"))
        #expect(review.isDryRun && review.namespace == "simone")
        let patch = try PodPatch(review.object, .on, PodPatch.Settings())
        let answer = review.answer(patch)
        #expect(answer["apiVersion"]?.text == "admission.k8s.io/v1" && answer["kind"]?.text == "AdmissionReview")
        let response = answer["response"]
        #expect(response?["uid"]?.text == "0df28fbd" && response?["allowed"]?.bool == true)
        #expect(response?["patchType"]?.text == "JSONPatch")
        let decoded = try #require(Base64.decode(response?["patch"]?.text?.utf8.map { $0 } ?? []))
        #expect(try JSON(parsing: decoded) == patch.json)
    }

    @Test("a pod that stays as it is gets an answer without a patch")
    func withoutPatch() throws {
        let review = try AdmissionReview(review(Objects.pod()))
        let response = review.answer(nil, warning: "w")["response"]
        #expect(response?["allowed"]?.bool == true && response?["patch"] == nil && response?["patchType"] == nil)
        #expect(response?["warnings"]?.elements == [.string("w")])
    }

    @Test(
        "another kind, another version, or a review without an object is refused with the remedy",
        arguments: [
            ("{}", "not an AdmissionReview"),
            (#"{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1beta1"}"#, "admissionReviewVersions: [v1]"),
            (#"{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1"}"#, "no request"),
            (
                #"{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"1","object":null}}"#,
                "no request"
            ),
        ]
    )
    func refused(text: String, words: String) {
        let error = #expect(throws: KubeVirtError.self) { try AdmissionReview(Objects.parse(text)) }
        #expect(error?.description.contains(words) == true)
    }
}
