// SPDX-License-Identifier: Apache-2.0

#include "CBytes.h"

#include <string.h>

// Both functions are for little-endian machines, which are all that Swift has on Linux.
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the order of bytes is assumed to be little-endian"
#endif

enum { piece_size = 1024 };

static uint32_t load_three(const uint8_t *at) {
    uint32_t word;
    memcpy(&word, at, 4);
    return word & 0xffffff;
}

uint32_t gl_map_trigrams(uint32_t before, const void *bytes, size_t count, uint8_t map[GL_TRIGRAM_COUNT]) {
    const uint8_t *at = bytes;
    // The two bytes before each piece, the piece, and one more that is read with its last three.
    uint8_t lower[2 + piece_size + 1] = {(uint8_t)before, (uint8_t)(before >> 8)};
    while (count > 0) {
        size_t size = count < piece_size ? count : piece_size;
        for (size_t n = 0; n < size; n++) {
            lower[2 + n] = at[n] | (uint8_t)((uint8_t)(at[n] - 'A') < 26) << 5;
        }
        for (size_t n = 0; n < size; n++) {
            map[gl_trigram_hash(load_three(lower + n))] = 1;
        }
        // After a piece of one byte the two overlap.
        memmove(lower, lower + size, 2);
        at += size;
        count -= size;
    }
    return lower[0] | (uint32_t)lower[1] << 8;
}

void gl_add_bits(const uint8_t map[GL_TRIGRAM_COUNT], uint8_t bits[GL_TRIGRAM_COUNT / 8]) {
    for (size_t n = 0; n < GL_TRIGRAM_COUNT; n += 8) {
        uint64_t bytes;
        memcpy(&bytes, map + n, 8);
        // The product has byte n of a little-endian word in its bit 56 + n.
        bits[n / 8] |= (uint8_t)((bytes * 0x0102040810204080u) >> 56);
    }
}
