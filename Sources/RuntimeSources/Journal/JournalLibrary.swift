// SPDX-License-Identifier: Apache-2.0

import Glibc
import SystemIO

/// libsystemd's functions for reading journals (sd-journal(3)), found at run time: the program runs without the library.
struct JournalLibrary: @unchecked Sendable {
    // Sendable because C functions have no state of their own here.

    typealias Handle = OpaquePointer
    typealias Call = @convention(c) (Handle) -> Int32

    let openLocal: @convention(c) (UnsafeMutablePointer<Handle?>, Int32) -> Int32
    let openDirectory: @convention(c) (UnsafeMutablePointer<Handle?>, UnsafePointer<CChar>, Int32) -> Int32
    let openFiles: @convention(c) (UnsafeMutablePointer<Handle?>, UnsafePointer<UnsafePointer<CChar>?>, Int32) -> Int32
    let close: @convention(c) (Handle) -> Void
    let next: Call
    let previous: Call
    let seekHead: Call
    let seekTail: Call
    let seekCursor: @convention(c) (Handle, UnsafePointer<CChar>) -> Int32
    let testCursor: @convention(c) (Handle, UnsafePointer<CChar>) -> Int32
    let getCursor: @convention(c) (Handle, UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Int32
    let getRealtime: @convention(c) (Handle, UnsafeMutablePointer<UInt64>) -> Int32
    let setDataThreshold: @convention(c) (Handle, Int) -> Int32
    let restartData: @convention(c) (Handle) -> Void
    let enumerateData:
        @convention(c) (Handle, UnsafeMutablePointer<UnsafeRawPointer?>, UnsafeMutablePointer<Int>) -> Int32
    let addMatch: @convention(c) (Handle, UnsafeRawPointer, Int) -> Int32
    let addDisjunction: Call
    let descriptor: Call
    let process: Call

    /// The library's name: of its first and only incompatible version.
    static let name = "libsystemd.so.0"

    /// Loads the library, which stays loaded. Throws when it, or one of its functions, is missing.
    init() throws(SystemError) {
        guard let library = dlopen(Self.name, RTLD_NOW | RTLD_LOCAL) else {
            let reason = dlerror().map { String(cString: $0) } ?? "it cannot be loaded"
            throw SystemError("load", Self.name, code: ENOENT, reason: reason)
        }
        func function<Function>(_ name: String) throws(SystemError) -> Function {
            guard let address = dlsym(library, name) else {
                throw SystemError("find \(name) in", Self.name, code: ENOSYS, reason: "systemd is older than 246")
            }
            return unsafeBitCast(address, to: Function.self)
        }
        openLocal = try function("sd_journal_open")
        openDirectory = try function("sd_journal_open_directory")
        openFiles = try function("sd_journal_open_files")
        close = try function("sd_journal_close")
        next = try function("sd_journal_next")
        previous = try function("sd_journal_previous")
        seekHead = try function("sd_journal_seek_head")
        seekTail = try function("sd_journal_seek_tail")
        seekCursor = try function("sd_journal_seek_cursor")
        testCursor = try function("sd_journal_test_cursor")
        getCursor = try function("sd_journal_get_cursor")
        getRealtime = try function("sd_journal_get_realtime_usec")
        setDataThreshold = try function("sd_journal_set_data_threshold")
        restartData = try function("sd_journal_restart_data")
        enumerateData = try function("sd_journal_enumerate_available_data")
        addMatch = try function("sd_journal_add_match")
        addDisjunction = try function("sd_journal_add_disjunction")
        descriptor = try function("sd_journal_get_fd")
        process = try function("sd_journal_process")
    }
}
