/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * slab.c - memory of items, in regions of one size each.
 */
#include "config.h"

#include "store/slab.h"

#include <stdlib.h>

#include "base/check.h"

enum {
	/* A batch: */
	BATCH_BYTES = 1024,
	BATCH_MAX = 16,
	VICTIMS_LOOKED_AT = 16,
	RARE_PART = 4, /* of the regions live in slabs of a rare class */
};

static void
add(_Atomic int64_t *sum, int64_t n)
{
	atomic_fetch_add_explicit(sum, n, memory_order_relaxed);
}

/* Written under a lock, so it need not be one instruction. */
static void
bump(_Atomic uint32_t *count, int64_t n)
{
	atomic_store_explicit(count,
	    (uint32_t)(atomic_load_explicit(count, memory_order_relaxed) + n),
	    memory_order_relaxed);
}

static void
init_class(struct slab_class *c, size_t size, unsigned order)
{
	lock_init(&c->lock, LOCK_SLABS);
	c->size = (uint32_t)size;
	c->order = (uint8_t)order;
	c->batch = BATCH_BYTES / c->size;
	if (c->batch < 1)
		c->batch = 1;
	if (c->batch > BATCH_MAX)
		c->batch = BATCH_MAX;
}

/* Sets the ranges up; returns how many classes there are. */
static unsigned
make_ranges(struct slab_range range[SLAB_RANGES], bool coarse)
{
	static const uint16_t order[2][SLAB_RANGES] = { { 0, 1, 2, 2, 3, 4 },
		{ 0, 0, 1, 1, 2, 3 } };
	unsigned c = SLAB_FINE_MAX / SLAB_STEP;

	for (unsigned r = 0; r < SLAB_RANGES; r++) {
		/* Regions of the largest size, and half of the smallest's. */
		unsigned n = (SLAB_UNIT << order[coarse][r]) /
		    (SLAB_FINE_MAX << (r + 1));

		range[r].order = order[coarse][r];
		range[r].last = (uint16_t)(c + 2 * n - 1);
		c += n;
	}
	return c;
}

struct slabs *
slabs_new(bool coarse)
{
	struct slabs *all = aligned_alloc(CACHE_LINE, sizeof(*all));
	size_t size = SLAB_STEP;

	if (all == NULL)
		return NULL;
	memset((void *)all, 0, sizeof(*all));
	slab_pool_init(&all->pool);
	all->classes = make_ranges(all->range, coarse);
	CHECK(all->classes <= SLAB_CLASSES);
	for (unsigned i = 0; i < all->classes; i++) {
		unsigned r = size <= SLAB_FINE_MAX ? 0 :
						     slab_range((uint32_t)size);

		size = size < SLAB_ITEM_MIN ? size : slab_region(all, size);
		init_class(&all->cls[i], size, all->range[r].order);
		size += SLAB_STEP;
	}
	CHECK(all->cls[all->classes - 1].size == SLAB_ITEM_MAX);
	return all;
}

void
slabs_free(struct slabs *all)
{
	CHECK(atomic_load(&all->bytes) == 0);
	slab_pool_destroy(&all->pool);
	for (unsigned i = 0; i < all->classes; i++)
		lock_destroy(&all->cls[i].lock);
	free(all);
}

/* Slabs, under the lock of their class. */

static struct slab **
list_for(struct slab_class *c, const struct slab *s)
{
	return &c->partial[(unsigned)s->live * SLAB_FULLNESS / s->cap];
}

static void
list(struct slab_class *c, struct slab *s)
{
	if (s->state == SLAB_USED && s->live < s->cap)
		slab_push(list_for(c, s), s);
}

static void
unlist(struct slab_class *c, struct slab *s)
{
	if (s->state == SLAB_USED && s->live < s->cap)
		slab_unlist(list_for(c, s), s);
}

static struct slab *
fullest(struct slab_class *c)
{
	for (int i = SLAB_FULLNESS - 1; i >= 0; i--)
		if (c->partial[i] != NULL)
			return c->partial[i];
	return NULL;
}

static char *
pop(struct slab_class *c, struct slab *s)
{
	char *p = slab_start(s);

	s->live++;
	if (s->free == SLAB_NONE)
		return p + (size_t)s->fresh++ * c->size;
	p += s->free;
	memcpy(&s->free, p + 8, sizeof(s->free));
	return p;
}

static void
push(struct slab *s, char *p)
{
	memset(p, 0, 8);
	memcpy(p + 8, &s->free, sizeof(s->free));
	s->free = (uint32_t)(p - slab_start(s));
	s->live--;
	s->tried = false;
}

/* Takes or gives a slab from what is counted as the class's. */
static void
count_slab(struct slabs *all, struct slab_class *c, struct slab *s, int sign)
{
	bump(&c->regions, sign * s->cap);
	bump(&c->free, sign * (s->cap - s->live));
	add(&all->free_bytes,
	    sign * (int64_t)(s->cap - s->live) * (int64_t)c->size);
}

/* An empty slab that is in no list and not counted. */
static void
release(struct slabs *all, struct slab_class *c, struct slab *s)
{
	c->slabs--;
	add(&all->bytes, -(int64_t)slab_bytes(s));
	slab_pool_give(&all->pool, s);
}

/* Region `p` of slab `s` is free. */
static void
put(struct slabs *all, struct slab_class *c, struct slab *s, char *p)
{
	if (s->state == SLAB_VICTIM) {
		push(s, p);
		return;
	}
	unlist(c, s);
	push(s, p);
	atomic_store_explicit(&c->stuck, false, memory_order_relaxed);
	bump(&c->free, 1);
	add(&all->free_bytes, c->size);
	if (s->live == 0) {
		count_slab(all, c, s, -1);
		release(all, c, s);
	} else {
		list(c, s);
	}
}

static enum slab_outcome
grow(struct slabs *all, struct slab_class *c, int64_t room)
{
	int64_t bytes = (int64_t)SLAB_UNIT << c->order;
	int64_t left = room - slabs_bytes(all);
	struct slab *s;

	/* Between this and the sum others may grow, too: by a slab each. */
	if (bytes > left)
		return SLAB_SHORT;
	slab_pool_expect(&all->pool, left, room);
	s = slab_pool_take(&all->pool, c->order);
	if (s == NULL)
		return SLAB_NO_MEMORY;
	s->cls = (uint8_t)(c - all->cls);
	s->free = SLAB_NONE;
	s->live = 0;
	s->fresh = 0;
	s->tried = false;
	s->cap = (uint16_t)(slab_bytes(s) / c->size);
	c->slabs++;
	add(&all->bytes, (int64_t)slab_bytes(s));
	count_slab(all, c, s, 1);
	list(c, s);
	return SLAB_READY;
}

/* Caches. */

void
slab_cache_init(struct slab_cache *cache, struct slabs *all)
{
	memset(cache, 0, sizeof(*cache));
	cache->slabs = all;
	for (unsigned i = 0; i < all->classes; i++) {
		cache->kept[i].most = (uint16_t)(2 * all->cls[i].batch);
		cache->kept[i].size = (uint16_t)all->cls[i].size;
	}
}

/* Moves up to a batch of one slab's regions into an empty cache. */
static void
fill_from(struct slab_cache *cache, unsigned i, struct slab *s)
{
	struct slab_class *c = &cache->slabs->cls[i];
	uint32_t n = 0;

	unlist(c, s);
	while (n < c->batch && s->live < s->cap) {
		char *p = pop(c, s);

		slab_link(p, cache->kept[i].first);
		cache->kept[i].first = p;
		n++;
	}
	cache->kept[i].n += n;
	cache->bytes += (int64_t)n * c->size;
	list(c, s);
	bump(&c->free, -(int64_t)n);
	add(&cache->slabs->free_bytes, -(int64_t)n * c->size);
}

enum slab_outcome
slab_fill(struct slab_cache *cache, unsigned i, int64_t room)
{
	struct slab_class *c = &cache->slabs->cls[i];
	enum slab_outcome outcome = SLAB_READY;
	struct slab *s;

	if (slab_is_ready(cache, i))
		return SLAB_READY;
	lock_take(&c->lock);
	s = fullest(c);
	if (s == NULL) {
		outcome = grow(cache->slabs, c, room);
		s = fullest(c);
	}
	if (s != NULL)
		fill_from(cache, i, s);
	lock_drop(&c->lock);
	return outcome;
}

/* Gives regions back, a list that begins with `p`. */
static void
put_all(struct slabs *all, struct slab_class *c, char *p)
{
	lock_take(&c->lock);
	while (p != NULL) {
		char *next = slab_next(p);

		put(all, c, slab_of(p), p);
		p = next;
	}
	lock_drop(&c->lock);
}

void
slab_spill(struct slab_cache *cache, unsigned i)
{
	struct slab_class *c = &cache->slabs->cls[i];
	char *last = cache->kept[i].first, *rest;

	for (uint32_t n = 1; n < c->batch; n++)
		last = slab_next(last);
	rest = slab_next(last);
	slab_link(last, NULL);
	cache->bytes -= (int64_t)(cache->kept[i].n - c->batch) * c->size;
	cache->kept[i].n = c->batch;
	put_all(cache->slabs, c, rest);
}

void
slab_cache_empty_class(struct slab_cache *cache, unsigned i)
{
	char *p = cache->kept[i].first;

	if (p == NULL)
		return;
	cache->bytes -= (int64_t)cache->kept[i].n * cache->kept[i].size;
	cache->kept[i].first = NULL;
	cache->kept[i].n = 0;
	put_all(cache->slabs, &cache->slabs->cls[i], p);
}

void
slab_cache_empty(struct slab_cache *cache)
{
	for (unsigned i = 0; i < cache->slabs->classes; i++)
		slab_cache_empty_class(cache, i);
}

/* Victims. */

/* Free regions, and all there are. */
static uint64_t
free_of(const struct slab_class *c, uint64_t *regions)
{
	*regions = atomic_load_explicit(&c->regions, memory_order_relaxed);
	return atomic_load_explicit(&c->free, memory_order_relaxed);
}

/* The class whose slabs are thinnest but for those to skip, or NULL. */
static struct slab_class *
thinnest(struct slabs *all, const bool *skip)
{
	struct slab_class *best = NULL;
	uint64_t best_free = 0, best_regions = 1;

	for (unsigned i = 0; i < all->classes; i++) {
		struct slab_class *c = &all->cls[i];
		uint64_t regions, free = free_of(c, &regions);

		if (skip[i] ||
		    free * c->size < (uint64_t)SLAB_UNIT << c->order ||
		    free * best_regions <= best_free * regions)
			continue;
		best = c;
		best_free = free;
		best_regions = regions;
	}
	return best;
}

static struct slab *
emptiest(struct slab_class *c)
{
	int looked = 0;

	for (int i = 0; i < SLAB_FULLNESS; i++)
		for (struct slab *s = c->partial[i];
		     s != NULL && looked < VICTIMS_LOOKED_AT; s = s->next) {
			if (!s->tried)
				return s;
			looked++;
		}
	return NULL;
}

/* The class that holds the most for the few that live in it, or NULL. */
static struct slab_class *
rarest(struct slabs *all)
{
	struct slab_class *best = NULL;
	uint64_t most = 0;

	for (unsigned i = 0; i < all->classes; i++) {
		struct slab_class *c = &all->cls[i];
		uint64_t regions, free = free_of(c, &regions);

		if (free * c->size <= most ||
		    (regions - free) * RARE_PART > regions ||
		    atomic_load_explicit(&c->stuck, memory_order_relaxed))
			continue;
		best = c;
		most = free * c->size;
	}
	return best;
}

/* Takes the emptiest slab out of its class. */
static struct slab *
take_victim(struct slabs *all, struct slab_class *c, bool rare)
{
	struct slab *s;

	lock_take(&c->lock);
	s = emptiest(c);
	/* What lives in it must find room in others, unless it is to go. */
	if (s != NULL && !rare && atomic_load(&c->free) < s->cap)
		s = NULL;
	if (s != NULL) {
		unlist(c, s);
		count_slab(all, c, s, -1);
		s->state = SLAB_VICTIM;
	}
	lock_drop(&c->lock);
	return s;
}

struct slab *
slab_victim(struct slabs *all)
{
	bool skip[SLAB_CLASSES] = { false };
	struct slab_class *c;
	struct slab *s = NULL;

	/* What can't be moved in one class must not keep all others full. */
	while (s == NULL && (c = thinnest(all, skip)) != NULL) {
		s = take_victim(all, c, false);
		skip[c - all->cls] = true;
	}
	return s;
}

/* As many as emptiest() looks at. */
static void
forget_tries(struct slab *s)
{
	for (int n = 0; s != NULL && n < VICTIMS_LOOKED_AT; n++) {
		s->tried = false;
		s = s->next;
	}
}

/* When all have been tried, the next round begins. */
static void
try_all_again(struct slabs *all)
{
	for (unsigned i = 0; i < all->classes; i++) {
		struct slab_class *c = &all->cls[i];

		if (!atomic_load_explicit(&c->stuck, memory_order_relaxed))
			continue;
		lock_take(&c->lock);
		for (int k = 0; k < SLAB_FULLNESS; k++)
			forget_tries(c->partial[k]);
		atomic_store(&c->stuck, false);
		lock_drop(&c->lock);
	}
}

struct slab *
slab_victim_rare(struct slabs *all)
{
	struct slab_class *c = rarest(all);

	if (c == NULL) {
		try_all_again(all);
		return NULL;
	}
	return take_victim(all, c, true);
}

bool
slab_victim_done(struct slabs *all, struct slab *s)
{
	struct slab_class *c = &all->cls[s->cls];
	bool empty;

	lock_take(&c->lock);
	empty = s->live == 0;
	s->state = SLAB_USED;
	s->tried = true;
	if (empty) {
		release(all, c, s);
	} else {
		atomic_store_explicit(&c->stuck, true, memory_order_relaxed);
		count_slab(all, c, s, 1);
		list(c, s);
	}
	lock_drop(&c->lock);
	return empty;
}

struct slab_span
slab_used(struct slabs *all, const struct slab *s)
{
	struct slab_class *c = &all->cls[s->cls];
	char *first = slab_start(s);

	/* Nobody takes a region of a victim, so this is final. */
	return (struct slab_span){ first, first + (size_t)s->fresh * c->size,
		c->size };
}

void *
slab_take(struct slabs *all, const struct slab *victim)
{
	struct slab_class *c = &all->cls[victim->cls];
	struct slab *s;
	char *p = NULL;

	lock_take(&c->lock);
	s = fullest(c);
	if (s != NULL) {
		unlist(c, s);
		p = pop(c, s);
		list(c, s);
		bump(&c->free, -1);
		add(&all->free_bytes, -(int64_t)c->size);
	}
	lock_drop(&c->lock);
	return p;
}

void
slab_put(struct slabs *all, void *p)
{
	struct slab *s = slab_of(p);
	struct slab_class *c = &all->cls[s->cls];

	lock_take(&c->lock);
	put(all, c, s, p);
	lock_drop(&c->lock);
}
