// SPDX-License-Identifier: Apache-2.0

import HTTPAPI
import LogModel
import Outputs

/// The daemon's outputs for the API.
struct DaemonOutputs: OutputControl {
    let service: OutputService

    func statuses() async -> [JSON] {
        await service.statuses().map(\.json)
    }

    func skip(_ name: String) async throws {
        try await answering { try await service.skip(name) }
    }

    func replay(_ name: String, since moment: Timestamp) async throws {
        try await answering { try await service.replay(name, since: moment) }
    }

    private func answering(_ body: () async throws -> Void) async throws {
        do {
            try await body()
        } catch let error as OutputService.Unknown {
            throw APIError(404, "\(error)")
        } catch let error as OutputService.Failed {
            throw APIError(500, "\(error)")
        }
    }
}
