// SPDX-License-Identifier: Apache-2.0

#define _GNU_SOURCE
#include "CBytes.h"

#include <stdbool.h>
#include <string.h>

// Sixteen bytes that are compared and added at once, on every processor with such instructions.
typedef uint8_t bytes16 __attribute__((vector_size(16)));

static inline bytes16 load16(const uint8_t *at) {
    bytes16 lanes;
    memcpy(&lanes, at, 16);
    return lanes;
}

static inline bool any16(bytes16 lanes) {
    uint64_t halves[2];
    memcpy(halves, &lanes, 16);
    return (halves[0] | halves[1]) != 0;
}

size_t gl_count_byte(const void *bytes, size_t count, uint8_t needle) {
    const uint8_t *at = bytes;
    size_t total = 0;
    while (count >= 16) {
        // A lane counts to 255 before it overflows.
        size_t rounds = count / 16 < 255 ? count / 16 : 255;
        count -= rounds * 16;
        bytes16 lanes = {0};
        for (; rounds > 0; rounds--, at += 16) {
            // Equal lanes compare as -1.
            lanes -= (bytes16)(load16(at) == needle);
        }
        for (int lane = 0; lane < 16; lane++) {
            total += lanes[lane];
        }
    }
    while (count-- > 0) {
        total += *at++ == needle;
    }
    return total;
}

static inline bool is_control(const uint8_t *at, const uint8_t *end) {
    if (*at == '\r') {
        return at + 1 == end || at[1] != '\n';
    }
    return (*at < 0x20 && *at != '\t' && *at != '\n') || *at == 0x7f;
}

// The same for sixteen bytes; the one after them is read too.
static inline bytes16 controls16(const uint8_t *at) {
    bytes16 lanes = load16(at), next = load16(at + 1);
    bytes16 low = (bytes16)(lanes < 0x20) & (bytes16)(lanes != '\t') & (bytes16)(lanes != '\n');
    bytes16 line_end = (bytes16)(lanes == '\r') & (bytes16)(next == '\n');
    return (low & ~line_end) | (bytes16)(lanes == 0x7f);
}

size_t gl_first_control(const void *bytes, size_t count) {
    const uint8_t *start = bytes, *at = start, *end = start + count;
    while (end - at > 64 && !any16(controls16(at) | controls16(at + 16) | controls16(at + 32) | controls16(at + 48))) {
        at += 64;
    }
    while (end - at > 16 && !any16(controls16(at))) {
        at += 16;
    }
    while (at < end && !is_control(at, end)) {
        at++;
    }
    return (size_t)(at - start);
}

const void *gl_memrchr(const void *bytes, int needle, size_t count) { return memrchr(bytes, needle, count); }

// The C library's memmem(3) compares byte by byte when the needle has two bytes.
static const void *find_pair(const uint8_t *at, size_t count, uint8_t first, uint8_t second) {
    const uint8_t *end = at + count;
    while (end - at > 64) {
        bytes16 found = {0};
        for (int part = 0; part < 64; part += 16) {
            found |= (bytes16)(load16(at + part) == first) & (bytes16)(load16(at + part + 1) == second);
        }
        if (any16(found)) {
            break;
        }
        at += 64;
    }
    while (end - at >= 2 && (at[0] != first || at[1] != second)) {
        at++;
    }
    return end - at >= 2 ? at : NULL;
}

const void *gl_memmem(const void *bytes, size_t count, const void *needle, size_t needle_count) {
    const uint8_t *pair = needle;
    return needle_count == 2 ? find_pair(bytes, count, pair[0], pair[1])
                             : memmem(bytes, count, needle, needle_count);
}
