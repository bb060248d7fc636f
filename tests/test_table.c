/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_table.c - the hash table of one shard.
 */
#include "config.h"

#include "store/table.h"

#include <pthread.h>
#include <stdlib.h>

#include "fake_arena.h"
#include "rng.h"
#include "store/arena.h"
#include "table_world.h"
#include "unit.h"

enum { MANY = 200000, OPERATIONS = 1200000 };

static void
an_empty_table_finds_nothing(void)
{
	struct world w;

	world_begin(&w, 100);
	CHECK(world_knows_all(&w));
	CHECK_EQ(table_buckets(&w.table), TABLE_SEGMENT);
	CHECK_EQ(w.table.bytes, fake_arena_bytes());
	world_end(&w);
}

static void
what_is_inserted_is_found_until_it_is_removed(void)
{
	struct world w;

	world_begin(&w, 3);
	CHECK(world_insert(&w, 0));
	CHECK(world_insert(&w, 2));
	CHECK(world_knows_all(&w));
	world_remove(&w, 0);
	CHECK(world_knows_all(&w));
	CHECK(world_insert(&w, 0));
	CHECK(world_knows_all(&w));
	world_end(&w);
}

/* The table never looks behind an address here. */
static void
any_address_aligned_to_four_bytes_fits(void)
{
	static const uint64_t address[] = { 4,
		((uint64_t)1 << ADDRESS_BITS) - 4, 0x555555555554,
		0x2aaaaaaaaaa8 };
	struct world w;

	world_begin(&w, 1);
	for (size_t i = 0; i < sizeof(address) / sizeof(address[0]); i++) {
		struct item *it = (struct item *)(uintptr_t)address[i];
		struct place at;

		REQUIRE(table_insert(&w.table, UINT64_MAX, it, 255, 255));
		at = table_locate(&w.table, UINT64_MAX, it);
		CHECK(slot_item(at.bucket, at.slot) == it);
		CHECK_EQ(slot_position(at.bucket, at.slot), 255);
		slot_set_position(at, 0);
		CHECK(slot_item(at.bucket, at.slot) == it);
		CHECK_EQ(slot_position(at.bucket, at.slot), 0);
		table_remove(&w.table, UINT64_MAX, at);
	}
	world_end(&w);
}

/* Keys of one hash: only the key itself tells them apart. */
static void
keys_with_the_same_hash_are_told_apart(void)
{
	enum { SAME = 40 };
	struct world w;

	world_begin(&w, SAME);
	for (size_t i = 0; i < SAME; i++)
		w.hash[i] = 0x123456789abcdef0;
	for (size_t i = 0; i < SAME; i++) {
		CHECK(world_insert(&w, i));
		CHECK(world_knows_all(&w));
	}
	CHECK(w.table.chained >= 5);
	CHECK(world_is_in_order(&w));
	for (size_t i = 0; i < SAME; i += 3) {
		world_remove(&w, i);
		CHECK(world_knows_all(&w));
	}
	CHECK(world_is_in_order(&w));
	world_end(&w);
}

static void
a_replaced_item_keeps_place_and_level(void)
{
	struct world w;
	struct item *other;
	struct place at;
	struct key key;

	world_begin(&w, 2);
	CHECK(world_insert(&w, 1));
	other = world_item(1);
	key = world_key(&w, 1);
	REQUIRE(table_find(&w.table, &key, &at) != NULL);
	table_replace(at, other, 99);

	REQUIRE(table_find(&w.table, &key, &at) == other);
	CHECK_EQ(slot_position(at.bucket, at.slot), 99);
	CHECK_EQ(slot_level(at.bucket, at.slot), world_level(1));
	free(w.item[1]);
	w.item[1] = other;
	slot_set_position(at, world_position(1));
	CHECK(world_knows_all(&w));
	world_end(&w);
}

static void
position_and_level_are_set_without_touching_the_neighbours(void)
{
	enum { SAME = 12 };
	struct world w;
	struct place at[SAME];

	world_begin(&w, SAME);
	for (size_t i = 0; i < SAME; i++) {
		w.hash[i] = 42;
		CHECK(world_insert(&w, i));
	}
	for (size_t i = 0; i < SAME; i++) {
		at[i] = table_locate(&w.table, w.hash[i], w.item[i]);
		slot_set_position(at[i], (expire_code)(200 + i));
		slot_set_level(at[i], (uint8_t)(100 + i));
	}
	for (size_t i = 0; i < SAME; i++) {
		CHECK_EQ(slot_position(at[i].bucket, at[i].slot), 200 + i);
		CHECK_EQ(slot_level(at[i].bucket, at[i].slot), 100 + i);
		CHECK(slot_item(at[i].bucket, at[i].slot) == w.item[i]);
		slot_set_position(at[i], world_position(i));
		slot_set_level(at[i], world_level(i));
	}
	CHECK(world_knows_all(&w));
	world_end(&w);
}

/* Inserts and removes at random, growing as the store does. */
static void
hundreds_of_thousands_of_changes_keep_the_table_right(void)
{
	struct rng r = rng_start("changes", 12);
	struct world w;

	world_begin(&w, MANY);
	for (size_t done = 0; done < OPERATIONS; done++) {
		/* first it fills, then it is in balance, then it empties */
		uint64_t want = done < OPERATIONS / 3 ? 4 :
		    done < OPERATIONS / 3 * 2         ? 2 :
							1;
		size_t i = rng_below(&r, MANY);

		REQUIRE(world_knows(&w, i));
		table_prefetch(&w.table, w.hash[i]);
		if (!w.in[i] && rng_below(&r, 5) < want) {
			REQUIRE(world_insert(&w, i));
			table_grow(&w.table);
		} else if (w.in[i] && rng_below(&r, 5) >= want) {
			world_remove(&w, i);
		}
		table_prefetch_item(&w.table, w.hash[i]);
		if (done % (OPERATIONS / 6) == 0) {
			CHECK(world_knows_all(&w));
			CHECK(world_is_in_order(&w));
			CHECK_EQ(w.table.bytes, fake_arena_bytes());
		}
	}
	CHECK(world_knows_all(&w));
	CHECK(world_is_in_order(&w));
	CHECK(table_buckets(&w.table) > 20000);
	world_end(&w);
}

static void
without_memory_an_insert_changes_nothing(void)
{
	struct world w;
	size_t refused = 0;
	int64_t bytes;

	world_begin(&w, 4000);
	for (size_t i = 0; i < w.n; i++) {
		fake_arena_fail_after(0);
		bytes = fake_arena_bytes();
		if (!world_insert(&w, i)) {
			refused++;
			REQUIRE(world_knows(&w, i));
			REQUIRE(w.table.items == w.present);
			REQUIRE(w.table.bytes == (size_t)bytes);
			fake_arena_heal();
			REQUIRE(world_insert(&w, i));
		}
		fake_arena_heal();
	}
	CHECK(refused > 100);
	CHECK(world_knows_all(&w));
	CHECK(world_is_in_order(&w));
	world_end(&w);
}

static void
a_table_without_memory_is_not_made(void)
{
	struct table t;

	for (int64_t n = 0; n < 2; n++) {
		fake_arena_fail_after(n);
		CHECK(!table_init(&t, NULL));
		fake_arena_heal();
		table_free(&t);
		CHECK_EQ(fake_arena_blocks(), 0);
	}
}

struct prefetcher {
	struct world *w;
	_Atomic bool stop;
};

static void *
prefetch_on(void *arg)
{
	struct prefetcher *p = arg;

	for (size_t i = 0; !atomic_load(&p->stop); i++) {
		table_prefetch(&p->w->table, p->w->hash[i % p->w->n]);
		table_prefetch_item(&p->w->table, p->w->hash[i % p->w->n]);
	}
	return NULL;
}

static void
prefetching_needs_no_lock_while_the_table_grows(void)
{
	struct world w;
	struct prefetcher p = { .w = &w };
	pthread_t t;

	world_begin(&w, MANY / 4);
	REQUIRE(pthread_create(&t, NULL, prefetch_on, &p) == 0);
	for (size_t i = 0; i < w.n; i++) {
		REQUIRE(world_insert(&w, i));
		table_grow(&w.table);
		if (i % 3 == 0)
			world_remove(&w, i);
	}
	atomic_store(&p.stop, true);
	pthread_join(t, NULL);
	CHECK(world_knows_all(&w));
	world_end(&w);
}

UNIT("table", TEST(an_empty_table_finds_nothing),
    TEST(what_is_inserted_is_found_until_it_is_removed),
    TEST(any_address_aligned_to_four_bytes_fits),
    TEST(keys_with_the_same_hash_are_told_apart),
    TEST(a_replaced_item_keeps_place_and_level),
    TEST(position_and_level_are_set_without_touching_the_neighbours),
    TEST(hundreds_of_thousands_of_changes_keep_the_table_right),
    TEST(without_memory_an_insert_changes_nothing),
    TEST(a_table_without_memory_is_not_made),
    TEST(prefetching_needs_no_lock_while_the_table_grows))
