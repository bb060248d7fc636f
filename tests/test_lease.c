/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_lease.c - who may load a missing value.
 */
#include "config.h"

#include "cache/lease.h"

#include <stdio.h>
#include <string.h>

#include "duo.h"
#include "rng.h"

#include "unit.h"

static void
a_key_has_one_lease(void)
{
	uint64_t a, b;

	duo_begin(NULL);
	CHECK_EQ(duo_look("a").token, 0);
	a = duo_grant(&duo_one, "a", DUO_LEASE_MS);
	b = duo_grant(&duo_two, "b", DUO_LEASE_MS);
	CHECK(b > a);
	CHECK(duo_look("a").token == a);
	CHECK(duo_look("b").token == b);
	CHECK_EQ(duo_look("ab").token, 0);
	CHECK_EQ(duo_look("a").cfd, 7);
	CHECK_EQ(duo_look("a").granted, duo_one.x.now_ms);
	CHECK_EQ(duo_look("a").timer.key, duo_one.x.now_ms + DUO_LEASE_MS);
	CHECK_EQ(leases_live(duo_one.cache.leases, duo_one.store), 2);
	duo_finish("a", LEASE_GIVEN_UP);
	CHECK_EQ(duo_look("a").token, 0);
	CHECK(duo_look("b").token == b);
	CHECK_EQ(RIG_COUNT(&duo_one, lease_granted), 2);
	CHECK_EQ(RIG_COUNT(&duo_one, lease_given_up), 1);
	CHECK_EQ(leases_live(duo_one.cache.leases, duo_one.store), 1);
	duo_end();
}

static void
a_lease_ends_with_its_time(void)
{
	duo_begin(NULL);
	duo_grant(&duo_one, "a", 100);
	duo_grant(&duo_one, "b", 200);
	duo_pass(99);
	rig_tick(&duo_one);
	CHECK(duo_look("a").token != 0);
	duo_pass(1);
	CHECK_EQ(duo_look("a").token, 0); /* whoever looks first ends it */
	CHECK_EQ(RIG_COUNT(&duo_one, lease_lapsed), 1);
	duo_pass(100);
	rig_tick(&duo_two);
	CHECK_EQ(RIG_COUNT(&duo_one, lease_lapsed), 2);
	CHECK_EQ(leases_live(duo_one.cache.leases, duo_one.store), 0);
	duo_end();
}

static void
many_leases_end_in_time(void)
{
	struct rng rng = rng_start("leases", 65);
	uint64_t first, deadline[500], ended = 0, live = 500;
	char key[16];

	duo_begin(NULL);
	first = duo_one.x.now_ms;
	for (int i = 0; i < 500; i++) {
		uint32_t ms = 1 + (uint32_t)rng_below(&rng, 3000);

		snprintf(key, sizeof(key), "k%d", i);
		duo_grant(&duo_one, key, ms);
		deadline[i] = first + ms;
	}
	while (live > 0 && duo_one.x.now_ms < first + 3000) {
		duo_pass(1 + rng_below(&rng, 100));
		rig_tick(&duo_one);
		live = 0;
		for (int i = 0; i < 500; i++)
			live += deadline[i] > duo_one.x.now_ms;
		ended = RIG_COUNT(&duo_one, lease_lapsed);
		CHECK_EQ(ended + live, 500);
		CHECK_EQ(leases_live(duo_one.cache.leases, duo_one.store),
		    live);
	}
	CHECK_EQ(live, 0);
	duo_end();
}

static void
a_lease_can_be_prolonged_up_to_the_longest(void)
{
	uint64_t start;

	duo_begin(NULL);
	start = duo_one.x.now_ms;
	duo_grant(&duo_one, "a", 100);
	duo_pass(50);
	duo_prolong("a", 100);
	CHECK_EQ(duo_look("a").timer.key, start + 150);
	duo_prolong("a", 10); /* or shortened */
	CHECK_EQ(duo_look("a").timer.key, start + 60);
	duo_prolong("a", UINT32_MAX);
	CHECK_EQ(duo_look("a").timer.key, start + 60000);
	CHECK_EQ(RIG_COUNT(&duo_one, lease_renewed), 3);
	CHECK_EQ(lease_length(duo_one.cache.leases, 59999), 59999);
	CHECK_EQ(lease_length(duo_one.cache.leases, UINT64_MAX), 60000);
	duo_end();
}

static void
a_lease_is_found_by_its_token(void)
{
	struct key key;
	uint64_t token;

	duo_begin(NULL);
	token = duo_grant(&duo_one, "a", DUO_LEASE_MS);
	key = rig_key("a");
	CHECK(cache_is_token(&duo_one.cache, &key, token));
	CHECK(!cache_is_token(&duo_one.cache, &key, token + 1));
	CHECK(cache_holds(&duo_one.cache, &duo_one.local, key.hash, token,
	    duo_one.x.now));
	CHECK(!cache_holds(&duo_one.cache, &duo_one.local, key.hash, token + 1,
	    duo_one.x.now));
	CHECK(!cache_give_up(&duo_one.cache, &duo_one.local, &key, token + 1, 0,
	    duo_one.x.now));
	CHECK(!cache_abandon(&duo_one.cache, &duo_one.local, key.hash,
	    token + 1, duo_one.x.now));
	CHECK(duo_look("a").token == token);
	CHECK(cache_abandon(&duo_one.cache, &duo_one.local, key.hash, token,
	    duo_one.x.now));
	CHECK(!cache_abandon(&duo_one.cache, &duo_one.local, key.hash, token,
	    duo_one.x.now));
	CHECK(!cache_holds(&duo_one.cache, &duo_one.local, key.hash, token,
	    duo_one.x.now));
	CHECK_EQ(RIG_COUNT(&duo_one, lease_lapsed), 1);
	CHECK_EQ(RIG_COUNT(&duo_one, lease_disconnected), 1);

	token = duo_grant(&duo_one, "a", 100);
	duo_pass(100);
	CHECK(!cache_holds(&duo_one.cache, &duo_one.local, key.hash, token,
	    duo_one.x.now));
	duo_end();
}

static void
without_room_there_is_a_token_and_no_lease(void)
{
	struct lease_config few = rig_lease_config;
	uint64_t token;

	few.leases = 2;
	duo_begin(&few);
	duo_grant(&duo_one, "a", DUO_LEASE_MS);
	duo_grant(&duo_one, "b", DUO_LEASE_MS);
	token = duo_grant(&duo_one, "c", DUO_LEASE_MS);
	CHECK_EQ(duo_look("c").token, 0);
	CHECK_EQ(RIG_COUNT(&duo_one, lease_granted), 2);
	CHECK_EQ(RIG_COUNT(&duo_one, lease_unrecorded), 1);
	CHECK_EQ(duo_fill(&duo_one, "c", "x", token), RESULT_STORED);
	CHECK_EQ(RIG_COUNT(&duo_one, fill_late), 1);
	duo_finish("a", LEASE_GIVEN_UP);
	CHECK(duo_grant(&duo_one, "c", DUO_LEASE_MS) != 0);
	CHECK(duo_look("c").token != 0);
	duo_end();
}

static void
memory_of_leases_is_counted(void)
{
	uint64_t empty, filled;
	char key[16];

	duo_begin(NULL);
	empty = atomic_load(&duo_one.cache.leases->bytes);
	for (int i = 0; i < 1000; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		duo_grant(&duo_one, key, DUO_LEASE_MS);
	}
	filled = atomic_load(&duo_one.cache.leases->bytes);
	CHECK(filled > empty + 1000 * sizeof(struct lease));
	CHECK(filled < empty + 1000 * (sizeof(struct lease) + 64));
	duo_pass(DUO_LEASE_MS);
	rig_tick(&duo_one);
	/* the table stays */
	CHECK(atomic_load(&duo_one.cache.leases->bytes) <= empty + 4096 * 8);
	CHECK_EQ(atomic_load(&duo_one.cache.leases->records), 0);
	duo_end();
}

UNIT("lease", TEST(a_key_has_one_lease), TEST(a_lease_ends_with_its_time),
    TEST(many_leases_end_in_time),
    TEST(a_lease_can_be_prolonged_up_to_the_longest),
    TEST(a_lease_is_found_by_its_token),
    TEST(without_room_there_is_a_token_and_no_lease),
    TEST(memory_of_leases_is_counted))
