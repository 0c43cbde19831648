// What Glibc's Swift module does not show, and the three byte loops that must run at memory speed.
#ifndef GUESTLOG_CLINUX_H
#define GUESTLOG_CLINUX_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <termios.h>
#include <unistd.h>

// CRC-32C (Castagnoli, RFC 3720 appendix B.4), continuing from `crc` (0 to begin).
uint32_t gl_crc32c(uint32_t crc, const void *bytes, size_t count);

// The number of bytes equal to `needle`.
size_t gl_count_byte(const void *bytes, size_t count, uint8_t needle);

// The last / first place of a byte or byte string, as memrchr(3) and memmem(3); NULL when absent.
const void *gl_memrchr(const void *bytes, int needle, size_t count);
const void *gl_memmem(const void *bytes, size_t count, const void *needle, size_t needle_count);

// Whether every byte is NUL.
bool gl_all_zero(const void *bytes, size_t count);

// Atomics on shared memory: the in-flight ring outlives the process, so its counters are plain words in a mapping.
static inline uint64_t gl_load_acquire(const uint64_t *word) {
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}
static inline void gl_store_release(uint64_t *word, uint64_t value) {
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
}

// Variadic system calls, given fixed shapes.
static inline int gl_open(const char *path, int flags, mode_t mode) { return open(path, flags, mode); }
static inline int gl_fcntl(int fd, int command, long argument) { return fcntl(fd, command, argument); }
static inline int gl_ioctl_int(int fd, unsigned long request, int *value) { return ioctl(fd, request, value); }
static inline int gl_accept(int fd) { return accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC); }
static inline int gl_pipe(int fds[2], int flags) { return pipe2(fds, flags); }
static inline int gl_set_name(const char *name) { return prctl(PR_SET_NAME, name, 0, 0, 0); }

// The terminal's or pty's window size.
static inline int gl_window_size(int fd, struct winsize *size) { return ioctl(fd, TIOCGWINSZ, size); }
static inline int gl_set_window_size(int fd, const struct winsize *size) { return ioctl(fd, TIOCSWINSZ, size); }
static inline int gl_set_controlling_terminal(int fd) { return ioctl(fd, TIOCSCTTY, 0); }

// Sends `count` bytes with `fd_count` descriptors attached (SCM_RIGHTS); flags as sendmsg(2).
ssize_t gl_send_descriptors(int socket, const void *bytes, size_t count, const int *fds, size_t fd_count, int flags);

// Receives up to `count` bytes and up to `*fd_count` descriptors; `*fd_count` says how many came.
ssize_t gl_receive_descriptors(int socket, void *bytes, size_t count, int *fds, size_t *fd_count, int flags);

// The peer's credentials (SO_PEERCRED); 0, or -1 with errno.
int gl_peer_credentials(int socket, pid_t *pid, uid_t *uid, gid_t *gid);

#endif
