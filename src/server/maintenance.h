/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * maintenance.h - the thread that tidies up.
 *
 * Fifty times a second it goes on with the sweep (store/sweep.h), keeps the
 * store within its limit, and compares what the allocator holds with what the
 * store accounts for: when pages are thinly used it compacts, and if that is
 * not enough it withholds part of the limit until it is.  It also ends leases
 * whose time is over.
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
	_Atomic uint64_t resident; /* bytes of the whole allocator */
	bool started;

	/* compaction: work since its pass began, and of a pass; 0: none */
	uint64_t compacted, pass;
	uint64_t moved;       /* items, when the pass began */
	uint64_t pause_until; /* ms */
	int64_t pause_waste;  /* bytes at which it ends early */
	struct store_sums sums;

	size_t resident_at_start; /* bytes, before any item */
};

/* False with a line logged. */
bool maintenance_start(struct maintenance *m, struct cache *cache,
    struct counters *counters) MUST_USE;
void maintenance_stop(struct maintenance *m);

#endif
