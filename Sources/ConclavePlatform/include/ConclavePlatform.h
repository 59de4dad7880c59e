// What Swift cannot import: thread-local storage and a few CPU and kernel facts.
#ifndef CONCLAVE_PLATFORM_H
#define CONCLAVE_PLATFORM_H

#include <stdint.h>

// The calling thread's runtime state; null until the runtime sets it. One word, owned by module Conclave.
extern _Thread_local void *conclave_thread_state_slot;

static inline void *conclave_thread_state(void) { return conclave_thread_state_slot; }
static inline void conclave_set_thread_state(void *state) { conclave_thread_state_slot = state; }

// Tells the CPU that this is a spin-wait loop.
static inline void conclave_cpu_relax(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

#endif
