/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_hot_tags.c - which tags are invalidated most?
 */
#include "config.h"

#include "cache/hot_tags.h"

#include <stdio.h>
#include <string.h>

#include "rng.h"

#include "unit.h"

static struct hot_tags h;
static struct hot_tag list[HOT_TAGS];

static void
count(const char *name, int times)
{
	for (int i = 0; i < times; i++)
		hot_tags_count(&h, name, strlen(name));
}

static void
is(const struct hot_tag *t, const char *name, uint64_t times)
{
	CHECK(t->len == strlen(name) && memcmp(t->name, name, t->len) == 0);
	CHECK_EQ(t->count, times);
	CHECK_EQ(t->error, 0);
}

static void
few_tags_are_counted_exactly(void)
{
	hot_tags_init(&h);
	CHECK_EQ(hot_tags_list(&h, list), 0);
	count("b", 2);
	count("users", 5);
	count("b", 1);
	count("user", 1);
	CHECK_EQ(hot_tags_list(&h, list), 3);
	is(&list[0], "users", 5);
	is(&list[1], "b", 3);
	is(&list[2], "user", 1);
	hot_tags_destroy(&h);
}

static void
a_name_of_any_length_is_kept_whole(void)
{
	char name[HOT_TAG_MAX];

	memset(name, 'n', sizeof(name));
	hot_tags_init(&h);
	for (size_t n = 1; n <= HOT_TAGS; n++)
		hot_tags_count(&h, name, HOT_TAG_MAX - HOT_TAGS + n);
	CHECK_EQ(hot_tags_list(&h, list), HOT_TAGS);
	for (size_t i = 0; i < HOT_TAGS; i++)
		CHECK(memcmp(list[i].name, name, list[i].len) == 0);
	hot_tags_destroy(&h);
}

/* Among many others the frequent one is found; what is told is no less. */
static void
counts_are_never_too_low(void)
{
	struct rng r = rng_start("tags", 64);
	uint64_t times[200] = { 0 };

	hot_tags_init(&h);
	for (int i = 0; i < 20000; i++) {
		unsigned t = rng_one_in(&r, 3) ? 7 :
						 (unsigned)rng_below(&r, 200);
		char name[8];

		snprintf(name, sizeof(name), "t%u", t);
		count(name, 1);
		times[t]++;
	}
	CHECK_EQ(hot_tags_list(&h, list), HOT_TAGS);
	CHECK(list[0].len == 2 && memcmp(list[0].name, "t7", 2) == 0);
	for (int i = 0; i < HOT_TAGS; i++) {
		char name[8] = "";
		unsigned t;

		REQUIRE(list[i].len < sizeof(name));
		memcpy(name, list[i].name, list[i].len);
		REQUIRE(sscanf(name, "t%u", &t) == 1 && t < 200);
		CHECK(list[i].count >= times[t]);
		CHECK(list[i].count - list[i].error <= times[t]);
		CHECK(i == 0 || list[i].count <= list[i - 1].count);
	}
	hot_tags_destroy(&h);
}

UNIT("hot tags", TEST(few_tags_are_counted_exactly),
    TEST(a_name_of_any_length_is_kept_whole), TEST(counts_are_never_too_low))
