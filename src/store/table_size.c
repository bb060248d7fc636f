/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * table_size.c - the hash table of one shard: its memory, growing, shrinking.
 *
 * A table changes its size by a bucket at a time: the group that gains or
 * loses it, or the two that become one, or the one that becomes two, are laid
 * out anew in a plan, and then written.  What needs memory comes before the
 * first write.
 */
#include "config.h"

#include <string.h>
#include <sys/mman.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/pages.h"
#include "store/arena.h"
#include "store/slab_pool.h"
#include "store/table_bucket.h"

_Static_assert(TABLE_SEGMENT * sizeof(struct bucket) == SLAB_UNIT,
    "a segment is a unit");

enum {
	SEGMENT_BYTES = TABLE_SEGMENT * (int)sizeof(struct bucket),
	/* A bucket more whenever there are more than 6 items to one. */
	FULL_ITEMS = 6,
	FULL_BUCKETS = 1,
	/* One less whenever there are fewer than 11 items to 2. */
	SPARE_ITEMS = 11,
	SPARE_BUCKETS = 2,
	PLAN_BUCKETS = 2 * TABLE_GROUP,
	PLAN_ENTRIES = 160, /* more are rare: memory is allocated for them */
};

/* Segments. */

static void *
alloc_segment(struct table *t)
{
	struct slab *s;

	if (t->pool == NULL)
		return arena_alloc_lines(SEGMENT_BYTES);
	s = slab_pool_take_whole(t->pool);
	return s != NULL ? slab_start(s) : NULL;
}

static void
free_segment(struct table *t, struct bucket *b)
{
	if (t->pool == NULL)
		arena_free_lines(b, SEGMENT_BYTES);
	else
		slab_pool_give(t->pool, slab_of(b));
}

static bool
add_segment(struct table *t)
{
	uint32_t segment = t->segments + 1;
	unsigned k = 31 - (unsigned)__builtin_clz(segment);
	struct bucket **d = atomic_load(&t->directory[k]);
	struct bucket *b;

	if (d == NULL) {
		size_t bytes = sizeof(*d) << k;

		d = arena_alloc(bytes);
		if (d == NULL)
			return false;
		memset(d, 0, bytes);
		t->bytes += arena_true_size(bytes);
		atomic_store(&t->directory[k], d);
	}
	b = d[segment ^ (uint32_t)1 << k];
	if (b == NULL) {
		b = alloc_segment(t);
		if (b == NULL)
			return false;
		memset((void *)b, 0, SEGMENT_BYTES);
		d[segment ^ (uint32_t)1 << k] = b;
	}
	t->bytes += arena_true_size(SEGMENT_BYTES);
	t->segments++;
	return true;
}

/*
 * Gives the memory of the last segment back.  Its addresses stay, and read as
 * the zeros they hold already: somebody who prefetches may look there yet.
 */
static void
drop_segment(struct table *t)
{
	char *from = (char *)bucket_at(t, (t->segments - 1) * TABLE_SEGMENT);

	pages_give_back(from, from + SEGMENT_BYTES);
	t->bytes -= arena_true_size(SEGMENT_BYTES);
	t->segments--;
}

bool
table_init(struct table *t, struct slab_pool *pool)
{
	memset((void *)t, 0, sizeof(*t));
	t->pool = pool;
	if (!add_segment(t)) {
		table_free(t);
		return false;
	}
	atomic_store(&t->buckets, TABLE_SEGMENT);
	return true;
}

void
table_free(struct table *t)
{
	CHECK(t->items == 0 && t->chained == 0);
	for (unsigned k = 0; k < TABLE_DIRECTORIES; k++) {
		struct bucket **d = atomic_load(&t->directory[k]);

		if (d == NULL)
			continue;
		for (uint32_t i = 0; i < (uint32_t)1 << k; i++)
			if (d[i] != NULL)
				free_segment(t, d[i]);
		arena_free(d, sizeof(*d) << k);
		atomic_store(&t->directory[k], NULL);
	}
}

/* Chains. */

struct bucket *
table_chain_alloc(struct table *t)
{
	struct bucket *b = arena_alloc_lines(sizeof(*b));

	if (b == NULL)
		return NULL;
	memset((void *)b, 0, sizeof(*b));
	t->chained++;
	t->bytes += arena_true_size(sizeof(*b));
	return b;
}

void
table_chain_free(struct table *t, struct bucket *b)
{
	t->chained--;
	t->bytes -= arena_true_size(sizeof(*b));
	arena_free_lines(b, sizeof(*b));
}

/* Plans. */

/* An item that is on its way. */
struct entry {
	uint64_t word;
	uint8_t level;
};

/* What the buckets of a group will hold, and what has no room there. */
struct plan {
	struct bucket_group group;
	struct line {
		uint64_t slot[TABLE_SLOTS];
		uint64_t notes;
	} * line;
	unsigned used[PLAN_BUCKETS];
	struct entry *over; /* no room for these */
	size_t n_over;
};

static inline void
plan_slot(struct plan *p, unsigned n, int slot, struct entry e)
{
	struct line *l = &p->line[n];

	l->slot[slot] = e.word;
	l->notes &= ~((uint64_t)0xff << 8 * slot);
	l->notes |= (uint64_t)e.level << 8 * slot;
}

static inline bool
plan_add(struct plan *p, unsigned n, struct entry e)
{
	struct line *l = &p->line[n];
	int slot = p->used[n];

	if (slot == TABLE_SLOTS)
		return false;
	l->slot[slot] = e.word;
	l->notes |= (uint64_t)e.level << 8 * slot;
	p->used[n]++;
	return true;
}

static struct entry
planned(const struct plan *p, unsigned n, int slot)
{
	const struct line *l = &p->line[n];

	return (struct entry){ l->slot[slot], (uint8_t)(l->notes >> 8 * slot) };
}

/* Puts an item into full bucket n, and one that belongs there elsewhere. */
static bool
plan_instead(struct plan *p, unsigned n, struct entry e)
{
	for (int i = 0; i < TABLE_SLOTS; i++) {
		struct entry out = planned(p, n, i);
		unsigned turn = turn_of(out.word >> SLOT_TAG);

		if (home_of(out.word >> SLOT_TAG, &p->group) != n ||
		    !plan_add(p, other_of(n, turn, &p->group), out))
			continue;
		p->line[n].notes |= note_turn(turn);
		plan_slot(p, n, i, e);
		return true;
	}
	return false;
}

static bool
plan_away(struct plan *p, struct entry e)
{
	unsigned home = home_of(e.word >> SLOT_TAG, &p->group);
	unsigned turn = turn_of(e.word >> SLOT_TAG);
	unsigned other = other_of(home, turn, &p->group);

	if (!plan_add(p, other, e)) {
		if (plan_instead(p, home, e))
			return true;
		if (!plan_instead(p, other, e))
			return false;
	}
	p->line[home].notes |= note_turn(turn);
	return true;
}

static void
plan_over(struct plan *p, struct entry e)
{
	unsigned home = home_of(e.word >> SLOT_TAG, &p->group);

	p->line[home].notes |= NOTE_IN_CHAIN |
	    note_turn(turn_of(e.word >> SLOT_TAG));
	p->over[p->n_over++] = e;
}

/* Puts an item into its own bucket, or aside. */
static inline void
plan_item(struct plan *p, struct entry e)
{
	if (!plan_add(p, home_of(e.word >> SLOT_TAG, &p->group), e))
		p->over[p->n_over++] = e;
}

/* All are in the plan, or aside: finds room for these. */
static void
plan_rest(struct plan *p)
{
	size_t n = p->n_over;

	p->n_over = 0;
	for (size_t i = 0; i < n; i++)
		if (!plan_away(p, p->over[i]))
			plan_over(p, p->over[i]);
	if (p->n_over > 0 && p->used[0] == TABLE_SLOTS) {
		/* that slot is for the address */
		struct entry last = planned(p, 0, CHAIN_SLOT);

		plan_slot(p, 0, CHAIN_SLOT, (struct entry){ 0, 0 });
		plan_over(p, last);
	}
}

static size_t
chain_length(size_t items)
{
	return items < 2 ? items : (items - 2) / CHAIN_SLOT + 1;
}

/* Chains what has no room to bucket b, in buckets from *spare. */
static void
write_chain(struct plan *p, struct bucket *b, struct bucket **spare)
{
	size_t done = 0;

	while (done < p->n_over) {
		struct bucket *next = *spare;
		size_t n = p->n_over - done;

		*spare = table_next(next);
		store(&b->slot[CHAIN_SLOT], (uint64_t)(uintptr_t)next);
		add_note(b, NOTE_CHAINED);
		store(&next->notes, 0);
		for (size_t i = 0; i < TABLE_SLOTS; i++) {
			bool more = i < (n > TABLE_SLOTS ? CHAIN_SLOT : n);

			set_slot(next, (int)i, more ? p->over[done].word : 0,
			    more ? p->over[done].level : 0);
			done += more;
		}
		b = next;
	}
}

static void
write_plan(struct table *t, struct plan *p, struct bucket **spare)
{
	for (unsigned n = 0; n < p->group.buckets; n++) {
		struct bucket *b = bucket_of(t, &p->group, n);
		const struct line *l = &p->line[n];

#pragma GCC unroll 7
		for (int i = 0; i < TABLE_SLOTS; i++)
			store(&b->slot[i], l->slot[i]);
		store(&b->notes, l->notes);
	}
	write_chain(p, bucket_of(t, &p->group, 0), spare);
}

/* Laying out anew. */

/* One or two groups before and after. */
struct change {
	struct bucket_group from[2], to[2];
	unsigned n_from, n_to;
};

static void
plan_bucket(const struct change *c, struct plan *plan, const struct bucket *b)
{
	uint64_t notes = load(&b->notes), levels = notes;
	int n = notes & NOTE_CHAINED ? CHAIN_SLOT : TABLE_SLOTS;
	uint32_t bit = (uint32_t)1 << c->from[0].shift;

	for (int i = 0; i < n; i++, levels >>= 8) {
		struct entry e = { load(&b->slot[i]), (uint8_t)levels };
		struct item *it;

		if (e.word == 0)
			continue;
		if (LIKELY(c->n_to == 1)) {
			plan_item(plan, e);
			continue;
		}
		it = item_in(e.word);
		plan_item(hash_key(item_key(it), item_key_len(it)) & bit ?
			&plan[1] :
			&plan[0],
		    e);
	}
}

static void
plan_all(struct table *t, const struct change *c, struct plan *plan)
{
	/* One group becomes two: the hash decides, so the key is needed. */
	for (unsigned k = 0; c->n_to > 1 && k < c->from[0].buckets; k++)
		for (int i = 0; i < TABLE_SLOTS; i++)
			__builtin_prefetch(
			    slot_item(bucket_of(t, &c->from[0], k), i), 0, 3);
	for (unsigned i = 0; i < c->n_from; i++)
		for (unsigned k = 0; k < c->from[i].buckets; k++)
			for (struct bucket *b = bucket_of(t, &c->from[i], k);
			     b != NULL; b = table_next(b))
				plan_bucket(c, plan, b);
	for (unsigned i = 0; i < c->n_to; i++)
		plan_rest(&plan[i]);
}

static size_t
chained_to(struct table *t, const struct change *c)
{
	size_t n = 0;

	for (unsigned i = 0; i < c->n_from; i++) {
		struct bucket *b = bucket_of(t, &c->from[i], 0);

		while ((b = table_next(b)) != NULL)
			n++;
	}
	return n;
}

static void
prepend(struct bucket *b, struct bucket **list)
{
	store(&b->slot[CHAIN_SLOT], (uint64_t)(uintptr_t)*list);
	store(&b->notes, *list != NULL ? NOTE_CHAINED : 0);
	*list = b;
}

static void
free_list(struct table *t, struct bucket *b)
{
	while (b != NULL) {
		struct bucket *next = table_next(b);

		table_chain_free(t, b);
		b = next;
	}
}

/* Takes the chains off their groups. */
static void
take_chains(struct table *t, const struct change *c, struct bucket **list)
{
	for (unsigned i = 0; i < c->n_from; i++) {
		struct bucket *b = bucket_of(t, &c->from[i], 0);
		struct bucket *next;

		for (b = table_next(b); b != NULL; b = next) {
			next = table_next(b);
			prepend(b, list);
		}
	}
}

/* `over` has room for n entries of each plan. */
static bool
lay_out(struct table *t, const struct change *c, struct entry *over, size_t n,
    size_t have)
{
	struct line line[PLAN_BUCKETS];
	struct plan plan[2] = {
		{ .group = c->to[0], .line = line, .over = over },
		{ .group = c->to[1],
		    .line = line + TABLE_GROUP,
		    .over = over + n },
	};
	struct bucket *spare = NULL;
	size_t need = 0;

	memset(line, 0, sizeof(line));
	plan_all(t, c, plan);
	for (unsigned i = 0; i < c->n_to; i++)
		need += chain_length(plan[i].n_over);
	for (; have < need; have++) {
		struct bucket *b = table_chain_alloc(t);

		if (b == NULL) {
			free_list(t, spare);
			return false;
		}
		prepend(b, &spare);
	}
	take_chains(t, c, &spare);
	for (unsigned i = 0; i < c->n_to; i++)
		write_plan(t, &plan[i], &spare);
	free_list(t, spare);
	return true;
}

static bool
change_layout(struct table *t, const struct change *c)
{
	struct entry some[2 * PLAN_ENTRIES], *over = some;
	size_t chained = chained_to(t, c);
	size_t n = (PLAN_BUCKETS + chained) * TABLE_SLOTS;
	bool done;

	if (n > PLAN_ENTRIES)
		over = arena_alloc(2 * n * sizeof(*over));
	if (over == NULL)
		return false;
	done = lay_out(t, c, over, n, chained);
	if (over != some)
		arena_free(over, 2 * n * sizeof(*over));
	return done;
}

/* What another bucket changes in a table that has so many. */
static struct change
change_at(uint32_t buckets)
{
	unsigned shift = 31 - (unsigned)__builtin_clz(buckets) - GROUP_BITS;
	uint32_t first = buckets & (((uint32_t)1 << shift) - 1);
	struct change c = {
		.from = { group_in(buckets, first) },
		.to = { group_in(buckets + 1, first) },
		.n_from = 1,
		.n_to = 1,
	};

	if (c.to[0].shift > shift) {
		c.to[1] = group_in(buckets + 1, first + ((uint32_t)1 << shift));
		c.n_to = 2;
	}
	return c;
}

static bool
add_bucket(struct table *t, uint32_t n)
{
	struct change c = change_at(n);

	if (n == t->segments * TABLE_SEGMENT && !add_segment(t))
		return false;
	if (!change_layout(t, &c))
		return false;
	/* release: pairs with the load in table_prefetch() */
	atomic_store_explicit(&t->buckets, n + 1, memory_order_release);
	return true;
}

void
table_grow(struct table *t)
{
	uint32_t n = table_buckets(t);

	if (t->items * FULL_BUCKETS <= (size_t)n * FULL_ITEMS || n == TABLE_MAX)
		return;
	t->growth_failed = !add_bucket(t, n);
}

static void
clear_bucket(struct bucket *b)
{
	for (int i = 0; i < TABLE_SLOTS; i++)
		store(&b->slot[i], 0);
	store(&b->notes, 0);
}

bool
table_shrink(struct table *t, uint32_t walk)
{
	uint32_t n = table_buckets(t) - 1;
	struct change c, grown = change_at(n);

	if (n < TABLE_SEGMENT ||
	    t->items * SPARE_BUCKETS >= (size_t)n * SPARE_ITEMS)
		return false;
	if (grown.n_to > 1 && walk > grown.to[0].first &&
	    walk <= grown.to[1].first)
		return false;
	c = (struct change){ { grown.to[0], grown.to[1] }, { grown.from[0] },
		grown.n_to, 1 };
	if (!change_layout(t, &c))
		return false;
	clear_bucket(table_bucket(t, n));
	atomic_store_explicit(&t->buckets, n, memory_order_release);
	while (t->segments > n / TABLE_SEGMENT + 1)
		drop_segment(t);
	return true;
}
