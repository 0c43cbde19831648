// SPDX-License-Identifier: Apache-2.0

import Capture
import LogModel
import LogStore
import Query
import SystemIO
import TextFormats

/// Removing old text on request.
extension V1API {
    func vacuum(_ call: Call) async throws -> Response {
        let limits = try vacuumLimits(call.target)
        let store = context.store(for: call.caller)
        let words = call.target.parameters["vm"] ?? []
        let vms = try await call.read {
            try words.isEmpty ? store.vms() : VMLookup.resolve(words, in: store, previousInstance: false)
        }
        let freed = try await withCheckedThrowingContinuation { done in
            context.capture.vacuum(vms, to: limits) { done.resume(with: $0) }
        }
        return Response(
            .object([
                ("freed_bytes", .integer(Int64(freed.bytes))), ("freed_files", .integer(Int64(freed.files))),
            ])
        )
    }

    private func vacuumLimits(_ target: RequestTarget) throws(APIError) -> VacuumLimits {
        var limits = VacuumLimits()
        do throws(WordError) {
            limits.bytes = try target["size"].map { word throws(WordError) in
                Int(clamping: try Quantities.parseSize(word))
            }
            limits.age = try target["age"].map { word throws(WordError) in
                try Quantities.parseDuration(word).wholeMicroseconds
            }
        } catch {
            throw .badRequest("\(error)")
        }
        guard limits != VacuumLimits() else {
            throw .badRequest("size and age are missing: give one, such as size=10G or age=30d, or both")
        }
        return limits
    }
}
