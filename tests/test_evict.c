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
#include "duo.h"
#include "fake_arena.h"
#include "rig.h"
#include "rng.h"
#include "unit.h"

enum { PART = 64 /* 1 / PART of the items goes in a round */ };

/* Items with a level each, beside the store: a table and its counts. */
struct pool {
	struct trial_votes votes;
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
	REQUIRE(table_init(&p->table, NULL));
	evict_init(&p->evict, &p->votes, false);
}

/* An item that is asked for once, or as often as its ghost tells. */
static uint8_t
pool_enter(struct pool *p, const char *key, size_t size, uint32_t load_ms)
{
	struct item_extra extra = { .born = true, .load_ms = load_ms };
	struct item_spec spec = { .key = { .data = key, .len = strlen(key) },
		.extra = load_ms > 0 ? &extra : NULL };
	void *memory = malloc(item_size_for(&spec));
	size_t n = p->n;
	uint8_t level;

	REQUIRE(n < sizeof(p->item) / sizeof(p->item[0]) && memory != NULL);
	p->item[n] = item_init(memory, &spec);
	p->hash[n] = hash_key(key, spec.key.len);
	level = evict_enter(&p->evict,
	    &(struct evict_access){ .item = p->item[n],
		.hash = p->hash[n],
		.size = size,
		.bytes = 1000 * p->table.items });
	REQUIRE(table_insert(&p->table, p->hash[n], p->item[n], 0, level));
	table_grow(&p->table);
	evict_added(&p->evict, level);
	p->n++;
	return level;
}

static struct place
pool_place(struct pool *p, size_t i)
{
	return table_locate(&p->table, p->hash[i], p->item[i]);
}

static uint8_t
pool_level(struct pool *p, size_t i)
{
	struct place at = pool_place(p, i);

	return slot_level(at.bucket, at.slot);
}

static void
pool_hit(struct pool *p, size_t i, size_t size)
{
	evict_hit(&p->evict, pool_place(p, i),
	    &(struct evict_access){ .item = p->item[i], .size = size });
}

/* An item at a level of the test's choice. */
static void
pool_add(struct pool *p, uint8_t level)
{
	struct place at;
	char key[32];
	uint8_t was;

	snprintf(key, sizeof(key), "key:%zu", p->n);
	was = pool_enter(p, key, 1000, 0);
	at = pool_place(p, p->n - 1);
	slot_set_level(at, level);
	p->evict.count[was]--;
	p->evict.count[level]++;
}

/* Where the next victim is; NULL when there is none. */
static struct item *
pool_pick(struct pool *p, struct place *at)
{
	enum evict_outcome found = EVICT_LOOK_ON;

	/* a call looks at a few buckets only */
	for (int i = 0; found == EVICT_LOOK_ON && i < 1000; i++)
		found = evict_pick(&p->evict, &p->table, 1000 * p->table.items,
		    at);
	return found == EVICT_PICKED ? slot_item(at->bucket, at->slot) : NULL;
}

/* Evicts one; its number, -1 when there is none. */
static int
pool_evict(struct pool *p, int *level)
{
	struct place at;
	struct item *it = pool_pick(p, &at);
	size_t i = 0;

	if (it == NULL)
		return -1;
	while (p->item[i] != it)
		i++;
	if (level != NULL)
		*level = slot_level(at.bucket, at.slot);
	evict_lost(&p->evict, at, it, p->hash[i]);
	table_remove(&p->table, p->hash[i], at);
	return (int)i;
}

static void
pool_close(struct pool *p)
{
	while (pool_evict(p, NULL) >= 0)
		continue;
	CHECK_EQ(p->table.items, 0);
	CHECK_EQ(p->evict.items, 0);
	table_free(&p->table);
	evict_free(&p->evict);
	for (size_t i = 0; i < p->n; i++)
		free(p->item[i]);
	CHECK_EQ(fake_arena_bytes(), 0);
}

/* What an item is worth. */

static void
small_items_are_worth_more(void)
{
	static const size_t size[] = { 60, 500, 1000, 3000, 16000, 1000000 };
	struct pool *p = malloc(sizeof(*p));
	unsigned last = 256;

	REQUIRE(p != NULL);
	for (int way = 0; way < WEIGH_WAYS; way++) {
		pool_open(p);
		p->evict.way = (enum weigh_way)way;
		pool_enter(p, "mean", 1000, 0);
		last = 256;
		for (int i = 0; i < 6; i++) {
			char key[8] = { (char)('a' + i), '\0' };
			uint8_t level = pool_enter(p, key, size[i], 0);

			unit_note("way %d size %zu", way, size[i]);
			CHECK(level < last && level > 0);
			last = level;
		}
		pool_close(p);
	}
	unit_note("%s", "");
	free(p);
}

static void
each_hit_lifts_up_to_a_bound(void)
{
	struct pool *p = malloc(sizeof(*p));
	unsigned last;

	REQUIRE(p != NULL);
	pool_open(p);
	last = pool_enter(p, "a", 1000, 0);
	for (int hits = 2; hits <= WEIGH_HITS_MAX; hits++) {
		pool_hit(p, 0, 1000);
		unit_note("%d hits", hits);
		CHECK(pool_level(p, 0) >= last);
		CHECK(hits > 4 || pool_level(p, 0) > last);
		last = pool_level(p, 0);
	}
	pool_hit(p, 0, 1000);
	CHECK_EQ(pool_level(p, 0), last);
	unit_note("%s", "");
	pool_close(p);
	free(p);
}

static void
what_takes_its_place_has_its_hits(void)
{
	struct pool *p = malloc(sizeof(*p));
	struct item *newer;
	uint8_t level;

	REQUIRE(p != NULL);
	pool_open(p);
	pool_enter(p, "a", 1000, 0);
	pool_enter(p, "b", 1000, 0);
	pool_hit(p, 0, 1000);
	pool_hit(p, 0, 1000);
	newer = p->item[1];
	evict_replace(&p->evict, pool_place(p, 0), p->item[0],
	    &(struct evict_access){ .item = newer, .size = 1000 });
	level = pool_level(p, 0);
	pool_hit(p, 0, 1000);
	CHECK_EQ(pool_level(p, 0), level);
	pool_close(p);
	free(p);
}

static void
dear_items_are_worth_more(void)
{
	struct pool *p = malloc(sizeof(*p));
	uint8_t mean, cheap, dear, freak, blind;

	REQUIRE(p != NULL);
	pool_open(p);
	mean = pool_enter(p, "mean", 1000, 100);
	blind = pool_enter(p, "blind", 1000, 0);
	CHECK_EQ(mean, blind);
	cheap = pool_enter(p, "cheap", 1000, 10);
	dear = pool_enter(p, "dear", 1000, 1000);
	CHECK(cheap < mean && mean < dear);
	/* ten times as dear is worth as much as a tenth of the size */
	CHECK(dear > pool_enter(p, "small", 300, 0));
	freak = pool_enter(p, "freak", 1000, ITEM_LOAD_MAX);
	CHECK(freak > dear && freak <= mean + WEIGH_COST_MAX);
	/* nor does the freak make all others look cheap */
	CHECK(pool_enter(p, "mean again", 1000, 100) + WEIGH_DOUBLING > mean);
	pool_close(p);
	free(p);
}

static void
an_item_that_comes_back_has_its_hits(void)
{
	struct pool *p = malloc(sizeof(*p));
	uint8_t once, often;

	REQUIRE(p != NULL);
	pool_open(p);
	once = pool_enter(p, "once", 1000, 0);
	pool_enter(p, "often", 1000, 0);
	for (int i = 0; i < 5; i++)
		pool_hit(p, 1, 1000);
	often = pool_level(p, 1);
	while (pool_evict(p, NULL) >= 0)
		continue;
	CHECK(p->evict.bytes > 0);
	CHECK(pool_enter(p, "often", 1000, 0) >= often);
	CHECK_EQ(pool_enter(p, "never before", 1000, 0), once);
	pool_close(p);
	free(p);
}

/* The hand. */

static void
an_empty_table_has_no_victim(void)
{
	struct pool *p = malloc(sizeof(*p));
	struct place at;

	REQUIRE(p != NULL);
	pool_open(p);
	CHECK(evict_pick(&p->evict, &p->table, 0, &at) == EVICT_NOTHING);
	pool_add(p, 77);
	CHECK_EQ(pool_evict(p, NULL), 0);
	CHECK_EQ(pool_evict(p, NULL), -1);
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
	for (unsigned level = 0; level < 256; level++)
		pool_add(p, (uint8_t)level);
	for (unsigned i = 0; i < 256; i++) {
		int n = pool_evict(p, NULL);

		REQUIRE(n >= 0 && !seen[n]);
		seen[n] = true;
	}
	CHECK_EQ(pool_evict(p, NULL), -1);
	pool_close(p);
	free(p);
}

/*
 * A victim may have 1/64 of all others below it when its round begins, and
 * those that were moved to where the hand has been in its group.
 */
static void
victims_come_from_the_lowest_levels(void)
{
	struct rng r = rng_start("levels", 15);
	struct pool *p = malloc(sizeof(*p));
	uint32_t before[256];

	REQUIRE(p != NULL);
	pool_open(p);
	for (int i = 0; i < 3000; i++)
		pool_add(p, (uint8_t)rng_below(&r, 256));
	while (p->table.items > 0) {
		uint32_t allowed = (uint32_t)p->table.items / PART + 1;
		uint32_t below = 0;
		int level;

		memcpy(before, p->evict.count, sizeof(before));
		REQUIRE(pool_evict(p, &level) >= 0);
		for (int l = 0; l < level; l++)
			below += before[l];
		unit_note("level %d, %u below", level, below);
		REQUIRE(below <= 5 * allowed);
	}
	pool_close(p);
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
		REQUIRE(pool_evict(p, NULL) >= 20);
	CHECK_EQ(pool_evict(p, NULL), -1);
	CHECK_EQ(p->table.items, 20);

	/* one is given back: it goes as soon as somebody looks again */
	CHECK(!item_unref(p->item[7]));
	CHECK_EQ(pool_evict(p, NULL), -1);
	evict_retry(&p->evict);
	CHECK_EQ(pool_evict(p, NULL), 7);
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
		hot += pool_evict(p, NULL) >= 1040;
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
	struct place at;
	unsigned calls = 0;

	for (; found == EVICT_LOOK_ON && calls < 1000; calls++) {
		found = evict_pick(&p->evict, &p->table, 1000000, &at);
		pool_hit(p, 1040, calls % 2 ? 1000 : 2000);
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

/*
 * When memory is taken away, what was used stays while there is anything else,
 * wherever in its group it is.
 */
static void
what_is_used_outlives_the_rest(void)
{
	enum { KEYS = 60000, USED = 100 };
	static char value[1000];
	unsigned kept = 0;
	struct rig r;
	char key[32];

	rig_open(&r, &(struct rig_config){ .slabs = true, .limit = 64 << 20 });
	for (int i = 0; i < KEYS; i++) {
		snprintf(key, sizeof(key), "key:%d", i);
		CHECK_EQ(rig_set(&r, key, value, sizeof(value), 0),
		    RESULT_STORED);
	}
	for (int i = 0; i < 3 * USED; i++) {
		snprintf(key, sizeof(key), "key:%d", KEYS - 1 - i % USED);
		REQUIRE(rig_get(&r, key) != NULL);
	}
	store_set_limit(r.store, 16 << 20);
	store_settle(&r.local, r.x.now);
	CHECK(store_account(r.store) <= 16 << 20);
	for (int i = 0; i < USED; i++) {
		snprintf(key, sizeof(key), "key:%d", KEYS - 1 - i);
		kept += rig_get(&r, key) != NULL;
	}
	CHECK_EQ(kept, USED);
	rig_close(&r);
}

/*
 * A loop over more than there is room for, and keys that are asked for between:
 * the models find out that what was there should stay.
 */
static void
a_loop_larger_than_the_cache_hits(void)
{
	enum { KEYS = 3000, ROUNDS = 40, BYTES = 1000 };
	static char value[BYTES];
	unsigned hits = 0;
	struct rig r;
	char key[32];

	rig_open(&r, &(struct rig_config){ .limit = 2 << 20 });
	for (int i = 0; i < KEYS * ROUNDS; i++) {
		snprintf(key, sizeof(key), "key:%d", i % KEYS);
		if (rig_get(&r, key) != NULL)
			hits += i >= KEYS * ROUNDS / 2;
		else
			CHECK_EQ(rig_set(&r, key, value, BYTES, 0),
			    RESULT_STORED);
	}
	unit_note("%u hits in %u", hits, KEYS * ROUNDS / 2);
	CHECK(hits > KEYS * ROUNDS / 2 / 20); /* LRU: none */
	unit_note("%s", "");
	rig_close(&r);
}

/* The level of what a fill stored after that long, as `ms C` does it. */
static unsigned
level_after(const char *text, uint64_t ms)
{
	struct item_extra extra = { .born = true };
	struct item_spec spec = { .key = rig_key(text), .extra = &extra };
	struct shard *s = store_shard(duo_one.store, spec.key.hash);
	uint64_t token = duo_grant(&duo_one, text, 60000);
	struct stored out;
	struct place at;
	enum result why;
	struct item *it;

	duo_pass(ms);
	it = cache_prepare(&duo_one.cache, &duo_one.local, &spec, duo_one.x.now,
	    &why);
	REQUIRE(it != NULL);
	why = cache_store(&duo_one.cache, &duo_one.local, &spec.key, it,
	    &(struct store_spec){ .compare = true, .cas = token },
	    duo_one.x.now, &out);
	CHECK_EQ(why, RESULT_STORED);
	REQUIRE(table_find(&s->table, &spec.key, &at) == it);
	return slot_level(at.bucket, at.slot);
}

static void
a_fill_is_weighed_with_its_load(void)
{
	static const char *const key[] = { "a", "b", "c", "d", "e", "f" };
	unsigned cheap = 0, dear = 0;

	/* two shards, each with a mean of its own */
	duo_begin(NULL);
	for (int i = 0; i < 6; i++)
		level_after(key[i], 100);
	for (int i = 0; i < 6; i++) {
		struct key k = rig_key(key[i]);
		uint32_t size;

		cache_delete(&duo_one.cache, &duo_one.local, &k,
		    &(struct delete_spec){ .compare = false }, duo_one.x.now,
		    &size);
		if (i % 2)
			dear += level_after(key[i], 1000);
		else
			cheap += level_after(key[i], 10);
	}
	unit_note("cheap %u, dear %u", cheap / 3, dear / 3);
	CHECK(dear > cheap + 3 * 2 * WEIGH_DOUBLING);
	unit_note("%s", "");
	duo_end();
}

UNIT("evict", TEST(small_items_are_worth_more),
    TEST(each_hit_lifts_up_to_a_bound), TEST(what_takes_its_place_has_its_hits),
    TEST(dear_items_are_worth_more), TEST(an_item_that_comes_back_has_its_hits),
    TEST(an_empty_table_has_no_victim), TEST(the_last_of_all_levels_go_too),
    TEST(victims_come_from_the_lowest_levels),
    TEST(what_readers_hold_is_passed_over),
    TEST(what_is_above_the_held_goes_in_order),
    TEST(hits_do_not_keep_the_hand_from_getting_round),
    TEST(counts_agree_with_the_table_at_all_times),
    TEST(hit_items_survive_a_scan), TEST(small_items_outlive_large_ones),
    TEST(what_was_just_stored_is_there), TEST(what_is_used_outlives_the_rest),
    TEST(a_loop_larger_than_the_cache_hits),
    TEST(a_fill_is_weighed_with_its_load))
