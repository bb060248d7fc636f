/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_expire.c - a timing wheel that costs one byte an item.
 *
 * The sweep is played here as store/sweep.c does it: it looks at an item when
 * the wheel has passed its position, and removes it or gives it a new one.
 */
#include "config.h"

#include "store/expire.h"

#include <string.h>

#include "rng.h"
#include "unit.h"

enum {
	LEVELS = 4,
	POSITIONS = 63,
	CODES = 1 + LEVELS * POSITIONS,
	MONTH = CLOCK_MAX_DELTA,
	/* Positions on one level can't wrap within this time. */
	NO_WRAP = 60 * 4096,
};

static void
no_exptime_has_no_position(void)
{
	CHECK_EQ(expire_position(0, 2), 0);
	CHECK_EQ(expire_position(0, UINT32_MAX), 0);
}

static void
every_exptime_has_a_position(void)
{
	struct rng r = rng_start("positions", 6);

	for (int i = 0; i < 500000; i++) {
		rel_time now = CLOCK_FIRST + (rel_time)rng_any(&r, 30);
		rel_time exptime = (rel_time)rng_any(&r, 31) + 1;
		expire_code c = expire_position(exptime, now);

		REQUIRE(c >= 1 && c < CODES);
	}
}

/* What expire_passed() promises, spelled out. */
static bool
was_passed(unsigned code, rel_time from, rel_time to)
{
	unsigned level = (code - 1) / POSITIONS, at = (code - 1) % POSITIONS;
	uint64_t first = ((uint64_t)from >> 4 * level) + 1;
	uint64_t last = (uint64_t)to >> 4 * level;

	for (uint64_t u = first; u <= last && u < first + POSITIONS; u++)
		if (u % POSITIONS == at)
			return true;
	return false;
}

static void
passed_are_the_positions_between_two_times(void)
{
	struct rng r = rng_start("passed", 7);
	struct expire_due due;

	for (int i = 0; i < 20000; i++) {
		rel_time from = (rel_time)rng_any(&r, 30);
		rel_time to = from + (rel_time)rng_any(&r, 20);
		bool good = true;

		expire_passed(&due, from, to);
		for (unsigned c = 1; c < CODES; c++)
			good = good &&
			    expire_is_due(&due, (expire_code)c) ==
				was_passed(c, from, to);
		unit_note("from %u to %u", from, to);
		REQUIRE(good);
		REQUIRE(!expire_is_due(&due, 0));
	}
	unit_note("%s", "");
}

static void
no_time_passes_no_position(void)
{
	struct expire_due due;

	for (rel_time t = 0; t < 100000; t += 77) {
		expire_passed(&due, t, t);
		for (unsigned c = 0; c < 256; c++)
			REQUIRE(!expire_is_due(&due, (expire_code)c));
	}
}

/* A clock that was set back: anything may have been passed. */
static void
time_that_runs_backwards_passes_every_position(void)
{
	struct expire_due due;

	expire_passed(&due, 1000, 999);
	CHECK(!expire_is_due(&due, 0));
	for (unsigned c = 1; c < CODES; c++)
		REQUIRE(expire_is_due(&due, (expire_code)c));
}

static void
everything_includes_what_never_expires(void)
{
	struct expire_due due;

	expire_everything(&due);
	for (unsigned c = 0; c < 256; c++)
		CHECK(expire_is_due(&due, (expire_code)c));
}

/* One item on the wheel, and a wheel that moves by steps of up to `step`. */
struct ride {
	rel_time swept, exptime;
	expire_code code;
	unsigned looks;
	bool removed;
};

/* A pass up to `to`, which looks at the item at `now`. */
static void
sweep(struct ride *ride, rel_time to, rel_time now)
{
	struct expire_due due;

	expire_passed(&due, ride->swept, to);
	ride->swept = to;
	if (!expire_is_due(&due, ride->code))
		return;
	ride->looks++;
	if (ride->exptime <= now)
		ride->removed = true;
	else
		ride->code = expire_position(ride->exptime, now);
}

/* Rides to the end.  The item is put there between two passes. */
static struct ride
ride_to_the_end(struct rng *r, rel_time delta, rel_time step)
{
	rel_time now = CLOCK_FIRST + (rel_time)rng_any(r, 26);
	struct ride ride = { .swept = now };

	now += (rel_time)rng_below(r, 2);
	ride.exptime = now + delta;
	ride.code = expire_position(ride.exptime, now);
	while (!ride.removed && ride.swept < ride.exptime) {
		rel_time to = ride.swept + 1 + (rel_time)rng_below(r, step);

		/* a pass may take a while until it meets the item */
		now = to + (rng_one_in(r, 4) ? (rel_time)rng_below(r, 5) : 0);
		sweep(&ride, to, now);
	}
	return ride;
}

static void
rides_end_in_time(struct rng *r, unsigned bits, rel_time step, int rides)
{
	for (int i = 0; i < rides; i++) {
		rel_time delta = 1 + (rel_time)rng_any(r, bits);
		struct ride ride = ride_to_the_end(r, delta, step);

		unit_note("delta %u step %u", delta, step);
		REQUIRE(ride.removed);
		REQUIRE(ride.looks > 0);
	}
	unit_note("%s", "");
}

/* The first pass that reaches its exptime removes an item, whatever came. */
static void
no_item_outlives_the_pass_that_reaches_its_exptime(void)
{
	struct rng r = rng_start("rides", 8);

	rides_end_in_time(&r, 8, 1, 4000);
	rides_end_in_time(&r, 8, 3, 4000);
	rides_end_in_time(&r, 14, 2, 500);
	rides_end_in_time(&r, 14, 100, 4000);
	rides_end_in_time(&r, 21, 300, 1000);
	rides_end_in_time(&r, 21, 5000, 4000);
	rides_end_in_time(&r, 21, 300000, 4000);
}

static void
no_item_outlives_it_at_the_borders_of_levels(void)
{
	struct rng r = rng_start("borders", 9);

	for (unsigned level = 0; level < LEVELS; level++)
		for (rel_time unit = 58; unit <= 66; unit++)
			for (int off = -2; off <= 2; off++) {
				rel_time delta = (unit << 4 * level) +
				    (rel_time)off;
				struct ride ride = ride_to_the_end(&r, delta,
				    1 + (delta >> 5));

				unit_note("delta %u", delta);
				REQUIRE(ride.removed);
			}
	unit_note("%s", "");
}

/* That is what the wheel is for: items are not looked at all the time. */
static void
an_item_is_looked_at_a_few_times_only(void)
{
	struct rng r = rng_start("looks", 10);

	for (int i = 0; i < 50; i++) {
		rel_time delta = 1 + (rel_time)rng_below(&r, NO_WRAP);
		struct ride ride = ride_to_the_end(&r, delta, 1);

		unit_note("delta %u looks %u", delta, ride.looks);
		REQUIRE(ride.looks <= 2 * LEVELS);
	}
	unit_note("%s", "");
}

static void
a_month_is_not_looked_at_more_often_than_the_wheel_turns(void)
{
	struct rng r = rng_start("a month", 11);
	struct ride ride = ride_to_the_end(&r, MONTH, 1);

	CHECK(ride.removed);
	CHECK(ride.looks >= MONTH / NO_WRAP);
	CHECK(ride.looks <= 2 * LEVELS + MONTH / NO_WRAP + 1);
}

static void
an_item_that_has_expired_already_goes_with_the_next_pass(void)
{
	for (rel_time now = 1000; now < 1200; now++) {
		struct ride ride = { .swept = now, .exptime = now - 5 };

		ride.code = expire_position(ride.exptime, now);
		sweep(&ride, now + 1, now + 1);
		CHECK(ride.removed);
	}
}

/*
 * A worker's time is that of its batch and may be a second behind the sweep's.
 * An item it makes then may be met late, by one turn of the finest level.
 */
static void
an_item_made_a_second_ago_is_met_a_turn_late_at_most(void)
{
	for (rel_time delta = 1; delta < 70; delta++) {
		struct ride ride = { .swept = 1000, .exptime = 999 + delta };

		ride.code = expire_position(ride.exptime, 999);
		while (!ride.removed && ride.swept <= ride.exptime + POSITIONS)
			sweep(&ride, ride.swept + 1, ride.swept + 1);
		unit_note("delta %u", delta);
		CHECK(ride.removed);
		if (delta > 1)
			CHECK_EQ(ride.swept, ride.exptime);
	}
	unit_note("%s", "");
}

UNIT("expire", TEST(no_exptime_has_no_position),
    TEST(every_exptime_has_a_position),
    TEST(passed_are_the_positions_between_two_times),
    TEST(no_time_passes_no_position),
    TEST(time_that_runs_backwards_passes_every_position),
    TEST(everything_includes_what_never_expires),
    TEST(no_item_outlives_the_pass_that_reaches_its_exptime),
    TEST(no_item_outlives_it_at_the_borders_of_levels),
    TEST(an_item_is_looked_at_a_few_times_only),
    TEST(a_month_is_not_looked_at_more_often_than_the_wheel_turns),
    TEST(an_item_that_has_expired_already_goes_with_the_next_pass),
    TEST(an_item_made_a_second_ago_is_met_a_turn_late_at_most))
