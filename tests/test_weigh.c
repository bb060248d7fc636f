/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_weigh.c - what an item is worth, as a level of one byte.
 */
#include "config.h"

#include "store/weigh.h"

#include <math.h>

#include "unit.h"

static void
logarithms_are_right_within_an_eighth(void)
{
	for (uint64_t x = 1; x < (uint64_t)1 << 40; x += 1 + x / 7) {
		double got = weigh_log(x) / 16.0;

		unit_note("log of %llu", (unsigned long long)x);
		CHECK(fabs(got - log2((double)x)) < 0.125);
	}
	unit_note("%s", "");
}

static void
a_mean_item_is_in_the_middle(void)
{
	for (int way = 0; way < WEIGH_WAYS; way++)
		for (unsigned size = 100; size < 300; size += 7)
			CHECK_EQ(weigh((enum weigh_way)way, 1, size, size, 0),
			    WEIGH_MIDDLE);
}

static void
worth_doubles_every_eight_levels(void)
{
	for (unsigned level = 0; level + WEIGH_DOUBLING < 256; level++) {
		double ratio = (double)weigh_worth(
				   (uint8_t)(level + WEIGH_DOUBLING)) /
		    (double)weigh_worth((uint8_t)level);

		CHECK(fabs(ratio - 2) < 0.001);
	}
}

/* What is rare in a size, in hits, in cost has its bounds. */
static void
levels_stay_in_their_byte(void)
{
	for (int way = 0; way < WEIGH_WAYS; way++) {
		enum weigh_way w = (enum weigh_way)way;

		CHECK(weigh(w, 1, weigh_log((uint64_t)1 << 40), weigh_log(30),
			  -WEIGH_COST_MAX) >= 1);
		CHECK(weigh(w, WEIGH_HITS_MAX, weigh_log(30),
			  weigh_log((uint64_t)1 << 40), WEIGH_COST_MAX) > 200);
	}
}

/* What stays sinks by what goes: worth w by f, for the slow way f / 100. */
static void
what_stays_sinks_by_what_goes(void)
{
	enum { N = 4000, FLOOR = 100 };

	for (unsigned above = 0; above < 60; above += 5) {
		uint32_t dice = 1;
		double sum = 0, want;
		uint8_t level = (uint8_t)(FLOOR + above);

		for (int i = 0; i < N; i++) {
			dice = dice * 1103515245 + 12345;
			sum += (double)weigh_worth(
			    weigh_sunken(WEIGH_SMALL, level, FLOOR, dice >> 8));
		}
		want = (double)weigh_worth(level) - (double)weigh_worth(FLOOR);
		unit_note("%u above: %.0f, should be %.0f", above, sum / N,
		    want);
		CHECK(sum / N > want * 0.9 - 100 && sum / N < want * 1.1 + 100);
		CHECK_EQ(weigh_sunken(WEIGH_LASTING, level, FLOOR, 0), level);
	}
	CHECK(weigh_sunken(WEIGH_LASTING, FLOOR, FLOOR, 0xffff) < FLOOR);
	unit_note("%s", "");
}

UNIT("weigh", TEST(logarithms_are_right_within_an_eighth),
    TEST(a_mean_item_is_in_the_middle), TEST(worth_doubles_every_eight_levels),
    TEST(levels_stay_in_their_byte), TEST(what_stays_sinks_by_what_goes))
