/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * slab.h - memory of items, in regions of one size each.
 *
 * A slab is a run of 16 KiB units (slab_pool.h) cut into regions of one class.
 * Classes step by 4 bytes up to 256; above, a slab is cut into 32 to 63 regions
 * (16 to 31 of those above 2 KiB), so that nothing is left over at its end and
 * an item wastes some 1 to 3 %.
 *
 *	size       256   512   1024   2048   4096   8192   16384
 *	slab, KiB     16    16     32     64     64    128     256
 *	regions      64+   32+    32+    32+    16+    16+     16+
 *
 * Half a slab of each size in use is empty, 6 MiB if all are.  Where that is
 * much, slabs of more than 512 bytes an item are half as large (`coarse`):
 * there are half as many sizes, items waste 2 to 5 %, and 2 MiB are empty.
 *
 * A thread takes regions from its cache and gives them back to it; a cache is
 * filled from the fullest slabs of the class, holds SLAB_KEPT at the most, so
 * that many threads do not keep all there is, and empty slabs go back to the
 * pool.  What is counted against a limit is slabs, not regions, so that what is
 * counted is what is resident.  When many regions are free, whoever needs a
 * slab picks a victim, the emptiest slab there is, and moves what lives there:
 * store/compact.h.
 *
 * A free region begins with eight zero bytes, and then its link.
 *
 * Layer: store.
 */
#ifndef STORE_SLAB_H
#define STORE_SLAB_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/attr.h"
#include "base/lock.h"
#include "store/slab_pool.h"

enum {
	SLAB_STEP = 4,
	SLAB_ITEM_MIN = 16, /* zeros and the link */
	SLAB_FINE_MAX = 256,
	SLAB_ITEM_MAX = 16 * 1024,
	SLAB_RANGES = 6, /* doublings above SLAB_FINE_MAX */
	SLAB_CLASSES = SLAB_FINE_MAX / SLAB_STEP + 3 * 32 + 3 * 16,
	SLAB_FULLNESS = 8,      /* lists of partly used slabs */
	SLAB_KEPT = 128 * 1024, /* bytes that a thread keeps, of all classes */
};

struct CACHE_ALIGNED slab_class {
	struct lock lock;

	/* set once */
	uint32_t size;
	uint32_t batch; /* regions moved to or from a cache at a time */
	uint8_t order;

	/* guarded by lock; partly used slabs, the fullest in the last list */
	struct slab *partial[SLAB_FULLNESS];
	uint32_t slabs;
	/* written under lock */
	_Atomic uint32_t regions, free; /* of all slabs but victims */
	_Atomic bool stuck; /* what lives in its slabs stays, until some goes */
};

/* The classes of a doubling above SLAB_FINE_MAX. */
struct slab_range {
	uint16_t order; /* of their slabs */
	uint16_t last;  /* class + regions in a slab, the same for all */
};

struct slabs {
	struct slab_class cls[SLAB_CLASSES];
	struct slab_range range[SLAB_RANGES]; /* set once */
	unsigned classes;                     /* set once; those in use */
	struct slab_pool pool;
	CACHE_ALIGNED _Atomic int64_t bytes; /* of slabs in use */
	_Atomic int64_t free_bytes;          /* of free regions in them */
};

/* A thread's own. */
struct slab_cache {
	struct slabs *slabs;
	int64_t bytes; /* of all that is kept */
	struct {
		char *first;
		uint32_t n;
		uint16_t most, size;
	} kept[SLAB_CLASSES];
};

enum slab_outcome {
	SLAB_READY,
	SLAB_SHORT,     /* it would take a slab beyond `room` */
	SLAB_NO_MEMORY, /* the system has none */
};

/* NULL when out of memory.  slabs_free(): no region is in use or cached. */
struct slabs *slabs_new(bool coarse) MUST_USE;
void slabs_free(struct slabs *all);

void slab_cache_init(struct slab_cache *cache, struct slabs *all);

/* Bytes, of slabs in use and the headers of chunks. */
static inline int64_t
slabs_bytes(const struct slabs *all)
{
	return atomic_load_explicit(&all->bytes, memory_order_relaxed) +
	    slab_pool_headers(&all->pool);
}

/* Bytes of free regions in them, but for what threads have cached. */
static inline int64_t
slabs_free_bytes(const struct slabs *all)
{
	return atomic_load_explicit(&all->free_bytes, memory_order_relaxed);
}

/* Which doubling above SLAB_FINE_MAX. */
static inline unsigned
slab_range(uint32_t z)
{
	return 23 - (unsigned)__builtin_clz(z - 1);
}

/* The class of an item of `size` bytes, at most SLAB_ITEM_MAX. */
static inline unsigned
slab_class_of(const struct slabs *all, size_t size)
{
	uint32_t z = ((uint32_t)size + SLAB_STEP - 1) & ~(SLAB_STEP - 1u);
	struct slab_range r;

	if (LIKELY(z <= SLAB_FINE_MAX))
		return (z < SLAB_ITEM_MIN ? SLAB_ITEM_MIN : z) / SLAB_STEP - 1;
	r = all->range[slab_range(z)];
	return r.last - (SLAB_UNIT << r.order) / z;
}

/* The region that an item takes. */
static inline size_t
slab_region(const struct slabs *all, size_t size)
{
	uint32_t z = ((uint32_t)size + SLAB_STEP - 1) & ~(SLAB_STEP - 1u);
	uint32_t bytes;

	if (LIKELY(z <= SLAB_FINE_MAX))
		return z < SLAB_ITEM_MIN ? SLAB_ITEM_MIN : z;
	bytes = SLAB_UNIT << all->range[slab_range(z)].order;
	return bytes / (bytes / z) & ~(SLAB_STEP - 1u);
}

/*
 * Makes sure that the thread's cache has a region of class `c`, if need be by a
 * new slab while slabs then take at most `room` bytes.
 */
enum slab_outcome slab_fill(struct slab_cache *cache, unsigned c, int64_t room);

static inline bool
slab_is_ready(const struct slab_cache *cache, unsigned c)
{
	return cache->kept[c].first != NULL;
}

static inline char *
slab_next(const char *region)
{
	char *next;

	memcpy(&next, region + 8, sizeof(next));
	return next;
}

static inline void
slab_link(char *region, char *next)
{
	memset(region, 0, 8);
	memcpy(region + 8, &next, sizeof(next));
}

/* A region, NULL when out of memory; the limit is the caller's business. */
static inline void *
slab_alloc(struct slab_cache *cache, size_t size)
{
	unsigned c = slab_class_of(cache->slabs, size);
	char *p = cache->kept[c].first;

	if (UNLIKELY(p == NULL)) {
		if (slab_fill(cache, c, INT64_MAX) != SLAB_READY)
			return NULL;
		p = cache->kept[c].first;
	}
	cache->kept[c].first = slab_next(p);
	cache->kept[c].n--;
	cache->bytes -= cache->kept[c].size;
	return p;
}

/* Gives back what the thread has cached: of one class, or all. */
void slab_cache_empty_class(struct slab_cache *cache, unsigned c);
void slab_cache_empty(struct slab_cache *cache);

/* Gives the coldest of a full cache back to their slabs. */
void slab_spill(struct slab_cache *cache, unsigned c);

static inline void
slab_free(struct slab_cache *cache, void *p, size_t size)
{
	unsigned c = slab_class_of(cache->slabs, size);

	slab_link(p, cache->kept[c].first);
	cache->kept[c].first = p;
	cache->bytes += cache->kept[c].size;
	if (UNLIKELY(++cache->kept[c].n > cache->kept[c].most))
		slab_spill(cache, c);
	if (UNLIKELY(cache->bytes > SLAB_KEPT))
		slab_cache_empty(cache);
}

/*
 * A slab to be emptied, or NULL when none is worth it: the emptiest of the
 * class with the most free regions, if the others can take what lives in it.
 * No region of it is handed out until slab_victim_done(), which returns whether
 * the slab was empty and has gone.
 */
struct slab *slab_victim(struct slabs *all) MUST_USE;
/*
 * The same of a class that has become rare: what lives in its slabs, a quarter
 * of them at the most, can't go to others of the class.
 */
struct slab *slab_victim_rare(struct slabs *all) MUST_USE;
bool slab_victim_done(struct slabs *all, struct slab *victim);

/* Its regions that were ever used, as addresses: first to below end. */
struct slab_span {
	char *first, *end;
	uint32_t size;
};
struct slab_span slab_used(struct slabs *all, const struct slab *s);

/* One region of the victim's class, for what is moved; NULL: none is free. */
void *slab_take(struct slabs *all, const struct slab *victim) MUST_USE;
/* A region back to its slab. */
void slab_put(struct slabs *all, void *p);

#endif
