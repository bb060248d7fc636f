/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_cache_delete.c - delete, md.
 */
#include "config.h"

#include <string.h>

#include "verb.h"

#include "unit.h"

static void
a_deleted_key_is_gone(void)
{
	struct delete_spec plain = { .compare = false };
	struct key k = rig_key("a");
	uint32_t size;

	verb_begin();
	k = rig_key("a");
	CHECK_EQ(verb_delete_as("a", &plain), RESULT_NOT_FOUND);
	CHECK_EQ(verb_put("a", "four", STORE_SET), RESULT_STORED);
	CHECK_EQ(cache_delete(&verb_rig.cache, &verb_rig.local, &k, &plain,
		     verb_rig.x.now, &size),
	    RESULT_DELETED);
	CHECK_EQ(size, 4);
	CHECK(rig_get(&verb_rig, "a") == NULL);
	CHECK_EQ(verb_delete_as("a", &plain), RESULT_NOT_FOUND);
	verb_end();
}

static void
a_number_decides_whether_a_key_is_deleted(void)
{
	struct delete_spec spec = { .compare = true };

	verb_begin();
	CHECK_EQ(verb_delete_as("a", &spec), RESULT_NOT_FOUND);
	CHECK_EQ(verb_put("a", "x", STORE_SET), RESULT_STORED);
	spec.cas = verb_peek("a").cas + 1;
	CHECK_EQ(verb_delete_as("a", &spec), RESULT_EXISTS);
	spec.cas--;
	CHECK_EQ(verb_delete_as("a", &spec), RESULT_DELETED);
	verb_end();
}

static void
an_invalidated_value_stays_readable(void)
{
	struct item_spec item = { .client_flags = 5, .exptime = 2000 };
	struct delete_spec spec = { .stale = true };
	uint64_t cas;

	verb_begin();
	cas = verb_store("a", "x", &item, &(struct store_spec){ 0 }).cas;
	CHECK_EQ(verb_delete_as("a", &spec), RESULT_DELETED);
	CHECK_STR(rig_get(&verb_rig, "a"), "x");
	CHECK(verb_peek("a").cas > cas);
	CHECK_EQ(verb_peek("a").exptime, 2000);
	CHECK_EQ(verb_peek("a").client_flags, 5);
	spec.touch = true;
	spec.exptime = 1300;
	CHECK_EQ(verb_delete_as("a", &spec), RESULT_DELETED);
	CHECK_EQ(verb_peek("a").exptime, 1300);

	/* with a number of its own: first made, then moved */
	spec = (struct delete_spec){ .stale = true,
		.own_cas = true,
		.new_cas = 7 };
	CHECK_EQ(verb_delete_as("a", &spec), RESULT_DELETED);
	CHECK_EQ(verb_peek("a").cas, 7);
	CHECK_EQ(verb_peek("a").exptime, 1300);
	CHECK_EQ(verb_peek("a").client_flags, 5);
	CHECK_STR(rig_get(&verb_rig, "a"), "x");
	CHECK(verb_meta_get("a").won);
	spec.new_cas = 9;
	CHECK_EQ(verb_delete_as("a", &spec), RESULT_DELETED);
	CHECK_EQ(verb_peek("a").cas, 9);
	CHECK(verb_meta_get("a").won);
	spec.own_cas = false;
	cas = store_seq(verb_rig.store);
	CHECK_EQ(verb_delete_as("a", &spec), RESULT_DELETED);
	CHECK_EQ(verb_peek("a").cas, cas + 1);
	verb_end();
}

/* To invalidate is no access, with or without a number of the client's. */
static void
an_invalidated_value_remembers_that_it_was_read(void)
{
	struct delete_spec spec = { .stale = true };

	verb_begin();
	for (int own = 0; own < 2; own++) {
		CHECK_EQ(verb_put("a", "x", STORE_SET), RESULT_STORED);
		CHECK(rig_get(&verb_rig, "a") != NULL);
		verb_rig.x.now += 20;
		spec.own_cas = own;
		spec.new_cas = 5;
		unit_note("own %d", own);
		CHECK_EQ(verb_delete_as("a", &spec), RESULT_DELETED);
		CHECK(verb_peek("a").fetched);
		CHECK_EQ(verb_peek("a").accessed, verb_rig.x.now - 20);
	}
	unit_note("%s", "");
	verb_end();
}

static void
a_cleared_item_has_no_value_and_no_flags(void)
{
	struct item_spec item = { .client_flags = 5, .exptime = 2000 };
	struct delete_spec spec = { .clear = true };
	uint64_t cas;
	struct hit hit;

	verb_begin();
	cas = verb_store("a", "value", &item, &(struct store_spec){ 0 }).cas;
	CHECK_EQ(verb_delete_as("a", &spec), RESULT_DELETED);
	hit = verb_peek("a");
	CHECK_EQ(hit.value_len, 0);
	CHECK_EQ(hit.client_flags, 0);
	CHECK_EQ(hit.exptime, 0);
	CHECK_EQ(hit.cas, cas);
	CHECK(!verb_meta_get("a").stale);

	spec = (struct delete_spec){ .clear = true,
		.stale = true,
		.client_flags = 9,
		.touch = true,
		.exptime = 1700 };
	verb_store("a", "value", &item, &(struct store_spec){ 0 });
	CHECK_EQ(verb_delete_as("a", &spec), RESULT_DELETED);
	hit = verb_meta_get("a");
	CHECK(hit.stale && hit.won);
	CHECK_EQ(hit.value_len, 0);
	CHECK_EQ(hit.client_flags, 9);
	CHECK_EQ(hit.exptime, 1700);
	verb_end();
}

static void
a_dropped_key_is_gone_without_a_word(void)
{
	struct key k;

	verb_begin();
	k = rig_key("a");
	cache_drop(&verb_rig.cache, &verb_rig.local, &k, verb_rig.x.now);
	CHECK_EQ(verb_put("a", "x", STORE_SET), RESULT_STORED);
	cache_drop(&verb_rig.cache, &verb_rig.local, &k, verb_rig.x.now);
	CHECK(rig_get(&verb_rig, "a") == NULL);
	verb_end();
}

UNIT("cache delete", TEST(a_deleted_key_is_gone),
    TEST(a_number_decides_whether_a_key_is_deleted),
    TEST(an_invalidated_value_stays_readable),
    TEST(an_invalidated_value_remembers_that_it_was_read),
    TEST(a_cleared_item_has_no_value_and_no_flags),
    TEST(a_dropped_key_is_gone_without_a_word))
