/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * judge.h - is a round of a history as the server has promised?
 *
 * Only what a client can be sure of counts.  A request takes effect somewhere
 * between its send and its reply; A was before B for sure when the reply to A
 * had been read before B was sent.  So nothing that is said here depends on
 * how fast anybody was, but for leases and floors: they are held to have
 * lasted only until well before they were to end.
 *
 * The invariants have the numbers of the protocol's list:
 *
 *	I1	nothing filled with a token that was granted before an
 *		invalidation is accepted or seen as fresh after it
 *	I2	one live lease a key, I7 one new holder for each end
 *	I4	no step back: in place, and below a floor
 *	I5	a refused value is never seen, and harms none that is there
 *	I6	one reply each, in order, in time
 *	I8	who holds a lease is not parked
 *	I10	the sums of the counters
 *	I11	floors are the highest of the versions sent, in any order
 *	I12	one load for many that miss at once
 *	I14	values are whole
 *	fence	tokens rise
 */
#ifndef TESTS_HISTORY_JUDGE_H
#define TESTS_HISTORY_JUDGE_H

#include "record.h"

#include <stdio.h>

enum { VERDICT_OPS = 4 };

/* The first violation. */
struct verdict {
	char why[320];
	int key;
	size_t line; /* where it shows */
	size_t op[VERDICT_OPS];
	size_t ops;
};

/* All of it; true when there is no violation. */
bool judge_round(struct history *h, struct verdict *v);

/* The end: counters. */
bool judge_counts(struct history *h, struct verdict *v);

/* What happened, for a person: the requests that matter, and what else was
   done to the key meanwhile. */
void verdict_print(const struct history *h, const struct verdict *v, FILE *out);

/* The parts, after judge_round() has found what is `done`. */
bool judge_values(const struct history *h, struct verdict *v);
bool judge_floors(const struct history *h, struct verdict *v);
bool judge_leases(struct history *h, struct verdict *v);
bool judge_waits(const struct history *h, struct verdict *v);

/* Says why; takes up to VERDICT_OPS requests in `ops`, its end is NOTHING. */
#define OPS(...)                                                               \
	(const size_t[])                                                       \
	{                                                                      \
		__VA_ARGS__, NOTHING                                           \
	}
bool violated(struct verdict *v, const struct history *h, int key,
    const size_t *ops, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* ---- what several of them ask ---- */

/* A store with a token that was granted in this round: the grant's request. */
const struct op *grant_of(const struct history *h, const struct op *op);

/* The store that this value came with, or NOTHING. */
size_t store_of(const struct history *h, const struct seen *s);

/* A value that stands while the request goes on, and that nobody disturbs: its
   store, or NOTHING. */
size_t present_for(const struct history *h, size_t op, int key);

/* It may have ended whichever lease the key had. */
bool ends_any_lease(const struct op *op, int key);

/* Not before this time does the lease lapse. */
uint64_t lapse_of(const struct history *h, const struct grant *g,
    uint64_t granted);

#endif
