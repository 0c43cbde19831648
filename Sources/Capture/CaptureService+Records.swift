// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore
import Synchronization
import SystemIO

// Intakes of records.
extension CaptureService {
    /// Opens the intake of one stream of records; from any thread. `interruption` ends the source's calls that wait.
    public func openRecords(
        _ key: StreamKey,
        options: RecordOptions,
        interruption: Interruption? = nil
    ) throws(OpenError) -> RecordIntake {
        guard key.encoded != nil else {
            throw .unusableName
        }
        try claim(key)
        let intake = RecordIntake(
            key,
            options: options,
            interruption: interruption,
            budget: recordBudget,
            statistics: statisticsTable.statistics(of: key),
            wakeWriter: { [writer] key in writer.post { $0.commitRecords(key) } },
            onClose: { [weak self] in self?.closeRecords($0) }
        )
        recordIntakes.withLock { $0[key] = intake }
        writer.post { $0.open(intake) }
        return intake
    }

    private func closeRecords(_ key: StreamKey) {
        guard recordIntakes.withLock({ $0.removeValue(forKey: key) }) != nil else {
            return
        }
        writer.post { $0.closeRecords(key) }
        _ = claims.withLock { $0.remove(key) }
    }

    /// Maximum memory of all batches of records that wait to be committed, in bytes.
    static let recordMemory = 16 << 20
}
