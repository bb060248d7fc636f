/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_cache_read.c - get, gat, mg, touch.
 */
#include "config.h"

#include <string.h>

#include "verb.h"

#include "unit.h"

static void
a_read_is_a_snapshot(void)
{
	struct item_spec spec = { .client_flags = 77, .exptime = 1500 };
	struct hit hit;
	struct verb_said said;

	verb_begin();
	hit = verb_read_as("a", &(struct read_spec){ 0 }, RESULT_MISS);
	CHECK_EQ(hit.why, FOUND_NOTHING);
	said = verb_store("a", "value", &spec, &(struct store_spec){ 0 });
	verb_rig.x.now += 10;
	hit = verb_read_as("a", &(struct read_spec){ .want_value = true },
	    RESULT_HIT);
	CHECK_EQ(hit.why, FOUND);
	CHECK_BYTES(hit.value, hit.value_len, "value");
	CHECK(hit.value == verb_rig.x.scratch);
	CHECK(hit.pinned == NULL);
	CHECK_EQ(hit.client_flags, 77);
	CHECK_EQ(hit.cas, said.cas);
	CHECK_EQ(hit.exptime, 1500);
	CHECK_EQ(hit.accessed, RIG_START);
	CHECK(!hit.fetched && !hit.binary_key && !hit.made);
	CHECK(!hit.won && !hit.stale && !hit.taken);

	hit = verb_peek("a");
	CHECK(hit.fetched);
	CHECK_EQ(hit.accessed, RIG_START + 10);
	CHECK(hit.value == NULL);
	verb_rig.x.now += 10;
	CHECK_EQ(verb_peek("a").accessed, RIG_START + 10);
	verb_end();
}

static void
a_large_value_is_pinned(void)
{
	char value[CACHE_COPY_MAX + 2];
	struct hit hit;

	memset(value, 'v', sizeof(value));
	verb_begin();
	CHECK_EQ(rig_set(&verb_rig, "a", value, CACHE_COPY_MAX, 0),
	    RESULT_STORED);
	hit = verb_read_as("a", &(struct read_spec){ .want_value = true },
	    RESULT_HIT);
	CHECK(hit.pinned == NULL && hit.value == verb_rig.x.scratch);
	CHECK_EQ(rig_set(&verb_rig, "a", value, CACHE_COPY_MAX + 1, 0),
	    RESULT_STORED);
	hit = verb_read_as("a", &(struct read_spec){ .want_value = true },
	    RESULT_HIT);
	REQUIRE(hit.pinned != NULL);

	/* whatever happens to it, the reader has the old bytes */
	CHECK_EQ(verb_put("a", "new", STORE_SET), RESULT_STORED);
	CHECK_EQ(verb_delete_as("a", &(struct delete_spec){ .compare = false }),
	    RESULT_DELETED);
	store_flush(verb_rig.store, verb_rig.x.now);
	CHECK_EQ(hit.value_len, CACHE_COPY_MAX + 1);
	CHECK(memcmp(hit.value, value, hit.value_len) == 0);
	store_item_release(&verb_rig.local, hit.pinned);

	/* nothing is pinned when no value is wanted */
	CHECK_EQ(rig_set(&verb_rig, "b", value, sizeof(value), 0),
	    RESULT_STORED);
	CHECK(verb_peek("b").pinned == NULL);
	verb_end();
}

static void
too_many_readers_are_told_so(void)
{
	static char value[CACHE_COPY_MAX + 1];
	struct read_spec get = { .want_value = true };
	uint32_t refs;
	struct hit hit;

	verb_begin();
	CHECK_EQ(rig_set(&verb_rig, "a", value, sizeof(value), 0),
	    RESULT_STORED);
	hit = verb_read_as("a", &get, RESULT_HIT);
	refs = atomic_load(&hit.pinned->refs);
	atomic_fetch_or(&hit.pinned->refs, 0xffffff00);
	verb_read_as("a", &get, RESULT_BUSY);
	CHECK_EQ(verb_put("a", "x", STORE_APPEND), RESULT_BUSY);
	CHECK_EQ(verb_delete_as("a", &(struct delete_spec){ .clear = true }),
	    RESULT_BUSY);
	atomic_store(&hit.pinned->refs, refs);
	store_item_release(&verb_rig.local, hit.pinned);
	verb_end();
}

static void
misses_say_why(void)
{
	verb_begin();
	CHECK_EQ(rig_set(&verb_rig, "a", "x", 1, verb_rig.x.now + 1),
	    RESULT_STORED);
	CHECK_EQ(rig_set(&verb_rig, "b", "x", 1, 0), RESULT_STORED);
	CHECK_EQ(rig_set(&verb_rig, "c", "x", 1, CLOCK_LONG_AGO),
	    RESULT_STORED);
	store_flush(verb_rig.store, verb_rig.x.now);
	verb_rig.x.now++;
	CHECK_EQ(verb_read_as("a", &(struct read_spec){ 0 }, RESULT_MISS).why,
	    FOUND_EXPIRED);
	CHECK_EQ(verb_read_as("b", &(struct read_spec){ 0 }, RESULT_MISS).why,
	    FOUND_FLUSHED);
	CHECK_EQ(verb_read_as("c", &(struct read_spec){ 0 }, RESULT_MISS).why,
	    FOUND_EXPIRED);
	CHECK_EQ(verb_read_as("a", &(struct read_spec){ 0 }, RESULT_MISS).why,
	    FOUND_NOTHING);
	verb_end();
}

static void
a_touch_moves_the_exptime_and_keeps_the_number(void)
{
	struct read_spec gat = { .touch = true, .exptime = 3000 };
	uint64_t cas;

	verb_begin();
	CHECK_EQ(verb_touch("a", 5), RESULT_NOT_FOUND);
	cas = verb_store("a", "x", &(struct item_spec){ .exptime = 2000 },
	    &(struct store_spec){ 0 })
		  .cas;
	CHECK_EQ(verb_read_as("a", &gat, RESULT_HIT).exptime, 2000);
	CHECK_EQ(verb_peek("a").exptime, 3000);
	CHECK_EQ(verb_touch("a", 0), RESULT_TOUCHED);
	CHECK_EQ(verb_peek("a").exptime, 0);
	CHECK_EQ(verb_peek("a").cas, cas);
	CHECK_EQ(verb_touch("a", verb_rig.x.now + 1), RESULT_TOUCHED);
	verb_rig.x.now++;
	CHECK_EQ(verb_touch("a", 0), RESULT_NOT_FOUND);

	/* a touch that expires it still answers with the value */
	CHECK_EQ(verb_put("b", "x", STORE_SET), RESULT_STORED);
	gat.exptime = CLOCK_LONG_AGO;
	verb_read_as("b", &gat, RESULT_HIT);
	verb_read_as("b", &gat, RESULT_MISS);
	verb_end();
}

static void
one_reader_wins_a_stale_value(void)
{
	struct delete_spec stale = { .stale = true };
	struct hit hit;
	uint64_t cas;

	verb_begin();
	CHECK_EQ(verb_put("a", "x", STORE_SET), RESULT_STORED);
	cas = verb_peek("a").cas;
	CHECK_EQ(verb_delete_as("a", &stale), RESULT_DELETED);
	CHECK(verb_peek("a").cas > cas);
	hit = verb_read_as("a", &(struct read_spec){ .want_value = true },
	    RESULT_HIT);
	CHECK(!hit.won && !hit.taken); /* a plain get takes no part in it */

	hit = verb_meta_get("a");
	CHECK(hit.won && hit.stale && !hit.taken);
	for (int i = 0; i < 3; i++) {
		hit = verb_meta_get("a");
		CHECK(!hit.won && hit.stale && hit.taken);
	}
	/* another invalidation hands it out again */
	CHECK_EQ(verb_delete_as("a", &stale), RESULT_DELETED);
	CHECK(verb_meta_get("a").won);
	CHECK_EQ(verb_put("a", "y", STORE_SET), RESULT_STORED);
	hit = verb_meta_get("a");
	CHECK(!hit.won && !hit.stale && !hit.taken);
	verb_end();
}

static void
one_reader_wins_what_is_about_to_expire(void)
{
	struct read_spec spec = { .meta = true };
	struct hit hit;

	verb_begin();
	CHECK_EQ(rig_set(&verb_rig, "a", "x", 1, verb_rig.x.now + 100),
	    RESULT_STORED);
	CHECK_EQ(rig_set(&verb_rig, "never", "x", 1, 0), RESULT_STORED);
	spec.recache_until = verb_rig.x.now + 100;
	CHECK(!verb_read_as("a", &spec, RESULT_HIT).won);
	spec.recache_until = verb_rig.x.now + 101;
	hit = verb_read_as("a", &spec, RESULT_HIT);
	CHECK(hit.won && !hit.stale && !hit.taken);
	hit = verb_read_as("a", &spec, RESULT_HIT);
	CHECK(!hit.won && hit.taken);
	CHECK(!verb_read_as("never", &spec, RESULT_HIT).won);

	/* with a touch in the same request: R T, or T R */
	CHECK_EQ(rig_set(&verb_rig, "a", "x", 1, verb_rig.x.now + 10),
	    RESULT_STORED);
	spec.recache_until = verb_rig.x.now + 30;
	spec.touch = true;
	spec.exptime = verb_rig.x.now + 90;
	CHECK(!verb_read_as("a", &spec, RESULT_HIT).won);
	CHECK_EQ(rig_set(&verb_rig, "a", "x", 1, verb_rig.x.now + 10),
	    RESULT_STORED);
	spec.recache_first = true;
	CHECK(verb_read_as("a", &spec, RESULT_HIT).won);
	verb_end();
}

static void
a_miss_may_make_an_empty_item_which_is_won(void)
{
	struct read_spec spec = {
		.meta = true,
		.want_value = true,
		.vivify = true,
		.vivify_exptime = RIG_START + 30,
	};
	struct hit hit;

	verb_begin();
	hit = verb_read_as("a", &spec, RESULT_HIT);
	CHECK(hit.made && hit.won && !hit.taken && !hit.stale);
	CHECK_EQ(hit.value_len, 0);
	CHECK(hit.value != NULL);
	CHECK(hit.cas > 0);
	hit = verb_read_as("a", &spec, RESULT_HIT);
	CHECK(!hit.made && !hit.won && hit.taken);
	CHECK_EQ(hit.exptime, RIG_START + 30);
	CHECK_STR(rig_get(&verb_rig, "a"), "");

	spec.vivify_cas = 4711;
	hit = verb_read_as("b", &spec, RESULT_HIT);
	CHECK_EQ(hit.cas, 4711);
	CHECK_EQ(verb_peek("b").cas, 4711);
	verb_rig.x.now += 30;
	CHECK(verb_read_as("a", &spec, RESULT_HIT).made);
	verb_end();
}

UNIT("cache read", TEST(a_read_is_a_snapshot), TEST(a_large_value_is_pinned),
    TEST(too_many_readers_are_told_so), TEST(misses_say_why),
    TEST(a_touch_moves_the_exptime_and_keeps_the_number),
    TEST(one_reader_wins_a_stale_value),
    TEST(one_reader_wins_what_is_about_to_expire),
    TEST(a_miss_may_make_an_empty_item_which_is_won))
