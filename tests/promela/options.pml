/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * options.pml - what a run of lease.pml consists of.
 *
 *	-DCLIENTS=3 -DVERSIONS=2 -DON=DELETES+FLOORS+LAG -DBUG=dead_tag
 */

#ifndef CLIENTS
#define CLIENTS 2		/* 2 or 3; writers and events are apart */
#endif
#ifndef VERSIONS
#define VERSIONS 0		/* changes of the source, up to 3 */
#endif
#ifndef ON
#define ON 0
#endif
#define IF(option) ((ON & (option)) != 0)

/* ---- requests, besides mg n w, ms C, leases that lapse, clients that die ------- */

#define DELETES 1
#define MARKS 2			/* md I */
#define FLOORS 4		/* md V of each change, in any order, repeated */
#define MARKING_FLOORS 8	/* the same as md V I */
#define PUSHES 16		/* the same as ms V */
#define REFRESHES 32		/* the same as ms V MR */
#define SETS 64
#define APPENDS 128		/* append, prepend, incr, decr, ma */
#define PLAIN_FILLS 256		/* ms C without V where there are versions */
#define DEAD_FILLS 512		/* ms C that is expired on arrival */
#define DEAD_PUSHES 268435456	/* ms V that is */
#define TAGS 1024		/* ms A, md A */
#define FLUSHES 2048
#define EARLY 4096		/* mg e, mg R: a lease on a fresh value */
#define NEEDS 8192		/* mg V<n>: read your writes */
#define UNWILLING 16384		/* mg w without n: waits, never leads */
#define BACKOFFS 32768		/* md U d */

/* ---- what happens to a server ---------------------------------------------- */

#define LAX 65536		/* -o lax_sets */
#define GRACE 131072		/* ms H; and touch in its grace */
#define COLLISIONS 262144	/* another key moves the key clock */
#define FULL_TABLE 524288	/* tokens without a lease */
#define OLD_TOKENS 1048576	/* token_max */
#define RESTARTS 2097152
#define WARM_RESTARTS 4194304
#define LOSSES 8388608		/* tombstones that end too early */

/* ---- what the world does --------------------------------------------------- */

#define LAG 16777216		/* clients read a replica that lags */
#define AHEAD 33554432		/* events may come before their commit */
#define SPREAD 67108864		/* no event comes later than a newer tombstone */
#define PROMISES 134217728	/* with LAG: a delete claims to work */

/*
 * Faults, one at a time.  A good model finds each of them.
 */
#ifndef BUG
#define BUG 0
#endif
#define any_token 1		/* a token is good over any fresh value */
#define append_keeps_number 2	/* append leaves `stored` as it was */
#define backoff_ignored 3	/* a lease while the source is spared */
#define backoff_strands 4	/* U d leaves the waiters parked */
#define base_ignored 5		/* a floor vouches for every token */
#define base_unmoved 6		/* delete leaves the tombstone's base */
#define base_without_store 7	/* the base is the clock, whatever stands */
#define clock_ignored 8		/* F4 without a tombstone: always */
#define dead_fill_strands 9	/* a fill expired on arrival tells nobody */
#define dead_push_no_floor 10	/* ms V expired on arrival: no floor */
#define dead_tag 11		/* md A does nothing */
#define delete_keeps_tokens 12	/* delete does not move the key clock */
#define delete_strands 13	/* delete ends the lease, tells nobody */
#define end_wakes_two 14	/* two waiters get a lease */
#define epoch_ignored 15	/* a restart leaves tokens valid */
#define evicts_silently 16	/* no clock when a value leaves */
#define fill_by_grant 17	/* F5 looks at the value's grant */
#define fill_ignores_value 18	/* no F5 */
#define fill_ignores_version 19	/* F5 looks at `stored` only */
#define floor_forgotten 20	/* md V below the cached version: no floor */
#define floor_ignored 21	/* F4 does not look at the floor */
#define floor_keeps_clock 22	/* md V does not move the key clock */
#define floor_lowered 23	/* the floor is that of the last event */
#define floor_without_value 24	/* the floor is n, whatever stays */
#define flush_keeps_tokens 25	/* no F2 */
#define holder_parked 26	/* no P4 */
#define lax_keeps_base 27	/* lax_sets: a set leaves the base */
#define lease_shared 28		/* a lease though there is one */
#define mark_keeps_tokens 29	/* md I does not move the key clock */
#define needs_ignored 30	/* a store answers all */
#define no_hand_over 31		/* the end of a lease wakes nobody */
#define old_tokens_pass 32	/* F1 takes any age */
#define plain_under_floor 33	/* a fill without V under a floor */
#define push_blind 34		/* ms V without compare */
#define push_forgotten 35	/* ms V below the cached version: no floor */
#define push_no_floor 36	/* ms V leaves no floor */
#define refresh_marked 37	/* MR takes a marked value for cached */
#define refresh_plain 38	/* MR replaces a value without a version */
#define refused_freshens 39	/* a refused fill takes the mark away */
#define refused_strands 40	/* a refused fill wakes nobody */
#define renew_revives 41	/* a lapsed lease is renewed */
#define set_under_floor 42	/* a set without V under a floor */
#define tag_by_store 43		/* a tag is compared with the store */
#define tag_ignored 44		/* no F3 */
#define tombstone_silent 45	/* its end does not move the clock */
#define unwilling_leads 46	/* a lease for one that did not ask */
#define unwilling_stranded 47	/* nobody left to lead, nobody told */
#define warm_floors 48		/* a warm restart loses floors */
#define warm_tags 49		/* a warm restart keeps tagged values */

/* No faults: what the rules are for, denied; it has to be found possible. */
#define deny_late_fill 50	/* of a lease that lapsed */
#define deny_known_change 51	/* a fill that knows of the md V in between */
#define deny_answer 52		/* of a waiter by somebody else's fill */
