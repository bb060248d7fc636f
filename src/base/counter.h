/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * counter.h - counters that cost a plain add.
 *
 * Each thread counts in a block of its own, and only it writes there; readers
 * sum the blocks.  `stats reset` does not touch them: it remembers the sums of
 * that moment and later reports the difference, so that no count is lost to a
 * race.  counter.def declares every counter.
 *
 * Layer: base.
 */
#ifndef BASE_COUNTER_H
#define BASE_COUNTER_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/attr.h"

typedef _Atomic uint64_t counter;

enum counter_id {
#define COUNTER(name, unit, text) COUNTER_##name,
#define SHARD_COUNTER(name, unit, text)
#define GAUGE(name, unit, text)
#define FIXED(name, value, text)
#include "base/counter.def"
#undef COUNTER
#undef SHARD_COUNTER
	COUNTER_idle_kicks,
	COUNTER_KEPT, /* from here on they survive `stats reset` */
	COUNTER_BEFORE_KEPT = COUNTER_KEPT - 1,
#define COUNTER(name, unit, text) COUNTER_##name,
#include "base/lease_counter.def"
#undef COUNTER
	COUNTER_COUNT
};

enum shard_counter_id {
#define COUNTER(name, unit, text)
#define SHARD_COUNTER(name, unit, text) SHARD_COUNTER_##name,
#include "base/counter.def"
#undef COUNTER
#undef SHARD_COUNTER
#undef GAUGE
#undef FIXED
	SHARD_COUNTER_COUNT
};

/* The block of one thread. */
struct CACHE_ALIGNED counters {
	counter value[COUNTER_COUNT];
	struct counters *next;
};

/* All blocks, and the sums at the last reset. */
struct counter_set {
	struct counters *_Atomic first;
	counter base[COUNTER_COUNT];
};

/* Adds a zeroed block to the set; NULL when out of memory. */
struct counters *counters_new(struct counter_set *set) MUST_USE;

/* Frees all blocks; no thread counts any more. */
void counters_free(struct counter_set *set);

/* The sum over all threads since the last reset. */
uint64_t counter_sum(const struct counter_set *set, enum counter_id id);

void counters_reset(struct counter_set *set);

/* Only the thread that owns the block may call these. */
static inline void
counter_add(counter *c, uint64_t n)
{
	atomic_store_explicit(c,
	    atomic_load_explicit(c, memory_order_relaxed) + n,
	    memory_order_relaxed);
}

#define COUNT(block, name) counter_add(&(block)->value[COUNTER_##name], 1)
#define COUNT_BY(block, name, n)                                               \
	counter_add(&(block)->value[COUNTER_##name], (n))

#endif
