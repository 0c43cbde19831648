// SPDX-License-Identifier: Apache-2.0

// Pure functions over bytes that have to run at memory speed, where Swift's vectors do not yet.
#ifndef GUESTLOG_CBYTES_H
#define GUESTLOG_CBYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// CRC-32C (Castagnoli, RFC 3720 appendix B.4), continuing from `crc` (0 to begin).
uint32_t gl_crc32c(uint32_t crc, const void *bytes, size_t count);

// SHA-256 (FIPS 180-4) of `count` bytes.
#define GL_SHA256_SIZE 32
void gl_sha256(const void *bytes, size_t count, uint8_t digest[GL_SHA256_SIZE]);

// Whether two runs of bytes are equal, in a time that does not depend on where they differ.
bool gl_equal_in_constant_time(const void *left, const void *right, size_t count);

// The number of bytes equal to `needle`.
size_t gl_count_byte(const void *bytes, size_t count, uint8_t needle);

// The index of the first control byte, 0x00 to 0x1f or 0x7f, that is neither TAB nor LF nor a CR before an LF; `count`
// when there is none. A CR at the end counts as one.
size_t gl_first_control(const void *bytes, size_t count);

// The hash of three bytes, the first one lowest.
#define GL_TRIGRAM_COUNT 65536
static inline uint32_t gl_trigram_hash(uint32_t three) { return (three * 0x9e3779b1u) >> 16; }
// Sets `map[h]` for each sequence of three bytes in the text, letters in lower case, where h is its hash. `before` has the
// two bytes before the text, the first lowest; returns the last two.
uint32_t gl_map_trigrams(uint32_t before, const void *bytes, size_t count, uint8_t map[GL_TRIGRAM_COUNT]);
// Adds to `bits` each value of `map` that is 1, the lowest bit of the first byte first.
void gl_add_bits(const uint8_t map[GL_TRIGRAM_COUNT], uint8_t bits[GL_TRIGRAM_COUNT / 8]);

// The last / first position of a byte or byte string, as memrchr(3) and memmem(3); NULL when absent.
const void *gl_memrchr(const void *bytes, int needle, size_t count);
const void *gl_memmem(const void *bytes, size_t count, const void *needle, size_t needle_count);

#endif
