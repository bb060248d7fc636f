/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * clock.c - the server's time.
 *
 * The coarse monotonic clock ticks every 1 to 4 ms and costs no system call;
 * nothing the server times is finer.
 */
#include "config.h"

#include "base/clock.h"

#include <stdatomic.h>
#include <stddef.h>
#include <time.h>

static uint64_t started_ms;
static int64_t started_unix;

/* Test switch; written by one command, read by all threads. */
static _Atomic int64_t moved_ms;
static _Atomic uint64_t paused_at_ms;

static uint64_t
monotonic_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

void
clock_start(void)
{
	started_ms = monotonic_ms();
	started_unix = (int64_t)time(NULL);
}

uint64_t
clock_ms(void)
{
	uint64_t paused = atomic_load_explicit(&paused_at_ms,
	    memory_order_relaxed);
	uint64_t now = paused != 0 ? paused : monotonic_ms();

	return now - started_ms + CLOCK_FIRST * 1000 +
	    (uint64_t)atomic_load_explicit(&moved_ms, memory_order_relaxed);
}

int64_t
clock_unix(rel_time t)
{
	return started_unix - CLOCK_FIRST + (int64_t)t;
}

int64_t
clock_since_unix(int64_t unix_seconds)
{
	return unix_seconds - started_unix + CLOCK_FIRST;
}

rel_time
clock_exptime(int32_t exptime, rel_time now)
{
	int64_t at;

	if (exptime == 0)
		return 0;
	if (exptime < 0)
		return CLOCK_LONG_AGO;
	if (exptime <= CLOCK_MAX_DELTA)
		return now + (rel_time)exptime;
	at = clock_since_unix(exptime);
	return at <= CLOCK_FIRST ? CLOCK_LONG_AGO : (rel_time)at;
}

void
clock_move(int64_t seconds)
{
	int64_t moved = atomic_load(&moved_ms) + seconds * 1000;

	/* Time never runs below its start: 0 and 1 have meanings of their own.
	 */
	if ((int64_t)clock_ms() + seconds * 1000 < CLOCK_FIRST * 1000)
		moved = 0;
	atomic_store(&moved_ms, moved);
}

void
clock_pause(bool stop)
{
	uint64_t at = atomic_load(&paused_at_ms);

	if (stop && at == 0) {
		atomic_store(&paused_at_ms, monotonic_ms());
	} else if (!stop && at != 0) {
		/* Goes on from where it stopped. */
		atomic_fetch_sub(&moved_ms, (int64_t)(monotonic_ms() - at));
		atomic_store(&paused_at_ms, 0);
	}
}
