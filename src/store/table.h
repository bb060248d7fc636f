/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * table.h - the hash table of one shard.
 *
 * A bucket is one cache line: seven slots and a line of notes.
 *
 *	slot   63     53 52        45 44                              0
 *	      +---------+------------+---------------------------------+
 *	      | tag 11  | position 8 | address of the item >> 2        |
 *	      +---------+------------+---------------------------------+
 *	notes  byte 0-6: eviction level of slot 0-6; byte 7: chained
 *
 * A lookup touches the bucket and, when a tag matches, the item.  Eviction and
 * expiry walk the buckets in order and touch an item only to remove it.  A
 * bucket that overflows is chained: its last slot then holds the address of
 * the next bucket.
 *
 * The table grows by linear hashing (W. Litwin, VLDB 1980): every few inserts
 * split one bucket, so there is never a phase of growth, a pause or a second
 * table.  Buckets come in segments that never move.
 *
 * The shard's lock guards the table.  table_prefetch() alone may be called
 * without it; that is why the words it reads are atomic.
 *
 * Layer: store.
 */
#ifndef STORE_TABLE_H
#define STORE_TABLE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "store/expire.h"
#include "store/item.h"

enum {
	TABLE_SLOTS = 7,
	TABLE_SEGMENT = 256,    /* buckets */
	TABLE_DIRECTORIES = 25, /* 2^24 segments, 2^32 buckets */
	SLOT_POSITION = 45,     /* the position's lowest bit */
	SLOT_TAG = 53,
	SLOT_ALIGN = 2, /* low bits of an address that are 0 */
};

#define SLOT_ADDRESS (((uint64_t)1 << SLOT_POSITION) - 1)

struct CACHE_ALIGNED bucket {
	_Atomic uint64_t slot[TABLE_SLOTS];
	_Atomic uint64_t notes;
};

struct table {
	/* directory k lists segments 2^(k-1) to 2^k - 1; 0 lists segment 0 */
	struct bucket **_Atomic directory[TABLE_DIRECTORIES];
	_Atomic uint32_t buckets; /* in use */
	uint32_t low_mask;        /* of the buckets before this round */
	size_t items;
	size_t chained;     /* buckets allocated for overflow */
	size_t bytes;       /* true size of all of it */
	bool growth_failed; /* no memory for the last split */
};

/* Where an item is; valid until the lock is dropped or the table changed. */
struct place {
	struct bucket *bucket;
	int slot;
};

/* False when out of memory.  table_free() expects no items. */
bool table_init(struct table *t) MUST_USE;
void table_free(struct table *t);

/* The item with that key, or NULL. */
struct item *table_find(struct table *t, const struct key *key,
    struct place *at);

/* Where this very item is; it must be in the table. */
struct place table_locate(struct table *t, uint64_t hash,
    const struct item *it);

/*
 * Adds an item whose key is not there.  False when out of memory; the table is
 * unchanged then.
 */
bool table_insert(struct table *t, uint64_t hash, struct item *it,
    expire_code position, uint8_t level) MUST_USE;

/* Puts another item with the same key in a place. */
void table_replace(struct place at, struct item *it, expire_code position);
void table_remove(struct table *t, uint64_t hash, struct place at);

/* Splits a bucket when the table is fuller than it should be. */
void table_grow(struct table *t);

/* Head bucket `index` below table_buckets(); its chain by table_next(). */
struct bucket *table_bucket(struct table *t, uint32_t index);
struct bucket *table_next(struct bucket *b);

/* Starts loading what table_find() will touch; no lock needed. */
void table_prefetch(struct table *t, uint64_t hash);
void table_prefetch_item(struct table *t, uint64_t hash);

static inline uint32_t
table_buckets(const struct table *t)
{
	/* acquire: the segments of these buckets are in the directory */
	return atomic_load_explicit(&t->buckets, memory_order_acquire);
}

static inline uint64_t
slot_word(const struct bucket *b, int slot)
{
	return atomic_load_explicit(&b->slot[slot], memory_order_relaxed);
}

/* The item in a slot, NULL when it is free or holds the chain. */
static inline struct item *
slot_item(const struct bucket *b, int slot)
{
	uint64_t notes = atomic_load_explicit(&b->notes, memory_order_relaxed);

	if (slot == TABLE_SLOTS - 1 && notes >> 56 != 0)
		return NULL;
	return (struct item *)(uintptr_t)((slot_word(b, slot) & SLOT_ADDRESS)
	    << SLOT_ALIGN);
}

static inline expire_code
slot_position(const struct bucket *b, int slot)
{
	return (expire_code)(slot_word(b, slot) >> SLOT_POSITION);
}

void slot_set_position(struct place at, expire_code position);

static inline uint8_t
slot_level(const struct bucket *b, int slot)
{
	return (
	    uint8_t)(atomic_load_explicit(&b->notes, memory_order_relaxed) >>
	    8 * slot);
}

void slot_set_level(struct place at, uint8_t level);

#endif
