/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * duo.h - two threads' worth of rigs, for tests of leases.
 *
 * One thread plays both in turn.  Keys and values are texts.
 */
#ifndef TESTS_DUO_H
#define TESTS_DUO_H

#include "cache/lease.h"
#include "rig.h"

enum { DUO_LEASE_MS = 5000 };

/* The first has the store; the second has a mailbox of its own. */
extern struct rig duo_one, duo_two;

/* `config` NULL: rig_lease_config.  In the end the sums agree. */
void duo_begin(const struct lease_config *config);
void duo_end(void);

/* Time moves on for both. */
void duo_pass(uint64_t ms);

uint64_t duo_grant(struct rig *r, const char *key, uint32_t ms);

/* A copy of the lease or back-off; its token is 0 when there is none. */
struct lease duo_look(const char *key);

/* Ends a lease that is there, or moves its deadline. */
void duo_finish(const char *key, enum lease_end how);
void duo_prolong(const char *key, uint32_t ms);

/* Waits behind the lease of a key; NULL when there is no room for it. */
struct waiter *duo_park(struct rig *r, const char *key, uint32_t lease_ms);

/* Reads all mail: outcomes stand in the waiters, who are not done yet. */
void duo_collect(void);

/* The waiter is done with; or it leaves. */
void duo_done(struct waiter *w);
void duo_leave(struct waiter *w);

/* Stores by a token, as `ms C` does. */
enum result duo_fill(struct rig *r, const char *key, const char *value,
    uint64_t token);

#endif
