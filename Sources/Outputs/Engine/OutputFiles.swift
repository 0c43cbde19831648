// SPDX-License-Identifier: Apache-2.0

import LogModel
import SystemIO

/// The files of one output.
struct OutputFiles {
    let state: OutputState
    let setAside: SetAsideFile

    init(folder: String, name: StreamName, fileSystem: any FileSystem) {
        state = OutputState(folder: folder, name: name, fileSystem: fileSystem)
        setAside = SetAsideFile(folder: folder, name: name, fileSystem: fileSystem)
    }

    /// Makes the folder when it is absent; returns the saved positions.
    func open() throws(SystemError) -> OutputState.Contents {
        try state.fileSystem.makeDirectory(state.folder)
        return try state.load()
    }
}
