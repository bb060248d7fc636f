/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * clock.h - the server's time.
 *
 * Items expire by `rel_time`, whole seconds on a monotonic clock that begins
 * shortly before the process, so that 0 can mean "never" and 1 "long ago".
 * Waits count milliseconds of the same clock.  Code below the server layer
 * never asks for the time: it is handed in, once a batch of requests.
 *
 * Tests move the clock instead of sleeping; see clock_move().
 *
 * Layer: base.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

/* Seconds since just before the start; 0 stands for never. */
typedef uint32_t rel_time;

enum {
	CLOCK_FIRST = 2,    /* rel_time at the start of the process */
	CLOCK_LONG_AGO = 1, /* an exptime that has always passed */
	CLOCK_MAX_DELTA = 60 * 60 * 24 * 30, /* longer exptimes are absolute */
};

/* Sets the start of rel_time to now.  Called once, before any thread runs. */
void clock_start(void);

/* Milliseconds of the server's clock; clock_ms() / 1000 is the rel_time. */
uint64_t clock_ms(void);

static inline rel_time
clock_rel(uint64_t ms)
{
	return (rel_time)(ms / 1000);
}

/*
 * Seconds from `then` to `now`, not below 0: another thread's batch may have
 * seen a later second than this one.
 */
static inline rel_time
clock_since(rel_time then, rel_time now)
{
	return now > then ? now - then : 0;
}

/* Seconds since 1970 at a rel_time, and the other way round (not below 0). */
int64_t clock_unix(rel_time t);
int64_t clock_since_unix(int64_t unix_seconds);

/*
 * The rel_time at which a client's exptime passes: 0 never; negative: at
 * once; up to 30 days from now; larger: seconds since 1970.
 */
rel_time clock_exptime(int32_t exptime, rel_time now);

/* Test switch: moves, stops and restarts the clock of the whole process. */
void clock_move(int64_t seconds);
void clock_pause(bool stop);

#endif
