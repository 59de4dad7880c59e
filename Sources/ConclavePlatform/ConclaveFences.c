#if defined(__linux__)
#define _GNU_SOURCE
#endif

#include "ConclaveFences.h"

#if defined(__linux__)

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

int conclave_heavy_fence_prepare(void) {
    return syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0;
}

void conclave_heavy_fence(void) { (void)syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0); }

#else

// The light side pays a full fence of its own here.
int conclave_heavy_fence_prepare(void) { return 1; }

void conclave_heavy_fence(void) { atomic_thread_fence(memory_order_seq_cst); }

#endif
