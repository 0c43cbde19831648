// SPDX-License-Identifier: Apache-2.0

// Tells ThreadSanitizer of Swift's Mutex. Its fast paths are compiled into the program, which is instrumented; when two
// threads contend for it, functions of the shared library libswiftSynchronization lock and unlock, which is not.
// To be preloaded.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>

// Swift's calling convention passes `self` in a register of its own.
#define SWIFT __attribute__((swiftcall))
#define SELF __attribute__((swift_context)) void *

// Absent in programs that tests start.
__attribute__((weak)) void __tsan_acquire(void *address);
__attribute__((weak)) void __tsan_release(void *address);

// _MutexHandle._lockSlow(_: UInt32) and _MutexHandle._unlockSlow() of Swift 6's Synchronization
#define LOCK "$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF"
#define UNLOCK "$s15Synchronization12_MutexHandleV11_unlockSlowyyF"

typedef SWIFT void (*Lock)(uint32_t thread, SELF);
typedef SWIFT void (*Unlock)(SELF);

SWIFT void gl_lock_slow(uint32_t thread, SELF mutex) __asm__(LOCK);
SWIFT void gl_unlock_slow(SELF mutex) __asm__(UNLOCK);

SWIFT void gl_lock_slow(uint32_t thread, SELF mutex) {
    ((Lock)dlsym(RTLD_NEXT, LOCK))(thread, mutex);
    if (__tsan_acquire)
        __tsan_acquire(mutex);
}

SWIFT void gl_unlock_slow(SELF mutex) {
    if (__tsan_release)
        __tsan_release(mutex);
    ((Unlock)dlsym(RTLD_NEXT, UNLOCK))(mutex);
}
