// SPDX-License-Identifier: Apache-2.0

import FuzzTargets
import Glibc

/// libFuzzer's driver (llvm, compiler-rt/lib/fuzzer/FuzzerInterface.h): calls back with one input after another.
@_silgen_name("LLVMFuzzerRunDriver")
func runFuzzer(
    _ count: UnsafeMutablePointer<CInt>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?>,
    _ testOneInput: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt

/// The target that `GUESTLOG_FUZZ_TARGET` names.
private let target: FuzzTarget = {
    let name = getenv("GUESTLOG_FUZZ_TARGET").map { String(cString: $0) } ?? ""
    guard let target = FuzzTarget(rawValue: name) else {
        let names = FuzzTarget.allCases.map(\.rawValue).joined(separator: ", ")
        fatalError("GUESTLOG_FUZZ_TARGET must be one of \(names)")
    }
    return target
}()

/// One input; the name is the one that libFuzzer's own main function expects.
@_cdecl("LLVMFuzzerTestOneInput")
func testOneInput(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    if let violation = target.check(Array(UnsafeBufferPointer(start: bytes, count: count))) {
        fatalError(violation)
    }
    return 0
}

var count = CommandLine.argc
var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv
exit(runFuzzer(&count, &arguments, testOneInput))
