/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_hash.c - the hash of a key.
 */
#include "config.h"

#include "base/hash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rng.h"
#include "unit.h"

enum {
	GROUPS = 256,
	MEAN = 256,
	FAR = 160, /* ten standard deviations: met with whatever seed */
	LONGEST = 250,
};

static void
a_key_always_has_the_same_hash(void)
{
	char *copy = strdup("user:17");
	uint64_t h;

	hash_start();
	h = hash_key("user:17", 7);

	CHECK(hash_key("user:17", 7) == h);
	CHECK(hash_key(copy, 7) == h);
	free(copy);
}

static void
the_length_belongs_to_the_key(void)
{
	hash_start();

	CHECK(hash_key("user:17", 7) != hash_key("user:17", 6));
	CHECK(hash_key("a\0b", 3) != hash_key("a", 1));
	CHECK(hash_key("a\0", 2) != hash_key("a\0\0", 3));
}

static void
another_start_is_another_seed(void)
{
	uint64_t h;

	hash_start();
	h = hash_key("user:17", 7);
	hash_start();

	CHECK(hash_key("user:17", 7) != h);
}

/* A sanitizer sees a read behind the key. */
static void
only_the_key_is_read_at_every_length_and_alignment(void)
{
	struct rng r = rng_start("keys", 5);

	hash_start();
	for (size_t n = 1; n <= LONGEST; n++)
		for (size_t shift = 0; shift < 8; shift++) {
			char *block = malloc(n + shift), *copy = malloc(n);

			REQUIRE(block != NULL && copy != NULL);
			rng_fill(&r, block, n + shift);
			memcpy(copy, block + shift, n);
			CHECK(hash_key(block + shift, n) == hash_key(copy, n));
			free(block);
			free(copy);
		}
}

/* Keys that differ in a number only fall evenly into groups by eight bits. */
static void
spread(unsigned shift)
{
	int count[GROUPS] = { 0 };
	char key[32];

	for (unsigned i = 0; i < MEAN * GROUPS; i++) {
		int n = snprintf(key, sizeof(key), "user:%u", i);

		count[hash_key(key, (size_t)n) >> shift & (GROUPS - 1)]++;
	}
	for (unsigned g = 0; g < GROUPS; g++) {
		unit_note("bits from %u on, group %u: %d", shift, g, count[g]);
		CHECK(count[g] > MEAN - FAR && count[g] < MEAN + FAR);
	}
	unit_note("%s", "");
}

static void
all_parts_of_a_hash_are_spread_evenly(void)
{
	hash_start();

	spread(0); /* the bucket */
	spread(8);
	spread(40); /* the tag */
	spread(44);
	spread(56); /* the shard */
}

UNIT("hash", TEST(a_key_always_has_the_same_hash),
    TEST(the_length_belongs_to_the_key), TEST(another_start_is_another_seed),
    TEST(only_the_key_is_read_at_every_length_and_alignment),
    TEST(all_parts_of_a_hash_are_spread_evenly))
