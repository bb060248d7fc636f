/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_clock.c - the server's time.
 *
 * The clock is the process's: each test leaves it running, wherever it stands.
 */
#include "config.h"

#include "base/clock.h"

#include <time.h>

#include "rng.h"
#include "unit.h"

enum { DAY = 24 * 60 * 60, MINUTE_MS = 60 * 1000 };

static void
start_once(void)
{
	static bool started;

	if (!started)
		clock_start();
	started = true;
}

/* Returns when the kernel's coarse clock has moved on by 20 ms. */
static void
spend_20_ms(void)
{
	struct timespec from, now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &from);
	do
		clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	while ((now.tv_sec - from.tv_sec) * 1000 +
		(now.tv_nsec - from.tv_nsec) / 1000000 <
	    20);
}

static void
time_begins_above_the_values_with_a_meaning(void)
{
	uint64_t ms;

	start_once();
	ms = clock_ms();

	CHECK(ms >= CLOCK_FIRST * 1000);
	CHECK(ms < CLOCK_FIRST * 1000 + MINUTE_MS);
	CHECK(CLOCK_FIRST > CLOCK_LONG_AGO && CLOCK_LONG_AGO > 0);
}

static void
seconds_are_whole_thousands_of_milliseconds(void)
{
	CHECK_EQ(clock_rel(2000), 2);
	CHECK_EQ(clock_rel(2999), 2);
	CHECK_EQ(clock_rel(3000), 3);
}

static void
time_passes(void)
{
	uint64_t ms;

	start_once();
	ms = clock_ms();
	spend_20_ms();

	CHECK(clock_ms() >= ms + 20);
	CHECK(clock_ms() < ms + MINUTE_MS);
}

static void
unix_time_and_ours_are_a_fixed_distance_apart(void)
{
	int64_t now;

	start_once();
	now = clock_unix(clock_rel(clock_ms()));

	CHECK(now >= (int64_t)time(NULL) - 2);
	CHECK(now <= (int64_t)time(NULL) + 2);
	for (rel_time t = 0; t < 4000000000; t += 123456789) {
		CHECK_EQ(clock_since_unix(clock_unix(t)), t);
		CHECK_EQ(clock_unix(t + 1) - clock_unix(t), 1);
	}
	CHECK(clock_since_unix(0) < 0);
}

static void
exptime_0_is_never_and_below_0_is_at_once(void)
{
	start_once();

	CHECK_EQ(clock_exptime(0, 100), 0);
	CHECK_EQ(clock_exptime(-1, 100), CLOCK_LONG_AGO);
	CHECK_EQ(clock_exptime(INT32_MIN, 100), CLOCK_LONG_AGO);
}

static void
exptime_counts_from_now_up_to_30_days(void)
{
	start_once();

	CHECK_EQ(clock_exptime(1, 100), 101);
	CHECK_EQ(clock_exptime(60, 100), 160);
	CHECK_EQ(clock_exptime(30 * DAY, 100), 100 + 30 * DAY);
}

static void
a_longer_exptime_is_unix_time(void)
{
	int32_t tomorrow, yesterday;
	int64_t now;

	start_once();
	now = clock_unix(CLOCK_FIRST);
	tomorrow = (int32_t)(now + DAY);
	yesterday = (int32_t)(now - DAY);

	CHECK_EQ(clock_exptime(tomorrow, 50), CLOCK_FIRST + DAY);
	CHECK_EQ(clock_exptime(tomorrow, 5000), CLOCK_FIRST + DAY);
	CHECK_EQ(clock_exptime(yesterday, 50), CLOCK_LONG_AGO);
	CHECK_EQ(clock_exptime(30 * DAY + 1, 50), CLOCK_LONG_AGO);
	CHECK_EQ(clock_exptime((int32_t)now, 50), CLOCK_LONG_AGO);
	CHECK_EQ(clock_exptime((int32_t)now + 1, 50), CLOCK_FIRST + 1);
}

/* 0 would be never, 1 long ago: no exptime in the future is one of them. */
static void
no_exptime_becomes_0_by_accident(void)
{
	struct rng r = rng_start("exptimes", 4);

	start_once();
	for (int i = 0; i < 200000; i++) {
		int32_t e = (int32_t)rng_any(&r, 32);
		rel_time now = CLOCK_FIRST + (rel_time)rng_below(&r, 1 << 24);
		rel_time t = clock_exptime(e, now);

		CHECK((t == 0) == (e == 0));
		CHECK(e <= 0 || e > CLOCK_MAX_DELTA || t > now);
	}
}

static void
a_moved_clock_is_that_much_later(void)
{
	uint64_t ms;

	start_once();
	ms = clock_ms();
	clock_move(100);
	CHECK(clock_ms() >= ms + 100 * 1000);
	CHECK(clock_ms() < ms + 100 * 1000 + MINUTE_MS);

	clock_move(-60);
	CHECK(clock_ms() >= ms + 40 * 1000);
	CHECK(clock_ms() < ms + 40 * 1000 + MINUTE_MS);
	clock_move(-40);
	CHECK(clock_ms() >= ms);
	CHECK(clock_ms() < ms + MINUTE_MS);
}

static void
moving_the_clock_leaves_unix_times_where_they_are(void)
{
	int64_t unix_start;

	start_once();
	unix_start = clock_unix(CLOCK_FIRST);
	clock_move(1000);
	CHECK_EQ(clock_unix(CLOCK_FIRST), unix_start);
	clock_move(-1000);
}

static void
the_clock_never_runs_below_its_start(void)
{
	start_once();
	clock_move(-100000);
	CHECK(clock_ms() >= CLOCK_FIRST * 1000);
	clock_move(50);
	clock_move(-100000);
	CHECK(clock_ms() >= CLOCK_FIRST * 1000);
	CHECK(clock_ms() < CLOCK_FIRST * 1000 + MINUTE_MS);
}

static void
a_paused_clock_stands(void)
{
	uint64_t ms;

	start_once();
	clock_pause(true);
	ms = clock_ms();
	spend_20_ms();
	CHECK_EQ(clock_ms(), ms);

	clock_pause(true); /* once more changes nothing */
	spend_20_ms();
	CHECK_EQ(clock_ms(), ms);
	clock_pause(false);
}

static void
a_paused_clock_can_be_moved(void)
{
	uint64_t ms;

	start_once();
	clock_pause(true);
	ms = clock_ms();
	clock_move(7);
	CHECK_EQ(clock_ms(), ms + 7000);
	clock_move(-3);
	CHECK_EQ(clock_ms(), ms + 4000);
	clock_pause(false);
}

static void
a_resumed_clock_goes_on_from_where_it_stood(void)
{
	uint64_t ms;

	start_once();
	clock_pause(true);
	ms = clock_ms();
	spend_20_ms();
	clock_pause(false);

	/* not 20 ms later, unless this thread had to wait between two lines */
	CHECK(clock_ms() >= ms);
	CHECK(clock_ms() < ms + MINUTE_MS);
	ms = clock_ms();
	spend_20_ms();
	CHECK(clock_ms() >= ms + 20);

	ms = clock_ms();
	clock_pause(false); /* a clock that runs is left alone */
	CHECK(clock_ms() >= ms);
}

UNIT("clock", TEST(time_begins_above_the_values_with_a_meaning),
    TEST(seconds_are_whole_thousands_of_milliseconds), TEST(time_passes),
    TEST(unix_time_and_ours_are_a_fixed_distance_apart),
    TEST(exptime_0_is_never_and_below_0_is_at_once),
    TEST(exptime_counts_from_now_up_to_30_days),
    TEST(a_longer_exptime_is_unix_time), TEST(no_exptime_becomes_0_by_accident),
    TEST(a_moved_clock_is_that_much_later),
    TEST(moving_the_clock_leaves_unix_times_where_they_are),
    TEST(the_clock_never_runs_below_its_start), TEST(a_paused_clock_stands),
    TEST(a_paused_clock_can_be_moved),
    TEST(a_resumed_clock_goes_on_from_where_it_stood))
