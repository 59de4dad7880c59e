#if defined(__linux__)

#define _GNU_SOURCE

#include "ConclaveLinux.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

int conclave_accept(int descriptor) {
    return accept4(descriptor, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

int conclave_epoll_create(void) { return epoll_create1(EPOLL_CLOEXEC); }

int conclave_eventfd_create(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }

void conclave_eventfd_signal(int descriptor) {
    uint64_t one = 1;
    // A full counter is already a signal, so a refused write loses nothing.
    ssize_t ignored = write(descriptor, &one, sizeof one);
    (void)ignored;
}

void conclave_eventfd_clear(int descriptor) {
    uint64_t count;
    ssize_t ignored = read(descriptor, &count, sizeof count);
    (void)ignored;
}

static int control(int epoll, int operation, int descriptor, int writing, uint64_t token) {
    struct epoll_event event = {
        .events = EPOLLIN | EPOLLRDHUP | EPOLLET | (writing ? EPOLLOUT : 0),
        .data = {.u64 = token},
    };
    return epoll_ctl(epoll, operation, descriptor, &event);
}

int conclave_epoll_add(int epoll, int descriptor, int writing, uint64_t token) {
    return control(epoll, EPOLL_CTL_ADD, descriptor, writing, token);
}

int conclave_epoll_modify(int epoll, int descriptor, int writing, uint64_t token) {
    return control(epoll, EPOLL_CTL_MOD, descriptor, writing, token);
}

int conclave_epoll_remove(int epoll, int descriptor) {
    struct epoll_event unused = {0};
    return epoll_ctl(epoll, EPOLL_CTL_DEL, descriptor, &unused);
}

int conclave_epoll_wait(int epoll, conclave_epoll_event *events, int timeout) {
    struct epoll_event ready[CONCLAVE_EPOLL_BATCH];
    int count = epoll_wait(epoll, ready, CONCLAVE_EPOLL_BATCH, timeout);
    if (count < 0) {
        return errno == EINTR ? 0 : -1;
    }
    for (int i = 0; i < count; i++) {
        uint32_t bits = ready[i].events;
        uint32_t readiness = 0;
        if (bits & (EPOLLIN | EPOLLPRI)) readiness |= CONCLAVE_EPOLL_READABLE;
        if (bits & EPOLLOUT) readiness |= CONCLAVE_EPOLL_WRITABLE;
        if (bits & (EPOLLRDHUP | EPOLLHUP)) readiness |= CONCLAVE_EPOLL_READABLE | CONCLAVE_EPOLL_HANG_UP;
        // Whoever waits for anything must find the error.
        if (bits & (EPOLLERR | EPOLLHUP)) {
            readiness |= CONCLAVE_EPOLL_READABLE | CONCLAVE_EPOLL_WRITABLE | CONCLAVE_EPOLL_HANG_UP;
        }
        events[i].token = ready[i].data.u64;
        events[i].readiness = readiness;
    }
    return count;
}

#endif
