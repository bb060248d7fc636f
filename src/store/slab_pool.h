/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * slab_pool.h - where slabs come from.
 *
 * Memory is taken from the system in chunks of 2 MiB, aligned to their size,
 * and handed out in runs of 1 to 16 units of 16 KiB (buddies: a run of 2^k
 * units is aligned to as many).  What the pool knows of each unit stands at the
 * beginning of the chunk, together, so that finding the slab of an address is a
 * mask, and these lines share no sets of the processor's caches with each
 * other.  The first unit of a chunk is shorter by that.
 *
 * A chunk may be one huge page, which saves misses of the processor's table of
 * pages, until some of its units are given back.  Those that will not be filled
 * from end to end are better not: slab_pool_expect().
 *
 * Free units keep their pages for a while (`dirty`): slab_pool_purge().
 *
 * Layer: store.
 */
#ifndef STORE_SLAB_POOL_H
#define STORE_SLAB_POOL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/lock.h"

enum {
	SLAB_UNIT = 16 * 1024,
	SLAB_CHUNK = 2 * 1024 * 1024,
	SLAB_UNITS = SLAB_CHUNK / SLAB_UNIT,
	SLAB_ORDERS = 8, /* runs of 1 to SLAB_UNITS units */
	/* This near the limit a chunk may be the last. */
	SLAB_LAST_CHUNKS = 2,
	SLAB_LAST_PART = 64,
};

#define SLAB_NONE UINT32_MAX

enum slab_state { SLAB_FREE, SLAB_USED, SLAB_VICTIM };

/* One for each unit; that of a run's first unit stands for all. */
struct slab {
	struct slab *next, *prev; /* in a list of the pool's or its class's */
	uint32_t free;            /* offset of the first free region, or NONE */
	uint16_t live;            /* regions in use or cached by a thread */
	uint16_t cap;             /* regions there are */
	uint16_t fresh;           /* the first that was never used */
	uint8_t cls;
	_Atomic uint8_t state; /* of a buddy: read under the pool's lock */
	uint8_t order;         /* of a run's first unit */
	uint8_t back;          /* units before it in a run that is used */
	bool tried; /* could not be emptied; nothing has changed since */
};

struct slab_chunk {
	struct slab unit[SLAB_UNITS];
	uint64_t dirty[SLAB_UNITS / 64]; /* free units with pages */
	struct slab_chunk *next, *prev;  /* while there are dirty ones */
	bool huge;                       /* may be one huge page */
};

struct slab_pool {
	struct lock lock;

	/* guarded by lock */
	struct slab *free[SLAB_ORDERS];
	struct slab_chunk *dirty_chunks;

	_Atomic bool nearly_full; /* set by slab_pool_expect() */
	/* written under lock */
	_Atomic int64_t chunks;
	_Atomic int64_t dirty; /* bytes */
};

void slab_pool_init(struct slab_pool *p);
/* All runs are free. */
void slab_pool_destroy(struct slab_pool *p);

/* A run of 2^order units, NULL when out of memory. */
struct slab *slab_pool_take(struct slab_pool *p, unsigned order) MUST_USE;
/* One unit of full length, aligned to pages. */
struct slab *slab_pool_take_whole(struct slab_pool *p) MUST_USE;
void slab_pool_give(struct slab_pool *p, struct slab *s);

/* Tells that `room` bytes may yet be taken of the `limit` there is. */
static inline void
slab_pool_expect(struct slab_pool *p, int64_t room, int64_t limit)
{
	atomic_store_explicit(&p->nearly_full,
	    room < SLAB_LAST_CHUNKS * SLAB_CHUNK + limit / SLAB_LAST_PART,
	    memory_order_relaxed);
}

/* Gives pages of free units back to the system: `bytes` of them, or all. */
void slab_pool_purge(struct slab_pool *p, int64_t bytes);

/* What chunks take beside their units. */
static inline int64_t
slab_pool_headers(const struct slab_pool *p)
{
	return atomic_load_explicit(&p->chunks, memory_order_relaxed) *
	    (int64_t)sizeof(struct slab_chunk);
}

static inline struct slab_chunk *
slab_chunk_of(const void *p)
{
	return (
	    struct slab_chunk *)((uintptr_t)p & ~(uintptr_t)(SLAB_CHUNK - 1));
}

/* The slab that an address lies in. */
static inline struct slab *
slab_of(const void *p)
{
	struct slab_chunk *c = slab_chunk_of(p);
	struct slab
	    *s = &c->unit[((uintptr_t)p & (SLAB_CHUNK - 1)) / SLAB_UNIT];

	return s - s->back;
}

static inline unsigned
slab_index(const struct slab *s)
{
	return (unsigned)(s - slab_chunk_of(s)->unit);
}

/* Where the regions of a slab begin, and how many bytes there are. */
static inline char *
slab_start(const struct slab *s)
{
	unsigned i = slab_index(s);

	return (char *)slab_chunk_of(s) +
	    (i == 0 ? sizeof(struct slab_chunk) : (size_t)i * SLAB_UNIT);
}

static inline size_t
slab_bytes(const struct slab *s)
{
	return ((size_t)SLAB_UNIT << s->order) -
	    (slab_index(s) == 0 ? sizeof(struct slab_chunk) : 0);
}

/* Lists, not circular; NULL is empty. */
static inline void
slab_push(struct slab **list, struct slab *s)
{
	s->prev = NULL;
	s->next = *list;
	if (s->next != NULL)
		s->next->prev = s;
	*list = s;
}

static inline void
slab_unlist(struct slab **list, struct slab *s)
{
	if (s->prev != NULL)
		s->prev->next = s->next;
	else
		*list = s->next;
	if (s->next != NULL)
		s->next->prev = s->prev;
}

#endif
