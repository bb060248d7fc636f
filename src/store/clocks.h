/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * clocks.h - when was this key, or this tag, last invalidated?
 *
 * The answers are numbers of the store's one counter, in two fixed arrays that
 * are found by hash: there is no registry of keys or tags, and nothing to leak.
 * Names that share a slot share its clock, which can only refuse a fill or cost
 * a miss, never let a wrong value through.
 *
 * Key clocks.  A slot is guarded by the lock of the one shard whose keys it
 * serves: both are found by the highest bits of the hash.
 *
 * Tag clocks.  Any thread may move one; they only rise.
 *
 * Tokens.  A grant's number is too old to count when it is below the number
 * that the counter had `token_max` seconds ago.  While no grant is young enough
 * nobody can tell whether a value that leaves was noted in its key clock, so it
 * isn't.
 *
 * Layer: store.
 */
#ifndef STORE_CLOCKS_H
#define STORE_CLOCKS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/clock.h"
#include "base/lock.h"

enum { CLOCKS_MIN = 1 << 16 };

struct clocks {
	_Atomic uint64_t *key, *tag; /* slots */
	unsigned key_shift, tag_shift;
	uint32_t token_max;       /* s */
	_Atomic rel_time sampled; /* the latest second in the ring */
	struct lock lock;
	uint64_t *ring; /* guarded by lock: token_max + 1 samples of seq */

	CACHE_ALIGNED _Atomic uint64_t oldest_token;
	_Atomic uint64_t last_grant;
	_Atomic uint64_t last_tag; /* the highest tag clock */
	_Atomic uint64_t tags_moved;
};

/*
 * `key_slots` and `tag_slots` are powers of two from CLOCKS_MIN on, `token_max`
 * seconds.  False when out of memory; clocks_free() is due in any case.
 */
bool clocks_init(struct clocks *c, uint32_t key_slots, uint32_t tag_slots,
    uint32_t token_max) MUST_USE;
void clocks_free(struct clocks *c);

/* Bytes of the two arrays. */
size_t clocks_key_bytes(const struct clocks *c);
size_t clocks_tag_bytes(const struct clocks *c);

/*
 * Notes the counter once a second, and so moves oldest_token.  Any thread, no
 * shard locked; called at least once a second, and before a token is judged.
 */
void clocks_sample(struct clocks *c, rel_time now, uint64_t seq);

static inline void
clocks_tick(struct clocks *c, rel_time now, uint64_t seq)
{
	rel_time sampled = atomic_load_explicit(&c->sampled,
	    memory_order_acquire);

	/* Another thread may be in the next second already. */
	if (UNLIKELY(sampled != now && sampled != now + 1))
		clocks_sample(c, now, seq);
}

/* A grant was given the number `seq`. */
void clocks_granted(struct clocks *c, uint64_t seq);

/* Moves a tag's clock up to `seq`. */
void clocks_move_tag(struct clocks *c, uint32_t slot, uint64_t seq);

static inline uint64_t
clocks_key(const struct clocks *c, uint64_t hash)
{
	return atomic_load_explicit(&c->key[hash >> c->key_shift],
	    memory_order_relaxed);
}

/* Moves a key's clock up to `seq`; the key's shard is locked. */
static inline void
clocks_move_key(struct clocks *c, uint64_t hash, uint64_t seq)
{
	_Atomic uint64_t *slot = &c->key[hash >> c->key_shift];

	if (atomic_load_explicit(slot, memory_order_relaxed) < seq)
		atomic_store_explicit(slot, seq, memory_order_relaxed);
}

/* The slot of a tag, by the hash of its name. */
static inline uint32_t
clocks_tag_slot(const struct clocks *c, uint64_t hash)
{
	return (uint32_t)(hash >> c->tag_shift);
}

static inline uint64_t
clocks_tag(const struct clocks *c, uint32_t slot)
{
	/* acquire: whoever was told of the invalidation sees it */
	return atomic_load_explicit(&c->tag[slot], memory_order_acquire);
}

/* Whether a token may be out that is older than a store with this number. */
static inline bool
clocks_token_before(const struct clocks *c, uint64_t stored)
{
	uint64_t oldest = atomic_load_explicit(&c->oldest_token,
	    memory_order_relaxed);

	return stored >= oldest &&
	    oldest <=
	    atomic_load_explicit(&c->last_grant, memory_order_relaxed);
}

#endif
