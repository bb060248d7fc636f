/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * prefix.h - counters per key prefix (`stats detail`).
 *
 * A prefix is the part of a key before the delimiter (-D).  Off, it costs one
 * relaxed load a request; on, one lock: it is a tool for an hour of looking,
 * as it is in memcached.
 *
 * Layer: proto.
 */
#ifndef PROTO_PREFIX_H
#define PROTO_PREFIX_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/lock.h"
#include "store/item.h"

enum prefix_event { PREFIX_GET, PREFIX_HIT, PREFIX_SET, PREFIX_DELETE };

struct prefix {
	struct prefix *next;
	uint64_t get, hit, set, del;
	size_t len;
	char name[];
};

enum { PREFIX_BUCKETS = 256, PREFIX_MAX = 10000 };

struct prefix_table {
	_Atomic bool on;
	char delimiter;
	struct lock lock;

	/* guarded by lock */
	struct prefix *bucket[PREFIX_BUCKETS];
	size_t count; /* at most PREFIX_MAX: what comes later is not counted */
};

void prefix_init(struct prefix_table *t, char delimiter, bool on);
void prefix_destroy(struct prefix_table *t);
void prefix_clear(struct prefix_table *t);
void prefix_switch(struct prefix_table *t, bool on);

void prefix_record(struct prefix_table *t, const struct key *key,
    enum prefix_event event);

static inline void
prefix_count(struct prefix_table *t, const struct key *key,
    enum prefix_event event)
{
	if (UNLIKELY(atomic_load_explicit(&t->on, memory_order_relaxed)))
		prefix_record(t, key, event);
}

/* The report with its END, malloc'ed; NULL when out of memory. */
char *prefix_dump(struct prefix_table *t, size_t *len) MUST_USE;

#endif
