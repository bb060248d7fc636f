/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_clocks.c - when was this key, or this tag, last invalidated?
 */
#include "config.h"

#include "store/clocks.h"

#include <pthread.h>
#include <string.h>

#include "rng.h"

#include "unit.h"

enum { TOKEN_MAX_S = 10, THREADS = 4, ROUNDS = 20000, START = 500 };

static struct clocks c;

static void
begin(uint32_t key_slots, uint32_t tag_slots)
{
	memset((void *)&c, 0, sizeof(c));
	REQUIRE(clocks_init(&c, key_slots, tag_slots, TOKEN_MAX_S));
}

static uint64_t
oldest(void)
{
	return atomic_load(&c.oldest_token);
}

static void
a_key_clock_only_rises(void)
{
	uint64_t hash = 0x123456789abcdef0;

	begin(CLOCKS_MIN, CLOCKS_MIN);
	CHECK_EQ(clocks_key(&c, hash), 0);
	clocks_move_key(&c, hash, 7);
	CHECK_EQ(clocks_key(&c, hash), 7);
	clocks_move_key(&c, hash, 5);
	CHECK_EQ(clocks_key(&c, hash), 7);
	clocks_move_key(&c, hash, (uint64_t)1 << 42);
	CHECK(clocks_key(&c, hash) == (uint64_t)1 << 42);
	clocks_free(&c);
}

/* So that one shard's lock guards a slot: shards are chosen by these, too. */
static void
a_slot_is_found_by_the_highest_bits(void)
{
	begin(CLOCKS_MIN, 4 * CLOCKS_MIN);
	clocks_move_key(&c, 0xabcd000000000000, 3);
	CHECK_EQ(clocks_key(&c, 0xabcdffffffffffff), 3);
	CHECK_EQ(clocks_key(&c, 0xabce000000000000), 0);
	CHECK_EQ(clocks_key(&c, 0xabccffffffffffff), 0);
	CHECK_EQ(clocks_tag_slot(&c, UINT64_MAX), 4 * CLOCKS_MIN - 1);
	CHECK_EQ(clocks_tag_slot(&c, 0), 0);
	CHECK_EQ(clocks_tag_slot(&c, (uint64_t)5 << 46), 5);
	clocks_free(&c);
}

static void
the_arrays_are_as_large_as_they_say(void)
{
	begin(2 * CLOCKS_MIN, CLOCKS_MIN);
	CHECK_EQ(clocks_key_bytes(&c), 2 * CLOCKS_MIN * 8);
	CHECK_EQ(clocks_tag_bytes(&c), CLOCKS_MIN * 8);
	for (uint64_t i = 0; i < 2 * CLOCKS_MIN; i++)
		clocks_move_key(&c, i << 47, i + 1);
	for (uint32_t i = 0; i < CLOCKS_MIN; i++)
		clocks_move_tag(&c, i, i + 1);
	for (uint64_t i = 0; i < 2 * CLOCKS_MIN; i++)
		REQUIRE(clocks_key(&c, i << 47) == i + 1);
	for (uint32_t i = 0; i < CLOCKS_MIN; i++)
		REQUIRE(clocks_tag(&c, i) == i + 1);
	clocks_free(&c);
}

static void
a_tag_clock_only_rises_and_is_counted(void)
{
	begin(CLOCKS_MIN, CLOCKS_MIN);
	clocks_move_tag(&c, 9, 100);
	clocks_move_tag(&c, 8, 90);
	clocks_move_tag(&c, 9, 95);
	CHECK_EQ(clocks_tag(&c, 9), 100);
	CHECK_EQ(clocks_tag(&c, 8), 90);
	CHECK_EQ(clocks_tag(&c, 7), 0);
	CHECK_EQ(atomic_load(&c.last_tag), 100);
	CHECK_EQ(atomic_load(&c.tags_moved), 3);
	clocks_free(&c);
}

/* All threads move one tag; none may move it back. */
static _Atomic uint64_t next;

static void *
move_one_tag(void *arg)
{
	long bad = 0;

	(void)arg;
	for (int i = 0; i < ROUNDS; i++) {
		uint64_t seq = atomic_fetch_add(&next, 1) + 1;

		clocks_move_tag(&c, 3, seq);
		bad += clocks_tag(&c, 3) < seq;
	}
	return bad == 0 ? NULL : &c;
}

static void
a_tag_can_be_moved_from_many_threads(void)
{
	pthread_t t[THREADS];
	void *bad;

	begin(CLOCKS_MIN, CLOCKS_MIN);
	atomic_store(&next, 0);
	for (int i = 0; i < THREADS; i++)
		REQUIRE(pthread_create(&t[i], NULL, move_one_tag, NULL) == 0);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(t[i], &bad);
		CHECK(bad == NULL);
	}
	CHECK_EQ(clocks_tag(&c, 3), THREADS * ROUNDS);
	CHECK_EQ(atomic_load(&c.last_tag), THREADS * ROUNDS);
	CHECK_EQ(atomic_load(&c.tags_moved), THREADS * ROUNDS);
	clocks_free(&c);
}

static void
a_token_is_too_old_after_its_seconds(void)
{
	uint64_t seq = 40;

	begin(CLOCKS_MIN, CLOCKS_MIN);
	CHECK_EQ(oldest(), 1);
	for (rel_time now = START; now <= START + 50; now++) {
		clocks_tick(&c, now, seq);
		if (now < START + TOKEN_MAX_S)
			CHECK_EQ(oldest(), 1);
		else
			/* what was granted up to that second's sample */
			CHECK_EQ(oldest(), seq - 10 * TOKEN_MAX_S + 1);
		seq += 10;
	}
	clocks_free(&c);
}

static void
a_second_is_sampled_once(void)
{
	begin(CLOCKS_MIN, CLOCKS_MIN);
	clocks_tick(&c, START, 5);
	clocks_tick(&c, START, 500);
	for (rel_time now = START + 1; now <= START + TOKEN_MAX_S; now++)
		clocks_tick(&c, now, 1000);
	CHECK_EQ(oldest(), 6);
	clocks_free(&c);
}

/* A second without a sample counts as if all had been granted by its end. */
static void
a_pause_makes_tokens_older_never_younger(void)
{
	begin(CLOCKS_MIN, CLOCKS_MIN);
	clocks_tick(&c, START, 5);
	clocks_tick(&c, START + 4, 50);
	clocks_tick(&c, START + TOKEN_MAX_S, 60);
	CHECK_EQ(oldest(), 6);
	clocks_tick(&c, START + TOKEN_MAX_S + 1, 70);
	CHECK_EQ(oldest(), 51);
	/* longer than the ring: everything granted before is too old */
	clocks_tick(&c, START + 1000, 80);
	CHECK_EQ(oldest(), 81);
	clocks_tick(&c, START + 1001, 90);
	CHECK_EQ(oldest(), 81);
	clocks_free(&c);
}

/* As tests do, and threads whose batch began a second earlier. */
static void
a_time_that_has_been_is_not_sampled_again(void)
{
	uint64_t before;

	begin(CLOCKS_MIN, CLOCKS_MIN);
	for (rel_time now = START; now < START + 100; now++)
		clocks_tick(&c, now, now);
	before = oldest();
	CHECK_EQ(before, START + 99 - TOKEN_MAX_S + 1);
	for (rel_time now = START; now < START + 99; now++)
		clocks_tick(&c, now, now + 1000);
	CHECK_EQ(oldest(), before);
	clocks_tick(&c, START + 100, 5000);
	CHECK_EQ(oldest(), before + 1);
	clocks_free(&c);
}

/* Only then a value that leaves has to be noted in its key clock. */
static void
a_loss_counts_while_a_token_may_be_older_than_the_value(void)
{
	begin(CLOCKS_MIN, CLOCKS_MIN);
	CHECK(!clocks_token_before(&c, 10)); /* no token at all */
	clocks_granted(&c, 20);
	clocks_granted(&c, 15);
	CHECK_EQ(atomic_load(&c.last_grant), 20);
	CHECK(clocks_token_before(&c, 10));
	for (rel_time now = START; now <= START + TOKEN_MAX_S; now++)
		clocks_tick(&c, now, 30);
	/* all tokens are too old now */
	CHECK_EQ(oldest(), 31);
	CHECK(!clocks_token_before(&c, 40));
	clocks_granted(&c, 50);
	CHECK(clocks_token_before(&c, 60));
	CHECK(clocks_token_before(&c, 31));
	CHECK(!clocks_token_before(&c, 30));
	clocks_free(&c);
}

UNIT("clocks", TEST(a_key_clock_only_rises),
    TEST(a_slot_is_found_by_the_highest_bits),
    TEST(the_arrays_are_as_large_as_they_say),
    TEST(a_tag_clock_only_rises_and_is_counted),
    TEST(a_tag_can_be_moved_from_many_threads),
    TEST(a_token_is_too_old_after_its_seconds), TEST(a_second_is_sampled_once),
    TEST(a_pause_makes_tokens_older_never_younger),
    TEST(a_time_that_has_been_is_not_sampled_again),
    TEST(a_loss_counts_while_a_token_may_be_older_than_the_value))
