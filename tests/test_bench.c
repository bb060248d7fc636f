/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_bench.c - what the load generator counts with: percentiles, and keys.
 */
#include "config.h"

#include "bench/histogram.h"
#include "bench/load.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

static struct histogram *
empty(void)
{
	struct histogram *h = calloc(1, sizeof(*h));

	REQUIRE(h != NULL);
	return h;
}

static void
an_empty_histogram_has_no_percentiles(void)
{
	struct histogram *h = empty();

	CHECK_EQ(histogram_at(h, 0.5), 0);
	CHECK_EQ(histogram_at(h, 1), 0);
	free(h);
}

static void
a_percentile_is_at_most_one_in_128_too_high(void)
{
	struct histogram *h = empty();
	int64_t last = 0;

	for (int64_t v = 1; v < INT64_MAX / 3; v += v / 3 + 1) {
		memset(h, 0, sizeof(*h));
		histogram_add(h, v);
		histogram_add(h, INT64_MAX);
		last = histogram_at(h, 0.5);
		unit_note("%lld", (long long)v);
		CHECK(last >= v && last - v <= v / 128);
		CHECK_EQ(histogram_at(h, 1), INT64_MAX);
	}
	unit_note("%s", "");
	free(h);
}

static void
percentiles_are_those_of_what_was_added(void)
{
	struct histogram *h = empty();

	for (int64_t v = 1; v <= 200; v++)
		histogram_add(h, v);
	CHECK_EQ(h->total, 200u);
	CHECK_EQ(histogram_at(h, 0.001), 1);
	CHECK_EQ(histogram_at(h, 0.5), 100);
	CHECK_EQ(histogram_at(h, 0.99), 198);
	CHECK_EQ(histogram_at(h, 1), 200);
	histogram_add(h, -5);
	CHECK_EQ(histogram_at(h, 0.001), 0);
	free(h);
}

static void
numbers_have_names_of_their_own(void)
{
	static const uint64_t keys[] = { 0, 1, 9, 10, 15, 16, 0xffffffff,
		0x100000000, 0x123456789abcdef0, UINT64_MAX };
	enum { KEYS = sizeof(keys) / sizeof(*keys) };
	char names[KEYS][KEY_BYTES];

	for (unsigned i = 0; i < KEYS; i++) {
		key_name(names[i], keys[i]);
		CHECK(memcmp(names[i], "bench:k:", 8) == 0);
		for (unsigned at = 8; at < KEY_BYTES; at++)
			CHECK(strchr("0123456789abcdef", names[i][at]) != NULL);
		for (unsigned j = 0; j < i; j++)
			CHECK(memcmp(names[i], names[j], KEY_BYTES) != 0);
	}
}

enum { KEYS = 1000, DRAWS = 200000 };

/* How often each key came; no other may. */
static void
count_draws(double zipf, unsigned *counts)
{
	struct draw d;

	draw_start(&d, KEYS, zipf);
	memset(counts, 0, KEYS * sizeof(*counts));
	for (unsigned i = 0; i < DRAWS; i++) {
		uint64_t key = draw_key(&d);

		REQUIRE(key < KEYS);
		counts[key]++;
	}
}

/* (The sequence is the same in each run, so this never fails by chance.) */
static void
uniform_keys_are_all_as_frequent(void)
{
	unsigned counts[KEYS];

	count_draws(0, counts);
	for (unsigned i = 0; i < KEYS; i++)
		CHECK(counts[i] > 120 && counts[i] < 280);
}

static int
more_first(const void *a, const void *b)
{
	unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;

	return (x < y) - (x > y);
}

static void
zipf_keys_are_as_frequent_as_their_rank_says(void)
{
	static const double exponents[] = { 0.7, 0.99, 1, 1.3 };
	unsigned counts[KEYS];

	for (unsigned e = 0; e < 4; e++) {
		double s = exponents[e], sum = 0;

		count_draws(s, counts);
		qsort(counts, KEYS, sizeof(*counts), more_first);
		for (unsigned i = 1; i <= KEYS; i++)
			sum += pow(i, -s);
		unit_note("exponent %g", s);
		for (unsigned i = 1; i <= 8; i *= 2) {
			double wanted = DRAWS * pow(i, -s) / sum;

			CHECK(fabs(counts[i - 1] - wanted) < 0.06 * wanted);
		}
	}
	unit_note("%s", "");
}

static void
arrivals_come_at_the_rate_that_was_asked_for(void)
{
	struct draw d;
	double sum = 0, longest = 0;

	draw_start(&d, KEYS, 0);
	for (unsigned i = 0; i < DRAWS; i++) {
		double gap = draw_gap(&d, 50000);

		CHECK(gap >= 0);
		sum += gap;
		longest = gap > longest ? gap : longest;
	}
	CHECK(fabs(sum / DRAWS - 20000) < 200);
	CHECK(longest > 5 * 20000);
}

UNIT("bench", TEST(an_empty_histogram_has_no_percentiles),
    TEST(a_percentile_is_at_most_one_in_128_too_high),
    TEST(percentiles_are_those_of_what_was_added),
    TEST(numbers_have_names_of_their_own),
    TEST(uniform_keys_are_all_as_frequent),
    TEST(zipf_keys_are_as_frequent_as_their_rank_says),
    TEST(arrivals_come_at_the_rate_that_was_asked_for))
