// SPDX-License-Identifier: Apache-2.0

// Functions that Glibc's Swift module does not provide.
#ifndef GUESTLOG_CLINUX_H
#define GUESTLOG_CLINUX_H

#include <semaphore.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/types.h>

// Atomics on shared memory: the in-flight ring outlives the process, so its counters are plain words in a mapping.
static inline uint64_t gl_load_acquire(const uint64_t *word) {
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}
static inline void gl_store_release(uint64_t *word, uint64_t value) {
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
}

// Variadic system calls, given fixed shapes.
int gl_open(const char *path, int flags, mode_t mode);
int gl_open_at(int folder, const char *name, int flags, mode_t mode);
// Opens `name` without access to its contents (O_PATH), closed on exec.
int gl_hold_at(int folder, const char *name, int flags);
int gl_fcntl(int fd, int command, long argument);
// Has exec close every descriptor but the standard ones; no effect on kernels without support.
void gl_close_on_exec(void);
int gl_get_window_size(int fd, struct winsize *size);
int gl_set_window_size(int fd, const struct winsize *size);
// From now on SIGTERM, SIGINT, SIGHUP and SIGQUIT, unless they are ignored, set the terminal `fd` to its present modes and
// write `output` to standard output, if that is a terminal which takes it, before they end this process.
#define GL_LAST_OUTPUT_SIZE 256
void gl_restore_terminal_at_signals(int fd, const void *output, size_t count);

// Linux calls, non-blocking and closed on exec where they make a descriptor.
int gl_epoll(void);
int gl_eventfd(void);
int gl_inotify(void);
int gl_signalfd(const int *signals, size_t count);
int gl_stream_socket(void);
int gl_tcp_socket(int family);
int gl_datagram_socket(void);
int gl_accept(int fd);
// Stream sockets between VMs and their host (vsock(7)): one that listens on `port` for all contexts, one that connects
// to a context (EINPROGRESS is no failure); the context of a socket's peer, and the port of its own end, or -1.
int gl_vsock_listen(unsigned port, int backlog);
int gl_vsock_connect(unsigned context, unsigned port);
int64_t gl_vsock_peer(int socket);
int64_t gl_vsock_port(int socket);
// Whether the process at the other end of a stream socket has accepted the connection: 1 or 0; -1 when that is unknown,
// as it is of another host.
int gl_is_accepted(int socket);
// Has the kernel close a TCP connection whose other end is gone: after `idle` seconds of silence it is asked every
// `interval` seconds, and `count` questions, or sent bytes, may stay without an answer. Returns 0, or -1 with errno.
int gl_keep_alive(int socket, int idle, int interval, int count);
int gl_memory_file(const char *name);
int gl_pipe(int fds[2], int flags);
int gl_socket_pair(int fds[2]);
// The number of bytes available to a read (FIONREAD); -1 when that is unknown.
int gl_bytes_waiting(int fd);
// The number of bytes written to a TCP socket that the peer has not acknowledged (SIOCOUTQ); -1 when that is unknown.
int gl_bytes_unacknowledged(int fd);
int gl_pidfd(pid_t process);
// The number of read(2), as in proc_pid_syscall(5).
long gl_read_number(void);
// Whether both descriptors are of one open file (kcmp(2); where that is refused, of one file with the same flags).
bool gl_same_file(int left, int right);
// A lock in shared memory that the kernel releases when the thread that holds it ends, however it ends. Returns 0 or an
// errno; `place` has GL_LEASE_SIZE bytes.
#define GL_LEASE_SIZE 64
int gl_lease_make(void *place);
int gl_lease_take(void *place);
int gl_lease_try(void *place);
void gl_lease_give(void *place);
// Continues in a child without a terminal, and returns a descriptor there. This process waits, and ends with 0 when the child
// calls `gl_daemon_begun` with it, or with the child's status when the child ends before. Until then the child has this
// process's standard error; from then on a socket for syslog, unless standard error is a file: a reader of a pipe would wait
// until it is closed. The socket is connected if syslog runs. -1 with errno on failure.
int gl_daemon(void);
void gl_daemon_begun(int begun);
// The master of a new pseudo-terminal; the slave's path is written to `path`, which has `room` bytes.
int gl_open_terminal(char *path, size_t room);
// Writes what fits into a socket, a pipe or a terminal at once; -1 with EAGAIN where nothing fits. Never waits for a reader
// of a socket or a pipe, also when others write to it.
ssize_t gl_write_now(int fd, const void *bytes, size_t count);
// sem_clockwait(3) with the monotonic clock.
int gl_wait_until(sem_t *semaphore, const struct timespec *deadline);
int gl_syncfs(int fd);
// The user and group with which the calling thread accesses files (setfsuid(2)); -1 leaves one unchanged.
void gl_set_file_owner(uid_t user, gid_t group);
uid_t gl_file_user(void);
gid_t gl_file_group(void);
// Whether `fd` holds the slave of a pseudo-terminal, on devpts.
bool gl_is_pseudo_terminal(int fd);
// Whether `path` is on tmpfs or ramfs: what is written there stays in memory.
bool gl_is_in_memory(const char *path);
// When a file was created, in nanoseconds since the Unix epoch; -1 where the file system does not record it. `name` is
// looked up in `folder`, a link not followed; the empty name is `folder` itself.
int64_t gl_birth_time(int folder, const char *name);
// Whether `path` is on a network or FUSE file system, where inotify does not report what other hosts change.
bool gl_is_remote(const char *path);
// Where the first data of a file is, after a hole (SEEK_DATA); -1 when there is none, or that is unknown.
off_t gl_first_data(int fd);
int gl_allocate(int fd, off_t offset, off_t size);
// The lock of a whole file, flock(2). Whether it is locked: whether another open file description has the exclusive lock.
int gl_try_lock(int fd, bool is_shared);
bool gl_is_locked(int fd);
// The locks of single bytes, which need not exist, fcntl(2) F_OFD_SETLK: independent of the former. Whether one is held:
// whether another open file description has it, shared or not.
bool gl_try_numbered_lock(int fd, off_t number, bool is_shared);
void gl_numbered_unlock(int fd, off_t number);
// Releases both kinds of locks, also for the copies of `fd` that children have.
void gl_unlock(int fd);
bool gl_is_numbered_lock_held(int fd, off_t number);
int gl_pipe_size(int fd); // capacity in bytes; -1: not a pipe
int gl_set_pipe_size(int fd, int size);
void gl_name_thread(const char *name);

// Sends `count` bytes with `fd_count` descriptors attached (SCM_RIGHTS); flags as sendmsg(2).
ssize_t gl_send_descriptors(int socket, const void *bytes, size_t count, const int *fds, size_t fd_count, int flags);

// Receives up to `count` bytes, and one descriptor if one comes with them (else -1), closed on exec; as recvmsg(2).
ssize_t gl_receive_descriptor(int socket, void *bytes, size_t count, int *fd);

// The peer's credentials (SO_PEERCRED); 0, or -1 with errno.
int gl_peer_credentials(int socket, pid_t *pid, uid_t *uid, gid_t *gid);

#endif
