/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_cache_store.c - set, add, replace, append, prepend, cas, ms.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_arena.h"
#include "verb.h"

#include "unit.h"

static void
modes_look_at_what_stands(void)
{
	verb_begin();
	CHECK_EQ(verb_put("a", "1", STORE_REPLACE), RESULT_NOT_STORED);
	CHECK_EQ(verb_put("a", "1", STORE_APPEND), RESULT_NOT_STORED);
	CHECK_EQ(verb_put("a", "1", STORE_PREPEND), RESULT_NOT_STORED);
	CHECK(rig_get(&verb_rig, "a") == NULL);
	CHECK_EQ(verb_put("a", "2", STORE_ADD), RESULT_STORED);
	CHECK_EQ(verb_put("a", "3", STORE_ADD), RESULT_NOT_STORED);
	CHECK_STR(rig_get(&verb_rig, "a"), "2");
	CHECK_EQ(verb_put("a", "4", STORE_REPLACE), RESULT_STORED);
	CHECK_STR(rig_get(&verb_rig, "a"), "4");
	CHECK_EQ(verb_put("a", "5", STORE_SET), RESULT_STORED);
	CHECK_EQ(verb_put("a", "67", STORE_APPEND), RESULT_STORED);
	CHECK_EQ(verb_put("a", "34", STORE_PREPEND), RESULT_STORED);
	CHECK_STR(rig_get(&verb_rig, "a"), "34567");
	verb_end();
}

static void
joined_items_keep_flags_and_exptime(void)
{
	struct item_spec first = { .client_flags = 7, .exptime = 2000 };
	struct item_spec other = { .client_flags = 9, .exptime = 1 };
	struct verb_said said;
	uint64_t cas;

	verb_begin();
	cas = verb_store("a", "one", &first, &(struct store_spec){ 0 }).cas;
	said = verb_store("a", "two", &other,
	    &(struct store_spec){ .mode = STORE_APPEND });
	CHECK_EQ(said.res, RESULT_STORED);
	CHECK_EQ(said.value_len, 6);
	CHECK(said.cas > cas);
	CHECK_EQ(verb_peek("a").client_flags, 7);
	CHECK_EQ(verb_peek("a").exptime, 2000);
	CHECK_STR(rig_get(&verb_rig, "a"), "onetwo");
	verb_end();
}

static void
append_makes_a_missing_item_when_told(void)
{
	struct store_spec spec = {
		.mode = STORE_APPEND,
		.vivify = true,
		.vivify_exptime = 3000,
	};

	verb_begin();
	CHECK_EQ(verb_store("a", "x", &(struct item_spec){ .client_flags = 3 },
		     &spec)
		     .res,
	    RESULT_STORED);
	CHECK_EQ(verb_peek("a").exptime, 3000);
	CHECK_EQ(verb_peek("a").client_flags, 3);
	CHECK_EQ(verb_store("a", "y", &(struct item_spec){ .client_flags = 4 },
		     &spec)
		     .res,
	    RESULT_STORED);
	CHECK_EQ(verb_peek("a").client_flags, 3);
	CHECK_STR(rig_get(&verb_rig, "a"), "xy");
	verb_end();
}

/* -o visible_stubs: a lease on a missing key is an empty item. */
static void
append_finds_a_stub_that_is_shown(void)
{
	struct store_spec make = { .mode = STORE_PREPEND, .vivify = true };

	verb_begin();
	verb_rig.lease.visible_stubs = true;
	CHECK(verb_lead("a").won);
	CHECK_EQ(verb_put("a", "x", STORE_APPEND), RESULT_STORED);
	CHECK_EQ(verb_put("a", "y", STORE_APPEND), RESULT_STORED);
	CHECK_STR(rig_get(&verb_rig, "a"), "xy");
	CHECK(verb_lead("b").won);
	CHECK_EQ(verb_store("b", "x", &(struct item_spec){ 0 }, &make).res,
	    RESULT_STORED);
	CHECK_STR(rig_get(&verb_rig, "b"), "x");
	CHECK_EQ(verb_put("c", "x", STORE_APPEND), RESULT_NOT_STORED);
	verb_rig.lease.visible_stubs = false;
	CHECK(verb_lead("d").won);
	CHECK_EQ(verb_put("d", "x", STORE_APPEND), RESULT_NOT_STORED);
	verb_end();
}

static void
a_number_decides_whether_cas_stores(void)
{
	uint64_t cas;

	verb_begin();
	CHECK_EQ(verb_put_cas("a", "x", STORE_SET, 5).res, RESULT_NOT_FOUND);
	cas = verb_store("a", "1", &(struct item_spec){ 0 },
	    &(struct store_spec){ 0 })
		  .cas;
	CHECK_EQ(verb_put_cas("a", "2", STORE_SET, cas + 1).res, RESULT_EXISTS);
	CHECK_EQ(verb_put_cas("a", "2", STORE_SET, cas + 1).cas, 0);
	CHECK_EQ(verb_put_cas("a", "2", STORE_SET, 0).res, RESULT_EXISTS);
	CHECK_STR(rig_get(&verb_rig, "a"), "1");
	CHECK_EQ(verb_put_cas("a", "2", STORE_SET, cas).res, RESULT_STORED);
	CHECK_EQ(verb_put_cas("a", "3", STORE_SET, cas).res, RESULT_EXISTS);
	CHECK_EQ(verb_put_cas("a", "3", STORE_APPEND, cas).res, RESULT_EXISTS);
	cas = verb_peek("a").cas;
	CHECK_EQ(verb_put_cas("a", "3", STORE_APPEND, cas).res, RESULT_STORED);
	CHECK_EQ(verb_put_cas("b", "3", STORE_APPEND, cas).res,
	    RESULT_NOT_STORED);
	CHECK_EQ(verb_put_cas("b", "3", STORE_ADD, cas).res, RESULT_STORED);
	CHECK_EQ(verb_put_cas("c", "3", STORE_REPLACE, cas).res,
	    RESULT_NOT_FOUND);
	CHECK_STR(rig_get(&verb_rig, "a"), "23");
	verb_end();
}

static void
each_store_has_a_higher_number(void)
{
	uint64_t last = 0;

	verb_begin();
	for (int i = 0; i < 100; i++) {
		char key[8];
		struct verb_said said;

		snprintf(key, sizeof(key), "k%d", i % 7);
		said = verb_store(key, "x", &(struct item_spec){ 0 },
		    &(struct store_spec){ 0 });
		CHECK(said.cas > last);
		CHECK_EQ(verb_peek(key).cas, said.cas);
		last = said.cas;
	}
	verb_end();
}

static void
a_number_of_the_clients_own_is_kept(void)
{
	struct store_spec spec = { .own_cas = true, .new_cas = UINT64_MAX };
	struct verb_said said;

	verb_begin();
	said = verb_store("a", "x", &(struct item_spec){ .client_flags = 5 },
	    &spec);
	CHECK_EQ(said.res, RESULT_STORED);
	CHECK(said.cas == UINT64_MAX);
	CHECK(verb_peek("a").cas == UINT64_MAX);
	CHECK_EQ(verb_peek("a").client_flags, 5);
	CHECK_STR(rig_get(&verb_rig, "a"), "x");
	CHECK_EQ(verb_put_cas("a", "y", STORE_SET, 1).res, RESULT_EXISTS);
	spec = (struct store_spec){ .mode = STORE_APPEND,
		.own_cas = true,
		.new_cas = 12,
		.compare = true,
		.cas = UINT64_MAX };
	CHECK_EQ(verb_store("a", "y", &(struct item_spec){ 0 }, &spec).cas, 12);
	CHECK_STR(rig_get(&verb_rig, "a"), "xy");
	verb_end();
}

/* ms C I: an older value goes where a stale one stands, and stays stale. */
static void
an_older_number_stores_a_stale_value_when_told(void)
{
	struct store_spec spec = { .compare = true, .stale_if_older = true };
	struct delete_spec stale = { .stale = true };
	struct item_spec item = { .exptime = 4000 };
	struct hit hit;
	uint64_t old, cas;

	verb_begin();
	old = verb_store("a", "1", &(struct item_spec){ 0 },
	    &(struct store_spec){ 0 })
		  .cas;
	cas = verb_store("a", "2", &(struct item_spec){ .exptime = 2000 },
	    &(struct store_spec){ 0 })
		  .cas;
	spec.cas = old;
	CHECK_EQ(verb_store("a", "3", &item, &spec).res, RESULT_EXISTS);
	CHECK_EQ(verb_delete_as("a", &stale), RESULT_DELETED);
	spec.cas = cas + 1000;
	CHECK_EQ(verb_store("a", "3", &item, &spec).res, RESULT_EXISTS);
	spec.cas = 0;
	CHECK_EQ(verb_store("a", "3", &item, &spec).res, RESULT_EXISTS);
	CHECK_STR(rig_get(&verb_rig, "a"), "2");
	spec.cas = old;
	CHECK_EQ(verb_store("a", "3", &item, &spec).res, RESULT_STORED);
	CHECK_EQ(verb_peek("a").exptime, 2000);
	CHECK_STR(rig_get(&verb_rig, "a"), "3");
	hit = verb_meta_get("a");
	CHECK(hit.stale && hit.won && !hit.taken);

	/* the lease to refresh it goes on */
	CHECK_EQ(verb_store("a", "3", &item, &spec).res, RESULT_STORED);
	CHECK(verb_meta_get("a").taken);
	spec.cas = verb_peek("a").cas;
	CHECK_EQ(verb_store("a", "4", &(struct item_spec){ 0 }, &spec).res,
	    RESULT_STORED);
	hit = verb_meta_get("a");
	CHECK(!hit.stale && !hit.won && !hit.taken);
	verb_end();
}

/* What is made of a stale value is as stale. */
static void
appending_makes_nothing_fresh(void)
{
	verb_begin();
	CHECK_EQ(verb_put("a", "1", STORE_SET), RESULT_STORED);
	CHECK_EQ(verb_delete_as("a", &(struct delete_spec){ .stale = true }),
	    RESULT_DELETED);
	CHECK_EQ(verb_put("a", "2", STORE_APPEND), RESULT_STORED);
	CHECK_STR(rig_get(&verb_rig, "a"), "12");
	CHECK(verb_meta_get("a").stale);
	CHECK_EQ(verb_put("a", "0", STORE_PREPEND), RESULT_STORED);
	CHECK(verb_meta_get("a").taken);
	CHECK_EQ(verb_put("a", "x", STORE_REPLACE), RESULT_STORED);
	CHECK(!verb_meta_get("a").stale);
	verb_end();
}

/* What a store says is true, and yet there is nothing to read. */
static void
what_has_expired_on_arrival_only_invalidates(void)
{
	struct item_spec item = { .exptime = CLOCK_LONG_AGO };
	struct verb_said said;
	uint64_t token;

	verb_begin();
	CHECK_EQ(verb_put("a", "1", STORE_SET), RESULT_STORED);
	said = verb_store("a", "22", &item, &(struct store_spec){ 0 });
	CHECK_EQ(said.res, RESULT_STORED);
	CHECK_EQ(said.value_len, 2);
	CHECK(said.cas > 0);
	CHECK(rig_get(&verb_rig, "a") == NULL);
	token = verb_lead("a").token;
	verb_store("a", "3", &item, &(struct store_spec){ 0 });
	CHECK(verb_lead("a").won);
	CHECK_EQ(verb_fill("a", "4", token, &(struct item_spec){ 0 }).res,
	    RESULT_REFUSED);
	verb_end();
}

static void
without_cas_numbers_show_as_0_and_never_match(void)
{
	struct arith_done done;
	uint64_t cas;

	rig_open(&verb_rig, &(struct rig_config){ .no_cas = true });
	CHECK_EQ(verb_store("a", "1", &(struct item_spec){ 0 },
		     &(struct store_spec){ 0 })
		     .cas,
	    0);
	cas = verb_peek("a").cas;
	CHECK_EQ(cas, 0);
	for (uint64_t n = 0; n < 5; n++) {
		struct delete_spec del = { .compare = true, .cas = n };
		struct arith_spec add = { .compare = true, .cas = n };

		CHECK_EQ(verb_put_cas("a", "2", STORE_SET, n).res,
		    RESULT_EXISTS);
		CHECK_EQ(verb_delete_as("a", &del), RESULT_EXISTS);
		CHECK_EQ(verb_arith("a", &add, &done), RESULT_EXISTS);
	}
	CHECK_EQ(verb_arith("a", &(struct arith_spec){ .delta = 1 }, &done),
	    RESULT_STORED);
	CHECK_EQ(done.cas, 0);
	verb_end();
}

static void
what_is_too_large_is_refused(void)
{
	char *value = calloc(1, (1 << 20) + 1);

	REQUIRE(value != NULL);
	memset(value, 'v', 1 << 20);
	verb_begin();
	CHECK(cache_fits(&verb_rig.cache, 1, 1048516, 0));
	CHECK(!cache_fits(&verb_rig.cache, 1, 1048517, 0));
	CHECK(cache_fits(&verb_rig.cache, 1, 1048512, 1));
	CHECK(!cache_fits(&verb_rig.cache, 1, 1048513, 1));
	CHECK(!cache_fits(&verb_rig.cache, 1, VALUE_MAX + 1, 0));
	CHECK(!cache_fits(&verb_rig.cache, 1, (size_t)4 << 30, 0));
	CHECK_EQ(rig_set(&verb_rig, "a", value, 1048517, 0), RESULT_TOO_LARGE);
	CHECK_EQ(rig_set(&verb_rig, "a", value, 1048516, 0), RESULT_STORED);
	/* together they would be too large */
	CHECK_EQ(verb_put("a", "x", STORE_APPEND), RESULT_NOT_STORED);
	CHECK_EQ(verb_put("a", "x", STORE_PREPEND), RESULT_NOT_STORED);
	CHECK_EQ(verb_peek("a").value_len, 1048516);
	free(value);
	verb_end();
}

static void
without_memory_nothing_changes(void)
{
	struct arith_done done;

	verb_begin();
	CHECK_EQ(verb_put("a", "1", STORE_SET), RESULT_STORED);
	fake_arena_fail_after(0);
	CHECK_EQ(verb_put("b", "1", STORE_SET), RESULT_NO_MEMORY);
	CHECK_EQ(verb_put("a", "2", STORE_SET), RESULT_NO_MEMORY);
	CHECK_EQ(verb_arith("a", &(struct arith_spec){ .delta = 1 }, &done),
	    RESULT_NO_MEMORY);
	CHECK_EQ(verb_arith("c", &(struct arith_spec){ .vivify = true }, &done),
	    RESULT_NO_MEMORY);
	CHECK_EQ(verb_delete_as("a", &(struct delete_spec){ .clear = true }),
	    RESULT_NO_MEMORY);
	fake_arena_heal();
	CHECK_STR(rig_get(&verb_rig, "a"), "1");
	CHECK(rig_get(&verb_rig, "b") == NULL);

	/* memory for what is added, none for what it becomes */
	fake_arena_fail_after(1);
	CHECK_EQ(verb_put("a", "2", STORE_APPEND), RESULT_NO_MEMORY);
	fake_arena_heal();
	CHECK_STR(rig_get(&verb_rig, "a"), "1");
	verb_end();
}

static void
a_full_store_refuses_what_would_grow_it(void)
{
	static char value[1000];
	struct arith_done done;
	char key[16];
	int n = 0;

	rig_open(&verb_rig,
	    &(struct rig_config){ .limit = 256 * 1024, .no_evict = true });
	do
		snprintf(key, sizeof(key), "k%d", n++);
	while (
	    rig_set(&verb_rig, key, value, sizeof(value), 0) == RESULT_STORED);
	while (verb_put(key, "1", STORE_SET) == RESULT_STORED)
		snprintf(key, sizeof(key), "s%d", n++);
	CHECK_EQ(
	    verb_arith("new", &(struct arith_spec){ .vivify = true }, &done),
	    RESULT_NO_MEMORY);

	/* a number may still change: the old one goes */
	snprintf(key, sizeof(key), "s%d", n - 2);
	CHECK_EQ(verb_arith(key, &(struct arith_spec){ .delta = 4 }, &done),
	    RESULT_STORED);
	CHECK_EQ(done.number, 5);
	CHECK_EQ(
	    verb_delete_as("k0", &(struct delete_spec){ .compare = false }),
	    RESULT_DELETED);
	verb_end();
}

static void
a_binary_key_is_a_mark_on_the_item_only(void)
{
	struct item_spec spec = { .value_len = 1 };
	struct stored out;
	struct item *it;
	enum result why;

	verb_begin();
	spec.key = rig_key("a");
	spec.key.binary = true;
	it = cache_prepare(&verb_rig.cache, &verb_rig.local, &spec,
	    verb_rig.x.now, &why);
	REQUIRE(it != NULL);
	*item_value(it) = '1';
	CHECK_EQ(cache_store(&verb_rig.cache, &verb_rig.local, &spec.key, it,
		     &(struct store_spec){ 0 }, verb_rig.x.now, &out),
	    RESULT_STORED);
	CHECK_STR(rig_get(&verb_rig, "a"), "1");
	CHECK(verb_peek("a").binary_key);
	CHECK_EQ(verb_put("a", "2", STORE_APPEND), RESULT_STORED);
	CHECK(verb_peek("a").binary_key);
	CHECK_EQ(verb_delete_as("a", &(struct delete_spec){ .clear = true }),
	    RESULT_DELETED);
	CHECK(verb_peek("a").binary_key);
	CHECK_EQ(verb_put("a", "2", STORE_SET), RESULT_STORED);
	CHECK(!verb_peek("a").binary_key);
	verb_end();
}

UNIT("cache store", TEST(modes_look_at_what_stands),
    TEST(joined_items_keep_flags_and_exptime),
    TEST(append_makes_a_missing_item_when_told),
    TEST(append_finds_a_stub_that_is_shown),
    TEST(a_number_decides_whether_cas_stores),
    TEST(each_store_has_a_higher_number),
    TEST(a_number_of_the_clients_own_is_kept),
    TEST(an_older_number_stores_a_stale_value_when_told),
    TEST(appending_makes_nothing_fresh),
    TEST(what_has_expired_on_arrival_only_invalidates),
    TEST(without_cas_numbers_show_as_0_and_never_match),
    TEST(what_is_too_large_is_refused), TEST(without_memory_nothing_changes),
    TEST(a_full_store_refuses_what_would_grow_it),
    TEST(a_binary_key_is_a_mark_on_the_item_only))
