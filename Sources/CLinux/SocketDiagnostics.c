// SPDX-License-Identifier: Apache-2.0

// Whether the other end of a connection was accepted, from sock_diag(7): until accept(2) it has no inode.

#define _GNU_SOURCE
#include "CLinux.h"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

struct request {
    struct nlmsghdr header;
    union {
        struct unix_diag_req local;
        struct inet_diag_req_v2 network;
    };
};

// Sends `request` and receives the answer; returns its message, or NULL when no message has the wanted type.
static const struct nlmsghdr *ask(struct request *request, size_t size, void *buffer, size_t capacity) {
    int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    if (netlink < 0) {
        return NULL;
    }
    request->header.nlmsg_len = NLMSG_LENGTH(size);
    request->header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
    request->header.nlmsg_flags = NLM_F_REQUEST;
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    ssize_t count = sendto(netlink, request, request->header.nlmsg_len, 0, (struct sockaddr *)&kernel, sizeof kernel);
    if (count > 0) {
        // The kernel answers while it handles the request.
        count = recv(netlink, buffer, capacity, MSG_DONTWAIT);
    }
    close(netlink);
    const struct nlmsghdr *answer = buffer;
    return count > 0 && NLMSG_OK(answer, (size_t)count) && answer->nlmsg_type == SOCK_DIAG_BY_FAMILY ? answer : NULL;
}

static int is_unix_accepted(int socket, void *buffer, size_t capacity) {
    struct stat status;
    if (fstat(socket, &status) != 0) {
        return -1;
    }
    struct request request = {
        .local = {
            .sdiag_family = AF_UNIX,
            .udiag_states = ~0U,
            .udiag_ino = (uint32_t)status.st_ino,
            .udiag_show = UDIAG_SHOW_PEER,
            .udiag_cookie = {~0U, ~0U},
        },
    };
    const struct nlmsghdr *answer = ask(&request, sizeof request.local, buffer, capacity);
    if (answer == NULL || answer->nlmsg_len < NLMSG_LENGTH(sizeof(struct unix_diag_msg))) {
        return -1;
    }
    const char *place = (const char *)NLMSG_DATA(answer) + NLMSG_ALIGN(sizeof(struct unix_diag_msg));
    const char *end = (const char *)answer + answer->nlmsg_len;
    while (end - place >= NLA_HDRLEN) {
        struct nlattr attribute;
        memcpy(&attribute, place, sizeof attribute);
        if (attribute.nla_len < NLA_HDRLEN || attribute.nla_len > end - place) {
            return -1;
        }
        uint32_t inode;
        if (attribute.nla_type == UNIX_DIAG_PEER && attribute.nla_len >= NLA_HDRLEN + sizeof inode) {
            memcpy(&inode, place + NLA_HDRLEN, sizeof inode);
            return inode != 0;
        }
        place += NLA_ALIGN(attribute.nla_len);
    }
    return -1;
}

// Copies an address to `place`; returns its port, 0 for another family.
static uint16_t take_address(const struct sockaddr_storage *address, uint32_t place[4]) {
    if (address->ss_family == AF_INET) {
        const struct sockaddr_in *four = (const struct sockaddr_in *)address;
        memcpy(place, &four->sin_addr, sizeof four->sin_addr);
        return four->sin_port;
    }
    if (address->ss_family == AF_INET6) {
        const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)address;
        memcpy(place, &six->sin6_addr, sizeof six->sin6_addr);
        return six->sin6_port;
    }
    return 0;
}

static int is_tcp_accepted(int socket, void *buffer, size_t capacity) {
    struct sockaddr_storage own = {0}, other = {0};
    socklen_t own_size = sizeof own, other_size = sizeof other;
    if (getsockname(socket, (struct sockaddr *)&own, &own_size) != 0 ||
        getpeername(socket, (struct sockaddr *)&other, &other_size) != 0) {
        return -1;
    }
    struct request request = {
        .network = {
            .sdiag_family = (uint8_t)other.ss_family,
            .sdiag_protocol = IPPROTO_TCP,
            .idiag_states = ~0U,
            .id = {.idiag_cookie = {INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE}},
        },
    };
    // The other end, as a socket of this host: unknown when it is on another one.
    request.network.id.idiag_sport = take_address(&other, request.network.id.idiag_src);
    request.network.id.idiag_dport = take_address(&own, request.network.id.idiag_dst);
    const struct nlmsghdr *answer = ask(&request, sizeof request.network, buffer, capacity);
    if (answer == NULL || answer->nlmsg_len < NLMSG_LENGTH(sizeof(struct inet_diag_msg))) {
        return -1;
    }
    struct inet_diag_msg found;
    memcpy(&found, NLMSG_DATA(answer), sizeof found);
    return found.idiag_inode != 0;
}

int gl_is_accepted(int socket) {
    int family = 0;
    socklen_t size = sizeof family;
    if (getsockopt(socket, SOL_SOCKET, SO_DOMAIN, &family, &size) != 0) {
        return -1;
    }
    _Alignas(struct nlmsghdr) char buffer[1024];
    switch (family) {
    case AF_UNIX: return is_unix_accepted(socket, buffer, sizeof buffer);
    case AF_INET:
    case AF_INET6: return is_tcp_accepted(socket, buffer, sizeof buffer);
    default: return -1;
    }
}
