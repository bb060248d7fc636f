/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * store.h - all shards, the memory limit, and the one counter.
 *
 * The limit covers items and tables, by what they truly take.  A thread
 * reserves memory before it takes a lock, some KiB ahead; reserving is where
 * items are evicted.  What a thread has reserved but not used is its credit.
 *
 * `seq` numbers every store and every invalidation, server-wide.  An item is
 * flushed when its number is not above the flush clock.
 *
 * Functions that take a `struct store_local` must be called by the thread that
 * owns it, holding no shard's lock unless they say so.
 *
 * Layer: store.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/feed.h"
#include "store/arena.h"
#include "store/clocks.h"
#include "store/shard.h"

enum { STORE_FEED_EVICTIONS = 1 << 2 };

#define STORE_SEQ_END ((uint64_t)1 << 43)

struct store_config {
	size_t limit;      /* bytes */
	unsigned shards;   /* a power of two, at most 256 */
	bool evict;        /* false: refuse instead of evicting */
	bool slabs;        /* items from slabs; else each from the arena */
	struct feed *feed; /* events; may be NULL */
	uint32_t clock_slots, tag_slots; /* see clocks_init() */
	uint32_t token_max;              /* s */
	bool keep_dead_tags;             /* a planted fault: tags never kill */
};

struct store {
	struct shard *shard;
	unsigned shards;
	unsigned shard_shift; /* hash >> shard_shift is the shard */
	struct slabs *slabs;  /* NULL: the arena has the items */
	struct feed *feed;
	bool evict;
	bool keep_dead_tags;
	struct clocks clocks;

	CACHE_ALIGNED _Atomic uint64_t seq;
	_Atomic uint64_t flush_clock;
	_Atomic rel_time flush_at; /* pending flush_all, 0 none */
	_Atomic rel_time flushed;  /* when it last took effect, 0 never */
	CACHE_ALIGNED _Atomic int64_t
	    used;                    /* bytes beside slabs, with credit */
	_Atomic int64_t limit;       /* bytes */
	_Atomic int64_t squeeze;     /* bytes of the limit not to use */
	_Atomic uint64_t moved;      /* items, out of thin slabs */
	_Atomic int64_t credit_step; /* bytes reserved ahead */
	_Atomic uint64_t base[SHARD_COUNTER_COUNT]; /* sums at the last reset */
	CACHE_ALIGNED struct trial_votes votes;     /* on what to evict */
};

/* Sums over all shards. */
struct store_sums {
	uint64_t items, bytes, tagged;
	uint64_t table_bytes, buckets; /* with what eviction keeps */
	uint64_t tag_reclaimed;
	uint64_t passes;                       /* of the sweep */
	uint64_t counted[SHARD_COUNTER_COUNT]; /* since the last reset */
	struct sizeclass cls[SIZECLASS_COUNT];
};

/* Whether items of that size come from slabs. */
static inline bool
store_has_slab(const struct store *st, size_t size)
{
	return LIKELY(st->slabs != NULL) && size <= SLAB_ITEM_MAX;
}

/* The bytes that an item of that size takes. */
static inline size_t
store_item_cost(const struct store *st, size_t size)
{
	return store_has_slab(st, size) ? slab_region(st->slabs, size) :
					  arena_item_size(size);
}

/* What counts against the limit: all that is taken, with threads' credit. */
static inline int64_t
store_account(const struct store *st)
{
	return atomic_load_explicit(&st->used, memory_order_relaxed) +
	    (st->slabs != NULL ? slabs_bytes(st->slabs) : 0);
}

/* NULL when out of memory.  store_free(): no thread uses it any more. */
struct store *store_new(const struct store_config *config) MUST_USE;
void store_free(struct store *st);

void store_local_init(struct store_local *l, struct store *st,
    struct counters *counters);
/* Gives back what an idle thread keeps for its next items. */
void store_local_rest(struct store_local *l);
/* Gives the credit back. */
void store_local_done(struct store_local *l);

static inline struct shard *
store_shard(struct store *st, uint64_t hash)
{
	return &st->shard[hash >> st->shard_shift];
}

/* The next number; rises by one each time it is asked for. */
static inline uint64_t
store_next_seq(struct store *st)
{
	uint64_t seq = atomic_fetch_add_explicit(&st->seq, 1,
			   memory_order_relaxed) +
	    1;

	/* Ten days of 10 million a second: then a cold start. */
	CHECK(seq < STORE_SEQ_END);
	return seq;
}

static inline uint64_t
store_seq(const struct store *st)
{
	return atomic_load_explicit(&st->seq, memory_order_relaxed);
}

static inline bool
store_is_flushed(const struct store *st, const struct item *it)
{
	return item_stored(it) <=
	    atomic_load_explicit(&st->flush_clock, memory_order_acquire);
}

/*
 * Reserves `size` bytes, evicting if need be.  False when the limit leaves no
 * room: everything is in use, or evicting is off.
 */
bool store_reserve(struct store_local *l, size_t size, rel_time now) MUST_USE;

/*
 * A private item with one reference, paid from the thread's credit; NULL when
 * the allocator has no memory.  Callers reserve first; a small item may be
 * made without, the next reservation then makes up for it.  May be called
 * under a shard's lock.
 */
struct item *store_item_new(struct store_local *l,
    const struct item_spec *spec) MUST_USE;

/* Gives a reference back; frees the item with the last one. */
void store_item_release(struct store_local *l, struct item *it);

/* Used by shards: queue an item without references, free the queue. */
void store_doom(struct store_local *l, struct item *it);
void store_bury(struct store_local *l);

/* Evicts until the limit holds again; for the maintenance thread. */
void store_settle(struct store_local *l, rel_time now);

/* Sweeps up to `sweep` buckets for the dead; for the maintenance thread. */
void store_keep_house(struct store_local *l, rel_time now, uint32_t sweep);

/*
 * flush_all: at once, or when the time has come (0 cancels).  What began before
 * it is over when it returns: nothing computed from a flushed value, under a
 * shard's lock, is stored later.
 */
void store_flush(struct store *st, rel_time now);
void store_flush_at(struct store *st, rel_time when);

/* Carries out a pending flush_all; called once a batch of requests. */
static inline bool
store_flush_is_due(const struct store *st, rel_time now)
{
	rel_time at = atomic_load_explicit(&st->flush_at, memory_order_relaxed);

	return UNLIKELY(at != 0 && at <= now);
}
/* True when this call carried it out. */
bool store_flush_due(struct store *st, rel_time now);

void store_set_limit(struct store *st, size_t limit);

/* Takes each shard's lock in turn. */
void store_sum(struct store *st, struct store_sums *sums);
void store_reset_counters(struct store *st);

/* A walk over all items, a few at a time. */
struct store_walk {
	unsigned shard;
	uint64_t next; /* hash, in the order of the walk */
};

enum {
	STORE_WALK_NOTES = 96, /* a good number of notes to ask for at once */
	STORE_WALK_SPARE = 48, /* not worth looking at a group for fewer */
};

/* A copy of what a dump says about an item. */
struct item_note {
	char key[KEY_MAX];
	size_t key_len;
	bool binary, fetched, versioned, negative;
	unsigned tags;
	uint32_t grace; /* s */
	uint64_t version, birth, stored;
	rel_time exptime, accessed;
	uint64_t cas;
	uint32_t client_flags, value_len;
	unsigned class_id;
	size_t size; /* memcached's */
};

static inline bool
store_walk_is_done(const struct store *st, const struct store_walk *w)
{
	return w->shard >= st->shards;
}

/*
 * Fills up to `n` notes of living items, from a bounded number of buckets, and
 * moves the walk on; there may be none before the walk is done.  An item that
 * is there from beginning to end is seen once, whatever comes and goes
 * meanwhile (keys of one 64-bit hash aside, when there is no room for all).
 */
size_t store_walk(struct store_local *l, struct store_walk *w, rel_time now,
    struct item_note *notes, size_t n);

/* Fills a note from a linked item under its shard's lock. */
void item_note_fill(struct item_note *note, const struct item *it,
    rel_time now);

#endif
