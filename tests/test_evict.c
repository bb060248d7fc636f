/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_evict.c - which item goes when memory is short.
 */
#include "config.h"

#include "store/evict.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "fake_arena.h"
#include "rig.h"
#include "rng.h"
#include "unit.h"

enum { PART = 64 /* 1 / PART of the items is in reach */ };

/* How far a level is above the base. */
static unsigned
above(const struct evict *e, uint8_t level)
{
	return (uint8_t)(level - e->base);
}

static void
a_new_item_starts_above_the_base(void)
{
	for (unsigned base = 0; base < 256; base += 51) {
		struct evict e = { .base = (uint8_t)base };

		for (size_t size = 32; size < 1 << 20; size *= 2)
			CHECK(above(&e, evict_level(&e, size, 1000)) >= 1);
		CHECK(above(&e, evict_level(&e, 100, 0)) >= 1);
	}
}

static void
small_items_start_higher_than_large_ones(void)
{
	struct evict e = { .base = 250 };
	unsigned last = 256;

	for (size_t size = 32; size <= 1 << 20; size *= 2) {
		unsigned level = above(&e, evict_level(&e, size, 1000));

		unit_note("size %zu", size);
		CHECK(level <= last);
		last = level;
	}
	unit_note("%s", "");
	CHECK(above(&e, evict_level(&e, 200, 1000)) >
	    above(&e, evict_level(&e, 1000, 1000)));
	CHECK(above(&e, evict_level(&e, 1000, 1000)) >
	    above(&e, evict_level(&e, 16000, 1000)));
}

static void
each_hit_lifts_up_to_a_bound(void)
{
	struct evict e = { .base = 200 };
	uint8_t level = evict_level(&e, 1000, 1000);
	unsigned hits = 0;

	for (;; hits++) {
		uint8_t lifted = evict_lifted(&e, level, 1000, 1000);

		if (lifted == level)
			break;
		REQUIRE(above(&e, lifted) > above(&e, level));
		level = lifted;
	}
	CHECK(hits >= 5);
	CHECK(above(&e, level) < 250);
	/* a small one's last step may be a large one: it stays below, too */
	CHECK_EQ(above(&e, evict_lifted(&e, level, 8, 1000)), above(&e, level));
}

/* Items with a level each, beside the store: a table and its counts. */
struct pool {
	struct evict evict;
	struct table table;
	struct item *item[4000];
	uint64_t hash[4000];
	size_t n;
};

static void
pool_open(struct pool *p)
{
	memset((void *)p, 0, sizeof(*p));
	rig_start();
	REQUIRE(table_init(&p->table));
}

static void
pool_add(struct pool *p, uint8_t level)
{
	char key[32];
	struct item_spec spec = { .key = { .data = key } };
	void *memory;

	REQUIRE(p->n < sizeof(p->item) / sizeof(p->item[0]));
	spec.key.len = (size_t)snprintf(key, sizeof(key), "key:%zu", p->n);
	memory = malloc(item_size_for(&spec));
	REQUIRE(memory != NULL);
	p->item[p->n] = item_init(memory, &spec);
	p->hash[p->n] = hash_key(key, spec.key.len);
	REQUIRE(
	    table_insert(&p->table, p->hash[p->n], p->item[p->n], 0, level));
	table_grow(&p->table);
	evict_added(&p->evict, level);
	p->n++;
}

/* Lets the evictor choose one; its level, -1 when there is none. */
static int
pool_evict(struct pool *p)
{
	enum evict_outcome found = EVICT_LOOK_ON;
	struct item *it;
	struct place at;
	uint8_t level;

	/* a call looks at a few buckets only */
	for (int i = 0; found == EVICT_LOOK_ON && i < 1000; i++)
		found = evict_pick(&p->evict, &p->table, &at);
	if (found != EVICT_PICKED)
		return -1;
	level = slot_level(at.bucket, at.slot);
	it = slot_item(at.bucket, at.slot);
	if (it == NULL)
		return -1;
	evict_removed(&p->evict, level);
	table_remove(&p->table, hash_key(item_key(it), item_key_len(it)), at);
	return level;
}

static void
pool_close(struct pool *p)
{
	while (pool_evict(p) >= 0)
		continue;
	CHECK_EQ(p->table.items, 0);
	table_free(&p->table);
	for (size_t i = 0; i < p->n; i++)
		free(p->item[i]);
	CHECK_EQ(fake_arena_bytes(), 0);
}

static void
an_empty_table_has_no_victim(void)
{
	struct pool *p = malloc(sizeof(*p));
	struct place at;

	REQUIRE(p != NULL);
	pool_open(p);
	CHECK(evict_pick(&p->evict, &p->table, &at) == EVICT_NOTHING);
	pool_add(p, 77);
	CHECK_EQ(pool_evict(p), 77);
	CHECK_EQ(pool_evict(p), -1);
	pool_close(p);
	free(p);
}

static void
the_last_of_all_levels_go_too(void)
{
	struct pool *p = malloc(sizeof(*p));
	bool seen[256] = { false };

	REQUIRE(p != NULL);
	pool_open(p);
	p->evict.base = 3;
	for (unsigned level = 0; level < 256; level++)
		pool_add(p, (uint8_t)level);
	for (unsigned i = 0; i < 256; i++) {
		int level = pool_evict(p);

		REQUIRE(level >= 0 && !seen[level]);
		seen[level] = true;
	}
	CHECK_EQ(pool_evict(p), -1);
	pool_close(p);
	free(p);
}

/*
 * Levels are taken modulo 256, and the base moves: the order must hold over
 * the wrap.  A victim may have 1/64 of all others below it, not more.
 */
static void
victims_come_from_the_lowest_levels(void)
{
	struct rng r = rng_start("levels", 15);
	struct pool *p = malloc(sizeof(*p));

	REQUIRE(p != NULL);
	for (unsigned base = 0; base < 256; base += 85) {
		pool_open(p);
		p->evict.base = (uint8_t)base;
		for (int i = 0; i < 3000; i++)
			pool_add(p, (uint8_t)(base + rng_below(&r, 201)));
		while (p->table.items > 0) {
			uint32_t allowed = (uint32_t)p->table.items / PART + 1;
			uint32_t before[256], below = 0;
			uint8_t lowest = p->evict.base;
			int level;

			memcpy(before, p->evict.count, sizeof(before));
			level = pool_evict(p);
			REQUIRE(level >= 0);
			for (uint8_t l = lowest; l != level; l++)
				below += before[l];
			unit_note("base %u, level %d, %u below", base, level,
			    below);
			/* some were in reach when it was chosen, more items ago
			 */
			REQUIRE(below <= 2 * allowed);
		}
		pool_close(p);
	}
	unit_note("%s", "");
	free(p);
}

/* A pool with items that are held, below others that are not. */
static struct pool *
pool_with_held_items(unsigned held, unsigned cold, unsigned hot)
{
	struct pool *p = malloc(sizeof(*p));

	REQUIRE(p != NULL);
	pool_open(p);
	for (unsigned i = 0; i < held + cold + hot; i++)
		pool_add(p, i < held ? 1 : i < held + cold ? 20 : 200);
	for (unsigned i = 0; i < held; i++)
		CHECK(item_ref(p->item[i]));
	return p;
}

static void
pool_let_go(struct pool *p, unsigned held)
{
	for (unsigned i = 0; i < held; i++)
		CHECK(!item_unref(p->item[i]));
	evict_retry(&p->evict);
	pool_close(p);
	free(p);
}

static void
what_readers_hold_is_passed_over(void)
{
	struct pool *p = pool_with_held_items(20, 500, 0);

	for (int i = 0; i < 500; i++)
		REQUIRE(pool_evict(p) == 20);
	CHECK_EQ(pool_evict(p), -1);
	CHECK_EQ(p->table.items, 20);

	/* one is given back: it goes as soon as somebody looks again */
	CHECK(!item_unref(p->item[7]));
	evict_retry(&p->evict);
	CHECK_EQ(pool_evict(p), 1);
	CHECK_EQ(p->table.items, 19);
	CHECK(item_ref(p->item[7]));
	pool_let_go(p, 20);
}

/* To pass over the lowest is no reason to forget the order of the others. */
static void
what_is_above_the_held_goes_in_order(void)
{
	struct pool *p = pool_with_held_items(40, 1000, 1000);
	unsigned hot = 0;

	for (int i = 0; i < 900; i++)
		hot += pool_evict(p) == 200;
	unit_note("%u of 1000 hot ones went before the cold", hot);
	CHECK(hot <= 50);
	unit_note("%s", "");
	pool_let_go(p, 40);
}

/* As under load: an item is hit between any two looks of the hand. */
static void
hits_do_not_keep_the_hand_from_getting_round(void)
{
	struct pool *p = pool_with_held_items(40, 1000, 1);
	enum evict_outcome found = EVICT_LOOK_ON;
	struct item *hit = p->item[1040];
	struct place at;
	unsigned calls = 0;

	for (; found == EVICT_LOOK_ON && calls < 1000; calls++) {
		uint8_t level;

		found = evict_pick(&p->evict, &p->table, &at);
		at = table_locate(&p->table, p->hash[1040], hit);
		level = slot_level(at.bucket, at.slot);
		slot_set_level(at, level == 200 ? 201 : 200);
		evict_moved(&p->evict, level, level == 200 ? 201 : 200);
	}
	unit_note("%u calls for %u buckets", calls, table_buckets(&p->table));
	CHECK_EQ(found, EVICT_PICKED);
	unit_note("%s", "");
	pool_let_go(p, 40);
}

/* The counts stay right whatever happens to items. */
static void
counts_agree_with_the_table_at_all_times(void)
{
	struct rng random = rng_start("counts", 16);
	struct rig r;

	rig_open(&r, &(struct rig_config){ .limit = 300 * 1024 });
	for (int i = 0; i < 60000; i++) {
		static char value[4096];
		uint32_t size;
		char key[32];
		struct key k;

		snprintf(key, sizeof(key), "key:%u",
		    (unsigned)rng_any(&random, 12));
		k = rig_key(key);
		switch (rng_below(&random, 8)) {
		case 0:
			cache_delete(&r.cache, &r.local, &k,
			    &(struct delete_spec){ .compare = false }, r.x.now,
			    &size);
			break;
		case 1:
		case 2:
		case 3:
			CHECK_EQ(
			    rig_set(&r, key, value, rng_any(&random, 12), 0),
			    RESULT_STORED);
			break;
		case 4:
			cache_touch(&r.cache, &r.local, &k, r.x.now + 5,
			    r.x.now);
			break;
		case 5:
			r.x.now += rng_one_in(&random, 100);
			break;
		default:
			rig_get(&r, key);
			break;
		}
		if (i % 500 == 0)
			REQUIRE(rig_is_sane(&r, 0));
	}
	CHECK(rig_is_sane(&r, 0));
	rig_close(&r);
}

static uint64_t
evictions(struct rig *r)
{
	struct store_sums sums;

	store_sum(r->store, &sums);
	return sums.counted[SHARD_COUNTER_evictions];
}

/* What is read now and then outlives a flood of what is never read. */
static void
hit_items_survive_a_scan(void)
{
	enum { HOT = 300, SCAN = 20000, BYTES = 1000 };
	static char value[BYTES];
	struct rng random = rng_start("scan", 17);
	unsigned misses = 0;
	struct rig r;
	char key[32];

	rig_open(&r, &(struct rig_config){ .limit = 2 << 20 });
	for (int i = 0; i < SCAN; i++) {
		snprintf(key, sizeof(key), "cold:%d", i);
		CHECK_EQ(rig_set(&r, key, value, BYTES, 0), RESULT_STORED);
		snprintf(key, sizeof(key), "hot:%u",
		    (unsigned)rng_below(&random, HOT));
		if (rig_get(&r, key) == NULL) {
			misses++;
			CHECK_EQ(rig_set(&r, key, value, BYTES, 0),
			    RESULT_STORED);
		}
	}
	unit_note("%u misses", misses);
	CHECK(evictions(&r) > SCAN / 2);
	/* each is missed the first time */
	CHECK(misses < HOT + SCAN / 50);
	unit_note("%s", "");
	rig_close(&r);
}

/* How many of the last `n` of a sort are still there. */
static unsigned
count_left(struct rig *r, const char *format, int to, int n)
{
	unsigned left = 0;
	char key[32];

	for (int i = to - n; i < to; i++) {
		struct item_note note;
		struct key k;

		snprintf(key, sizeof(key), "%s:%d", format, i);
		k = rig_key(key);
		left += cache_note(&r->cache, &r->local, &k, r->x.now, &note);
	}
	return left;
}

static void
small_items_outlive_large_ones(void)
{
	enum { ROUNDS = 3000, RECENT = 1500, SMALL = 100, LARGE = 1900 };
	static char value[LARGE];
	unsigned small, large;
	struct rig r;
	char key[32];

	rig_open(&r, &(struct rig_config){ .limit = 2 << 20 });
	for (int i = 0; i < ROUNDS; i++) {
		snprintf(key, sizeof(key), "small:%d", i);
		CHECK_EQ(rig_set(&r, key, value, SMALL, 0), RESULT_STORED);
		snprintf(key, sizeof(key), "large:%d", i);
		CHECK_EQ(rig_set(&r, key, value, LARGE, 0), RESULT_STORED);
	}
	small = count_left(&r, "small", ROUNDS, RECENT);
	large = count_left(&r, "large", ROUNDS, RECENT);
	unit_note("small %u, large %u left", small, large);
	CHECK(small > large + RECENT / 10);
	CHECK(large > 0);
	unit_note("%s", "");
	rig_close(&r);
}

/* A new item is not the first to go. */
static void
what_was_just_stored_is_there(void)
{
	static char value[1000];
	struct rig r;
	char key[32];

	rig_open(&r, &(struct rig_config){ .limit = 1 << 20 });
	for (int i = 0; i < 5000; i++) {
		snprintf(key, sizeof(key), "key:%d", i);
		CHECK_EQ(rig_set(&r, key, value, sizeof(value), 0),
		    RESULT_STORED);
		REQUIRE(rig_get(&r, key) != NULL);
	}
	CHECK(evictions(&r) > 3000);
	rig_close(&r);
}

UNIT("evict", TEST(a_new_item_starts_above_the_base),
    TEST(small_items_start_higher_than_large_ones),
    TEST(each_hit_lifts_up_to_a_bound), TEST(an_empty_table_has_no_victim),
    TEST(the_last_of_all_levels_go_too),
    TEST(victims_come_from_the_lowest_levels),
    TEST(what_readers_hold_is_passed_over),
    TEST(what_is_above_the_held_goes_in_order),
    TEST(hits_do_not_keep_the_hand_from_getting_round),
    TEST(counts_agree_with_the_table_at_all_times),
    TEST(hit_items_survive_a_scan), TEST(small_items_outlive_large_ones),
    TEST(what_was_just_stored_is_there))
