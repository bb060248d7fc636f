/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_claims.c - the leases that a connection was granted and has not filled.
 */
#include "config.h"

#include "proto/claims.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache/cache_lease.h"
#include "proto/session.h"
#include "rig.h"
#include "rng.h"

#include "unit.h"

enum { LEASE_MS = 5000 };

static struct rig r;
static struct session s;
static uint64_t bytes; /* of leases, before */

static void
begin(void)
{
	rig_open(&r, &(struct rig_config){ 0 });
	session_init(&s, 7, &r);
	bytes = atomic_load(&r.cache.leases->bytes);
}

static void
end(void)
{
	claims_end(&s, &r.x);
	CHECK(s.claims == NULL);
	CHECK_EQ(leases_live(r.cache.leases, r.store), 0);
	CHECK(rig_is_sane(&r, 0));
	rig_close(&r);
}

static struct key
numbered(unsigned i)
{
	static char text[16];

	return rig_key_bytes(text,
	    (size_t)snprintf(text, sizeof(text), "k%u", i));
}

/* Takes the lease of a key, which is claimed. */
static struct claim
win(unsigned i)
{
	struct lead_spec lead = { .lead = true, .lease_ms = LEASE_MS };
	struct read_spec spec = { .meta = true, .lead = &lead };
	struct key key = numbered(i);
	struct claim claim = { .hash = key.hash };
	struct hit hit;

	CHECK_EQ(cache_read(&r.cache, &r.local, &key, &spec, r.x.now,
		     r.x.scratch, &hit),
	    RESULT_HIT);
	CHECK(hit.won);
	claim.token = hit.token;
	claims_add(&s, &r.x, claim);
	return claim;
}

static bool
is_held(struct claim claim)
{
	return cache_holds(&r.cache, &r.local, claim.hash, claim.token,
	    r.x.now);
}

static void
a_connection_holds_what_it_was_granted(void)
{
	struct claim a, b;

	begin();
	CHECK(!claims_any(&s, &r.x));
	a = win(1);
	CHECK(claims_any(&s, &r.x));
	b = win(2);
	cache_abandon(&r.cache, &r.local, a.hash, a.token, r.x.now);
	CHECK(claims_any(&s, &r.x));
	CHECK(is_held(b));
	cache_abandon(&r.cache, &r.local, b.hash, b.token, r.x.now);
	CHECK(!claims_any(&s, &r.x));
	win(3);
	CHECK(claims_any(&s, &r.x));
	rig_pass(&r, LEASE_MS);
	CHECK(!claims_any(&s, &r.x));
	end();
}

static void
leases_end_with_their_connection(void)
{
	struct claim claim[100];

	begin();
	for (unsigned i = 0; i < 100; i++)
		claim[i] = win(i);
	for (unsigned i = 0; i < 100; i++)
		CHECK(is_held(claim[i]));
	claims_end(&s, &r.x);
	for (unsigned i = 0; i < 100; i++)
		CHECK(!is_held(claim[i]));
	CHECK_EQ(RIG_COUNT(&r, lease_disconnected), 100);
	end();
}

static void
what_was_stored_is_forgotten(void)
{
	struct claim a, b;

	begin();
	a = win(1);
	b = win(2);
	claims_forget(&s, a.hash);
	claims_forget(&s, a.hash);
	claims_forget(&s, 12345);
	claims_end(&s, &r.x);
	CHECK(is_held(a)); /* it is nobody's now, and ends by time */
	CHECK(!is_held(b));
	cache_abandon(&r.cache, &r.local, a.hash, a.token, r.x.now);
	end();
}

static void
a_guard_is_the_number_of_the_last_miss(void)
{
	begin();
	CHECK_EQ(claims_guard(&s, 5), 0);
	claims_add(&s, &r.x, (struct claim){ .hash = 5, .guard = 10 });
	claims_add(&s, &r.x, (struct claim){ .hash = 6, .guard = 20 });
	claims_add(&s, &r.x, (struct claim){ .hash = 5, .guard = 30 });
	CHECK_EQ(claims_guard(&s, 5), 30);
	CHECK_EQ(claims_guard(&s, 6), 20);
	CHECK_EQ(claims_guard(&s, 7), 0);
	CHECK(!claims_any(&s, &r.x)); /* a guard is no lease */
	claims_unguard(&s, 5);
	CHECK_EQ(claims_guard(&s, 5), 0);
	CHECK_EQ(claims_guard(&s, 6), 20);
	claims_forget(&s, 6);
	CHECK_EQ(claims_guard(&s, 6), 0);
	end();
}

static void
a_key_may_have_both(void)
{
	struct claim claim;

	begin();
	claim = win(1);
	claims_add(&s, &r.x, (struct claim){ .hash = claim.hash, .guard = 9 });
	CHECK_EQ(claims_guard(&s, claim.hash), 9);
	CHECK(claims_any(&s, &r.x));
	claims_unguard(&s, claim.hash);
	CHECK_EQ(claims_guard(&s, claim.hash), 0);
	CHECK(claims_any(&s, &r.x));
	end();
}

/* A connection that lives long does not collect what is of no use. */
static void
dead_claims_take_no_room(void)
{
	begin();
	for (int round = 0; round < 200; round++) {
		for (unsigned i = 0; i < 50; i++)
			win((unsigned)round * 50 + i);
		rig_pass(&r, LEASE_MS);
	}
	CHECK(s.claims->room <= 256);
	for (uint64_t i = 1; i < 20000; i++)
		claims_add(&s, &r.x,
		    (struct claim){ .hash = i * 0x9e3779b97f4a7c15,
			.guard = i });
	CHECK(s.claims->room <= 256);
	CHECK_EQ(claims_guard(&s, 19999 * 0x9e3779b97f4a7c15), 19999);
	CHECK(!claims_any(&s, &r.x));
	end();
}

static void
their_memory_is_counted(void)
{
	uint64_t after;

	begin();
	for (unsigned i = 0; i < 1000; i++)
		claims_add(&s, &r.x,
		    (struct claim){ .hash = i + 1, .guard = i + 1 });
	after = atomic_load(&r.cache.leases->bytes);
	CHECK_EQ(after - bytes,
	    sizeof(struct claims) + s.claims->room * sizeof(struct claim));
	claims_end(&s, &r.x);
	CHECK_EQ(atomic_load(&r.cache.leases->bytes), bytes);
	end();
}

/* Beyond that they end by time; until then nobody knows. */
static void
more_than_so_many_are_not_noted(void)
{
	begin();
	for (unsigned i = 0; i < CLAIMS_MAX + CLAIMS_MAX; i++)
		win(i);
	CHECK(s.claims->count <= 2 * CLAIMS_MAX);
	CHECK(s.claims->room <= 2 * CLAIMS_MAX);
	CHECK(s.claims->more);
	CHECK(claims_any(&s, &r.x));
	rig_pass(&r, LEASE_MS);
	rig_tick(&r);
	CHECK(claims_any(&s, &r.x));
	end();
}

/* Adding and forgetting at random, beside a naive list of the guards. */
static void
what_is_noted_is_found(void)
{
	enum { KEYS = 60 };
	struct rng rng = rng_start("claims", 72);
	uint64_t want[KEYS] = { 0 };

	begin();
	for (int i = 1; i < 50000; i++) {
		unsigned k = (unsigned)rng_below(&rng, KEYS);
		/* many have the same place */
		uint64_t hash = k % 8 + ((uint64_t)(k + 1) << 32);

		switch (rng_below(&rng, 4)) {
		case 0:
			claims_forget(&s, hash);
			want[k] = 0;
			break;
		case 1:
			claims_unguard(&s, hash);
			want[k] = 0;
			break;
		default:
			claims_add(&s, &r.x,
			    (struct claim){ .hash = hash,
				.guard = (uint64_t)i });
			want[k] = (uint64_t)i;
			break;
		}
		k = (unsigned)rng_below(&rng, KEYS);
		hash = k % 8 + ((uint64_t)(k + 1) << 32);
		REQUIRE(claims_guard(&s, hash) == want[k]);
	}
	end();
}

UNIT("claims", TEST(a_connection_holds_what_it_was_granted),
    TEST(leases_end_with_their_connection), TEST(what_was_stored_is_forgotten),
    TEST(a_guard_is_the_number_of_the_last_miss), TEST(a_key_may_have_both),
    TEST(dead_claims_take_no_room), TEST(their_memory_is_counted),
    TEST(more_than_so_many_are_not_noted), TEST(what_is_noted_is_found))
