/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * parking.pml - connections that wait for leases of several keys, for Spin.
 *
 * A client asks for one key after the other, also while it has leases to fill: a
 * load that needs other loads.  No lease lapses and, but for -DTIMES_OUT, no wait
 * runs out, so whoever is parked for ever shows as a deadlock.  Values, versions
 * and clocks are in lease.pml.
 *
 *	-DCLIENTS=3 -DREQUESTS=3 -DGIVES_UP -DDIES=1 -DTIMES_OUT -DBUG=dead_handed
 */

#ifndef CLIENTS
#define CLIENTS 3
#endif
#ifndef REQUESTS
#define REQUESTS 3		/* of each client */
#endif
#define KEYS 2
#ifndef DIES
#define DIES 0			/* so many clients may */
#endif

#ifndef BUG
#define BUG 0
#endif
#define holder_parks 1		/* no P4 */
#define nobody_handed 2		/* a lease that ends wakes nobody */
#define dead_handed 3		/* P6: who is gone stays in the queue */
#define dead_holds 4		/* a lease outlives its connection */
#define answered_twice 5	/* who has timed out stays in the queue */
#define fill_answers_one 6	/* a store answers the oldest only */
#define lease_shared 7		/* a lease though there is one */

#define NOBODY CLIENTS
#define OWNS(c) (owner[0] == c || owner[1] == c)
#define SOME_KEY if :: key = 0 :: key = 1 fi
#define SAY printf

mtype = { NONE, HIT, LEAD, BUSY };

byte owner[KEYS] = NOBODY;	/* of the live lease */
bool fresh[KEYS];
chan queue[KEYS] = [CLIENTS] of { byte };
mtype reply[CLIENTS] = NONE;	/* NONE: parked */
byte loads[KEYS];		/* ghost: leases given */
byte deaths;

/* What must hold, by name: the verifier prints it. */
bool I6_one_reply = 1, I12_one_load = 1;

inline answer(c, what)
{
	SAY("    client %d: %e\n", c, what);
	I6_one_reply = reply[c] == NONE;
	assert(I6_one_reply);
	reply[c] = what
}

inline lead(c, k)
{
	owner[k] = c;
	loads[k]++;
#if DIES == 0 && !defined(GIVES_UP)
	I12_one_load = loads[k] == 1;
	assert(I12_one_load);
#endif
	answer(c, LEAD)
}

/* The lease ends without a value. */
inline hand_over(k)
{
	owner[k] = NOBODY;
	if
	:: len(queue[k]) > 0 && BUG != nobody_handed ->
		queue[k] ? w;
		lead(w, k)
	:: else
	fi
}

inline store(k)
{
	owner[k] = NOBODY;
	fresh[k] = 1;
	do
	:: len(queue[k]) > 0 ->
		queue[k] ? w;
		answer(w, HIT);
		if
		:: BUG == fill_answers_one -> break
		:: else
		fi
	:: else -> break
	od
}

/* mg n w: it is answered, or parked */
inline ask(c, k)
{
	SAY("client %d asks for key %d\n", c, k);
	reply[c] = NONE;
	if
	:: fresh[k] -> answer(c, HIT)
	:: !fresh[k] && (owner[k] == NOBODY || BUG == lease_shared) ->
		lead(c, k)
	:: !fresh[k] && owner[k] != NOBODY && OWNS(c) &&
	    BUG != holder_parks && BUG != lease_shared ->
		answer(c, BUSY)
	:: else -> queue[k] ! c
	fi
}

/* Takes client c out of all queues, and out of nobody's place. */
inline unpark(c)
{
	for (key : 0 .. KEYS - 1) {
		for (n : 1 .. len(queue[key])) {
			queue[key] ? w;
			if
			:: w != c -> queue[key] ! w
			:: else
			fi
		}
	}
}

inline die(c)
{
	SAY("client %d dies\n", c);
	if
	:: BUG != dead_handed -> unpark(c)
	:: else
	fi;
	for (key : 0 .. KEYS - 1) {
		if
		:: owner[key] == c && BUG != dead_holds -> hand_over(key)
		:: else
		fi
	}
}

proctype client(byte c)
{
	byte key, asked, n, w;

	do
	:: atomic {
		(reply[c] != NONE || asked == 0);
		if
		:: asked < REQUESTS ->
			SOME_KEY;
			asked++;
			ask(c, key)
		:: OWNS(c) ->
			key = (owner[0] == c -> 0 : 1);
			SAY("client %d fills key %d\n", c, key);
			store(key)
#ifdef GIVES_UP
		:: OWNS(c) ->
			key = (owner[0] == c -> 0 : 1);
			SAY("client %d gives key %d up\n", c, key);
			hand_over(key)
#endif
		:: asked == REQUESTS && !OWNS(c) -> break
		fi;
		key = 0; w = 0
	   }
#ifdef TIMES_OUT
	:: atomic {
		(reply[c] == NONE && asked > 0);
		SAY("client %d has waited for long enough\n", c);
		if
		:: BUG != answered_twice -> unpark(c)
		:: else
		fi;
		answer(c, BUSY);
		key = 0; n = 0; w = 0
	   }
#endif
	:: atomic {
		(asked > 0 && deaths < DIES);
		deaths++;
		die(c);
		break
	   }
	od
}

init
{
	byte n;

	atomic {
		for (n : 0 .. CLIENTS - 1) {
			run client(n)
		}
	}
}
