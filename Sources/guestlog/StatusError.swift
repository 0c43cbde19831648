// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import GuestlogService
import HTTPAPI
import HTTPClient
import Kubernetes
import SystemIO

/// An error that ends the program with a status of its own. Errors without one are wrong usage (2): what the command line
/// names does not exist, or cannot be used.
protocol StatusError: Error, CustomStringConvertible {
    var exitCode: ExitCode { get }
}

extension ExitCode {
    /// A filter or `wait` matched nothing.
    static let nothingMatched = ExitCode(1)
    /// The command line is invalid, or what it names does not exist or cannot be read.
    static let wrongUse = ExitCode(2)
    /// The daemon, the store, or another program that the command asks cannot be reached: a later try may succeed. Also where
    /// this user may not read a part of the store, and the rest was shown.
    static let outOfReach = ExitCode(3)
    /// `verify` found damage in the store, `kata-log --strict` or `iolog cat` in a log.
    static let damageFound = ExitCode(4)
}

// Errors of the modules, which know no command line.

extension APIClient.Unreachable: StatusError {
    var exitCode: ExitCode { .outOfReach }
}

extension HTTPClientError: StatusError {
    var exitCode: ExitCode { .outOfReach }
}

extension VirtlogdTakeOver.Refused: StatusError {
    var exitCode: ExitCode { .outOfReach }
}

extension ForegroundRun.Busy: StatusError {
    var exitCode: ExitCode { .outOfReach }
}

extension ForegroundRun.CannotStart: StatusError {
    var exitCode: ExitCode { ExitCode(status) }
}

/// Files of the command line are opened by `OpenFile`, which throws `CommandLineError`: what is left is the store's, a
/// socket's, or this process's own.
extension SystemError: StatusError {
    var exitCode: ExitCode { .outOfReach }
}

extension APIError: StatusError {
    var exitCode: ExitCode { status >= 500 ? .outOfReach : .wrongUse }
}

extension KubernetesError: StatusError {
    var exitCode: ExitCode { status.map { $0 >= 500 || $0 == 429 } ?? false ? .outOfReach : .wrongUse }
}
