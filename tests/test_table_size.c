/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_table_size.c - the hash table of one shard: growing and shrinking.
 */
#include "config.h"

#include <stdlib.h>

#include "fake_arena.h"
#include "rng.h"
#include "store/table.h"
#include "store/table_bucket.h"
#include "table_world.h"
#include "unit.h"

enum { MANY = 200000, DEEP = 20000 };

/* Bytes an item takes, times 100. */
static size_t
cost(const struct table *t)
{
	return t->bytes * 100 / t->items;
}

/* The figures hold at all sizes, not only where it has just doubled. */
static void
a_growing_table_stays_within_its_load(void)
{
	struct world w;

	world_begin(&w, MANY);
	for (size_t i = 0; i < MANY; i++) {
		REQUIRE(world_insert(&w, i));
		table_grow(&w.table);
		REQUIRE(
		    w.table.items <= table_buckets(&w.table) * (size_t)6 + 6 ||
		    table_buckets(&w.table) == TABLE_SEGMENT);
		if (i < 50000 || i % 1000 != 0)
			continue;
		REQUIRE(w.table.chained < table_buckets(&w.table) / 30);
		REQUIRE(cost(&w.table) < 1130);
	}
	unit_note("%zu/100 bytes an item", cost(&w.table));
	CHECK(world_knows_all(&w));
	CHECK(world_is_in_order(&w));
	world_end(&w);
}

/* How many of 1000 items are not in their own bucket. */
static size_t
away_of_1000(struct world *w)
{
	size_t away = 0;

	for (size_t i = 0; i < w->n; i++) {
		struct key key = world_key(w, i);
		struct bucket_group g = table_group(&w->table, key.hash);
		struct place at;

		if (w->in[i] && table_find(&w->table, &key, &at) != NULL)
			away += at.bucket !=
			    table_group_bucket(&w->table, &g,
				home_of(slot_word(at.bucket, at.slot) >>
					SLOT_TAG,
				    &g));
	}
	return away * 1000 / w->present;
}

/* A full cache: each new item comes for one that goes. */
static void
a_table_that_is_always_full_stays_as_dense_as_a_new_one(void)
{
	enum { HELD = MANY / 4, TURNS = 10 };
	struct rng r = rng_start("turnover", 14);
	struct world w;

	world_begin(&w, MANY);
	for (size_t i = 0; i < TURNS * (size_t)HELD; i++) {
		size_t out = rng_below(&r, MANY), in = rng_below(&r, MANY);

		while (w.present >= HELD && !w.in[out])
			out = rng_below(&r, MANY);
		if (w.present >= HELD)
			world_remove(&w, out);
		while (w.in[in])
			in = rng_below(&r, MANY);
		REQUIRE(world_insert(&w, in));
		table_grow(&w.table);
		if (w.present == HELD && i % HELD == 0)
			REQUIRE(cost(&w.table) < 1150);
	}
	CHECK(w.table.chained < table_buckets(&w.table) / 20);
	CHECK(away_of_1000(&w) < 140);
	CHECK(world_knows_all(&w));
	CHECK(world_is_in_order(&w));
	world_end(&w);
}

/* Down to no items, with a few coming meanwhile. */
static void
a_table_gives_buckets_back_when_items_leave(void)
{
	struct world w;
	size_t most;

	world_begin(&w, MANY);
	for (size_t i = 0; i < MANY; i++) {
		REQUIRE(world_insert(&w, i));
		table_grow(&w.table);
	}
	most = w.table.bytes;
	for (size_t i = 0; i < MANY; i++) {
		world_remove(&w, i);
		if (i % 10 == 0)
			REQUIRE(world_insert(&w, i));
		while (table_shrink(&w.table, 0))
			continue;
		if (i % (MANY / 8) == 0) {
			REQUIRE(world_is_in_order(&w));
			REQUIRE(world_knows_all(&w));
		}
	}
	CHECK(world_is_in_order(&w));
	CHECK(world_knows_all(&w));
	CHECK(table_buckets(&w.table) < w.present / 4);
	CHECK(w.table.bytes < most / 6);
	for (size_t i = 0; i < MANY; i++) {
		if (!w.in[i])
			REQUIRE(world_insert(&w, i));
		table_grow(&w.table);
	}
	CHECK(world_is_in_order(&w));
	CHECK(world_knows_all(&w));
	CHECK_EQ(w.table.bytes, fake_arena_bytes());
	world_end(&w);
}

static void
mark_group(struct world *w, uint32_t index, bool *met)
{
	struct bucket_group g = table_group(&w->table, index);

	for (unsigned n = 0; n < g.buckets; n++)
		for (struct bucket *b = table_group_bucket(&w->table, &g, n);
		     b != NULL; b = table_next(b))
			for (int i = 0; i < TABLE_SLOTS; i++)
				if (slot_item(b, i) != NULL)
					met[world_number(slot_item(b, i))] =
					    true;
}

/* The first half of the items stays; others come and go during a walk. */
static bool
walk_meets_what_stays(struct world *w, struct rng *r, uint64_t want)
{
	bool *met = calloc(w->n, sizeof(*met)), good = true;

	REQUIRE(met != NULL);
	for (uint32_t g = 0; g < table_groups(&w->table); g++) {
		mark_group(w, g, met);
		for (int i = 0; i < 100; i++) {
			size_t k = w->n / 2 + rng_below(r, w->n / 2);

			if (!w->in[k] && rng_below(r, 10) < want)
				REQUIRE(world_insert(w, k));
			else if (w->in[k] && rng_below(r, 10) >= want)
				world_remove(w, k);
			table_grow(&w->table);
			while (table_shrink(&w->table, g + 1))
				continue;
		}
	}
	for (size_t i = 0; i < w->n / 2; i++)
		good = good && met[i];
	free(met);
	return good;
}

static void
a_walk_over_groups_misses_nothing_while_the_table_changes_size(void)
{
	struct rng r = rng_start("walks", 24);
	uint32_t most = 0, least = UINT32_MAX, n;
	struct world w;

	world_begin(&w, MANY / 4);
	for (size_t i = 0; i < w.n / 2; i++)
		REQUIRE(world_insert(&w, i));
	for (int i = 0; i < 20; i++) {
		REQUIRE(walk_meets_what_stays(&w, &r, i % 2 ? 0 : 10));
		n = table_buckets(&w.table);
		most = n > most ? n : most;
		least = i > 0 && n < least ? n : least;
	}
	CHECK(world_is_in_order(&w));
	CHECK(most > least + least / 4);
	world_end(&w);
}

/* Two groups become one: not under a walk that is between them. */
static void
shrinking_waits_for_a_walk_that_would_miss_items(void)
{
	struct world w;
	uint32_t groups;

	world_begin(&w, 60 * TABLE_SEGMENT);
	for (size_t i = 0; i < w.n; i++) {
		REQUIRE(world_insert(&w, i));
		table_grow(&w.table);
	}
	for (size_t i = 0; i < w.n; i++)
		world_remove(&w, i);
	/* to where a group is two */
	while (table_buckets(&w.table) % (8 * TABLE_SEGMENT) !=
	    8 * TABLE_SEGMENT - 40)
		REQUIRE(table_shrink(&w.table, 0));
	groups = table_groups(&w.table);
	CHECK(!table_shrink(&w.table, groups - 1));
	CHECK(!table_shrink(&w.table, groups / 2));
	CHECK_EQ(table_groups(&w.table), groups);
	CHECK(table_shrink(&w.table, groups));
	CHECK(table_shrink(&w.table, 1));
	CHECK(table_shrink(&w.table, 0));
	CHECK_EQ(table_groups(&w.table), groups - 3);
	world_end(&w);
}

/* As after many failed splits: chains of eleven buckets, then all at once. */
static void
deep_chains_are_split_when_growing_is_made_up_for(void)
{
	struct world w;
	uint32_t before;

	world_begin(&w, DEEP);
	for (size_t i = 0; i < DEEP; i++)
		REQUIRE(world_insert(&w, i));
	CHECK(w.table.chained > 10 * TABLE_SEGMENT);
	CHECK(world_is_in_order(&w));
	for (size_t i = 0; i < DEEP; i += 5)
		world_remove(&w, i);
	CHECK(world_knows_all(&w));
	do {
		before = table_buckets(&w.table);
		table_grow(&w.table);
		if (before % 512 == 0) {
			REQUIRE(world_knows_all(&w));
			REQUIRE(world_is_in_order(&w));
			REQUIRE(w.table.bytes == (size_t)fake_arena_bytes());
		}
	} while (table_buckets(&w.table) > before);
	CHECK(world_knows_all(&w));
	CHECK(w.table.chained < table_buckets(&w.table));
	world_end(&w);
}

/* Each allocation of a split is refused in turn; then it is made up for. */
static void
without_memory_growing_waits_and_loses_nothing(void)
{
	struct rng r = rng_start("failures", 13);
	struct world w;
	size_t failed = 0;

	world_begin(&w, MANY / 4);
	for (size_t i = 0; i < w.n; i++) {
		REQUIRE(world_insert(&w, i));
		if (rng_one_in(&r, 2))
			fake_arena_fail_after((int64_t)rng_below(&r, 4));
		table_grow(&w.table);
		failed += w.table.growth_failed;
		fake_arena_heal();
		if (i % 5000 == 0) {
			REQUIRE(world_knows_all(&w));
			REQUIRE(world_is_in_order(&w));
			REQUIRE(w.table.bytes == (size_t)fake_arena_bytes());
		}
	}
	CHECK(failed > 10);
	CHECK(world_knows_all(&w));
	world_end(&w);
}

/* A table that may not grow at all for a while has deep chains to split. */
static void
a_split_of_a_deep_chain_that_fails_changes_nothing(void)
{
	struct world w;
	size_t failed = 0;

	world_begin(&w, DEEP);
	for (size_t i = 0; i < DEEP; i++)
		REQUIRE(world_insert(&w, i));
	for (int i = 0; i < 3000; i++) {
		size_t bytes = w.table.bytes, chained = w.table.chained;

		fake_arena_fail_after(i % 7);
		table_grow(&w.table);
		fake_arena_heal();
		if (!w.table.growth_failed)
			continue;
		failed++;
		REQUIRE(w.table.chained == chained);
		/* a segment or its directory may be there already */
		REQUIRE(w.table.bytes >= bytes);
		REQUIRE(w.table.bytes == (size_t)fake_arena_bytes());
	}
	CHECK(failed > 100);
	CHECK(world_knows_all(&w));
	CHECK(world_is_in_order(&w));
	world_end(&w);
}

static void
buckets_never_move(void)
{
	struct world w;
	struct bucket *first, *last;

	world_begin(&w, MANY / 4);
	first = table_bucket(&w.table, 0);
	last = table_bucket(&w.table, TABLE_SEGMENT - 1);
	for (size_t i = 0; i < w.n; i++) {
		REQUIRE(world_insert(&w, i));
		table_grow(&w.table);
	}
	CHECK(table_bucket(&w.table, 0) == first);
	CHECK(table_bucket(&w.table, TABLE_SEGMENT - 1) == last);
	CHECK_EQ((uintptr_t)last % CACHE_LINE, 0);
	world_end(&w);
}

UNIT("table size", TEST(a_growing_table_stays_within_its_load),
    TEST(a_table_that_is_always_full_stays_as_dense_as_a_new_one),
    TEST(a_table_gives_buckets_back_when_items_leave),
    TEST(a_walk_over_groups_misses_nothing_while_the_table_changes_size),
    TEST(shrinking_waits_for_a_walk_that_would_miss_items),
    TEST(deep_chains_are_split_when_growing_is_made_up_for),
    TEST(without_memory_growing_waits_and_loses_nothing),
    TEST(a_split_of_a_deep_chain_that_fails_changes_nothing),
    TEST(buckets_never_move))
