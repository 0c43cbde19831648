// SPDX-License-Identifier: Apache-2.0

// What stat(2) does not tell about a file: its birth, its holes, and whether changes to it may come from another host.

#define _GNU_SOURCE
#include "CLinux.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

int64_t gl_birth_time(int folder, const char *name) {
    struct statx status;
    int flags = AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_STATX_DONT_SYNC;
    if (statx(folder, name, flags, STATX_BTIME, &status) != 0 || !(status.stx_mask & STATX_BTIME)) {
        return -1;
    }
    return status.stx_btime.tv_sec * 1000000000 + status.stx_btime.tv_nsec;
}

bool gl_is_remote(const char *path) {
    struct statfs system;
    if (statfs(path, &system) != 0) {
        return false;
    }
    switch ((unsigned long)system.f_type) {
    case NFS_SUPER_MAGIC:
    case SMB_SUPER_MAGIC:
    case CIFS_SUPER_MAGIC:
    case SMB2_SUPER_MAGIC:
    case FUSE_SUPER_MAGIC:
    case V9FS_MAGIC:
    case CEPH_SUPER_MAGIC:
    case OCFS2_SUPER_MAGIC:
    case AFS_SUPER_MAGIC:
        return true;
    default:
        return false;
    }
}

off_t gl_first_data(int fd) {
    return lseek(fd, 0, SEEK_DATA);
}
