// Traps of actors on Linux: a signal handler that parks the thread for ever and wakes a watcher.
#ifndef CONCLAVE_TRAPS_H
#define CONCLAVE_TRAPS_H

#if defined(__linux__)

#include <stdint.h>

// One system's account of the traps it survives, and how its watcher is woken.
typedef struct conclave_trap_domain conclave_trap_domain;

// A thread that trapped and is parked for ever: its runtime state, the actor it was running and the signal.
typedef struct {
    void *thread_state;
    uintptr_t actor;
    int signal;
} conclave_trap;

// Room for `limit` traps, or null if there is no memory or descriptor. Installs the process's signal handlers the first time.
conclave_trap_domain *conclave_trap_domain_create(int limit);

// Readable when there is something to take.
int conclave_trap_domain_descriptor(const conclave_trap_domain *domain);

// Takes the next trap. 0: there is none. By one thread at a time.
int conclave_trap_domain_take(conclave_trap_domain *domain, conclave_trap *trap);

// When no thread is left in the domain but those that are parked for ever.
void conclave_trap_domain_destroy(conclave_trap_domain *domain);

// From now on a trap on this thread, while its runtime state names an actor, is the domain's, unless it comes in one of the runtime's
// short sections: nobody would ever leave that. Gives the thread an alternate stack,
// since a stack that has overflowed cannot run a handler. 0: no memory for that.
int conclave_trap_domain_enter(conclave_trap_domain *domain);

// Takes that back, on the same thread.
void conclave_trap_domain_leave(void);

#endif
#endif
