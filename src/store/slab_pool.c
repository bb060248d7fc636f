/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * slab_pool.c - where slabs come from.
 */
#include "config.h"

#include "store/slab_pool.h"

#include <string.h>
#include <sys/mman.h>

#include "base/check.h"
#include "base/pages.h"

_Static_assert(sizeof(struct slab) == 32, "a chunk's header is small");

enum {
	SMALL = 8,      /* chunks that are no huge pages */
	SHORT_MAX = 16, /* short units looked at for another */
};

static void *
map(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

/*
 * Chunks mostly come to lie one below the other, so that only the first has to
 * be cut out of a larger map.
 */
static struct slab_chunk *
map_chunk(void)
{
	char *p = map(SLAB_CHUNK);
	size_t before;

	if (p == NULL || ((uintptr_t)p & (SLAB_CHUNK - 1)) == 0)
		return (struct slab_chunk *)p;
	munmap(p, SLAB_CHUNK);
	p = map(2 * (size_t)SLAB_CHUNK);
	if (p == NULL)
		return NULL;
	before = -(uintptr_t)p & (SLAB_CHUNK - 1);
	if (before > 0)
		munmap(p, before);
	if (before < SLAB_CHUNK)
		munmap(p + before + SLAB_CHUNK, SLAB_CHUNK - before);
	return (struct slab_chunk *)(p + before);
}

void
slab_pool_init(struct slab_pool *p)
{
	memset((void *)p, 0, sizeof(*p));
	lock_init(&p->lock, LOCK_SLAB_POOL);
}

/* Dirty units. */

static bool
is_dirty(const struct slab_chunk *c, unsigned unit)
{
	return c->dirty[unit / 64] >> unit % 64 & 1;
}

static bool
has_dirty(const struct slab_chunk *c)
{
	return (c->dirty[0] | c->dirty[1]) != 0;
}

/* Units of a chunk, from `first` on; lists or unlists the chunk. */
static void
set_dirty(struct slab_pool *p, struct slab_chunk *c, unsigned first,
    unsigned units, bool dirty)
{
	bool had = has_dirty(c), has;

	for (unsigned i = first; i < first + units; i++) {
		uint64_t bit = (uint64_t)1 << i % 64;

		if (is_dirty(c, i) == dirty)
			continue;
		c->dirty[i / 64] ^= bit;
		atomic_fetch_add_explicit(&p->dirty,
		    dirty ? SLAB_UNIT : -SLAB_UNIT, memory_order_relaxed);
	}
	has = has_dirty(c);
	if (has && !had) {
		c->prev = NULL;
		c->next = p->dirty_chunks;
		if (c->next != NULL)
			c->next->prev = c;
		p->dirty_chunks = c;
	} else if (had && !has) {
		if (c->prev != NULL)
			c->prev->next = c->next;
		else
			p->dirty_chunks = c->next;
		if (c->next != NULL)
			c->next->prev = c->prev;
	}
}

/* Runs. */

static bool
add_chunk(struct slab_pool *p)
{
	struct slab_chunk *c = map_chunk();

	if (c == NULL)
		return false;
	/* Of many chunks, few are not filled from end to end: the last. */
	if (atomic_load_explicit(&p->chunks, memory_order_relaxed) >= SMALL &&
	    !atomic_load_explicit(&p->nearly_full, memory_order_relaxed)) {
		(void)madvise(c, SLAB_CHUNK, MADV_HUGEPAGE);
		c->huge = true;
	}
	c->unit[0].order = SLAB_ORDERS - 1;
	slab_push(&p->free[SLAB_ORDERS - 1], &c->unit[0]);
	atomic_fetch_add_explicit(&p->chunks, 1, memory_order_relaxed);
	return true;
}

static struct slab *
take(struct slab_pool *p, unsigned order) REQUIRES(p->lock)
{
	unsigned k = order;
	struct slab *s;

	while (k < SLAB_ORDERS && p->free[k] == NULL)
		k++;
	if (k == SLAB_ORDERS) {
		if (!add_chunk(p))
			return NULL;
		k--;
	}
	s = p->free[k];
	slab_unlist(&p->free[k], s);
	while (k > order) {
		struct slab *half = s + ((size_t)1 << --k);

		half->state = SLAB_FREE;
		half->order = (uint8_t)k;
		slab_push(&p->free[k], half);
	}
	return s;
}

static struct slab *
use(struct slab_pool *p, struct slab *s, unsigned order) REQUIRES(p->lock)
{
	s->state = SLAB_USED;
	s->order = (uint8_t)order;
	for (unsigned i = 0; i < 1u << order; i++)
		s[i].back = (uint8_t)i;
	set_dirty(p, slab_chunk_of(s), slab_index(s), 1u << order, false);
	return s;
}

struct slab *
slab_pool_take(struct slab_pool *p, unsigned order)
{
	struct slab *s;

	lock_take(&p->lock);
	s = take(p, order);
	if (s != NULL)
		use(p, s, order);
	lock_drop(&p->lock);
	return s;
}

/* Joins a free run with its buddies. */
static void
give(struct slab_pool *p, struct slab *s) REQUIRES(p->lock)
{
	struct slab *unit = slab_chunk_of(s)->unit;
	unsigned i = slab_index(s), k = s->order;

	for (; k < SLAB_ORDERS - 1; k++) {
		struct slab *buddy = &unit[i ^ 1u << k];

		/* It is the first of some run, since these two were split. */
		if (buddy->state != SLAB_FREE || buddy->order != k)
			break;
		slab_unlist(&p->free[k], buddy);
		i &= ~(1u << k);
	}
	unit[i].state = SLAB_FREE;
	unit[i].order = (uint8_t)k;
	slab_push(&p->free[k], &unit[i]);
}

/* A free single unit that is no chunk's first, or NULL. */
static struct slab *
single(struct slab_pool *p) REQUIRES(p->lock)
{
	struct slab *s = p->free[0];

	for (int n = 0; s != NULL && slab_index(s) == 0; n++)
		s = n < SHORT_MAX ? s->next : NULL;
	if (s != NULL)
		slab_unlist(&p->free[0], s);
	return s;
}

struct slab *
slab_pool_take_whole(struct slab_pool *p)
{
	struct slab *s;

	lock_take(&p->lock);
	s = single(p);
	if (s == NULL) {
		struct slab *pair = take(p, 1);

		/* The second is no chunk's first. */
		if (pair != NULL) {
			s = pair + 1;
			s->state = pair->state = SLAB_USED;
			pair->order = 0;
			give(p, pair);
		}
	}
	if (s != NULL)
		use(p, s, 0);
	lock_drop(&p->lock);
	return s;
}

void
slab_pool_give(struct slab_pool *p, struct slab *s)
{
	lock_take(&p->lock);
	set_dirty(p, slab_chunk_of(s), slab_index(s), 1u << s->order, true);
	give(p, s);
	lock_drop(&p->lock);
}

/* Pages. */

static void
drop_pages(struct slab_pool *p, struct slab_chunk *c, unsigned first,
    unsigned end) REQUIRES(p->lock)
{
	char *from = (char *)c + (size_t)first * SLAB_UNIT;
	char *to = (char *)c + (size_t)end * SLAB_UNIT;

	/* The page that the header ends in stays. */
	if (first == 0)
		from += (sizeof(*c) + 4095) & ~(size_t)4095;
	/* Else the system would make it a huge page again. */
	if (c->huge) {
		(void)madvise(c, SLAB_CHUNK, MADV_NOHUGEPAGE);
		c->huge = false;
	}
	/* Locked memory stays: then there is nothing to be done. */
	pages_give_back(from, to);
	set_dirty(p, c, first, end - first, false);
}

static void
drop_chunk(struct slab_pool *p, struct slab_chunk *c) REQUIRES(p->lock)
{
	set_dirty(p, c, 0, SLAB_UNITS, false);
	slab_unlist(&p->free[SLAB_ORDERS - 1], &c->unit[0]);
	atomic_fetch_sub_explicit(&p->chunks, 1, memory_order_relaxed);
	munmap(c, SLAB_CHUNK);
}

static bool
is_empty(const struct slab_chunk *c)
{
	return c->unit[0].state == SLAB_FREE &&
	    c->unit[0].order == SLAB_ORDERS - 1;
}

static void
purge_chunk(struct slab_pool *p, struct slab_chunk *c) REQUIRES(p->lock)
{
	if (is_empty(c)) {
		drop_chunk(p, c);
		return;
	}
	for (unsigned i = 0; i < SLAB_UNITS; i++) {
		unsigned end = i;

		while (end < SLAB_UNITS && is_dirty(c, end))
			end++;
		if (end > i)
			drop_pages(p, c, i, end);
		i = end;
	}
}

void
slab_pool_purge(struct slab_pool *p, int64_t bytes)
{
	int64_t goal = atomic_load(&p->dirty) - bytes;

	while (atomic_load(&p->dirty) > (goal > 0 ? goal : 0)) {
		lock_take(&p->lock);
		if (p->dirty_chunks != NULL)
			purge_chunk(p, p->dirty_chunks);
		lock_drop(&p->lock);
	}
}

void
slab_pool_destroy(struct slab_pool *p) UNCHECKED_LOCKING
{
	while (p->free[SLAB_ORDERS - 1] != NULL)
		drop_chunk(p, slab_chunk_of(p->free[SLAB_ORDERS - 1]));
	CHECK(atomic_load(&p->chunks) == 0);
	lock_destroy(&p->lock);
}
