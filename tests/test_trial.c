/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_trial.c - small models of the cache that try the ways to weigh.
 */
#include "config.h"

#include "store/trial.h"

#include <stdlib.h>

#include "rng.h"
#include "unit.h"

enum { SIZE = 1000, MEAN = 159 /* weigh_log(SIZE) */ };

struct play {
	struct trial trial;
	struct trial_votes votes;
	size_t items; /* that there is room for, of SIZE bytes */
	rel_time now;
};

static struct play *
begin(size_t items)
{
	struct play *p = calloc(1, sizeof(*p));

	REQUIRE(p != NULL);
	trial_init(&p->trial);
	p->items = items;
	p->now = 1000;
	return p;
}

static uint64_t
hash_of(uint64_t key)
{
	key += 1;
	key = (key ^ key >> 30) * 0xbf58476d1ce4e5b9u;
	key = (key ^ key >> 27) * 0x94d049bb133111ebu;
	return key ^ key >> 31;
}

static void
see(struct play *p, uint64_t key, size_t size, rel_time end)
{
	trial_see(&p->trial, &p->votes,
	    &(struct trial_access){ .hash = hash_of(key),
		.size = size,
		.log_size = weigh_log(size),
		.log_mean = MEAN,
		.end = end,
		.now = p->now,
		.asked = true,
		.items = p->items,
		.bytes = p->items * SIZE });
}

static size_t
modelled(const struct play *p, int way)
{
	size_t n = 0;

	for (int i = 0; i < TRIAL_KEYS; i++)
		n += p->trial.model[way].worth[i] >= 0;
	CHECK_EQ(n, p->trial.model[way].items);
	return n;
}

static int
way(const struct play *p)
{
	return atomic_load(&p->votes.way);
}

static void
models_hold_their_part_and_no_more(void)
{
	for (size_t items = 3; items < 1000000; items *= 9) {
		struct play *p = begin(items);

		for (uint64_t i = 0; i < 300000; i++)
			see(p, i, SIZE, 0);
		for (int w = 0; w < WEIGH_WAYS; w++) {
			double room = (double)items * SIZE /
			    (double)((uint64_t)1 << p->trial.shift);

			unit_note("%zu items, way %d", items, w);
			CHECK(p->trial.model[w].used <= room);
			CHECK(modelled(p, w) <= TRIAL_KEYS / 2);
			CHECK(items > 300000 || modelled(p, w) > 0);
		}
		free(p);
	}
	unit_note("%s", "");
}

/* Keys in turn, more than there is room for: what is there must stay. */
static void
a_loop_elects_the_lasting_way(void)
{
	struct play *p = begin(1000);

	CHECK_EQ(way(p), WEIGH_SAFE);
	for (uint64_t i = 0; i < 300000; i++)
		see(p, i % 2000, SIZE * (1 + i % 5), 0);
	unit_note("way %d", way(p));
	CHECK_EQ(way(p), WEIGH_LASTING);
	unit_note("%s", "");
	free(p);
}

/* What was popular is not any more: to keep it is no good then. */
static void
what_is_popular_moves_on_and_so_do_votes(void)
{
	struct rng r = rng_start("moves", 60);
	struct play *p = begin(1000);

	for (uint64_t i = 0; i < 300000; i++)
		see(p, i % 2000, SIZE * (1 + i % 5), 0);
	REQUIRE(way(p) == WEIGH_LASTING);
	for (uint64_t i = 0; i < 400000; i++)
		see(p, 10000 + i / 4 - rng_below(&r, 900), SIZE, 0);
	CHECK(way(p) != WEIGH_LASTING);
	free(p);
}

static void
expired_and_deleted_keys_leave(void)
{
	struct play *p = begin(50);

	for (uint64_t i = 0; i < 40; i++)
		see(p, i, SIZE, i < 20 ? p->now + 10 : 0);
	for (int w = 0; w < WEIGH_WAYS; w++)
		CHECK_EQ(modelled(p, w), 40);
	for (uint64_t i = 20; i < 30; i++)
		trial_drop(&p->trial, hash_of(i));
	for (int w = 0; w < WEIGH_WAYS; w++)
		CHECK_EQ(modelled(p, w), 30);
	p->now += 10;
	for (uint64_t i = 0; i < 64; i++)
		see(p, 35, SIZE, 0);
	for (int w = 0; w < WEIGH_WAYS; w++)
		CHECK_EQ(modelled(p, w), 10);
	free(p);
}

static void
a_value_larger_than_a_model_is_not_in_it(void)
{
	struct play *p = begin(5);

	see(p, 1, 6 * SIZE, 0);
	for (int w = 0; w < WEIGH_WAYS; w++)
		CHECK_EQ(modelled(p, w), 0);
	free(p);
}

UNIT("trial", TEST(models_hold_their_part_and_no_more),
    TEST(a_loop_elects_the_lasting_way),
    TEST(what_is_popular_moves_on_and_so_do_votes),
    TEST(expired_and_deleted_keys_leave),
    TEST(a_value_larger_than_a_model_is_not_in_it))
