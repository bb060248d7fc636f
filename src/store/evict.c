/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * evict.c - which item goes when memory is short.
 */
#include "config.h"

#include "store/evict.h"

#include <string.h>

#include "base/check.h"
#include "base/hash.h"
#include "store/arena.h"

enum {
	FRACTION = 64,       /* 1 / FRACTION of the items goes in a round */
	DICE_STEP = 1664525, /* W. Press et al., Numerical Recipes */
	LOOK = 64,           /* buckets at a time under the lock */
	LEVELS = 256,

	GHOSTS_MIN = 64,
	GHOSTS_MAX = 1 << 19,
	GHOSTS_ITEM = 4,   /* at most, to an item */
	GHOST_BYTES = 512, /* of items, to a ghost */
	GHOST_HITS = 15,   /* low bits of a ghost */
	GHOST_KEEPS = 4,   /* times that one of more hits stays, once */
	LOAD_PART = 64,    /* what one load counts for in the mean */
	LOAD_UNIT = 256,   /* of the mean, to a ms */
	LOAD_FREAK = 16,   /* times the mean: counts for no more */
};

void
evict_init(struct evict *e, struct trial_votes *votes, bool trial)
{
	e->votes = votes;
	e->dice = 1;
	e->room = SIZE_MAX; /* until something has to go */
	if (trial)
		e->trial = arena_alloc_lines(sizeof(*e->trial));
	if (e->trial == NULL)
		return;
	trial_init(e->trial);
	e->bytes = arena_true_size(sizeof(*e->trial));
}

void
evict_free(struct evict *e)
{
	if (e->ghost != NULL)
		arena_free_lines(e->ghost, e->ghosts * sizeof(*e->ghost));
	if (e->trial != NULL)
		arena_free_lines(e->trial, sizeof(*e->trial));
}

static uint32_t
roll(struct evict *e)
{
	/* G. Marsaglia, Xorshift RNGs, 2003 */
	e->dice ^= e->dice << 13;
	e->dice ^= e->dice >> 17;
	e->dice ^= e->dice << 5;
	return e->dice;
}

static unsigned
slot_tag(struct place at)
{
	return (unsigned)(slot_word(at.bucket, at.slot) >> SLOT_TAG);
}

/* Ghosts. */

static uint16_t
ghost_name(uint64_t hash)
{
	/* bits that do not choose the place */
	return (uint16_t)((hash >> 24 & 0xfff) << 4);
}

static unsigned
ghost_hits(const struct evict *e, uint64_t hash)
{
	uint16_t g;

	if (e->ghosts == 0)
		return 0;
	g = e->ghost[hash & (e->ghosts - 1)];
	return (g & ~GHOST_HITS) == ghost_name(hash) ? g & GHOST_HITS : 0;
}

/* A ghost of more hits is kept, but not for ever. */
static void
leave_ghost(struct evict *e, uint64_t hash, unsigned hits)
{
	uint16_t *g;

	if (e->ghosts == 0)
		return;
	g = &e->ghost[hash & (e->ghosts - 1)];
	if ((*g & ~GHOST_HITS) == ghost_name(hash) ||
	    (*g & GHOST_HITS) <= hits || roll(e) % GHOST_KEEPS == 0)
		*g = (uint16_t)(ghost_name(hash) | hits);
}

/* More of them, empty: what they replace was far too few to be of use. */
static void
grow_ghosts(struct evict *e, size_t wanted)
{
	uint32_t n = GHOSTS_MIN;
	uint16_t *ghost;

	while (n < GHOSTS_MAX && 2 * n <= wanted)
		n *= 2;
	ghost = arena_alloc_lines(n * sizeof(*ghost));
	if (ghost == NULL)
		return;
	memset(ghost, 0, n * sizeof(*ghost));
	if (e->ghost != NULL) {
		size_t old = e->ghosts * sizeof(*ghost);

		e->bytes -= arena_true_size(old);
		arena_free_lines(e->ghost, old);
	}
	e->ghost = ghost;
	e->ghosts = n;
	e->bytes += arena_true_size(n * sizeof(*ghost));
}

/* As many as the items are worth, from the first eviction on. */
static void
fit_ghosts(struct evict *e, size_t items, size_t bytes)
{
	size_t wanted = bytes / GHOST_BYTES;

	if (wanted > GHOSTS_ITEM * items)
		wanted = GHOSTS_ITEM * items;
	if (e->ghosts < GHOSTS_MAX &&
	    (e->ghosts == 0 || wanted >= 2 * (size_t)e->ghosts))
		grow_ghosts(e, wanted);
}

/* What an item is worth. */

static unsigned
hits_of(const struct item *it)
{
	return it->word >> ITEM_HITS_SHIFT & WEIGH_HITS_MAX;
}

static void
set_hits(struct item *it, unsigned hits)
{
	if (hits > WEIGH_HITS_MAX)
		hits = WEIGH_HITS_MAX;
	it->word &= ~(uint64_t)ITEM_HITS;
	it->word |= (uint64_t)hits << ITEM_HITS_SHIFT;
}

/* The load of the item to the mean of loads, in levels; 0 when not known. */
static int
cost_of(const struct evict *e, const struct item *it)
{
	uint32_t ms = item_load_ms(it);
	int cost;

	if (LIKELY(ms == 0) || e->mean_load == 0)
		return 0;
	cost = ((int)weigh_log((uint64_t)ms * LOAD_UNIT) -
		   (int)weigh_log(e->mean_load)) *
	    WEIGH_DOUBLING / 16;
	if (cost > WEIGH_COST_MAX)
		return WEIGH_COST_MAX;
	return cost < -WEIGH_COST_MAX ? -WEIGH_COST_MAX : cost;
}

static void
note_load(struct evict *e, const struct item *it)
{
	uint64_t load = (uint64_t)item_load_ms(it) * LOAD_UNIT;
	uint64_t mean = e->mean_load;

	if (LIKELY(load == 0))
		return;
	if (mean == 0)
		mean = load;
	if (load > LOAD_FREAK * mean)
		load = LOAD_FREAK * mean;
	e->mean_load = (uint32_t)(mean + load / LOAD_PART - mean / LOAD_PART);
}

static uint8_t
level_of(const struct evict *e, const struct item *it, size_t size)
{
	return weigh(e->way, hits_of(it), weigh_log(size), e->log_mean,
	    cost_of(e, it));
}

static void
show_trial(struct evict *e, const struct evict_access *a, bool asked)
{
	trial_see(e->trial, e->votes,
	    &(struct trial_access){
		.hash = a->hash,
		.size = a->size,
		.log_size = weigh_log(a->size),
		.log_mean = e->log_mean,
		.cost = cost_of(e, a->item),
		.end = item_end(a->item),
		.now = a->now,
		.asked = asked,
		.items = e->items,
		.bytes = e->room,
	    });
}

uint8_t
evict_enter(struct evict *e, const struct evict_access *a)
{
	if (e->floor == 0)
		e->log_mean = e->items == 0 ? weigh_log(a->size) :
					      weigh_log(a->bytes / e->items);
	set_hits(a->item, 1 + ghost_hits(e, a->hash));
	note_load(e, a->item);
	if (UNLIKELY(e->floor != 0 && e->trial != NULL &&
		trial_may_want(e->trial, a->hash >> 40 & 0x7ff)))
		show_trial(e, a, true);
	return level_of(e, a->item, a->size);
}

static void
count_moved(struct evict *e, uint8_t from, uint8_t to)
{
	DCHECK(e->count[from] > 0);
	e->count[from]--;
	e->count[to]++;
}

/* For one key in a few thousand: its hash, to show it to the trial. */
static void
sample(struct evict *e, struct place at, const struct evict_access *a,
    bool asked)
{
	struct evict_access known = *a;

	/* While nothing has to go, there is nothing to choose. */
	if (LIKELY(e->floor == 0 || e->trial == NULL ||
		!trial_may_want(e->trial, slot_tag(at))))
		return;
	known.hash = hash_key(item_key(a->item), item_key_len(a->item));
	show_trial(e, &known, asked);
}

void
evict_hit(struct evict *e, struct place at, const struct evict_access *a)
{
	uint8_t from = slot_level(at.bucket, at.slot), to;

	set_hits(a->item, hits_of(a->item) + 1);
	to = level_of(e, a->item, a->size);
	if (to != from) {
		count_moved(e, from, to);
		slot_set_level(at, to);
	}
	sample(e, at, a, true);
}

void
evict_replace(struct evict *e, struct place at, const struct item *old,
    const struct evict_access *a)
{
	uint8_t to;

	set_hits(a->item, hits_of(old) + 1);
	note_load(e, a->item);
	to = level_of(e, a->item, a->size);
	count_moved(e, slot_level(at.bucket, at.slot), to);
	slot_set_level(at, to);
	sample(e, at, a, false);
}

void
evict_added(struct evict *e, uint8_t level)
{
	e->count[level]++;
	e->items++;
	/* It may be in a bucket that was looked at already. */
	e->fruitless = 0;
	e->exhausted = false;
}

static void
count_removed(struct evict *e, struct place at)
{
	uint8_t level = slot_level(at.bucket, at.slot);

	DCHECK(e->count[level] > 0);
	e->count[level]--;
	e->items--;
}

void
evict_removed(struct evict *e, struct place at, const struct item *it)
{
	count_removed(e, at);
	if (UNLIKELY(
		e->trial != NULL && trial_may_want(e->trial, slot_tag(at))))
		trial_drop(e->trial, hash_key(item_key(it), item_key_len(it)));
}

void
evict_lost(struct evict *e, struct place at, const struct item *it,
    uint64_t hash)
{
	count_removed(e, at);
	leave_ghost(e, hash, hits_of(it));
}

void
evict_retry(struct evict *e)
{
	e->exhausted = false;
}

/* The hand. */

/* A floor that some items are below. */
static void
choose_floor(struct evict *e, uint32_t goal)
{
	uint32_t below = 0;

	e->goal = goal;
	for (e->floor = 0; below < goal && e->floor < LEVELS; e->floor++)
		below += e->count[e->floor];
}

/* A new round, unless the last one was in vain: that goes on. */
static void
go_round(struct evict *e, const struct table *t, size_t bytes)
{
	e->hand = 0;
	if (e->stuck)
		return;
	fit_ghosts(e, t->items, bytes);
	e->fruitless = 0;
	e->raised = false;
	e->room = bytes;
	e->way = (enum weigh_way)atomic_load_explicit(&e->votes->way,
	    memory_order_relaxed);
	e->log_mean = weigh_log(bytes / t->items);
	choose_floor(e, (uint32_t)(t->items / FRACTION) + 1);
}

/*
 * The slots whose level is below the floor, free ones among them: a bit in each
 * byte.  Every other byte has room for a borrow: in steps of 16 bits, 256 +
 * level - floor is at least 256 unless the level is below.
 */
static uint64_t
below_floor(const struct evict *e, const struct bucket *b)
{
	const uint64_t even = 0x00ff00ff00ff00ff, carry = 0x0100010001000100;
	uint64_t floor = 0x0001000100010001 * (uint64_t)e->floor;
	uint64_t levels = slot_levels(b);
	uint64_t low = ~((levels & even) + carry - floor) & carry;
	uint64_t high = ~((levels >> 8 & even) + carry - floor) & carry;

	return (low >> 8 | high) & (((uint64_t)1 << 8 * TABLE_SLOTS) - 1);
}

static bool
pick_from(const struct evict *e, struct bucket *b, struct place *at)
{
	for (; b != NULL; b = table_next(b))
		for (uint64_t m = below_floor(e, b); m != 0; m &= m - 1) {
			int i = __builtin_ctzll(m) / 8;
			struct item *it = slot_item(b, i);

			if (it == NULL || item_is_held(it))
				continue;
			*at = (struct place){ b, i };
			return true;
		}
	return false;
}

/* What stays sinks.  (A free slot's level is 0, and so is that of a chain.) */
static void
sink(struct evict *e, struct bucket *b)
{
	const uint64_t ones = 0x0001010101010101;

	for (; b != NULL; b = table_next(b)) {
		uint64_t levels = slot_levels(b), sunk = levels;
		uint32_t dice = roll(e);

		for (uint64_t m = below_floor(e, b) ^ ones; m != 0;
		     m &= m - 1) {
			int at = __builtin_ctzll(m);
			uint8_t from = (uint8_t)(levels >> at), to;

			to = weigh_sunken(e->way, from, e->floor, dice);
			dice = dice * DICE_STEP + 1;
			count_moved(e, from, to);
			sunk ^= (uint64_t)(from ^ to) << at;
		}
		slots_set_levels(b, sunk);
	}
}

/* All of the group, if this is its last bucket. */
static void
sink_group(struct evict *e, struct table *t)
{
	struct bucket_group g = table_group(t, e->hand);

	if (e->hand >> g.shift != g.buckets - 1)
		return;
	for (unsigned n = 0; n < g.buckets; n++)
		sink(e, table_group_bucket(t, &g, n));
}

/*
 * The hand leaves a bucket that had nothing to give.  True after a round like
 * that when there is nothing at all: those below the floor are held.
 */
static bool
move_on(struct evict *e, struct table *t)
{
	if (!e->raised)
		sink_group(e, t);
	e->hand++;
	if (++e->fruitless < table_buckets(t))
		return false;
	e->fruitless = 0;
	if (e->floor >= LEVELS || e->goal >= t->items) {
		e->exhausted = true;
		return true;
	}
	e->raised = e->stuck = true;
	choose_floor(e, 2 * e->goal);
	return false;
}

enum evict_outcome
evict_pick(struct evict *e, struct table *t, size_t bytes, struct place *at)
{
	if (t->items == 0 || e->exhausted)
		return EVICT_NOTHING;
	for (int looked = 0; looked < LOOK; looked++) {
		if (e->hand >= table_buckets(t) || e->floor == 0)
			go_round(e, t, bytes);
		/* The hand stays until its bucket has nothing more to give. */
		if (pick_from(e, table_bucket(t, e->hand), at)) {
			e->fruitless = 0;
			e->stuck = false;
			return EVICT_PICKED;
		}
		if (move_on(e, t))
			return EVICT_NOTHING;
	}
	return EVICT_LOOK_ON;
}
