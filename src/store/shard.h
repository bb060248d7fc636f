/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * shard.h - one lock and all that it guards.
 *
 * A shard is a slice of the store: keys are spread by the highest bits of
 * their hash.  Under its lock an item is looked up, linked, replaced, removed;
 * nothing is written to a socket, and no other lock is taken but those of slabs
 * and the feed's.
 *
 * Layer: store.
 */
#ifndef STORE_SHARD_H
#define STORE_SHARD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/clock.h"
#include "base/counter.h"
#include "base/lock.h"
#include "store/evict.h"
#include "store/item.h"
#include "store/sizeclass.h"
#include "store/slab.h"
#include "store/sweep.h"
#include "store/table.h"

struct store;
struct wait_queue;

/*
 * What one thread brings along: its counters, memory that it has reserved
 * from the limit, and items that it unlinked and frees after the unlock.
 */
struct store_local {
	struct store *store;
	struct counters *counters;
	int64_t credit; /* bytes; below 0 after a store that went over */
	struct item *dead;
	unsigned cursor; /* shard to evict from next */

	struct slab_cache slabs; /* unused where items come from the arena */

	/* the cache's: the time of the batch, mail to post after the unlock */
	uint64_t now_ms;
	struct wait_queue *letters;
};

struct CACHE_ALIGNED shard {
	struct lock lock;

	/* guarded by lock */
	struct table table;
	struct evict evict;
	size_t bytes; /* true size of all linked items */
	uint64_t counted[SHARD_COUNTER_COUNT];
	struct sizeclass cls[SIZECLASS_COUNT];
	size_t timed;           /* items with an exptime */
	size_t tagged;          /* items with tags */
	uint64_t tag_reclaimed; /* items removed with a tag that died */
	struct sweep sweep;

	/* set by shard_init(), read by all */
	struct store *store;
};

/* Why a key was not found; also what happened to a dead item met. */
enum found {
	FOUND,
	FOUND_NOTHING,
	FOUND_EXPIRED,  /* it was there, had expired, and is removed now */
	FOUND_FLUSHED,  /* it was there, had been flushed, and is removed now */
	FOUND_UNTAGGED, /* it was there, a tag had died, and is removed now */
	/* It stands, but only readers who know of leases may see it: */
	FOUND_GRACE,    /* expired, and kept as stale for a while */
	FOUND_NEGATIVE, /* known to be absent at the source */
};

/* Whether an item stands in the place that shard_find() named. */
static inline bool
found_stands(enum found why)
{
	return why == FOUND || why >= FOUND_GRACE;
}

/* False when out of memory. */
bool shard_init(struct shard *s, struct store *store) MUST_USE;
void shard_destroy(struct shard *s);

void shard_lock(struct shard *s) ACQUIRE(s->lock);
/* Also frees what this thread unlinked meanwhile. */
void shard_unlock(struct shard *s, struct store_local *l) RELEASE(s->lock);

/*
 * The item with that key that every reader may see, or NULL and why; after
 * FOUND_GRACE and FOUND_NEGATIVE *at says where it is.
 */
struct item *shard_find(struct shard *s, struct store_local *l,
    const struct key *key, rel_time now, struct place *at, enum found *why)
    REQUIRES(s->lock);

/*
 * Numbers the item (item_stored()) and links it under a key that is not there.
 * The table takes over the caller's reference; on failure (out of memory) the
 * caller keeps it.
 */
bool shard_insert(struct shard *s, struct store_local *l, uint64_t hash,
    struct item *it, rel_time now) REQUIRES(s->lock) MUST_USE;

/* The same in the place of `old`, which has the same key.  Can't fail. */
void shard_replace(struct shard *s, struct store_local *l, struct place at,
    struct item *old, struct item *it, rel_time now) REQUIRES(s->lock);

void shard_remove(struct shard *s, struct store_local *l, uint64_t hash,
    struct place at, struct item *it) REQUIRES(s->lock);

/* Moves the item away from eviction. */
void shard_lift(struct shard *s, struct place at, struct item *it)
    REQUIRES(s->lock);

/* Notes that the item was read: lifts it, marks it fetched. */
void shard_hit(struct shard *s, struct place at, struct item *it, rel_time now)
    REQUIRES(s->lock);

/* Gives the item another exptime. */
void shard_touch(struct shard *s, struct place at, struct item *it,
    rel_time exptime, rel_time now) REQUIRES(s->lock);

/* Removes one item to make room, if one is picked. */
enum evict_outcome shard_evict(struct shard *s, struct store_local *l,
    rel_time now) REQUIRES(s->lock) MUST_USE;

/*
 * Gives back what the table has to spare, at most so many buckets at once.
 * True when there may be more.
 */
bool shard_shrink(struct shard *s, struct store_local *l, unsigned buckets)
    REQUIRES(s->lock) MUST_USE;

/* Removes the item in that place to make room. */
void shard_evict_at(struct shard *s, struct store_local *l, uint64_t hash,
    struct place at, rel_time now) REQUIRES(s->lock);

/* Whether an item is dead: expired, flushed, or one of its tags has died. */
bool shard_is_dead(const struct shard *s, const struct item *it, rel_time now)
    REQUIRES(s->lock);

/*
 * Notes in the key clock that a value is about to leave which no newer store
 * replaces: a token older than the value must not fill the gap.
 */
void shard_note_loss(struct shard *s, const struct item *it) REQUIRES(s->lock);

/* Counts a removed dead item: expired_unfetched and its class. */
void shard_count_dead(struct shard *s, const struct item *it,
    enum class_event how) REQUIRES(s->lock);

/* The class an item counts in. */
struct sizeclass *shard_class(struct shard *s, const struct item *it);

#endif
