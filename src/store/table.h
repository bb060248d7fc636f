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
 *	notes  byte 0-6: eviction level of slot 0-6; byte 7: away, chained
 *
 * Buckets form groups of 8 to 15.  The hash chooses the group, the tag the
 * bucket in it, and another one for when that is full: then the item is away.
 * Six bits in the notes of its own bucket tell where to look for such items;
 * so one bucket answers nearly every lookup, and misses too.  What finds no
 * room in either is chained to the group's first bucket, whose last slot then
 * holds the address of the next bucket.  Removal brings items home.
 *
 * The table grows by linear hashing with partial expansions (P. Larson, VLDB
 * 1980): every few inserts add one bucket to one group, from 8 up to 15, and a
 * sixteenth makes two groups of 8 of it.  So there is never a phase of growth,
 * a pause or a second table, and all groups are about equally full.  It
 * shrinks the same way.  Buckets come in segments that never move.
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

/*
 * Addresses that a process may get, in bits.  x86-64 has 47; arm64 has 48.
 * More are given only to those who ask for them.
 */
#ifndef ADDRESS_BITS
#ifdef __x86_64__
#define ADDRESS_BITS 47
#else
#define ADDRESS_BITS 48
#endif
#endif

struct slab_pool;

enum {
	TABLE_SLOTS = 7,
	TABLE_GROUP = 8,     /* buckets of a group at least; below twice it */
	TABLE_SEGMENT = 256, /* buckets */
	TABLE_DIRECTORIES = 25, /* 2^25 - 1 segments */
	SLOT_ALIGN = 2,         /* low bits of an address that are 0 */
	SLOT_POSITION = ADDRESS_BITS - SLOT_ALIGN, /* its lowest bit */
	SLOT_TAG = SLOT_POSITION + 8,
	TABLE_AWAY = 6, /* buckets where items away from theirs may be */
	NOTE_AWAY = 56, /* bits for these buckets */
};

#define TABLE_MAX ((uint32_t)1 << 31) /* buckets */
#define SLOT_ADDRESS (((uint64_t)1 << SLOT_POSITION) - 1)
#define NOTE_IN_CHAIN ((uint64_t)1 << 62) /* items of it are in the chain */
#define NOTE_CHAINED ((uint64_t)1 << 63)  /* the last slot is an address */

struct CACHE_ALIGNED bucket {
	_Atomic uint64_t slot[TABLE_SLOTS];
	_Atomic uint64_t notes;
};

struct table {
	/* directory k lists segments 2^k - 1 to 2^(k+1) - 2 */
	struct bucket **_Atomic directory[TABLE_DIRECTORIES];
	_Atomic uint32_t buckets; /* in use */
	uint32_t segments;        /* with memory; there may be more without */
	size_t items;
	size_t chained;         /* buckets allocated for overflow */
	size_t bytes;           /* true size of all of it */
	bool growth_failed;     /* no memory for the last bucket */
	struct slab_pool *pool; /* for segments; NULL: the arena */
};

/* Where an item is; valid until the lock is dropped or the table changed. */
struct place {
	struct bucket *bucket;
	int slot;
};

/* Buckets first, first + 2^shift, first + 2 * 2^shift ... */
struct bucket_group {
	uint32_t first;
	unsigned shift;
	unsigned buckets;
};

/*
 * False when out of memory.  table_free() expects no items.  Segments have the
 * size of a unit: those of a `pool` share huge pages with each other and with
 * items, since each lookup goes to another of their lines.
 */
bool table_init(struct table *t, struct slab_pool *pool) MUST_USE;
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

/* Other items of the group may move. */
void table_remove(struct table *t, uint64_t hash, struct place at);

/* Adds a bucket when the table is fuller than it should be. */
void table_grow(struct table *t);

/*
 * Gives a bucket back when the table is much emptier than it could be.  Not
 * if that moves items from a group that a walk will come to into one that it
 * has passed: `walk` is the group it comes to next, 0 for none.  True when
 * there may be more to give back.
 */
bool table_shrink(struct table *t, uint32_t walk) MUST_USE;

/*
 * Bucket `index` below table_buckets(), and by table_next() those chained to
 * it: walks over all of them meet all items.  A change moves items within
 * their group, and between group g and another above it.
 */
struct bucket *table_bucket(struct table *t, uint32_t index);
struct bucket *table_next(struct bucket *b);

/* Group `index` below table_groups(); as a hash, it leads there. */
uint32_t table_groups(const struct table *t);
struct bucket_group table_group(const struct table *t, uint64_t hash);

/* Starts loading what table_find() will touch; no lock needed. */
void table_prefetch(struct table *t, uint64_t hash);
void table_prefetch_item(struct table *t, uint64_t hash);

static inline uint32_t
table_buckets(const struct table *t)
{
	/* acquire: the segments of these buckets are in the directory */
	return atomic_load_explicit(&t->buckets, memory_order_acquire);
}

/* Bucket number n of a group. */
static inline struct bucket *
table_group_bucket(struct table *t, const struct bucket_group *g, unsigned n)
{
	return table_bucket(t, (n << g->shift) + g->first);
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

	if (slot == TABLE_SLOTS - 1 && notes & NOTE_CHAINED)
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

/* Those of all slots, a byte each, the first the lowest; above them is more. */
static inline uint64_t
slot_levels(const struct bucket *b)
{
	return atomic_load_explicit(&b->notes, memory_order_relaxed);
}

void slot_set_level(struct place at, uint8_t level);

/* Sets them all; what is above them, and must be as it was, stays. */
static inline void
slots_set_levels(struct bucket *b, uint64_t levels)
{
	atomic_store_explicit(&b->notes, levels, memory_order_relaxed);
}

#endif
