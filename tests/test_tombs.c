/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_tombs.c - tombstones: below which version is a key not valid?
 *
 * Records have no key, only its hash, so that hashes can be made up.
 */
#include "config.h"

#include "cache/tombs.h"

#include "rig.h"
#include "rng.h"

#include "unit.h"

enum { RECORDS = 64, WAYS = 4, NOW = RIG_START };

static struct rig r;
static struct tombs t;

static void
begin(uint32_t records)
{
	rig_open(&r, &(struct rig_config){ 0 });
	REQUIRE(tombs_init(&t, r.store, records));
}

static void
end(void)
{
	tombs_free(&t);
	rig_close(&r);
}

static struct shard *
lock(uint64_t hash) UNCHECKED_LOCKING
{
	struct shard *s = store_shard(r.store, hash);

	shard_lock(s);
	return s;
}

static void
set_floor(uint64_t hash, uint64_t floor, rel_time deadline,
    rel_time now) UNCHECKED_LOCKING
{
	struct shard *s = lock(hash);

	tombs_raise(&t, &r.local, hash, floor, deadline, now);
	shard_unlock(s, &r.local);
}

/* A copy of the record; its deadline is 0 when there is none. */
static struct tomb
look(uint64_t hash, rel_time now) UNCHECKED_LOCKING
{
	struct shard *s = lock(hash);
	struct tomb *found = tombs_find(&t, &r.local, hash, now);
	struct tomb copy = { .deadline = 0 };

	if (found != NULL)
		copy = *found;
	shard_unlock(s, &r.local);
	return copy;
}

static void
move_clock(uint64_t hash, uint64_t seq) UNCHECKED_LOCKING
{
	struct shard *s = lock(hash);

	clocks_move_key(&r.store->clocks, hash, seq);
	shard_unlock(s, &r.local);
}

static uint64_t
clock_of(uint64_t hash)
{
	return clocks_key(&r.store->clocks, hash);
}

static void
a_record_has_floor_base_and_deadline(void)
{
	struct tomb tomb;

	begin(RECORDS);
	CHECK_EQ(look(5, NOW).deadline, 0);
	CHECK(!tombs_any(&t, 5));
	for (int i = 0; i < 100; i++)
		store_next_seq(r.store);
	move_clock(5, 100);
	set_floor(5, 18, NOW + 60, NOW);
	tomb = look(5, NOW);
	CHECK_EQ(tomb.floor, 18);
	CHECK_EQ(tomb.deadline, NOW + 60);
	CHECK_EQ(tomb.base, 100); /* the key clock */
	CHECK(tombs_any(&t, 5));
	CHECK_EQ(tombs_count(&t), 1);
	CHECK_EQ(clock_of(5), 100);
	CHECK_EQ(look(6, NOW).deadline, 0);
	CHECK_EQ(RIG_COUNT(&r, tombstone_recorded), 1);
	end();
}

static void
floor_and_deadline_only_rise(void)
{
	struct tomb tomb;

	begin(RECORDS);
	set_floor(5, 18, NOW + 60, NOW);
	move_clock(5, 7);
	set_floor(5, 12, NOW + 90, NOW);
	set_floor(5, 15, NOW + 70, NOW);
	tomb = look(5, NOW);
	CHECK_EQ(tomb.floor, 18);
	CHECK_EQ(tomb.deadline, NOW + 90);
	CHECK_EQ(tomb.base, 0); /* of the beginning */
	set_floor(5, UINT64_MAX, NOW + 1, NOW);
	CHECK(look(5, NOW).floor == UINT64_MAX);
	CHECK_EQ(tombs_count(&t), 1);
	CHECK_EQ(RIG_COUNT(&r, tombstone_recorded), 1);
	end();
}

static void
a_floor_of_0_is_one(void)
{
	begin(RECORDS);
	set_floor(5, 0, NOW + 60, NOW);
	CHECK_EQ(look(5, NOW).deadline, NOW + 60);
	end();
}

/* What the floor would have refused must not come in afterwards. */
static void
its_end_moves_the_key_clock(void)
{
	uint64_t seq;

	begin(RECORDS);
	set_floor(5, 18, NOW + 60, NOW);
	seq = store_seq(r.store);
	CHECK_EQ(look(5, NOW + 59).floor, 18);
	CHECK_EQ(clock_of(5), 0);
	CHECK_EQ(look(5, NOW + 60).deadline, 0);
	CHECK_EQ(clock_of(5), seq + 1);
	CHECK_EQ(tombs_count(&t), 0);
	CHECK_EQ(RIG_COUNT(&r, tombstone_ended), 1);
	/* once */
	CHECK_EQ(look(5, NOW + 61).deadline, 0);
	CHECK_EQ(clock_of(5), seq + 1);
	end();
}

static void
a_new_floor_begins_where_the_old_one_ended(void)
{
	struct tomb tomb;
	uint64_t seq;

	begin(RECORDS);
	set_floor(5, 100, NOW + 60, NOW);
	seq = store_seq(r.store);
	set_floor(5, 4, NOW + 120, NOW + 60);
	tomb = look(5, NOW + 60);
	CHECK_EQ(tomb.floor, 4);
	CHECK_EQ(tomb.base, seq + 1);
	end();
}

static void
the_sweep_ends_what_nobody_asks_for(void)
{
	begin(RECORDS);
	set_floor(5, 1, NOW + 10, NOW);
	set_floor((uint64_t)1 << 63, 1, NOW + 10, NOW);
	set_floor((uint64_t)1 << 63 | 7, 1, NOW + 20, NOW);
	tombs_sweep(&t, &r.local, NOW + 9);
	CHECK_EQ(tombs_count(&t), 3);
	tombs_sweep(&t, &r.local, NOW + 10);
	CHECK_EQ(tombs_count(&t), 1);
	CHECK(clock_of(5) > 0 && clock_of((uint64_t)1 << 63) > 0);
	tombs_sweep(&t, &r.local, NOW + 20);
	CHECK_EQ(tombs_count(&t), 0);
	CHECK_EQ(RIG_COUNT(&r, tombstone_ended), 3);
	end();
}

/* Hashes that differ in their lowest bits share a set, and here a clock. */
static void
a_full_set_drops_what_would_end_first(void)
{
	uint64_t seq;

	begin(RECORDS);
	for (uint64_t h = 0; h < WAYS; h++)
		set_floor(h, 10 + h, NOW + (h == 2 ? 20 : 30), NOW);
	seq = store_seq(r.store);
	CHECK_EQ(clock_of(2), 0);
	set_floor(99, 50, NOW + 60, NOW);
	CHECK_EQ(look(2, NOW).deadline, 0);
	CHECK_EQ(clock_of(2), seq + 1);
	for (uint64_t h = 0; h < WAYS; h++)
		CHECK_EQ(look(h, NOW).floor, h == 2 ? 0 : 10 + h);
	CHECK_EQ(look(99, NOW).floor, 50);
	CHECK_EQ(tombs_count(&t), WAYS);
	CHECK_EQ(RIG_COUNT(&r, tombstone_dropped), 1);
	CHECK_EQ(RIG_COUNT(&r, tombstone_ended), 0);

	/* one whose time is over makes room without a loss */
	set_floor(100, 60, NOW + 90, NOW + 30);
	CHECK_EQ(RIG_COUNT(&r, tombstone_dropped), 1);
	CHECK(RIG_COUNT(&r, tombstone_ended) > 0);
	CHECK_EQ(look(100, NOW + 30).floor, 60);
	end();
}

static void
the_table_is_as_large_as_told(void)
{
	static const uint32_t sizes[] = { 8, 1024, 1000, 1 << 16 };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		begin(sizes[i]);
		unit_note("%u", sizes[i]);
		CHECK(tombs_bytes(&t) <= sizes[i] * sizeof(struct tomb));
		CHECK(2 * tombs_bytes(&t) >= sizes[i] * sizeof(struct tomb));
		end();
	}
	unit_note("%s", "");
	CHECK_EQ(sizeof(struct tomb), 32);
}

/* Of random floors each is there, or its clock has moved since. */
static void
no_floor_is_lost_without_a_trace(void)
{
	struct rng rng = rng_start("floors", 63);
	uint64_t hash[300], floor[300], set_at[300];
	unsigned kept = 0;

	begin(RECORDS);
	for (int i = 0; i < 300; i++) {
		hash[i] = rng_next(&rng);
		floor[i] = 1 + rng_below(&rng, 1000);
		set_floor(hash[i], floor[i],
		    NOW + 1 + (rel_time)rng_below(&rng, 100), NOW);
		set_at[i] = store_next_seq(r.store);
	}
	for (int i = 0; i < 300; i++) {
		struct tomb tomb = look(hash[i], NOW);

		if (tomb.deadline != 0)
			CHECK_EQ(tomb.floor, floor[i]);
		else
			CHECK(clock_of(hash[i]) > set_at[i]);
		kept += tomb.deadline != 0;
	}
	CHECK_EQ(kept, tombs_count(&t));
	CHECK(kept > RECORDS / 2 && kept <= RECORDS);
	CHECK_EQ(RIG_COUNT(&r, tombstone_dropped), 300 - kept);
	end();
}

UNIT("tombs", TEST(a_record_has_floor_base_and_deadline),
    TEST(floor_and_deadline_only_rise), TEST(a_floor_of_0_is_one),
    TEST(its_end_moves_the_key_clock),
    TEST(a_new_floor_begins_where_the_old_one_ended),
    TEST(the_sweep_ends_what_nobody_asks_for),
    TEST(a_full_set_drops_what_would_end_first),
    TEST(the_table_is_as_large_as_told), TEST(no_floor_is_lost_without_a_trace))
