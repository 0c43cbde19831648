// SPDX-License-Identifier: Apache-2.0

#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <linux/magic.h>
#include <linux/sockios.h>
#include <linux/vm_sockets.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/fsuid.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

enum { max_descriptors = 64 };

ssize_t gl_send_descriptors(int socket, const void *bytes, size_t count, const int *fds, size_t fd_count, int flags) {
    if (fd_count > max_descriptors) {
        errno = EINVAL;
        return -1;
    }
    struct iovec vector = {(void *)bytes, count};
    union {
        char bytes[CMSG_SPACE(max_descriptors * sizeof(int))];
        struct cmsghdr alignment;
    } control;
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
    if (fd_count > 0) {
        memset(&control, 0, sizeof control);
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
        memcpy(CMSG_DATA(header), fds, fd_count * sizeof(int));
    }
    return sendmsg(socket, &message, flags | MSG_NOSIGNAL);
}

ssize_t gl_receive_descriptor(int socket, void *bytes, size_t count, int *fd) {
    struct iovec vector = {bytes, count};
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr alignment;
    } control;
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    *fd = -1;
    ssize_t received = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    struct cmsghdr *header = received >= 0 ? CMSG_FIRSTHDR(&message) : NULL;
    if (header != NULL && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS &&
        header->cmsg_len >= CMSG_LEN(sizeof(int))) {
        memcpy(fd, CMSG_DATA(header), sizeof(int));
    }
    return received;
}

int gl_peer_credentials(int socket, pid_t *pid, uid_t *uid, gid_t *gid) {
    struct ucred peer;
    socklen_t size = sizeof peer;
    if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0) {
        return -1;
    }
    *pid = peer.pid;
    *uid = peer.uid;
    *gid = peer.gid;
    return 0;
}

int gl_open(const char *path, int flags, mode_t mode) { return open(path, flags, mode); }
int gl_open_at(int folder, const char *name, int flags, mode_t mode) { return openat(folder, name, flags, mode); }
int gl_hold_at(int folder, const char *name, int flags) {
    return openat(folder, name, O_PATH | O_CLOEXEC | flags);
}
void gl_close_on_exec(void) {
#ifdef SYS_close_range
    syscall(SYS_close_range, 3, ~0U, 1U << 2 /* CLOSE_RANGE_CLOEXEC */);
#endif
}
int gl_fcntl(int fd, int command, long argument) { return fcntl(fd, command, argument); }
int gl_get_window_size(int fd, struct winsize *size) { return ioctl(fd, TIOCGWINSZ, size); }
int gl_set_window_size(int fd, const struct winsize *size) { return ioctl(fd, TIOCSWINSZ, size); }

int gl_epoll(void) { return epoll_create1(EPOLL_CLOEXEC); }
int gl_eventfd(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }
int gl_inotify(void) { return inotify_init1(IN_CLOEXEC | IN_NONBLOCK); }

int gl_signalfd(const int *signals, size_t count) {
    sigset_t set;
    sigemptyset(&set);
    for (size_t n = 0; n < count; n++) {
        sigaddset(&set, signals[n]);
    }
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0) {
        return -1;
    }
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int gl_stream_socket(void) { return socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0); }
int gl_tcp_socket(int family) { return socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0); }
int gl_datagram_socket(void) { return socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0); }
static int vsock(int (*use)(int, const struct sockaddr *, socklen_t), unsigned context, unsigned port) {
    int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    struct sockaddr_vm address = {.svm_family = AF_VSOCK, .svm_cid = context, .svm_port = port};
    if (use(fd, (const struct sockaddr *)&address, sizeof address) != 0 && errno != EINPROGRESS) {
        int code = errno;
        close(fd);
        errno = code;
        return -1;
    }
    return fd;
}

int gl_vsock_listen(unsigned port, int backlog) {
    int fd = vsock(bind, VMADDR_CID_ANY, port);
    if (fd >= 0 && listen(fd, backlog) != 0) {
        int code = errno;
        close(fd);
        errno = code;
        return -1;
    }
    return fd;
}

int gl_vsock_connect(unsigned context, unsigned port) { return vsock(connect, context, port); }

int64_t gl_vsock_peer(int socket) {
    struct sockaddr_vm address = {0};
    socklen_t size = sizeof address;
    if (getpeername(socket, (struct sockaddr *)&address, &size) != 0 || address.svm_family != AF_VSOCK) {
        return -1;
    }
    return address.svm_cid;
}

int64_t gl_vsock_port(int socket) {
    struct sockaddr_vm address = {0};
    socklen_t size = sizeof address;
    if (getsockname(socket, (struct sockaddr *)&address, &size) != 0 || address.svm_family != AF_VSOCK) {
        return -1;
    }
    return address.svm_port;
}

int gl_accept(int fd) { return accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC); }
int gl_keep_alive(int socket, int idle, int interval, int count) {
    int on = 1;
    unsigned timeout = (unsigned)(idle + interval * count) * 1000;
    if (setsockopt(socket, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on) != 0 ||
        setsockopt(socket, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle) != 0 ||
        setsockopt(socket, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval) != 0 ||
        setsockopt(socket, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count) != 0) {
        return -1;
    }
    return setsockopt(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout, sizeof timeout);
}
int gl_memory_file(const char *name) { return memfd_create(name, MFD_CLOEXEC); }
int gl_pipe(int fds[2], int flags) { return pipe2(fds, flags); }
int gl_bytes_waiting(int fd) {
    int count = 0;
    return ioctl(fd, FIONREAD, &count) == 0 ? count : -1;
}
int gl_bytes_unacknowledged(int fd) {
    int count = 0;
    return ioctl(fd, SIOCOUTQ, &count) == 0 ? count : -1;
}
int gl_socket_pair(int fds[2]) { return socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds); }

int gl_daemon(void) {
    int begun[2];
    if (pipe2(begun, O_CLOEXEC) != 0) {
        return -1;
    }
    pid_t child = fork();
    if (child < 0) {
        int code = errno;
        close(begun[0]);
        close(begun[1]);
        errno = code;
        return -1;
    }
    if (child > 0) {
        char byte;
        ssize_t count;
        close(begun[1]);
        do {
            count = read(begun[0], &byte, 1);
        } while (count < 0 && errno == EINTR);
        int status = 0;
        if (count != 1) {
            while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
            }
        }
        _exit(count == 1 ? 0 : WIFEXITED(status) && WEXITSTATUS(status) != 0 ? WEXITSTATUS(status) : 1);
    }
    close(begun[0]);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (setsid() < 0 || chdir("/") != 0 || null < 0) {
        return -1;
    }
    dup2(null, STDIN_FILENO);
    dup2(null, STDOUT_FILENO);
    close(null);
    return begun[1];
}

void gl_daemon_begun(int begun) {
    struct stat status;
    if (fstat(STDERR_FILENO, &status) != 0 || !S_ISREG(status.st_mode)) {
        struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/dev/log"};
        int messages = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (messages >= 0) {
            // Where syslog is not there yet, the socket is connected when a message is written.
            (void)connect(messages, (struct sockaddr *)&address, sizeof address);
        } else {
            // A reader of the command's output waits until this process has closed it.
            messages = open("/dev/null", O_WRONLY | O_CLOEXEC);
        }
        if (messages >= 0) {
            dup2(messages, STDERR_FILENO);
            close(messages);
        }
    }
    ssize_t written = write(begun, "", 1);
    (void)written;
    close(begun);
}

int gl_pidfd(pid_t process) { return (int)syscall(SYS_pidfd_open, process, 0); }
long gl_read_number(void) { return SYS_read; }
int gl_open_terminal(char *path, size_t room) {
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (master < 0) {
        return -1;
    }
    if (grantpt(master) != 0 || unlockpt(master) != 0 || ptsname_r(master, path, room) != 0) {
        int code = errno;
        close(master);
        errno = code;
        return -1;
    }
    return master;
}

bool gl_is_pseudo_terminal(int fd) {
    // The major numbers of Unix98 slaves (Documentation/admin-guide/devices.txt); /dev/pts/ptmx has another.
    enum { first_major = 136, last_major = 143 };
    struct stat status;
    struct statfs system;
    if (fstat(fd, &status) != 0 || fstatfs(fd, &system) != 0) {
        return false;
    }
    unsigned number = major(status.st_rdev);
    return S_ISCHR(status.st_mode) && system.f_type == DEVPTS_SUPER_MAGIC && first_major <= number &&
           number <= last_major;
}

bool gl_same_file(int left, int right) {
    long order = syscall(SYS_kcmp, getpid(), getpid(), KCMP_FILE, left, right);
    if (order >= 0) {
        return order == 0;
    }
    struct stat one, other;
    return fstat(left, &one) == 0 && fstat(right, &other) == 0 && one.st_dev == other.st_dev &&
           one.st_ino == other.st_ino && fcntl(left, F_GETFL) == fcntl(right, F_GETFL);
}

// A robust, process-shared mutex of pthreads: the kernel releases it when the thread that holds it ends.

_Static_assert(sizeof(pthread_mutex_t) <= GL_LEASE_SIZE, "a lease has no room");

int gl_lease_make(void *place) {
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    int code = pthread_mutex_init(place, &attributes);
    pthread_mutexattr_destroy(&attributes);
    return code;
}

int gl_lease_take(void *place) {
    int code = pthread_mutex_lock(place);
    return code == EOWNERDEAD ? pthread_mutex_consistent(place) : code;
}

int gl_lease_try(void *place) {
    int code = pthread_mutex_trylock(place);
    return code == EOWNERDEAD ? pthread_mutex_consistent(place) : code;
}

void gl_lease_give(void *place) { pthread_mutex_unlock(place); }

bool gl_is_in_memory(const char *path) {
    struct statfs system;
    return statfs(path, &system) == 0 && (system.f_type == TMPFS_MAGIC || system.f_type == RAMFS_MAGIC);
}

// The user last: after giving up root the thread may not change the group.
void gl_set_file_owner(uid_t user, gid_t group) {
    setfsgid(group);
    setfsuid(user);
}

uid_t gl_file_user(void) { return (uid_t)setfsuid((uid_t)-1); }
gid_t gl_file_group(void) { return (gid_t)setfsgid((gid_t)-1); }

ssize_t gl_write_now(int fd, const void *bytes, size_t count) {
    ssize_t written = send(fd, bytes, count, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (written >= 0 || errno != ENOTSOCK) {
        return written;
    }
    // Pipes know the flag since Linux 5.5; a terminal does not, and has few writers.
    struct iovec piece = {(void *)bytes, count};
    written = pwritev2(fd, &piece, 1, -1, RWF_NOWAIT);
    if (written >= 0 || (errno != EOPNOTSUPP && errno != EINVAL && errno != ENOSYS)) {
        return written;
    }
    struct pollfd room = {.fd = fd, .events = POLLOUT};
    if (poll(&room, 1, 0) != 1 || !(room.revents & POLLOUT)) {
        errno = EAGAIN;
        return -1;
    }
    return write(fd, bytes, count);
}

int gl_wait_until(sem_t *semaphore, const struct timespec *deadline) {
    return sem_clockwait(semaphore, CLOCK_MONOTONIC, deadline);
}

int gl_syncfs(int fd) { return syncfs(fd); }
int gl_allocate(int fd, off_t offset, off_t size) { return fallocate(fd, 0, offset, size) == 0 ? 0 : errno; }
int gl_try_lock(int fd, bool is_shared) { return flock(fd, (is_shared ? LOCK_SH : LOCK_EX) | LOCK_NB); }

bool gl_is_locked(int fd) {
    if (flock(fd, LOCK_SH | LOCK_NB) != 0) {
        return errno == EWOULDBLOCK;
    }
    flock(fd, LOCK_UN);
    return false;
}

static struct flock numbered_lock(off_t number, short type) {
    return (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = number, .l_len = 1};
}

bool gl_try_numbered_lock(int fd, off_t number, bool is_shared) {
    struct flock lock = numbered_lock(number, is_shared ? F_RDLCK : F_WRLCK);
    // A file system without such locks grants all.
    return fcntl(fd, F_OFD_SETLK, &lock) == 0 || (errno != EAGAIN && errno != EACCES);
}

void gl_numbered_unlock(int fd, off_t number) {
    struct flock lock = numbered_lock(number, F_UNLCK);
    fcntl(fd, F_OFD_SETLK, &lock);
}

void gl_unlock(int fd) {
    struct flock all = {.l_type = F_UNLCK, .l_whence = SEEK_SET};
    flock(fd, LOCK_UN);
    fcntl(fd, F_OFD_SETLK, &all);
}

bool gl_is_numbered_lock_held(int fd, off_t number) {
    struct flock lock = numbered_lock(number, F_WRLCK);
    return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

static struct {
    int fd;
    struct termios modes;
    char output[GL_LAST_OUTPUT_SIZE];
    size_t count;
} terminal;

// All calls are async-signal-safe (signal-safety(7)).
static void restore_terminal(int signal) {
    tcsetattr(terminal.fd, TCSANOW, &terminal.modes);
    struct pollfd output = {.fd = STDOUT_FILENO, .events = POLLOUT};
    if (terminal.count > 0 && poll(&output, 1, 0) == 1 && output.revents == POLLOUT) {
        ssize_t count = write(STDOUT_FILENO, terminal.output, terminal.count);
        (void)count;
    }
    // Ends the process when this handler, which was reset, returns.
    raise(signal);
}

void gl_restore_terminal_at_signals(int fd, const void *output, size_t count) {
    terminal.fd = fd;
    if (tcgetattr(fd, &terminal.modes) < 0) {
        return;
    }
    terminal.count = isatty(STDOUT_FILENO) == 1 && count <= sizeof terminal.output ? count : 0;
    memcpy(terminal.output, output, terminal.count);
    struct sigaction action = {.sa_handler = restore_terminal, .sa_flags = SA_RESETHAND};
    // A change of modes by a background process raises SIGTTOU, which would stop it.
    sigfillset(&action.sa_mask);
    const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT};
    for (size_t n = 0; n < sizeof signals / sizeof *signals; n++) {
        struct sigaction present;
        if (sigaction(signals[n], NULL, &present) == 0 && present.sa_handler != SIG_IGN) {
            sigaction(signals[n], &action, NULL);
        }
    }
}

int gl_pipe_size(int fd) { return fcntl(fd, F_GETPIPE_SZ); }
int gl_set_pipe_size(int fd, int size) { return fcntl(fd, F_SETPIPE_SZ, size); }
void gl_name_thread(const char *name) { prctl(PR_SET_NAME, name, 0, 0, 0); }
