/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_sweep.c - the background walk over the table.
 */
#include "config.h"

#include "store/sweep.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_arena.h"
#include "rig.h"
#include "rng.h"
#include "unit.h"

enum { KEYS = 4000, BUCKETS_AT_ONCE = 50, VALUE_MAX_HERE = 300 };

static const char *
name(unsigned i)
{
	static char key[32];

	snprintf(key, sizeof(key), "key:%u", i);
	return key;
}

/* The value that belongs to a number. */
static size_t
value_of(unsigned i, char value[VALUE_MAX_HERE])
{
	struct rng r = { i };
	size_t n = 8 + rng_below(&r, VALUE_MAX_HERE - 8);

	rng_fill(&r, value, n);
	return n;
}

static void
set(struct rig *r, unsigned i, rel_time exptime)
{
	char value[VALUE_MAX_HERE];
	size_t n = value_of(i, value);

	REQUIRE(rig_set(r, name(i), value, n, exptime) == RESULT_STORED);
}

/* The item has the bytes it was stored with. */
static bool
is_whole(struct rig *r, unsigned i)
{
	char value[VALUE_MAX_HERE];

	return rig_has(r, name(i), value, value_of(i, value));
}

static uint64_t
items(struct rig *r)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < r->store->shards; i++)
		n += r->store->shard[i].table.items;
	return n;
}

static uint64_t
passes(struct rig *r)
{
	struct store_sums sums;

	store_sum(r->store, &sums);
	return sums.passes;
}

static void
pass(struct rig *r)
{
	rig_sweep(r, BUCKETS_AT_ONCE);
}

static void
end(struct rig *r)
{
	CHECK(rig_is_sane(r, 0));
	rig_close(r);
	CHECK_EQ(fake_arena_bytes(), 0);
}

static void
with_nothing_to_look_for_there_is_no_pass(void)
{
	struct rig r;

	rig_open(&r, &(struct rig_config){ .shards = 4 });
	pass(&r);
	CHECK_EQ(passes(&r), 0);
	for (unsigned i = 0; i < 100; i++)
		set(&r, i, 0);
	r.x.now += 10;
	pass(&r);
	CHECK_EQ(passes(&r), 0);
	CHECK_EQ(items(&r), 100);

	set(&r, 0, r.x.now + 100);
	r.x.now++;
	pass(&r);
	CHECK_EQ(passes(&r), 1);
	pass(&r);
	CHECK_EQ(passes(&r), 1);
	end(&r);
}

static void
the_expired_go_and_the_others_stay(void)
{
	uint64_t stay = 0;
	struct rig r;

	rig_open(&r, &(struct rig_config){ .shards = 4 });
	for (unsigned i = 0; i < KEYS; i++)
		set(&r, i, i % 4 == 0 ? 0 : r.x.now + i % 100 + 1);
	r.x.now += 50;
	pass(&r);

	for (unsigned i = 0; i < KEYS; i++) {
		bool stays = i % 4 == 0 || i % 100 + 1 > 50;

		stay += stays;
		REQUIRE(is_whole(&r, i) == stays);
	}
	CHECK_EQ(items(&r), stay);
	end(&r);
}

static void
the_flushed_go_and_the_others_stay(void)
{
	struct rig r;

	rig_open(&r, &(struct rig_config){ .shards = 4 });
	for (unsigned i = 0; i < KEYS; i++)
		set(&r, i, i % 2 ? 0 : r.x.now + 5000);
	pass(&r);
	CHECK_EQ(items(&r), KEYS);
	store_flush(r.store, r.x.now);
	for (unsigned i = 0; i < KEYS; i += 4)
		set(&r, i, 0);
	pass(&r);

	CHECK_EQ(items(&r), KEYS / 4);
	for (unsigned i = 0; i < KEYS; i++)
		REQUIRE(is_whole(&r, i) == (i % 4 == 0));
	end(&r);
}

/* Takes the lock and goes on a bit. */
static bool
step(struct rig *r, unsigned shard, uint32_t buckets) UNCHECKED_LOCKING
{
	struct shard *s = &r->store->shard[shard];
	bool done;

	shard_lock(s);
	done = sweep_dead(s, &r->local, r->x.now, buckets);
	shard_unlock(s, &r->local);
	return done;
}

static void
a_flush_during_a_pass_is_for_the_next_one(void)
{
	struct rig r;

	rig_open(&r, &(struct rig_config){ 0 });
	for (unsigned i = 0; i < KEYS; i++)
		set(&r, i, r.x.now + 1000);
	r.x.now++;
	CHECK(!step(&r, 0, 10));
	store_flush(r.store, r.x.now);
	while (!step(&r, 0, BUCKETS_AT_ONCE))
		continue;
	CHECK(r.store->shard[0].table.items > 0);
	pass(&r);
	CHECK_EQ(items(&r), 0);
	end(&r);
}

static bool
chain_holds_expired(struct bucket *b, rel_time now)
{
	for (; b != NULL; b = table_next(b))
		for (int i = 0; i < TABLE_SLOTS; i++) {
			struct item *it = slot_item(b, i);

			if (it != NULL && item_is_expired(it, now))
				return true;
		}
	return false;
}

static bool
holds_expired(struct rig *r, rel_time now)
{
	for (unsigned i = 0; i < r->store->shards; i++) {
		struct table *t = &r->store->shard[i].table;

		for (uint32_t k = 0; k < table_buckets(t); k++)
			if (chain_holds_expired(table_bucket(t, k), now))
				return true;
	}
	return false;
}

/* A table that changes under passes of a few buckets at a time. */
static void
after_each_pass_nothing_is_left_that_had_expired_before_it(void)
{
	struct rng random = rng_start("passes", 22);
	struct rig r;

	rig_open(&r, &(struct rig_config){ 0 });
	for (int round = 0; round < 300; round++) {
		rel_time target;

		for (unsigned i = 0; i < 60; i++)
			set(&r, (unsigned)rng_below(&random, KEYS),
			    rng_one_in(&random, 5) ?
				0 :
				r.x.now + 1 + (rel_time)rng_any(&random, 12));
		r.x.now += 1 + (rel_time)rng_below(&random, 40);
		target = r.x.now;
		for (unsigned i = 0; i < r.store->shards; i++)
			while (!step(&r, i, 16)) {
				set(&r, (unsigned)rng_below(&random, KEYS),
				    r.x.now + 1 +
					(rel_time)rng_any(&random, 8));
				r.x.now += rng_one_in(&random, 30);
			}
		REQUIRE(!holds_expired(&r, target));
		REQUIRE(rig_is_sane(&r, 0));
	}
	end(&r);
}

static void
dead_items_are_counted_as_the_sweeps(void)
{
	struct store_sums sums;
	struct rig r;

	rig_open(&r, &(struct rig_config){ 0 });
	for (unsigned i = 0; i < 100; i++)
		set(&r, i, r.x.now + 5);
	CHECK(rig_get(&r, name(7)) != NULL);
	r.x.now += 5;
	pass(&r);
	store_sum(r.store, &sums);
	CHECK_EQ(sums.counted[SHARD_COUNTER_crawler_reclaimed], 100);
	CHECK_EQ(sums.counted[SHARD_COUNTER_expired_unfetched], 99);
	CHECK_EQ(sums.counted[SHARD_COUNTER_reclaimed], 0);
	CHECK(sums.counted[SHARD_COUNTER_crawler_items_checked] >= 100);
	end(&r);
}

/* What the wheel is for: a pass that has nothing to remove looks at nothing. */
static void
what_is_not_due_is_not_looked_at(void)
{
	struct store_sums sums;
	struct rig r;

	rig_open(&r, &(struct rig_config){ 0 });
	for (unsigned i = 0; i < KEYS; i++)
		set(&r, i, r.x.now + 3600 + i);
	for (int second = 0; second < 60; second++) {
		r.x.now++;
		pass(&r);
	}
	store_sum(r.store, &sums);
	unit_note("%llu looks in 60 passes over %d items",
	    (unsigned long long)
		sums.counted[SHARD_COUNTER_crawler_items_checked],
	    KEYS);
	CHECK(sums.counted[SHARD_COUNTER_crawler_items_checked] < KEYS);
	CHECK_EQ(items(&r), KEYS);
	unit_note("%s", "");
	end(&r);
}

static void
a_clock_set_back_loses_no_item_and_forgets_none(void)
{
	struct rig r;

	rig_open(&r, &(struct rig_config){ 0 });
	r.x.now = 100000;
	for (unsigned i = 0; i < 500; i++)
		set(&r, i, r.x.now + 1 + i);
	r.x.now -= 5000;
	pass(&r);
	CHECK_EQ(items(&r), 500);
	r.x.now += 5250;
	pass(&r);
	CHECK_EQ(items(&r), 250);
	r.x.now += 250;
	pass(&r);
	CHECK_EQ(items(&r), 0);
	end(&r);
}

static void
old_items_tell_when_they_were_read(void)
{
	rel_time start, reached;
	struct rig r;

	rig_open(&r, &(struct rig_config){ 0 });
	start = r.x.now;
	set(&r, 1, 0);
	for (reached = 0; reached < 400 * 86400; reached += ITEM_AGING / 2) {
		struct item_note note;
		struct key k = rig_key(name(1));

		r.x.now = start + reached;
		pass(&r);
		REQUIRE(cache_note(&r.cache, &r.local, &k, r.x.now, &note));
		REQUIRE(note.accessed <= start);
		REQUIRE(start - note.accessed <= reached / 100);
		REQUIRE(reached >= ITEM_AGE_OLD || note.accessed == start);
	}
	end(&r);
}

/* Two threads whose batches began in different seconds do not chase it. */
static void
a_second_behind_begins_no_pass(void)
{
	uint64_t before;
	struct rig r;

	rig_open(&r, &(struct rig_config){ 0 });
	for (unsigned i = 0; i < KEYS; i++)
		set(&r, i, r.x.now + 1000);
	r.x.now += 10;
	pass(&r);
	before = passes(&r);
	r.x.now--;
	for (unsigned i = 0; i < r.store->shards; i++) {
		struct shard *s = &r.store->shard[i];

		shard_lock(s);
		CHECK(sweep_dead(s, &r.local, r.x.now, 1));
		shard_unlock(s, &r.local);
	}
	CHECK_EQ(passes(&r), before);
	r.x.now++;
	end(&r);
}

UNIT("sweep", TEST(a_second_behind_begins_no_pass),
    TEST(old_items_tell_when_they_were_read),
    TEST(with_nothing_to_look_for_there_is_no_pass),
    TEST(the_expired_go_and_the_others_stay),
    TEST(the_flushed_go_and_the_others_stay),
    TEST(a_flush_during_a_pass_is_for_the_next_one),
    TEST(after_each_pass_nothing_is_left_that_had_expired_before_it),
    TEST(dead_items_are_counted_as_the_sweeps),
    TEST(what_is_not_due_is_not_looked_at),
    TEST(a_clock_set_back_loses_no_item_and_forgets_none))
