// Calls of Linux that Swift does not import: accept4, epoll (a packed structure) and eventfd.
#ifndef CONCLAVE_LINUX_H
#define CONCLAVE_LINUX_H

#if defined(__linux__)

#include <stdint.h>

// One event of a watched descriptor: the token it was registered with and what it is ready for.
typedef struct {
    uint64_t token;
    uint32_t readiness;
} conclave_epoll_event;

enum {
    CONCLAVE_EPOLL_READABLE = 1,
    CONCLAVE_EPOLL_WRITABLE = 2,
    CONCLAVE_EPOLL_HANG_UP = 4,
    // The most events one wait returns.
    CONCLAVE_EPOLL_BATCH = 128
};

// accept4 with a non-blocking socket, closed on exec, without its address.
int conclave_accept(int descriptor);

// Each returns a new descriptor, closed on exec, or -1 with errno set.
int conclave_epoll_create(void);
int conclave_eventfd_create(void);

// Adds to or empties the counter of an eventfd.
void conclave_eventfd_signal(int eventfd);
void conclave_eventfd_clear(int eventfd);

// Watches a descriptor, edge-triggered; reading always, writing if asked for. 0, or -1 with errno set.
int conclave_epoll_add(int epoll, int descriptor, int writing, uint64_t token);
int conclave_epoll_modify(int epoll, int descriptor, int writing, uint64_t token);
int conclave_epoll_remove(int epoll, int descriptor);

// Waits for events (timeout in milliseconds, -1 for ever) and returns how many there are; an interrupted wait has none.
// events has room for CONCLAVE_EPOLL_BATCH.
int conclave_epoll_wait(int epoll, conclave_epoll_event *events, int timeout);

#endif
#endif
