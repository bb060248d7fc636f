/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * settle.pml - what ends each step: answers, hand-over, checks, new numbers.
 */

/* A store answers those that it satisfies. */
inline answer()
{
	for (k : 0 .. CLIENTS - 1) {
		if
		:: client[k] == PARKED && (SHOWS(need[k]) || BUG == needs_ignored) ->
			SAY("    client %d is answered\n", k);
			no_answer = BUG != deny_answer;
			assert(no_answer);
			answered_as_asked = SHOWS(need[k]);
			assert(answered_as_asked);
			unpark(k)
		:: else
		fi
	}
}

/* first: the oldest waiter that may lead, 255 if there is none */
inline find_leader()
{
	first = 255;
	for (i : 0 .. CLIENTS - 1) {
		if
		:: client[i] == PARKED &&
		    (willing[i] || BUG == unwilling_leads) &&
		    (first == 255 || place[i] < place[first]) -> first = i
		:: else
		fi
	}
}

inline hand_over()
{
	find_leader();
	if
	:: first != 255 ->
		SAY("    client %d is handed the lease\n", first);
		leader_willing = willing[first];
		assert(leader_willing);
		unpark(first);
		grant(first, NEW_TOKEN + 2 * woken);
		woken++
	:: first == 255 && BUG != unwilling_stranded -> unpark_all()
	:: else
	fi
}

/* Who waits, waits for a lease: without one somebody has to lead. */
inline pass_on()
{
	if
	:: lease || WAITERS == 0 || BUG == no_hand_over
	:: BUG == refused_strands && event == REFUSED
	:: BUG == delete_strands && event == DELETED
	:: BUG == backoff_strands && event == SPARED
	:: BUG == dead_fill_strands && event == SPARED
	:: else ->
		hand_over();
		if
		:: BUG == end_wakes_two && WAITERS -> hand_over()
		:: else
		fi
	fi
}

/* I5: the step was a refused fill, and what is readable is what was. */
inline check()
{
	I7_one_woken = woken <= 1;
	assert(I7_one_woken);
	stored_is_readable = event != STORED || READABLE;
	assert(stored_is_readable);
	I5_refused = event != REFUSED || !READABLE ||
	    (was && stored == was_stored);
	assert(I5_refused);
	I1_no_stale_fill = !(READABLE && filled && wrong);
	assert(I1_no_stale_fill);
	I1_source = !READABLE || !((filled && version < promised) ||
	    ((filled || versioned) && version < latest));
	assert(I1_source);
	I2_one_lease = SUM(IS_LIVE) == (lease != 0);
	assert(I2_one_lease);
	I4_no_step_back = !(was_known && READABLE && version < was_version &&
	    ((was_versioned && versioned) || (filled && !IF(LAG))));
	assert(I4_no_step_back);
	if
	:: tombstone && READABLE && versioned ->
		I4_floor = version >= shown;
		assert(I4_floor);
		shown = version
	:: else
	fi;
	I4_floor = !tombstone || !READABLE || IF(LAX) ||
	    (versioned && version >= floor);
	assert(I4_floor);
	I11_floor = !tombstone || floor == heard;
	assert(I11_floor);
	for (i : 0 .. CLIENTS - 1) {
		I8_holder_waits_not = client[i] != PARKED || !MINE(i);
		assert(I8_holder_waits_not);
		I3_waiters = client[i] != PARKED || (lease && !SHOWS(need[i]));
		assert(I3_waiters)
	}
}

/* The number of a store or an invalidation, see the head of lease.pml. */
#define AMONG(x) (2 * OLDER_THAN(x) + 1)

inline renumber()
{
	stored = (value != NONE -> AMONG(stored) : 0);
	birth = (value != NONE && BUG == fill_by_grant -> AMONG(birth) : 0);
	key_clock = AMONG(key_clock);
	tag_clock = AMONG(tag_clock);
	flush_clock = AMONG(flush_clock);
	oldest = AMONG(oldest);
	base = (tombstone -> AMONG(base) : 0);
	floor = (tombstone -> floor : 0);
	heard = (tombstone -> heard : 0);
	due = (tombstone -> due : 0);
	shown = (tombstone -> shown : 0);
	lease = (lease -> 2 * OLDER_THAN(lease) + 2 : 0);

	/* The k-th token, from below, becomes 2k. */
	for (k : 1 .. CLIENTS) {
		first = 255;
		for (i : 0 .. CLIENTS - 1) {
			if
			:: token[i] >= 2 * k &&
			    (first == 255 || token[i] < token[first]) -> first = i
			:: else
			fi
		}
		if
		:: first != 255 -> token[first] = 2 * k
		:: else
		fi
	}
}

inline settle()
{
	if
	:: event == STORED -> answer()
	:: else
	fi;
	pass_on();
	check();
	renumber();
	SAY("\t%e v%d (V %d) stored %d gone %d; key clock %d; ", value,
	    version, versioned, stored, gone, key_clock);
	SAY("tombstone %d floor %d base %d; lease %d\n", tombstone, floor,
	    base, lease)
}
