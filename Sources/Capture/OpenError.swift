// SPDX-License-Identifier: Apache-2.0

import SystemIO

extension CaptureService {
    /// Why a stream cannot be opened.
    public enum OpenError: Error, CustomStringConvertible {
        /// It is captured another way already.
        case captured
        /// The name is longer than `StreamKey.maximumName` bytes, or contains a NUL.
        case unusableName
        /// The shard's maximum number of streams is reached.
        case tooManyStreams
        /// The folder of the in-flight rings is full.
        case noMemory(SystemError)

        /// Whether opening may succeed later.
        var isTransient: Bool {
            switch self {
            case .tooManyStreams, .noMemory: true
            case .captured, .unusableName: false
            }
        }

        public var description: String {
            switch self {
            case .captured: "it is captured another way already; it is passed through and not stored twice"
            case .unusableName: "the VM's name is longer than \(StreamKey.maximumName) bytes, or contains a NUL"
            case .noMemory(let error): "no room for in-flight data: \(error)"
            case .tooManyStreams: "the maximum of \(InflightRing.slotCount) streams per thread is reached"
            }
        }
    }
}
