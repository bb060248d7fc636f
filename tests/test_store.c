/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_store.c - all shards, the memory limit, and the one counter.
 */
#include "config.h"

#include "store/store.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_arena.h"
#include "rig.h"
#include "rng.h"
#include "store/arena.h"
#include "unit.h"

enum { MEGABYTE = 1 << 20, KEYS = 5000 };

static const char *
name(int i)
{
	static char key[32];

	snprintf(key, sizeof(key), "key:%d", i);
	return key;
}

static void
remove_key(struct rig *r, const char *key)
{
	static const struct delete_spec plain;
	struct key k = rig_key(key);
	uint32_t size;

	cache_delete(&r->cache, &r->local, &k, &plain, r->x.now, &size);
}

static struct store_sums
sums(struct rig *r)
{
	struct store_sums s;

	store_sum(r->store, &s);
	return s;
}

static void
end(struct rig *r)
{
	CHECK(rig_is_sane(r, 0));
	rig_close(r);
	CHECK_EQ(fake_arena_bytes(), 0);
	CHECK_EQ(fake_arena_blocks(), 0);
}

/* ---- memory -------------------------------------------------------------- */

static void
tables_count_from_the_start(void)
{
	struct rig r;

	rig_open(&r, &(struct rig_config){ .shards = 8 });
	CHECK(rig_used(&r) > 0);
	CHECK_EQ(rig_used(&r), fake_arena_bytes());
	CHECK_EQ(sums(&r).table_bytes, fake_arena_bytes());
	end(&r);
}

/* Whatever happens: what is reserved is what the arena has given, and credit.
 */
static void
every_byte_is_accounted_for(void)
{
	static char value[20000];
	struct rng random = rng_start("accounts", 18);
	struct rig r;

	rig_open(&r, &(struct rig_config){ .limit = 4 * MEGABYTE });
	for (int i = 0; i < 100000; i++) {
		int k = (int)rng_any(&random, 15);

		if (rng_one_in(&random, 3))
			remove_key(&r, name(k));
		else
			rig_set(&r, name(k), value, rng_any(&random, 14), 0);
		REQUIRE(rig_used(&r) == fake_arena_bytes());
		REQUIRE(r.local.dead == NULL);
	}
	CHECK(sums(&r).counted[SHARD_COUNTER_evictions] > 0);
	end(&r);
}

static void
the_limit_is_kept_by_evicting(void)
{
	enum { LIMIT = 2 * MEGABYTE, SLACK = 64 * 1024 };
	static char value[1000];
	struct rig r;

	rig_open(&r, &(struct rig_config){ .limit = LIMIT });
	for (int i = 0; i < 20000; i++) {
		REQUIRE(rig_set(&r, name(i), value, (size_t)i % 1000, 0) ==
		    RESULT_STORED);
		REQUIRE(atomic_load(&r.store->used) <= LIMIT + SLACK);
	}
	/* and it is made use of */
	CHECK(rig_used(&r) > LIMIT - SLACK);
	CHECK(sums(&r).counted[SHARD_COUNTER_evictions] > 10000);
	end(&r);
}

static void
without_eviction_a_full_store_refuses(void)
{
	static char value[1000];
	struct rig r;
	int stored = 0;

	rig_open(&r,
	    &(struct rig_config){ .limit = MEGABYTE, .no_evict = true });
	while (
	    rig_set(&r, name(stored), value, sizeof(value), 0) == RESULT_STORED)
		REQUIRE(++stored < 2000);
	CHECK(stored > 800);
	CHECK_EQ(rig_set(&r, "one more", value, sizeof(value), 0),
	    RESULT_NO_MEMORY);
	for (int i = 0; i < stored; i++)
		REQUIRE(rig_get(&r, name(i)) != NULL);
	CHECK_EQ(sums(&r).counted[SHARD_COUNTER_evictions], 0);
	CHECK(rig_used(&r) <= MEGABYTE);

	/* what is removed can be had again */
	for (int i = 0; i < 10; i++)
		remove_key(&r, name(i));
	CHECK_EQ(rig_set(&r, "one more", value, sizeof(value), 0),
	    RESULT_STORED);
	end(&r);
}

static void
without_eviction_the_dead_make_room(void)
{
	static char value[1000];
	struct rig r;
	int stored = 0, more = 0;

	rig_open(&r,
	    &(struct rig_config){ .limit = MEGABYTE, .no_evict = true });
	while (rig_set(&r, name(stored), value, sizeof(value),
		   stored % 2 ? r.x.now + 10 : 0) == RESULT_STORED)
		REQUIRE(++stored < 2000);
	r.x.now += 10;
	while (rig_set(&r, name(5000 + more), value, sizeof(value), 0) ==
	    RESULT_STORED)
		REQUIRE(++more < 2000);
	CHECK(more > stored * 4 / 10);
	for (int i = 0; i < stored; i += 2)
		REQUIRE(rig_get(&r, name(i)) != NULL);
	end(&r);
}

static void
the_dead_go_before_the_living(void)
{
	static char value[1000];
	struct rig r;
	int n;

	rig_open(&r, &(struct rig_config){ .limit = 2 * MEGABYTE });
	for (n = 0; n < 1800; n++)
		REQUIRE(rig_set(&r, name(n), value, sizeof(value),
			    n % 2 ? r.x.now + 10 : 0) == RESULT_STORED);
	CHECK_EQ(sums(&r).counted[SHARD_COUNTER_evictions], 0);
	r.x.now += 10;
	for (; n < 2600; n++)
		REQUIRE(rig_set(&r, name(n), value, sizeof(value), 0) ==
		    RESULT_STORED);
	CHECK(sums(&r).counted[SHARD_COUNTER_crawler_reclaimed] > 700);
	/* one shard may be out of dead items a little before the other */
	CHECK(sums(&r).counted[SHARD_COUNTER_evictions] < 50);
	end(&r);
}

static void
what_readers_hold_is_not_evicted(void)
{
	enum { HELD = 20, BYTES = 40000 };
	static const struct read_spec get = { .want_value = true };
	static char value[BYTES];
	struct hit hit[HELD];
	struct rig r;

	rig_open(&r, &(struct rig_config){ .limit = MEGABYTE });
	for (int i = 0; i < HELD; i++) {
		struct key k;

		REQUIRE(rig_set(&r, name(i), value, BYTES, 0) == RESULT_STORED);
		k = rig_key(name(i));
		CHECK_EQ(cache_read(&r.cache, &r.local, &k, &get, r.x.now,
			     r.x.scratch, &hit[i]),
		    RESULT_HIT);
	}
	for (int i = HELD; i < 2000; i++)
		REQUIRE(rig_set(&r, name(i), value, 500, 0) == RESULT_STORED);
	for (int i = 0; i < HELD; i++)
		CHECK(rig_get(&r, name(i)) != NULL);

	/* when all that is left is held, there is nothing to be had */
	CHECK(!store_reserve(&r.local, MEGABYTE / 2, r.x.now));
	for (int i = 0; i < HELD; i++)
		store_item_release(&r.local, hit[i].pinned);
	CHECK_EQ(rig_set(&r, "large", value, BYTES, 0), RESULT_STORED);
	end(&r);
}

static void
what_is_larger_than_the_limit_is_refused(void)
{
	struct rig r;

	rig_open(&r, &(struct rig_config){ .limit = MEGABYTE });
	CHECK_EQ(rig_set(&r, "a", "x", 1, 0), RESULT_STORED);
	CHECK(!store_reserve(&r.local, 2 * MEGABYTE, r.x.now));
	CHECK(rig_get(&r, "a") != NULL); /* nothing had to go for that */
	CHECK(store_reserve(&r.local, MEGABYTE / 2, r.x.now));
	end(&r);
}

static void
a_reservation_is_credit_until_it_is_used(void)
{
	struct rig r;
	int64_t used;

	rig_open(&r, &(struct rig_config){ .limit = 8 * MEGABYTE });
	used = rig_used(&r);
	CHECK(store_reserve(&r.local, 100000, r.x.now));
	CHECK(r.local.credit >= 100000);
	CHECK_EQ(rig_used(&r), used);
	CHECK(atomic_load(&r.store->used) >= used + 100000);

	/* it is enough already: nothing more is reserved */
	used = atomic_load(&r.store->used);
	CHECK(store_reserve(&r.local, 50000, r.x.now));
	CHECK_EQ(atomic_load(&r.store->used), used);

	store_local_done(&r.local);
	CHECK_EQ(r.local.credit, 0);
	CHECK_EQ(atomic_load(&r.store->used), rig_used(&r));
	end(&r);
}

static void
credit_does_not_grow_without_end(void)
{
	static char value[1000];
	struct rig r;

	rig_open(&r, &(struct rig_config){ .limit = 64 * MEGABYTE });
	for (int i = 0; i < KEYS; i++)
		REQUIRE(rig_set(&r, name(i), value, sizeof(value), 0) ==
		    RESULT_STORED);
	for (int i = 0; i < KEYS; i++) {
		remove_key(&r, name(i));
		REQUIRE(r.local.credit < 512 * 1024);
	}
	end(&r);
}

static void
after_everything_is_removed_only_tables_are_in_use(void)
{
	struct rig r;

	rig_open(&r, &(struct rig_config){ .shards = 4 });
	for (int i = 0; i < KEYS; i++)
		REQUIRE(rig_set(&r, name(i), "value", 5, 0) == RESULT_STORED);
	for (int i = KEYS; i-- > 0;)
		remove_key(&r, name(i));
	store_local_done(&r.local);

	CHECK_EQ(sums(&r).items, 0);
	CHECK_EQ(sums(&r).bytes, 0);
	CHECK_EQ(atomic_load(&r.store->used), sums(&r).table_bytes);
	for (int c = 0; c < SIZECLASS_COUNT; c++) {
		CHECK_EQ(sums(&r).cls[c].items, 0);
		CHECK_EQ(sums(&r).cls[c].bytes, 0);
	}
	end(&r);
}

static void
a_lower_limit_is_settled(void)
{
	static char value[1000];
	struct rig r;

	rig_open(&r, &(struct rig_config){ .limit = 8 * MEGABYTE });
	for (int i = 0; i < KEYS; i++)
		REQUIRE(rig_set(&r, name(i), value, sizeof(value), 0) ==
		    RESULT_STORED);
	CHECK(rig_used(&r) > 4 * MEGABYTE);
	store_set_limit(r.store, 2 * MEGABYTE);
	store_settle(&r.local, r.x.now);
	CHECK(atomic_load(&r.store->used) <= 2 * MEGABYTE);
	CHECK(rig_used(&r) > MEGABYTE);

	/* part of the limit may be withheld, too */
	atomic_store(&r.store->squeeze, MEGABYTE);
	store_settle(&r.local, r.x.now);
	CHECK(atomic_load(&r.store->used) <= MEGABYTE);
	atomic_store(&r.store->squeeze, 0);

	store_set_limit(r.store, 8 * MEGABYTE);
	store_settle(&r.local, r.x.now);
	CHECK(rig_used(&r) > MEGABYTE / 2);
	end(&r);
}

static void
settling_evicts_nothing_when_eviction_is_off(void)
{
	static char value[1000];
	struct rig r;

	rig_open(&r,
	    &(struct rig_config){ .limit = 8 * MEGABYTE, .no_evict = true });
	for (int i = 0; i < 1000; i++)
		REQUIRE(rig_set(&r, name(i), value, sizeof(value), 0) ==
		    RESULT_STORED);
	store_set_limit(r.store, MEGABYTE);
	store_settle(&r.local, r.x.now);
	CHECK_EQ(sums(&r).items, 1000);
	end(&r);
}

static void
keeping_house_gives_memory_of_tables_back(void)
{
	uint64_t empty, full;
	struct rig r;

	rig_open(&r, &(struct rig_config){ .shards = 2 });
	empty = sums(&r).table_bytes;
	for (int i = 0; i < 10 * KEYS; i++)
		rig_set(&r, name(i), "", 0, 0);
	full = sums(&r).table_bytes;
	CHECK(full > 2 * empty);
	store_flush(r.store, r.x.now);
	for (int i = 0; i < 200; i++)
		store_keep_house(&r.local, r.x.now, 4096);
	CHECK_EQ(sums(&r).items, 0);
	/* but for what lists the segments, and one to spare of each shard */
	CHECK(sums(&r).table_bytes < empty + full / 4);
	CHECK_EQ(rig_used(&r), sums(&r).table_bytes);
	end(&r);
}

static void
keeping_house_sweeps(void)
{
	struct rig r;

	rig_open(&r, &(struct rig_config){ .shards = 4 });
	for (int i = 0; i < KEYS; i++)
		rig_set(&r, name(i), "value", 5, i % 2 ? r.x.now + 5 : 0);
	r.x.now += 5;
	for (int i = 0; i < 100; i++)
		store_keep_house(&r.local, r.x.now, 4096);
	CHECK_EQ(sums(&r).items, KEYS / 2);
	for (int i = 0; i < KEYS; i += 2)
		REQUIRE(rig_get(&r, name(i)) != NULL);
	end(&r);
}

static void
a_store_without_memory_is_not_made(void)
{
	struct store_config config = { .limit = MEGABYTE,
		.shards = 4,
		.clock_slots = CLOCKS_MIN,
		.tag_slots = CLOCKS_MIN,
		.token_max = 600 };

	for (int64_t n = 0; n < 8; n++) {
		fake_arena_fail_after(n);
		CHECK(store_new(&config) == NULL);
		fake_arena_heal();
		CHECK_EQ(fake_arena_blocks(), 0);
	}
}

static void
an_item_without_memory_costs_nothing(void)
{
	struct item_spec spec = { .value_len = 100 };
	struct rig r;

	rig_open(&r, &(struct rig_config){ 0 });
	spec.key = rig_key("a");
	fake_arena_fail_after(0);
	CHECK(store_item_new(&r.local, &spec) == NULL);
	fake_arena_heal();
	CHECK_EQ(counter_sum(&r.counter_set, COUNTER_malloc_fails), 1);
	end(&r);
}

/* ---- numbers and flushes ------------------------------------------------- */

static void
numbers_rise_by_one(void)
{
	struct rig r;
	uint64_t n;

	rig_open(&r, &(struct rig_config){ 0 });
	n = store_next_seq(r.store);
	CHECK_EQ(store_next_seq(r.store), n + 1);
	CHECK_EQ(store_next_seq(r.store), n + 2);
	end(&r);
}

static void
a_flush_takes_what_was_stored_before(void)
{
	struct rig r;

	rig_open(&r, &(struct rig_config){ 0 });
	store_flush(r.store, r.x.now); /* of nothing */
	rig_set(&r, "before", "x", 1, 0);
	CHECK(rig_get(&r, "before") != NULL);
	store_flush(r.store, r.x.now);
	rig_set(&r, "after", "x", 1, 0);
	CHECK(rig_get(&r, "before") == NULL);
	CHECK(rig_get(&r, "after") != NULL);

	rig_set(&r, "before", "x", 1, 0);
	CHECK(rig_get(&r, "before") != NULL);
	store_flush(r.store, r.x.now);
	store_flush(r.store, r.x.now);
	CHECK(rig_get(&r, "before") == NULL);
	CHECK(rig_get(&r, "after") == NULL);
	end(&r);
}

static void
a_delayed_flush_waits_for_its_time(void)
{
	rel_time at = RIG_START + 100;
	struct rig r;

	rig_open(&r, &(struct rig_config){ 0 });
	CHECK(!store_flush_is_due(r.store, UINT32_MAX));
	store_flush_at(r.store, at);
	rig_set(&r, "before", "x", 1, 0);
	CHECK(!store_flush_is_due(r.store, at - 1));
	store_flush_due(r.store, at - 1);
	CHECK(rig_get(&r, "before") != NULL);

	CHECK(store_flush_is_due(r.store, at));
	store_flush_due(r.store, at);
	CHECK(rig_get(&r, "before") == NULL);
	rig_set(&r, "after", "x", 1, 0);

	/* once */
	CHECK(!store_flush_is_due(r.store, at + 1));
	store_flush_due(r.store, at + 1);
	CHECK(rig_get(&r, "after") != NULL);
	end(&r);
}

static void
a_delayed_flush_can_be_cancelled(void)
{
	rel_time at = RIG_START + 100;
	struct rig r;

	rig_open(&r, &(struct rig_config){ 0 });
	rig_set(&r, "a", "x", 1, 0);
	store_flush_at(r.store, at);
	store_flush_at(r.store, 0);
	store_flush_due(r.store, at + 1);
	CHECK(rig_get(&r, "a") != NULL);

	/* and a flush at once takes the place of one that waits */
	store_flush_at(r.store, at);
	store_flush(r.store, r.x.now);
	CHECK(rig_get(&r, "a") == NULL);
	rig_set(&r, "a", "x", 1, 0);
	store_flush_due(r.store, at + 1);
	CHECK(rig_get(&r, "a") != NULL);
	end(&r);
}

/* ---- sums ---------------------------------------------------------------- */

static void
sums_are_over_all_shards(void)
{
	struct store_sums s;
	struct rig r;

	rig_open(&r, &(struct rig_config){ .shards = 16 });
	for (int i = 0; i < KEYS; i++)
		rig_set(&r, name(i), "value", 5, 0);
	s = sums(&r);
	CHECK_EQ(s.items, KEYS);
	CHECK_EQ(s.counted[SHARD_COUNTER_total_items], KEYS);
	CHECK_EQ(s.cls[1].items, KEYS);
	CHECK_EQ(s.cls[1].event[CLASS_CMD_SET], KEYS);
	CHECK(s.buckets >= 16 * TABLE_SEGMENT);
	CHECK_EQ(s.bytes + s.table_bytes, rig_used(&r));
	end(&r);
}

static void
a_reset_leaves_what_is_held(void)
{
	struct rig r;

	rig_open(&r, &(struct rig_config){ 0 });
	for (int i = 0; i < 100; i++)
		rig_set(&r, name(i), "value", 5, 0);
	store_reset_counters(r.store);
	CHECK_EQ(sums(&r).items, 100);
	CHECK_EQ(sums(&r).cls[1].items, 100);
	CHECK_EQ(sums(&r).counted[SHARD_COUNTER_total_items], 0);
	CHECK_EQ(sums(&r).cls[1].event[CLASS_CMD_SET], 0);
	rig_set(&r, "a", "value", 5, 0);
	CHECK_EQ(sums(&r).counted[SHARD_COUNTER_total_items], 1);
	end(&r);
}

/* Threads that go on until they are told to stop. */
struct busy {
	struct rig *rig;
	_Atomic bool stop;
};

static void *
reset_on(void *arg)
{
	struct busy *b = arg;

	while (!atomic_load(&b->stop))
		store_reset_counters(b->rig->store);
	return NULL;
}

static void *
store_on(void *arg)
{
	struct busy *b = arg;
	struct rig mine;

	rig_share(&mine, b->rig);
	while (!atomic_load(&b->stop))
		rig_set(&mine, "key", "value", 5, 0);
	rig_unshare(&mine);
	return NULL;
}

/* One client asks for `stats` while another one resets them. */
static void
a_reset_meanwhile_leaves_no_sum_below_0(void)
{
	enum { SUMS = 40000 };
	struct busy b = { .stop = false };
	uint64_t largest = 0;
	struct rig r;
	pthread_t t[2];

	rig_open(&r, &(struct rig_config){ 0 });
	b.rig = &r;
	REQUIRE(pthread_create(&t[0], NULL, reset_on, &b) == 0);
	REQUIRE(pthread_create(&t[1], NULL, store_on, &b) == 0);
	for (int i = 0; i < SUMS; i++) {
		uint64_t n = sums(&r).counted[SHARD_COUNTER_total_items];

		largest = n > largest ? n : largest;
	}
	atomic_store(&b.stop, true);
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	CHECK(largest <= INT64_MAX);
	end(&r);
}

/* The first who stores after that does not pay for all of it. */
static void
a_lower_limit_is_not_for_one_request_to_reach(void)
{
	static char value[8];
	struct rig r;
	uint64_t before;

	rig_open(&r, &(struct rig_config){ .limit = 16 * MEGABYTE });
	for (int i = 0; i < 100000; i++)
		REQUIRE(rig_set(&r, name(i), value, sizeof(value), 0) ==
		    RESULT_STORED);
	before = sums(&r).items;
	store_set_limit(r.store, 4 * MEGABYTE);
	store_local_done(&r.local);
	CHECK(rig_set(&r, "new", value, sizeof(value), 0) == RESULT_STORED);
	CHECK(sums(&r).items > before / 2);
	store_settle(&r.local, r.x.now);
	CHECK(atomic_load(&r.store->used) <= 4 * MEGABYTE);
	end(&r);
}

/* Before it is refused, all others would have gone. */
static void
what_never_fits_takes_nothing_away(void)
{
	struct rig r;

	rig_open(&r, &(struct rig_config){ .limit = 8 * MEGABYTE });
	for (int i = 0; i < KEYS; i++)
		REQUIRE(rig_set(&r, name(i), "x", 1, 0) == RESULT_STORED);
	CHECK(!store_reserve(&r.local, 8 * MEGABYTE - 65536, r.x.now));
	CHECK_EQ(sums(&r).items, KEYS);
	CHECK(store_reserve(&r.local, 5 * MEGABYTE, r.x.now));
	end(&r);
}

UNIT("store", TEST(a_lower_limit_is_not_for_one_request_to_reach),
    TEST(what_never_fits_takes_nothing_away), TEST(tables_count_from_the_start),
    TEST(every_byte_is_accounted_for), TEST(the_limit_is_kept_by_evicting),
    TEST(without_eviction_a_full_store_refuses),
    TEST(without_eviction_the_dead_make_room),
    TEST(the_dead_go_before_the_living), TEST(what_readers_hold_is_not_evicted),
    TEST(what_is_larger_than_the_limit_is_refused),
    TEST(keeping_house_gives_memory_of_tables_back), TEST(keeping_house_sweeps),
    TEST(a_reservation_is_credit_until_it_is_used),
    TEST(credit_does_not_grow_without_end),
    TEST(after_everything_is_removed_only_tables_are_in_use),
    TEST(a_lower_limit_is_settled),
    TEST(settling_evicts_nothing_when_eviction_is_off),
    TEST(an_item_without_memory_costs_nothing), TEST(numbers_rise_by_one),
    TEST(a_flush_takes_what_was_stored_before),
    TEST(a_delayed_flush_waits_for_its_time),
    TEST(a_delayed_flush_can_be_cancelled), TEST(sums_are_over_all_shards),
    TEST(a_reset_leaves_what_is_held),
    TEST(a_reset_meanwhile_leaves_no_sum_below_0),
    TEST(a_store_without_memory_is_not_made))
