/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * evict.h - which item goes when memory is short.
 *
 * Every item has a level: a point on a scale that rises with time.  A new item
 * starts some steps above the base, and each hit lifts it by the same number
 * of steps again; small items get larger steps, because what they cost is
 * memory.  The base follows the lowest level in use, so that an item that is
 * not hit sinks towards it.  This is Greedy-Dual-Size-Frequency (Cherkasova,
 * HPL-98-69, 1998) with coarse levels instead of a heap.
 *
 * Levels are one byte, kept in the buckets of the hash table and taken modulo
 * 256; a count for each level tells below which of them some 1/64 of the items
 * lie.  A hand walks the table and takes what lies below.  It reads buckets in
 * order and touches no item that stays.
 *
 * The shard's lock guards it.
 *
 * Layer: store.
 */
#ifndef STORE_EVICT_H
#define STORE_EVICT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "store/table.h"

struct evict {
	uint32_t count[256]; /* items at each level */
	uint8_t base;
	uint8_t reach;      /* levels base to base + reach - 1 go now */
	uint32_t goal;      /* items in reach when it was chosen */
	uint32_t in_reach;  /* items in reach now */
	uint32_t hand;      /* bucket to look at next */
	uint32_t fruitless; /* buckets looked at since the last victim */
	bool exhausted;     /* nothing to give until evict_retry() */
};

enum evict_outcome {
	EVICT_PICKED,
	EVICT_LOOK_ON, /* nothing was met yet: call again */
	EVICT_NOTHING, /* empty, or readers hold all that is there */
};

/* The level of a new item of `size` bytes where items average `mean`. */
uint8_t evict_level(const struct evict *e, size_t size, size_t mean);

/* The level after a hit. */
uint8_t evict_lifted(const struct evict *e, uint8_t level, size_t size,
    size_t mean);

/* Keep the counts: an item came, went, or changed its level. */
void evict_moved(struct evict *e, uint8_t from, uint8_t to);
void evict_added(struct evict *e, uint8_t level);
void evict_removed(struct evict *e, uint8_t level);

/* Readers may have let go since nothing was found: looks again. */
void evict_retry(struct evict *e);

/*
 * The next item to go, and where it is.  Looks at a bounded number of buckets.
 * An item that readers hold is passed over: removing it would free nothing.
 */
enum evict_outcome evict_pick(struct evict *e, struct table *t,
    struct place *at) MUST_USE;

#endif
