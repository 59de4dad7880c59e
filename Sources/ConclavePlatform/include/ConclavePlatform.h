// What Swift cannot import: thread-local storage and a few CPU and kernel facts.
#ifndef CONCLAVE_PLATFORM_H
#define CONCLAVE_PLATFORM_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "ConclaveFences.h"
#include "ConclaveLinux.h"
#include "ConclaveTraps.h"

// The calling thread's runtime state; null until the runtime sets it. One word, owned by module Conclave.
extern _Thread_local void *conclave_thread_state_slot;

static inline void *conclave_thread_state(void) { return conclave_thread_state_slot; }
static inline void conclave_set_thread_state(void *state) { conclave_thread_state_slot = state; }

// How many short sections of the runtime's own the calling thread is in: it holds a lock, or is about to pass something on that
// others wait for. Trap isolation stops no thread in there; see ConclaveTraps.h.
extern _Thread_local int conclave_section_depth;

// The fences are for the thread's own signal handler: the compiler must not move what is in the section out of it.
static inline void conclave_enter_section(void) {
    conclave_section_depth += 1;
    atomic_signal_fence(memory_order_seq_cst);
}
static inline void conclave_leave_section(void) {
    atomic_signal_fence(memory_order_seq_cst);
    conclave_section_depth -= 1;
}

// Tells the CPU that this is a spin-wait loop.
static inline void conclave_cpu_relax(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

// Whether this CPU has instructions for CRC-32C; asked once by the caller.
int conclave_crc32c_available(void);

// Feeds bytes into a raw CRC-32C state (no inversion at either end). Only where conclave_crc32c_available() says so.
uint32_t conclave_crc32c_update(uint32_t state, const void *bytes, size_t count);

// Whether every byte is zero, at the speed of the C library's memcmp in debug builds too.
int conclave_is_zero(const void *bytes, size_t count);

#endif
