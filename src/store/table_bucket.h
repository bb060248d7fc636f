/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * table_bucket.h - buckets and groups from inside the table.
 *
 * For table*.c alone; what takes all slots at once is in table_slots.h.
 *
 * Layer: store.
 */
#ifndef STORE_TABLE_BUCKET_H
#define STORE_TABLE_BUCKET_H

#include "store/table.h"

enum {
	CHAIN_SLOT = TABLE_SLOTS - 1,
	TAG_BITS = 64 - SLOT_TAG,
	GROUP_BITS = 3, /* TABLE_GROUP is 2 to this */
	AWAY_BITS = 6,  /* of a tag, that choose the other bucket */
};

#define LEVELS (((uint64_t)1 << NOTE_AWAY) - 1)
#define AWAY (~LEVELS & ~NOTE_CHAINED) /* where items of a bucket are */

static inline uint64_t
load(const _Atomic uint64_t *word)
{
	return atomic_load_explicit(word, memory_order_relaxed);
}

static inline void
store(_Atomic uint64_t *word, uint64_t v)
{
	atomic_store_explicit(word, v, memory_order_relaxed);
}

static inline struct item *
item_in(uint64_t word)
{
	return (struct item *)(uintptr_t)((word & SLOT_ADDRESS) << SLOT_ALIGN);
}

/* The group that a hash leads to in a table of so many buckets. */
static inline struct bucket_group
group_in(uint32_t buckets, uint32_t hash)
{
	unsigned shift = 31 - (unsigned)__builtin_clz(buckets) - GROUP_BITS;
	uint32_t mask = ((uint32_t)1 << shift) - 1;
	unsigned n = (buckets >> shift) + ((hash & mask) < (buckets & mask));
	unsigned two = n / (2 * TABLE_GROUP); /* it is two groups already */

	shift += two;
	return (struct bucket_group){ hash & (((uint32_t)1 << shift) - 1),
		shift, n >> two };
}

/* The bucket of its group that an item belongs to. */
static inline unsigned
home_of(uint64_t tag, const struct bucket_group *g)
{
	return (unsigned)tag * g->buckets >> TAG_BITS;
}

/* Which of the buckets after it takes the item when that is full. */
static inline unsigned
turn_of(uint64_t tag)
{
	return ((unsigned)tag & ((1U << AWAY_BITS) - 1)) * TABLE_AWAY >>
	    AWAY_BITS;
}

static inline unsigned
other_of(unsigned home, unsigned turn, const struct bucket_group *g)
{
	unsigned n = home + 1 + turn;

	return n < g->buckets ? n : n - g->buckets;
}

static inline uint64_t
note_turn(unsigned turn)
{
	return (uint64_t)1 << (NOTE_AWAY + turn);
}

static inline struct bucket *
bucket_at(struct table *t, uint32_t index)
{
	uint32_t segment = index / TABLE_SEGMENT + 1;
	unsigned k = 31 - (unsigned)__builtin_clz(segment);
	struct bucket **d = atomic_load_explicit(&t->directory[k],
	    memory_order_relaxed);

	return &d[segment ^ (uint32_t)1 << k][index % TABLE_SEGMENT];
}

/* Bucket number n of a group. */
static inline struct bucket *
bucket_of(struct table *t, const struct bucket_group *g, unsigned n)
{
	return bucket_at(t, (n << g->shift) + g->first);
}

static inline bool
is_chained(const struct bucket *b)
{
	return load(&b->notes) & NOTE_CHAINED;
}

/* A bit for each slot that may hold an item. */
static inline unsigned
usable(const struct bucket *b)
{
	return is_chained(b) ? (1 << CHAIN_SLOT) - 1 : (1 << TABLE_SLOTS) - 1;
}

static inline void
add_note(struct bucket *b, uint64_t note)
{
	store(&b->notes, load(&b->notes) | note);
}

static inline void
set_slot(struct bucket *b, int slot, uint64_t word, uint8_t level)
{
	uint64_t n = load(&b->notes) & ~((uint64_t)0xff << 8 * slot);

	store(&b->slot[slot], word);
	store(&b->notes, n | (uint64_t)level << 8 * slot);
}

static inline void
clear_slot(struct bucket *b, int slot)
{
	set_slot(b, slot, 0, 0);
}

struct bucket *table_chain_alloc(struct table *t) MUST_USE;
void table_chain_free(struct table *t, struct bucket *b);

#endif
