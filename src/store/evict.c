/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * evict.c - which item goes when memory is short.
 */
#include "config.h"

#include "store/evict.h"

#include "base/check.h"

enum {
	STEP_MEAN = 16, /* steps for an item of mean size */
	STEP_MAX = 64,
	LIFT_MAX = 200, /* highest level above the base */
	FRACTION = 64,  /* 1 / FRACTION of the items is in reach */
	LOOK = 64,      /* buckets at a time under the lock */
};

static unsigned
step_for(size_t size, size_t mean)
{
	size_t step = STEP_MEAN * mean / (size > 0 ? size : 1);

	if (step < 1)
		return 1;
	return step > STEP_MAX ? STEP_MAX : (unsigned)step;
}

uint8_t
evict_level(const struct evict *e, size_t size, size_t mean)
{
	return (uint8_t)(e->base + step_for(size, mean));
}

uint8_t
evict_lifted(const struct evict *e, uint8_t level, size_t size, size_t mean)
{
	unsigned above = (uint8_t)(level - e->base);

	above += step_for(size, mean);
	return (uint8_t)(e->base + (above > LIFT_MAX ? LIFT_MAX : above));
}

static bool
is_in_reach(const struct evict *e, uint8_t level)
{
	return (uint8_t)(level - e->base) < e->reach;
}

void
evict_added(struct evict *e, uint8_t level)
{
	e->count[level]++;
	if (is_in_reach(e, level))
		e->in_reach++;
	/* It may be in a bucket that was looked at already. */
	e->fruitless = 0;
	e->exhausted = false;
}

void
evict_moved(struct evict *e, uint8_t from, uint8_t to)
{
	evict_removed(e, from);
	e->count[to]++;
	if (is_in_reach(e, to))
		e->in_reach++;
}

void
evict_removed(struct evict *e, uint8_t level)
{
	DCHECK(e->count[level] > 0);
	e->count[level]--;
	if (is_in_reach(e, level))
		e->in_reach--;
}

void
evict_retry(struct evict *e)
{
	e->exhausted = false;
}

/* Moves the base up to the lowest level in use and chooses what goes next. */
static void
choose_reach(struct evict *e, uint32_t want)
{
	while (e->count[e->base] == 0)
		e->base++;
	e->in_reach = 0;
	for (e->reach = 0; e->in_reach < want && e->reach < UINT8_MAX;
	     e->reach++)
		e->in_reach += e->count[(uint8_t)(e->base + e->reach)];
	e->goal = e->in_reach;
}

static bool
pick_from(struct evict *e, struct bucket *b, struct place *at)
{
	for (; b != NULL; b = table_next(b))
		for (int i = 0; i < TABLE_SLOTS; i++) {
			struct item *it = slot_item(b, i);

			if (it == NULL || !is_in_reach(e, slot_level(b, i)) ||
			    item_is_held(it))
				continue;
			*at = (struct place){ b, i };
			return true;
		}
	return false;
}

enum evict_outcome
evict_pick(struct evict *e, struct table *t, struct place *at)
{
	if (t->items == 0 || e->exhausted)
		return EVICT_NOTHING;
	if (e->in_reach <= e->goal / 2)
		choose_reach(e, (uint32_t)(t->items / FRACTION) + 1);
	for (int looked = 0; looked < LOOK; looked++) {
		if (e->hand >= table_buckets(t))
			e->hand = 0;
		/* The hand stays until its bucket has nothing more to give. */
		if (pick_from(e, table_bucket(t, e->hand), at)) {
			e->fruitless = 0;
			return EVICT_PICKED;
		}
		e->hand++;
		if (++e->fruitless < table_buckets(t))
			continue;
		/* Once around for nothing: all in reach are held. */
		e->fruitless = 0;
		if (e->reach == UINT8_MAX || e->goal >= t->items) {
			e->exhausted = true;
			return EVICT_NOTHING;
		}
		choose_reach(e, 2 * e->goal);
	}
	return EVICT_LOOK_ON;
}
