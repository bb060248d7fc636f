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
	CHECK(!hit.fetched && !hit.binary_key && !hit.absent);
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
	uint16_t refs;
	struct hit hit;

	verb_begin();
	CHECK_EQ(rig_set(&verb_rig, "a", value, sizeof(value), 0),
	    RESULT_STORED);
	hit = verb_read_as("a", &get, RESULT_HIT);
	refs = atomic_load(&hit.pinned->refs);
	atomic_fetch_or(&hit.pinned->refs, ITEM_REFS_MAX);
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
	/* this one never stood */
	CHECK_EQ(verb_read_as("c", &(struct read_spec){ 0 }, RESULT_MISS).why,
	    FOUND_NOTHING);
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
	struct lead_spec lead = { .lease_ms = 10000 };
	struct read_spec spec = { .meta = true, .lead = &lead };
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

	/* who wins and does nothing loses it again */
	spec.recache_until = verb_rig.x.now + 200;
	CHECK(verb_read_as("a", &spec, RESULT_HIT).taken);
	rig_pass(&verb_rig, 10000);
	CHECK(verb_read_as("a", &spec, RESULT_HIT).won);
	verb_end();
}

/* XFetch: the longer the load, and the larger the dice, the earlier. */
static void
one_reader_wins_what_the_dice_say_is_due(void)
{
	struct lead_spec lead = { .lease_ms = 10000, .aware = true };
	struct read_spec spec = { .meta = true, .lead = &lead };
	struct item_extra born = { .born = true };
	struct item_spec item = { .exptime = RIG_START + 102, .extra = &born };
	uint64_t token;

	verb_begin();
	token = verb_lead("a").token;
	rig_pass(&verb_rig, 2000);
	CHECK_EQ(verb_fill("a", "x", token, &item).res, RESULT_STORED);
	lead.early = 40; /* times two seconds */
	rig_pass(&verb_rig, 19999);
	CHECK(!verb_read_as("a", &spec, RESULT_HIT).won);
	rig_pass(&verb_rig, 1);
	CHECK(verb_read_as("a", &spec, RESULT_HIT).won);
	CHECK(verb_read_as("a", &spec, RESULT_HIT).taken);
	CHECK_EQ(RIG_COUNT(&verb_rig, early_refreshes), 1);

	/* a load of unknown length is never due early */
	CHECK_EQ(verb_store("b", "x", &item, &(struct store_spec){ 0 }).res,
	    RESULT_STORED);
	lead.early = 1e9;
	CHECK(!verb_read_as("b", &spec, RESULT_HIT).won);
	verb_end();
}

static void
a_miss_may_win_the_lease_and_leaves_no_item(void)
{
	struct hit hit;

	verb_begin();
	hit = verb_lead("a");
	CHECK(hit.absent && hit.won && !hit.taken && !hit.stale);
	CHECK_EQ(hit.value_len, 0);
	CHECK(hit.value != NULL);
	CHECK_EQ(hit.lease_left, 30000);
	CHECK(hit.token >> 61 == 1);
	rig_pass(&verb_rig, 100);
	hit = verb_lead("a");
	CHECK(hit.absent && !hit.won && hit.taken);
	CHECK_EQ(hit.lease_left, 29900);
	CHECK_EQ(hit.token, 0);
	CHECK(rig_get(&verb_rig, "a") == NULL);
	verb_read_as("a", &(struct read_spec){ .peek = true }, RESULT_MISS);
	CHECK(rig_is_sane(&verb_rig, 0));

	/* it lapses */
	rig_pass(&verb_rig, 29899);
	CHECK(verb_lead("a").taken);
	rig_pass(&verb_rig, 1);
	CHECK(verb_lead("a").won);
	CHECK_EQ(RIG_COUNT(&verb_rig, lease_lapsed), 1);
	verb_end();
}

static void
a_stub_is_shown_when_told(void)
{
	struct hit hit;
	uint64_t token;

	verb_begin();
	verb_rig.lease.visible_stubs = true;
	token = verb_lead("a").token;
	hit = verb_peek("a");
	CHECK_EQ(hit.value_len, 0);
	CHECK(hit.cas == token);
	CHECK_STR(rig_get(&verb_rig, "a"), "");
	CHECK_EQ(verb_put_cas("a", "x", STORE_SET, token).res, RESULT_STORED);
	CHECK_STR(rig_get(&verb_rig, "a"), "x");
	CHECK(rig_get(&verb_rig, "b") == NULL);
	verb_end();
}

/* What few readers may see: expired but in its grace, or known to be absent. */
static void
grace_and_absence_are_for_those_who_know(void)
{
	struct item_extra grace = { .grace = 30 },
			  absent = { .negative = true };
	struct item_spec item = { .exptime = RIG_START + 10, .extra = &grace };
	struct read_spec plain = { .peek = true };
	struct lead_spec knows = { .aware = true };
	struct read_spec aware = { .meta = true, .lead = &knows };
	struct hit hit;

	verb_begin();
	verb_store("a", "x", &item, &(struct store_spec){ 0 });
	item = (struct item_spec){ .extra = &absent };
	verb_store("b", "", &item, &(struct store_spec){ 0 });
	verb_read_as("b", &plain, RESULT_MISS);
	hit = verb_read_as("b", &aware, RESULT_HIT);
	CHECK(hit.negative && !hit.stale && !hit.absent);

	verb_rig.x.now += 9;
	CHECK(!verb_lead("a").stale);
	verb_rig.x.now++;
	verb_read_as("a", &plain, RESULT_MISS);
	hit = verb_read_as("a", &aware, RESULT_HIT);
	CHECK(hit.stale && !hit.won && !hit.taken && hit.value_len == 1);
	hit = verb_lead("a");
	CHECK(hit.stale && hit.won && !hit.absent);
	CHECK(verb_lead("a").taken);
	verb_rig.x.now += 29;
	CHECK(verb_read_as("a", &aware, RESULT_HIT).stale);
	verb_rig.x.now++;
	verb_read_as("a", &aware, RESULT_MISS);
	verb_end();
}

static void
a_reader_may_want_a_version(void)
{
	struct item_extra extra = { .versioned = true, .version = 5 };
	struct item_spec item = { .extra = &extra };
	struct store_spec versioned = { .versioned = true, .version = 5 };
	struct lead_spec lead = { .versioned = true };
	struct read_spec spec = { .meta = true, .lead = &lead };
	struct hit hit;

	verb_begin();
	verb_store("a", "x", &item, &versioned);
	verb_put("b", "x", STORE_SET);
	for (uint64_t v = 0; v < 8; v++) {
		lead.version = v;
		hit = verb_read_as("a", &spec,
		    v <= 5 ? RESULT_HIT : RESULT_MISS);
		CHECK(v > 5 || (hit.versioned && hit.version == 5));
		verb_read_as("b", &spec, RESULT_MISS);
	}
	verb_end();
}

UNIT("cache read", TEST(a_read_is_a_snapshot), TEST(a_large_value_is_pinned),
    TEST(too_many_readers_are_told_so), TEST(misses_say_why),
    TEST(a_touch_moves_the_exptime_and_keeps_the_number),
    TEST(one_reader_wins_a_stale_value),
    TEST(one_reader_wins_what_is_about_to_expire),
    TEST(one_reader_wins_what_the_dice_say_is_due),
    TEST(a_miss_may_win_the_lease_and_leaves_no_item),
    TEST(a_stub_is_shown_when_told),
    TEST(grace_and_absence_are_for_those_who_know),
    TEST(a_reader_may_want_a_version))
