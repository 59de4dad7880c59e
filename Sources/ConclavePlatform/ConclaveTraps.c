#if defined(__linux__)

#define _GNU_SOURCE

#include "ConclavePlatform.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { ALTERNATE_STACK_BYTES = 64 * 1024 };

typedef struct {
    conclave_trap trap;
    int is_published;
} entry;

struct conclave_trap_domain {
    int limit;
    int wakeup;
    // Traps so far, those beyond the limit included. Atomic.
    int count;
    // Traps that the watcher has taken. Its own.
    int taken;
    entry entries[];
};

// Which domain the traps of this thread belong to; null outside of actors' threads.
static _Thread_local conclave_trap_domain *thread_domain;
static _Thread_local void *alternate_stack;
static _Thread_local stack_t stack_before;

static const int trap_signals[] = {SIGILL, SIGTRAP, SIGSEGV, SIGBUS, SIGFPE};
enum { TRAP_SIGNALS = sizeof trap_signals / sizeof *trap_signals };
static struct sigaction previous[NSIG];

// What would have happened without us.
static void pass_on(int signal, siginfo_t *info, void *context) {
    const struct sigaction *before = &previous[signal];
    if (before->sa_flags & SA_SIGINFO) {
        before->sa_sigaction(signal, info, context);
    } else if (before->sa_handler != SIG_DFL && before->sa_handler != SIG_IGN) {
        before->sa_handler(signal);
    } else {
        // The instruction runs again after the return and meets the default action; a signal that was sent is sent again.
        struct sigaction fallback = {.sa_handler = SIG_DFL};
        sigaction(signal, &fallback, NULL);
        if (info->si_code <= 0) raise(signal);
    }
}

// Async-signal-safe: reads words of this thread, writes words nobody else writes, writes to a descriptor, sleeps.
static void on_trap(int signal, siginfo_t *info, void *context) {
    conclave_trap_domain *domain = thread_domain;
    void *state = conclave_thread_state();
    // The first word of the state: the actor that runs here, 1 for a piece of a task, or 0.
    uintptr_t actor = domain && state ? __atomic_load_n((uintptr_t *)state, __ATOMIC_RELAXED) : 0;
    // A code of 0 or less: sent by somebody, not caused by what runs here.
    if (actor <= 1 || info->si_code <= 0 || conclave_section_depth > 0) {
        pass_on(signal, info, context);
        return;
    }
    int number = __atomic_fetch_add(&domain->count, 1, __ATOMIC_RELAXED);
    if (number >= domain->limit) {
        pass_on(signal, info, context);
        return;
    }
    entry *own = &domain->entries[number];
    own->trap = (conclave_trap){.thread_state = state, .actor = actor, .signal = signal};
    // Releasing: the watcher sees the trap, and all that this thread wrote before it.
    __atomic_store_n(&own->is_published, 1, __ATOMIC_RELEASE);
    conclave_eventfd_signal(domain->wakeup);
    sigset_t all;
    sigfillset(&all);
    for (;;) sigsuspend(&all);
}

static void install(void) {
    struct sigaction action = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigfillset(&action.sa_mask);
    for (int i = 0; i < TRAP_SIGNALS; i++) {
        // Before ours is there: a trap of another thread may come at once.
        sigaction(trap_signals[i], NULL, &previous[trap_signals[i]]);
        sigaction(trap_signals[i], &action, NULL);
    }
}

conclave_trap_domain *conclave_trap_domain_create(int limit) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    conclave_trap_domain *domain = calloc(1, sizeof *domain + (size_t)limit * sizeof(entry));
    if (!domain) return NULL;
    domain->limit = limit;
    domain->wakeup = conclave_eventfd_create();
    if (domain->wakeup < 0) {
        free(domain);
        return NULL;
    }
    pthread_once(&once, install);
    return domain;
}

int conclave_trap_domain_descriptor(const conclave_trap_domain *domain) { return domain->wakeup; }

int conclave_trap_domain_take(conclave_trap_domain *domain, conclave_trap *trap) {
    if (domain->taken == domain->limit) return 0;
    entry *next = &domain->entries[domain->taken];
    if (!__atomic_load_n(&next->is_published, __ATOMIC_ACQUIRE)) return 0;
    *trap = next->trap;
    domain->taken += 1;
    return 1;
}

void conclave_trap_domain_destroy(conclave_trap_domain *domain) {
    close(domain->wakeup);
    free(domain);
}

int conclave_trap_domain_enter(conclave_trap_domain *domain) {
    void *memory = mmap(NULL, ALTERNATE_STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return 0;
    stack_t stack = {.ss_sp = memory, .ss_size = ALTERNATE_STACK_BYTES};
    if (sigaltstack(&stack, &stack_before) != 0) {
        munmap(memory, ALTERNATE_STACK_BYTES);
        return 0;
    }
    alternate_stack = memory;
    thread_domain = domain;
    return 1;
}

void conclave_trap_domain_leave(void) {
    thread_domain = NULL;
    sigaltstack(&stack_before, NULL);
    munmap(alternate_stack, ALTERNATE_STACK_BYTES);
    alternate_stack = NULL;
}

#endif
