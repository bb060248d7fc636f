/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_ahead.c - which keys are loaded before their requests are handled.
 */
#include "config.h"

#include "proto/ahead.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "rig.h"
#include "rng.h"
#include "unit.h"

static struct ahead ahead;

/* The input in a block of its size, so that a read past its end shows. */
static unsigned
look(struct rig *r, const char *in, size_t len)
{
	char *copy = malloc(len > 0 ? len : 1);
	unsigned n;

	REQUIRE(copy != NULL);
	memcpy(copy, in, len);
	memset(&ahead, 0, sizeof(ahead));
	n = ahead_look(&ahead, &r->cache, copy, len);
	CHECK_EQ(n, ahead.n);
	free(copy);
	return n;
}

/* Whether these are the keys that were met, in this order. */
static bool
met(struct rig *r, const char *in, const char *const *keys)
{
	unsigned n = look(r, in, strlen(in)), i;

	for (i = 0; keys[i] != NULL; i++)
		if (i >= n ||
		    ahead.hash[i] != hash_key(keys[i], strlen(keys[i])))
			return false;
	return n == i;
}

#define MET(in, ...) CHECK(met(&r, in, (const char *const[]){ __VA_ARGS__ }))

static void
keys_of_whole_requests_are_met(void)
{
	struct rig r;

	rig_open(&r, &(struct rig_config){ 0 });
	MET("", NULL);
	MET("get a\r\n", "a", NULL);
	MET("get a\nget bb\r\nmg ccc v t\r\n", "a", "bb", "ccc", NULL);
	MET("get a b c\r\nincr d 1\r\n", "a", "d", NULL);
	MET("get a\r\nget b", "a", NULL);
	MET("delete a\r\nget b\r\nge", "a", "b", NULL);
	MET("mn\r\nget a\r\n", NULL);
	MET("get a\r\nversion\r\nget b\r\n", "a", NULL);
	rig_close(&r);
}

static void
values_are_passed_over(void)
{
	struct rig r;

	rig_open(&r, &(struct rig_config){ 0 });
	MET("set a 0 0 5\r\nget x\r\nget b\r\n", "a", "b", NULL);
	MET("set  a  0  0  5 noreply\r\nget x\r\nget b\r\n", "a", "b", NULL);
	MET("cas a 0 0 5 99\r\nget x\r\nadd b 1 2 0\r\n\r\nget c\r\n", "a", "b",
	    "c", NULL);
	MET("ms a 5 T0\r\nget x\r\nmg b v\r\n", "a", "b", NULL);
	MET("append a 0 0 5\r\nget x\r\nprepend b 0 0 5\r\nget y\r\n"
	    "replace c 0 0 5\r\nget z\r\nget d\r\n",
	    "a", "b", "c", "d", NULL);
	/* of what has not come nothing is known */
	MET("set a 0 0 500\r\nget x\r\n", "a", NULL);
	MET("set a 0 0 99999999999999999999\r\nget x\r\n", "a", NULL);
	MET("set a\r\n\r\nget b\r\n", "a", "b", NULL);
	rig_close(&r);
}

static void
too_long_keys_end_it(void)
{
	char line[600] = "get a\r\nget ";
	size_t at = strlen(line);
	struct rig r;

	rig_open(&r, &(struct rig_config){ 0 });
	memset(line + at, 'k', KEY_MAX);
	memcpy(line + at + KEY_MAX, "\r\n", 3);
	CHECK_EQ(look(&r, line, strlen(line)), 2);
	memcpy(line + at + KEY_MAX, "k\r\n", 4);
	CHECK_EQ(look(&r, line, strlen(line)), 1);
	rig_close(&r);
}

static void
many_requests_are_looked_at_in_parts(void)
{
	char in[8 * AHEAD_MAX + 1] = "";
	struct rig r;

	rig_open(&r, &(struct rig_config){ 0 });
	for (int i = 0; i < AHEAD_MAX + 1; i++)
		memcpy(in + 7 * (size_t)i, "get k\r\n", 8);
	CHECK_EQ(look(&r, in, strlen(in)), AHEAD_MAX);
	ahead_load(&ahead, &r.cache);
	CHECK_EQ(ahead.n, 0);
	rig_close(&r);
}

/* Nothing is read but the input, whatever it is. */
static void
any_bytes_will_do(void)
{
	static const char some[] = "getms \r\n0123456789 set a 0 0 9\r\n";
	struct rng rng = rng_start("bytes", 61);
	struct rig r;

	rig_open(&r, &(struct rig_config){ 0 });
	for (int i = 0; i < 20000; i++) {
		char in[120];
		size_t len = (size_t)rng_any(&rng, 7) % sizeof(in);

		for (size_t k = 0; k < len; k++)
			in[k] = rng_one_in(&rng, 30) ?
			    (char)rng_any(&rng, 8) :
			    some[rng_any(&rng, 16) % (sizeof(some) - 1)];
		REQUIRE(look(&r, in, len) <= AHEAD_MAX);
	}
	rig_close(&r);
}

UNIT("ahead", TEST(keys_of_whole_requests_are_met),
    TEST(values_are_passed_over), TEST(too_long_keys_end_it),
    TEST(many_requests_are_looked_at_in_parts), TEST(any_bytes_will_do))
