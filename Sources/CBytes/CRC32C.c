// SPDX-License-Identifier: Apache-2.0

#include "CBytes.h"

#include <string.h>

// CRC-32C: the processor's instruction where there is one, else slicing by eight. The tables are made at the start.

static uint32_t crc_table[8][256];
static uint32_t (*crc_function)(uint32_t, const uint8_t *, size_t);

static uint32_t crc_by_table(uint32_t crc, const uint8_t *bytes, size_t count) {
    while (count >= 8) {
        uint64_t word;
        memcpy(&word, bytes, 8);
        word ^= crc;
        crc = crc_table[7][word & 0xff] ^ crc_table[6][(word >> 8) & 0xff] ^ crc_table[5][(word >> 16) & 0xff] ^
              crc_table[4][(word >> 24) & 0xff] ^ crc_table[3][(word >> 32) & 0xff] ^
              crc_table[2][(word >> 40) & 0xff] ^ crc_table[1][(word >> 48) & 0xff] ^ crc_table[0][word >> 56];
        bytes += 8;
        count -= 8;
    }
    while (count-- > 0) {
        crc = crc_table[0][(crc ^ *bytes++) & 0xff] ^ (crc >> 8);
    }
    return crc;
}

#if defined(__x86_64__)
#include <immintrin.h>
#define CRC_TARGET __attribute__((target("sse4.2")))
CRC_TARGET static inline uint32_t crc_step(uint32_t crc, uint64_t word) { return (uint32_t)_mm_crc32_u64(crc, word); }
CRC_TARGET static inline uint32_t crc_step_byte(uint32_t crc, uint8_t byte) { return _mm_crc32_u8(crc, byte); }
static bool crc_instruction_present(void) { return __builtin_cpu_supports("sse4.2"); }
#elif defined(__aarch64__)
#include <arm_acle.h>
#include <sys/auxv.h>
#define CRC_TARGET __attribute__((target("+crc")))
CRC_TARGET static inline uint32_t crc_step(uint32_t crc, uint64_t word) { return __crc32cd(crc, word); }
CRC_TARGET static inline uint32_t crc_step_byte(uint32_t crc, uint8_t byte) { return __crc32cb(crc, byte); }
static bool crc_instruction_present(void) { return (getauxval(AT_HWCAP) & (1 << 7)) != 0; }
#endif

#if defined(CRC_TARGET)

// The instruction takes three cycles, and one may begin in each: three parts of this size are read side by side. A CRC is
// linear, so that of two parts is that of the first, advanced over as many zero bytes as the second has, xor that of the
// second begun at 0.
enum { part_size = 512, part_words = part_size / 8 };

// The CRC after `part_size` zero bytes, for each value of each byte of the CRC before them.
static uint32_t advance_table[4][256];

static uint32_t crc_advance(uint32_t crc) {
    return advance_table[0][crc & 0xff] ^ advance_table[1][(crc >> 8) & 0xff] ^ advance_table[2][(crc >> 16) & 0xff] ^
           advance_table[3][crc >> 24];
}

CRC_TARGET static inline uint32_t crc_step_at(uint32_t crc, const uint8_t *bytes) {
    uint64_t word;
    memcpy(&word, bytes, 8);
    return crc_step(crc, word);
}

CRC_TARGET static uint32_t crc_by_instruction(uint32_t crc, const uint8_t *bytes, size_t count) {
    while (count >= 3 * part_size) {
        uint32_t second = 0, third = 0;
        for (int word = 0; word < part_words; word++, bytes += 8) {
            crc = crc_step_at(crc, bytes);
            second = crc_step_at(second, bytes + part_size);
            third = crc_step_at(third, bytes + 2 * part_size);
        }
        crc = crc_advance(crc_advance(crc) ^ second) ^ third;
        bytes += 2 * part_size;
        count -= 3 * part_size;
    }
    while (count >= 8) {
        crc = crc_step_at(crc, bytes);
        bytes += 8;
        count -= 8;
    }
    while (count-- > 0) {
        crc = crc_step_byte(crc, *bytes++);
    }
    return crc;
}

CRC_TARGET static void prepare_instruction(void) {
    for (int bit = 0; bit < 32; bit++) {
        uint32_t crc = 1u << bit;
        for (int word = 0; word < part_words; word++) {
            crc = crc_step(crc, 0);
        }
        // Each value is the xor of those of its bits.
        uint32_t *values = advance_table[bit / 8];
        uint32_t first = 1u << bit % 8;
        for (uint32_t value = first; value < 2 * first; value++) {
            values[value] = values[value - first] ^ crc;
        }
    }
}

#endif

__attribute__((constructor)) static void crc_prepare(void) {
    for (uint32_t n = 0; n < 256; n++) {
        uint32_t crc = n;
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc & 1) ? (crc >> 1) ^ 0x82f63b78u : crc >> 1;
        }
        crc_table[0][n] = crc;
    }
    for (int slice = 1; slice < 8; slice++) {
        for (uint32_t n = 0; n < 256; n++) {
            uint32_t crc = crc_table[slice - 1][n];
            crc_table[slice][n] = crc_table[0][crc & 0xff] ^ (crc >> 8);
        }
    }
    crc_function = crc_by_table;
#if defined(CRC_TARGET)
    if (crc_instruction_present()) {
        prepare_instruction();
        crc_function = crc_by_instruction;
    }
#endif
}

uint32_t gl_crc32c(uint32_t crc, const void *bytes, size_t count) { return ~crc_function(~crc, bytes, count); }
