/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * evict.h - which item goes when memory is short.
 *
 * Every item has a level, what it is worth (store/weigh.h), in the bucket of
 * the hash table, and counts how often it was asked for in four bits of its
 * word.  A hand goes around the table: it takes the items below a floor, and
 * lets all others sink a bit.  The floor is chosen anew for each round, so that
 * one item of 64 lies below it; a count for each level tells where that is.
 * The hand reads buckets in order and touches no item that stays.  Those of a
 * group sink together, once it has passed the last of its buckets: items move
 * within their group, and would sink twice or go if each bucket sank by itself.
 *
 * What was evicted leaves a ghost: two bytes in a table beside, with a few bits
 * of its hash and its count of hits.  An item that comes back begins with that
 * count, so that one that is asked for now and then is told from one that is
 * never asked for again.  The ghosts take less than a hundredth of the memory.
 *
 * Which way to weigh is found out while serving: see store/trial.h.
 *
 * The shard's lock guards all of it.
 *
 * Layer: store.
 */
#ifndef STORE_EVICT_H
#define STORE_EVICT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/clock.h"
#include "store/item.h"
#include "store/table.h"
#include "store/trial.h"
#include "store/weigh.h"

struct evict {
	uint32_t count[256]; /* items at each level */
	enum weigh_way way;
	unsigned log_mean;  /* of sizes, as weigh_log() gives it */
	uint32_t mean_load; /* 1/256 ms; 0: no load was timed yet */
	uint16_t floor;     /* levels below go in this round; 0: no round yet */
	uint32_t goal;      /* items that were to be below */
	uint32_t hand;      /* bucket to look at next */
	uint32_t fruitless; /* buckets looked at since the last victim */
	uint32_t dice;
	bool raised;    /* those below were held: the floor was lifted */
	bool stuck;     /* ... and there was no victim since */
	bool exhausted; /* nothing to give until evict_retry() */

	uint16_t *ghost;     /* NULL: none */
	uint32_t ghosts;     /* a power of two */
	struct trial *trial; /* NULL: other shards', or no memory */
	struct trial_votes *votes;
	size_t items;
	size_t room;  /* bytes of all items when the round began */
	size_t bytes; /* true size of ghosts and trial */
};

enum evict_outcome {
	EVICT_PICKED,
	EVICT_LOOK_ON, /* nothing was met yet: call again */
	EVICT_NOTHING, /* empty, or readers hold all that is there */
};

/* An item that is asked for or stored, and what the caller knows of it. */
struct evict_access {
	struct item *item;
	uint64_t hash; /* of its key; evict_hit() does without */
	size_t size;   /* true size */
	size_t bytes;  /* of all items linked */
	rel_time now;
};

/* `votes` are those of all shards; without `trial` this one casts none. */
void evict_init(struct evict *e, struct trial_votes *votes, bool trial);
void evict_free(struct evict *e);

/*
 * Gives an item that is to be linked its count of hits and its level; the
 * caller counts it with evict_added() once it is linked.
 */
uint8_t evict_enter(struct evict *e, const struct evict_access *a) MUST_USE;
void evict_added(struct evict *e, uint8_t level);

/* The item in a place was asked for. */
void evict_hit(struct evict *e, struct place at, const struct evict_access *a);

/* Another item takes the place of `old`, which was asked for by that. */
void evict_replace(struct evict *e, struct place at, const struct item *old,
    const struct evict_access *a);

/*
 * An item is about to leave its place; after evict_lost() it leaves a ghost,
 * and one that was deleted or expired leaves none.
 */
void evict_removed(struct evict *e, struct place at, const struct item *it);
void evict_lost(struct evict *e, struct place at, const struct item *it,
    uint64_t hash);

/* Readers may have let go since nothing was found: looks again. */
void evict_retry(struct evict *e);

/*
 * The next item to go, and where it is.  Looks at a bounded number of buckets.
 * An item that readers hold is passed over: removing it would free nothing.
 * `bytes` are those of all items: see that ghosts don't outgrow them.
 */
enum evict_outcome evict_pick(struct evict *e, struct table *t, size_t bytes,
    struct place *at) MUST_USE;

#endif
