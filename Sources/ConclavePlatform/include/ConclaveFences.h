// A pair of memory fences of which one costs nothing: the seldom side pays for both.
#ifndef CONCLAVE_FENCES_H
#define CONCLAVE_FENCES_H

#include <stdatomic.h>

// Prepares the process for heavy fences. 0: there are none here (an old or restricted kernel).
int conclave_heavy_fence_prepare(void);

// A full fence for this thread and for every running thread of the process. Only after a successful preparation.
void conclave_heavy_fence(void);

// Orders what stands before it against what follows, for a thread that runs conclave_heavy_fence meanwhile.
static inline void conclave_light_fence(void) {
#if defined(__linux__)
    // The kernel's membarrier interrupts this thread with a full fence; only the compiler must not reorder.
    atomic_signal_fence(memory_order_seq_cst);
#else
    atomic_thread_fence(memory_order_seq_cst);
#endif
}

#endif
