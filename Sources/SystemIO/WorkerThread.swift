// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc
import Synchronization

/// A dedicated thread: a shard, a writer, a sealer.
public final class WorkerThread: Sendable {
    private let identifier: pthread_t
    private let isJoined = Atomic<Bool>(false)

    private final class Start {
        let name: String
        let body: @Sendable () -> Void

        init(name: String, body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }
    }

    /// Starts a thread that runs `body`; `name` (15 bytes at most) is shown by `top -H`.
    ///
    /// All signals are blocked in it, because the main thread handles them, except those of its own faults: blocked,
    /// they end the process without a backtrace.
    public init(name: String, _ body: @escaping @Sendable () -> Void) throws(SystemError) {
        let start = Unmanaged.passRetained(Start(name: name, body: body))
        var all = sigset_t()
        var before = sigset_t()
        sigfillset(&all)
        for fault in [SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV] {
            sigdelset(&all, fault)
        }
        pthread_sigmask(SIG_SETMASK, &all, &before)
        var identifier = pthread_t()
        let code = pthread_create(
            &identifier,
            nil,
            { argument in
                let start = Unmanaged<Start>.fromOpaque(argument!).takeRetainedValue()
                gl_name_thread(String(start.name.prefix(15)))
                start.body()
                return nil
            },
            start.toOpaque()
        )
        pthread_sigmask(SIG_SETMASK, &before, nil)
        guard code == 0 else {
            start.release()
            throw SystemError("pthread_create", name, code: code)
        }
        self.identifier = identifier
    }

    /// Waits until the thread's body has returned. Call once.
    public func join() {
        isJoined.store(true, ordering: .relaxed)
        pthread_join(identifier, nil)
    }

    /// A thread that nobody will join frees its stack itself.
    deinit {
        if !isJoined.load(ordering: .relaxed) {
            pthread_detach(identifier)
        }
    }

    /// Blocks the calling thread for that time: where there is no condition to wait for.
    public static func pause(microseconds: UInt32) {
        usleep(microseconds)
    }

    /// Lowers the calling thread's CPU priority and I/O priority.
    public static func lowerOwnPriority() {
        // On Linux, nice values belong to threads; 0 is the calling one.
        _ = setpriority(Int32(PRIO_PROCESS.rawValue), 0, 10)
    }
}
