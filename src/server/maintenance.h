/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * maintenance.h - the thread that tidies up.
 *
 * Fifty times a second, ten times when idle, it goes on with the sweep
 * (store/sweep.h), keeps the store within its limit, gives free pages back, and
 * compares what the process holds with what the store accounts for: the
 * difference is withheld from the limit.  It also ends leases whose time is
 * over.
 *
 * Layer: server.
 */
#ifndef SERVER_MAINTENANCE_H
#define SERVER_MAINTENANCE_H

#include <event2/event.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/attr.h"
#include "base/mailbox.h"
#include "cache/cache.h"
#include "store/store.h"

struct maintenance {
	struct mailbox mailbox; /* any mail ends the thread */
	struct mail stop;
	pthread_t thread;
	struct event_base *base;
	struct event *wake, *tick;
	struct store_local local;
	struct cache *cache;
	_Atomic uint64_t resident; /* bytes, private memory of the process */
	bool started;

	int statm; /* descriptor; -1: the system has no such file */
	int64_t resident_at_start; /* bytes, before any item */
	unsigned unwatched;        /* ticks since memory was looked at */
	uint64_t seen_seq;         /* at the last tick */
	unsigned quiet;            /* ticks since it last moved */
};

/* False with a line logged. */
bool maintenance_start(struct maintenance *m, struct cache *cache,
    struct counters *counters) MUST_USE;
void maintenance_stop(struct maintenance *m);

#endif
