/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lease.pml - leases, versions and tags of one key, for Spin.
 *
 * A request is one step, as it is under a shard's lock, so there is one process:
 * it picks what happens next and changes the state as the server would; then
 * settle() answers waiters, hands the lease over and checks what must hold.
 *
 * Nothing but the versions of the source is limited, and still the state is
 * finite: numbers of the counter are only ever compared with tokens.  So the tokens
 * that somebody holds are 2, 4, 6 in order of age, and whatever happened between
 * two of them (a store, an invalidation) has the odd number between.
 *
 * Ghosts are what no server can know: what was computed before something that
 * made it wrong, and which version the server was told of.
 */

#include "options.pml"

mtype:value = { NONE, FRESH, GRACED, MARKED };
mtype:client = { IDLE, PARKED, GRANTED, LOADED };
mtype:event = { NOTHING, STORED, REFUSED, DELETED, SPARED };

/* The value. */
mtype:value value = NONE;	/* GRACED: beyond its exptime, MARKED: by md I */
byte stored;			/* number of its store */
byte birth;			/* number of its grant; for fill_by_grant only */
byte version;			/* what it shows of the source */
bool versioned;			/* does the server know? */
bool tagged;
bool gone;			/* flush clock or tag clock has passed it */
bool filled;			/* ghost: with a token */
bool wrong;			/* ghost: ... and is outdated since */

/* Clocks. */
byte key_clock = 1;
byte tag_clock = 1;
byte flush_clock = 1;
byte oldest = 1;		/* oldest_token */

/* The tombstone. */
bool tombstone;
byte floor;
byte base;
byte heard;			/* ghost: newest version since it began */
byte due;			/* ghost: ... of an event, which sets the deadline */
byte shown;			/* ghost: newest version readable since */

/* The lease. */
byte lease;			/* its token; 0: none */
bool backoff;

/* Clients. */
mtype:client client[CLIENTS] = IDLE;
byte token[CLIENTS];		/* 0: none, or of an earlier life */
bool live[CLIENTS];		/* ghost: has a lease that did not end */
byte seen[CLIENTS];		/* the version it has read */
bool late[CLIENTS];		/* ghost: ... and is outdated since */
bool late_tag[CLIENTS];		/* ghost: ... if the tag is its */
byte place[CLIENTS];		/* among the waiters, 1 is the oldest */
bool willing[CLIENTS];		/* to lead */
byte need[CLIENTS];		/* the version asked for */

/* The source, its replica, its events. */
byte db;
byte replica;
byte latest;			/* ghost: newest version told of */
byte promised;			/* ghost: ... meant by what has no version */
bool sent[VERSIONS + 1];	/* for SPREAD */
bool over[VERSIONS + 1];

/* Scratch of one step, 0 between steps. */
byte i, k, first, woken, began;
bool ok;

/* What must hold, by name: the verifier prints it. */
bool I1_no_stale_fill = 1, I1_source = 1, I2_one_lease = 1, I3_waiters = 1,
	I4_no_step_back = 1, I4_floor = 1, I5_refused = 1, I7_one_woken = 1,
	I8_holder_waits_not = 1, I11_floor = 1;
bool stored_is_readable = 1, answered_as_asked = 1, source_spared = 1,
	leader_willing = 1;
bool no_late_fill = 1, no_known_change = 1, no_answer = 1;

#if CLIENTS == 2
#define SUM(f) (f(0) + f(1))
#define SOME_CLIENT if :: c = 0 :: c = 1 fi
#else
#define SUM(f) (f(0) + f(1) + f(2))
#define SOME_CLIENT if :: c = 0 :: c = 1 :: c = 2 fi
#endif
#if VERSIONS == 0
#define SOME_EVENT n = 1
#elif VERSIONS == 1
#define SOME_EVENT n = 1
#elif VERSIONS == 2
#define SOME_EVENT if :: n = 1 :: n = 2 fi
#else
#define SOME_EVENT if :: n = 1 :: n = 2 :: n = 3 fi
#endif
#define SOME_VERSION if :: n = 0 :: VERSIONS > 0 -> SOME_EVENT fi
#define MAYBE(x) if :: x = 0 :: x = 1 fi
#define MAX(a, b) ((a) > (b) -> (a) : (b))

/* Spin wants no loop to end a d_step. */
#define STEP(x) d_step { x; skip }

/* Trails tell the story; the verifier leaves it out. */
#define SAY printf

#include "rules.pml"
#include "settle.pml"

active proctype server()
{
	byte c, n, how, was_version, was_stored;
	bool lead, with_v, with_a, was, was_known, was_versioned;
	mtype:event event = NOTHING;

	do
	:: atomic {
		d_step {
			was = READABLE;
			was_known = was && (filled || versioned);
			was_versioned = versioned;
			was_version = version;
			was_stored = stored
		};
		if
		:: SOME_CLIENT;
			if
			:: client[c] == IDLE ->
				if
				:: IF(NEEDS) -> SOME_VERSION
				:: else
				fi;
				if
				:: IF(UNWILLING) -> MAYBE(lead)
				:: else -> lead = 1
				fi;
				STEP(lease_get(c, n, lead))
			:: client[c] == IDLE && IF(FULL_TABLE) ->
				STEP(unrecorded_get(c))
			:: client[c] == GRANTED ->
				SOME_VERSION;
				STEP(load(c, n))
			:: client[c] == LOADED ->
				if
				:: VERSIONS > 0 -> with_v = 1
				:: VERSIONS == 0 || IF(PLAIN_FILLS)
				fi;
				if
				:: IF(TAGS) -> with_a = 1
				:: true
				fi;
				STEP(fill(c, with_v, with_a))
			:: client[c] == LOADED && IF(DEAD_FILLS) ->
				if
				:: VERSIONS > 0 -> with_v = 1
				:: VERSIONS == 0 || IF(PLAIN_FILLS)
				fi;
				STEP(dead_fill(c, with_v))
			:: HOLDS(c) -> STEP(ask_again(c))
			:: HOLDS(c) -> STEP(renew(c))
			:: HOLDS(c) -> STEP(give_up(c, 0))
			:: HOLDS(c) && IF(BACKOFFS) -> STEP(give_up(c, 1))
			:: HOLDS(c) && IF(OLD_TOKENS) -> STEP(age(c))
			:: client[c] != IDLE -> STEP(leave(c))
			fi
		:: VERSIONS > 0 ->
			SOME_EVENT;
			if
			:: IF(FLOORS) -> how = 0
			:: IF(MARKING_FLOORS) -> how = 1
			:: IF(PUSHES) -> how = 2
			:: IF(REFRESHES) -> how = 3
			:: IF(DEAD_PUSHES) -> how = 4
			:: how = 5
			fi;
			STEP(deliver(n, how))
		:: VERSIONS > db -> STEP(commit())
		:: replica < db -> STEP(follow())
		:: IF(DELETES) -> STEP(delete())
		:: IF(MARKS) -> STEP(mark())
		:: IF(SETS) -> STEP(set())
		:: IF(APPENDS) -> STEP(append())
		:: IF(TAGS) -> STEP(move_tag())
		:: IF(FLUSHES) -> STEP(flush())
		:: IF(COLLISIONS) -> STEP(collide())
		:: IF(GRACE) -> STEP(expire())
		:: IF(BACKOFFS) -> STEP(backoff = 0)
		:: IF(RESTARTS) -> STEP(restart(0))
		:: IF(WARM_RESTARTS) -> STEP(restart(1))
		:: STEP(evict())
		:: STEP(lapse())
		:: STEP(end_tombstone())
		fi;
		d_step {
			settle();
			c = 0; n = 0; how = 0; lead = 0; with_v = 0; with_a = 0;
			was = 0; was_known = 0; was_versioned = 0;
			was_version = 0; was_stored = 0; event = NOTHING;
			i = 0; k = 0; first = 0; woken = 0; began = 0; ok = 0
		}
	}
	od
}
