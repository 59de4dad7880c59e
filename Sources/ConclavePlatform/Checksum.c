// CRC-32C with the CPU's own instructions, and a test for zeros.
#include "ConclavePlatform.h"

#include <string.h>

int conclave_is_zero(const void *bytes, size_t count) {
    const unsigned char *p = bytes;
    return count == 0 || (p[0] == 0 && memcmp(p, p + 1, count - 1) == 0);
}

#if defined(__x86_64__)

#include <cpuid.h>
#include <nmmintrin.h>

int conclave_crc32c_available(void) {
    unsigned int a, b, c, d;
    return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_SSE4_2) != 0;
}

__attribute__((target("sse4.2")))
uint32_t conclave_crc32c_update(uint32_t state, const void *bytes, size_t count) {
    const unsigned char *p = bytes;
    uint64_t wide = state;
    for (; count >= 8; count -= 8, p += 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        wide = _mm_crc32_u64(wide, word);
    }
    state = (uint32_t)wide;
    for (; count > 0; count--, p++) state = _mm_crc32_u8(state, *p);
    return state;
}

#elif defined(__aarch64__)

#if defined(__linux__)
#include <sys/auxv.h>
int conclave_crc32c_available(void) {
    return (getauxval(AT_HWCAP) & (1UL << 7)) != 0;  // HWCAP_CRC32
}
#else
int conclave_crc32c_available(void) { return 1; }  // every Apple arm64 has it
#endif

__attribute__((target("crc")))
uint32_t conclave_crc32c_update(uint32_t state, const void *bytes, size_t count) {
    const unsigned char *p = bytes;
    for (; count >= 8; count -= 8, p += 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        state = __builtin_arm_crc32cd(state, word);
    }
    for (; count > 0; count--, p++) state = __builtin_arm_crc32cb(state, *p);
    return state;
}

#else

int conclave_crc32c_available(void) { return 0; }
uint32_t conclave_crc32c_update(uint32_t state, const void *bytes, size_t count) {
    (void)bytes;
    (void)count;
    return state;
}

#endif
