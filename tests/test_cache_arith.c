/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_cache_arith.c - incr, decr, ma.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "verb.h"

#include "unit.h"

/* Adds to a number; the text that stands then. */
static void
adds(const char *before, uint64_t delta, uint64_t number, const char *after)
{
	struct arith_done done;

	unit_note("%s + %llu", before, (unsigned long long)delta);
	CHECK_EQ(verb_put("n", before, STORE_SET), RESULT_STORED);
	CHECK_EQ(verb_arith("n", &(struct arith_spec){ .delta = delta }, &done),
	    RESULT_STORED);
	CHECK(done.number == number);
	CHECK_STR(rig_get(&verb_rig, "n"), after);
	unit_note("%s", "");
}

static void
subtracts(const char *before, uint64_t delta, uint64_t number,
    const char *after)
{
	struct arith_spec spec = { .decrement = true, .delta = delta };
	struct arith_done done;

	unit_note("%s - %llu", before, (unsigned long long)delta);
	CHECK_EQ(verb_put("n", before, STORE_SET), RESULT_STORED);
	CHECK_EQ(verb_arith("n", &spec, &done), RESULT_STORED);
	CHECK(done.number == number);
	CHECK_STR(rig_get(&verb_rig, "n"), after);
	unit_note("%s", "");
}

static void
a_result_that_is_shorter_is_padded(void)
{
	verb_begin();
	adds("5", 2, 7, "7");
	adds("9", 1, 10, "10");
	adds("99", 1, 100, "100");
	subtracts("10", 1, 9, "9 ");
	subtracts("1000", 999, 1, "1   ");
	subtracts("5", 6, 0, "0");
	subtracts("990", 5000, 0, "0  ");
	adds("9 ", 1, 10, "10");
	adds("18446744073709551615", 1, 0, "0                   ");
	adds("18446744073709551614", 1, UINT64_MAX, "18446744073709551615");
	adds("1", UINT64_MAX, 0, "0");
	adds("0", 0, 0, "0");
	subtracts("7", 0, 7, "7");
	verb_end();
}

static void
a_number_may_have_blanks_around_it(void)
{
	verb_begin();
	adds(" 12", 1, 13, "13 ");
	adds("\t12", 1, 13, "13 ");
	adds("+5", 1, 6, "6 ");
	adds("12 b", 1, 13, "13  ");
	adds("1\t2", 1, 2, "2  ");
	adds("0007", 1, 8, "8   ");
	verb_end();
}

static void
what_is_no_number_is_left_alone(void)
{
	static const char *const bad[] = { "", " ", "abc", "-1", "1x2", "+",
		"++1", "0x10", "1.5", "18446744073709551616", " + 1", "1,000" };
	struct arith_done done;
	uint64_t cas;

	verb_begin();
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		unit_note("'%s'", bad[i]);
		CHECK_EQ(verb_put("n", bad[i], STORE_SET), RESULT_STORED);
		cas = verb_peek("n").cas;
		CHECK_EQ(
		    verb_arith("n", &(struct arith_spec){ .delta = 1 }, &done),
		    RESULT_NOT_A_NUMBER);
		CHECK_STR(rig_get(&verb_rig, "n"), bad[i]);
		CHECK_EQ(verb_peek("n").cas, cas);
	}
	unit_note("%s", "");
	verb_end();
}

static void
arithmetic_keeps_what_it_does_not_change(void)
{
	struct item_spec item = { .client_flags = 5, .exptime = 2000 };
	struct arith_spec spec = { .delta = 1 };
	struct arith_done done;
	uint64_t cas;
	struct hit hit;

	verb_begin();
	cas = verb_store("n", "1", &item, &(struct store_spec){ 0 }).cas;
	CHECK_EQ(verb_arith("n", &spec, &done), RESULT_STORED);
	CHECK(done.cas > cas);
	CHECK_EQ(done.exptime, 2000);
	CHECK(!done.made);
	hit = verb_peek("n");
	CHECK_EQ(hit.client_flags, 5);
	CHECK_EQ(hit.exptime, 2000);
	CHECK_EQ(hit.cas, done.cas);
	CHECK(!hit.fetched);

	/* what is stale or taken stays so */
	CHECK_EQ(verb_delete_as("n", &(struct delete_spec){ .stale = true }),
	    RESULT_DELETED);
	CHECK(verb_meta_get("n").won);
	CHECK_EQ(verb_arith("n", &spec, &done), RESULT_STORED);
	hit = verb_meta_get("n");
	CHECK(hit.stale && hit.taken && !hit.won && hit.fetched);

	spec.touch = true;
	spec.exptime = 1234;
	spec.own_cas = true;
	spec.new_cas = 88;
	CHECK_EQ(verb_arith("n", &spec, &done), RESULT_STORED);
	CHECK_EQ(done.exptime, 2000);
	CHECK_EQ(verb_peek("n").exptime, 1234);
	CHECK_EQ(verb_peek("n").cas, 88);
	CHECK_EQ(done.number, 4);
	verb_end();
}

static void
a_missing_number_is_made_when_told(void)
{
	struct arith_spec spec = { .delta = 5, .initial = 13 };
	struct arith_done done;

	verb_begin();
	CHECK_EQ(verb_arith("n", &spec, &done), RESULT_NOT_FOUND);
	spec.vivify = true;
	spec.vivify_exptime = 1060;
	CHECK_EQ(verb_arith("n", &spec, &done), RESULT_STORED);
	CHECK(done.made);
	CHECK_EQ(done.number, 13);
	CHECK_EQ(verb_peek("n").exptime, 1060);
	CHECK_STR(rig_get(&verb_rig, "n"), "13");
	CHECK_EQ(verb_arith("n", &spec, &done), RESULT_STORED);
	CHECK(!done.made);
	CHECK_EQ(done.number, 18);

	spec = (struct arith_spec){ .vivify = true,
		.initial = UINT64_MAX,
		.own_cas = true,
		.new_cas = 3 };
	CHECK_EQ(verb_arith("m", &spec, &done), RESULT_STORED);
	CHECK_EQ(done.cas, 3);
	CHECK_STR(rig_get(&verb_rig, "m"), "18446744073709551615");
	verb_end();
}

enum { LIMIT = 1 << 20 };

static void
numbers_made_stay_within_the_limit(void)
{
	struct arith_spec spec = { .vivify = true };
	enum result res = RESULT_STORED;
	struct arith_done done;
	char key[KEY_MAX + 1];
	int64_t most = 0;

	/* Of long keys the tables, which are paid for apart, take little. */
	memset(key, 'k', sizeof(key));
	rig_open(&verb_rig,
	    &(struct rig_config){ .slabs = true,
		.limit = LIMIT,
		.no_evict = true });
	key[KEY_MAX] = '\0';
	for (int n = 10000; res == RESULT_STORED && n < 20000; n++) {
		key[snprintf(key, sizeof(key), "%d", n)] = 'k';
		res = verb_arith(key, &spec, &done);
		if (store_account(verb_rig.store) > most)
			most = store_account(verb_rig.store);
	}
	CHECK_EQ(res, RESULT_NO_MEMORY);
	CHECK(most <= LIMIT);
	/* what is there may still change */
	memcpy(key, "10000", 5);
	CHECK_EQ(verb_arith(key, &spec, &done), RESULT_STORED);
	CHECK(!done.made);
	verb_end();
}

static void
a_number_decides_whether_arithmetic_is_done(void)
{
	struct arith_spec spec = { .delta = 1, .compare = true };
	struct arith_done done;

	verb_begin();
	CHECK_EQ(verb_put("n", "1", STORE_SET), RESULT_STORED);
	spec.cas = verb_peek("n").cas + 1;
	CHECK_EQ(verb_arith("n", &spec, &done), RESULT_EXISTS);
	spec.cas--;
	CHECK_EQ(verb_arith("n", &spec, &done), RESULT_STORED);
	CHECK_EQ(done.number, 2);
	verb_end();
}

UNIT("cache arith", TEST(a_result_that_is_shorter_is_padded),
    TEST(a_number_may_have_blanks_around_it),
    TEST(what_is_no_number_is_left_alone),
    TEST(arithmetic_keeps_what_it_does_not_change),
    TEST(a_missing_number_is_made_when_told),
    TEST(numbers_made_stay_within_the_limit),
    TEST(a_number_decides_whether_arithmetic_is_done))
