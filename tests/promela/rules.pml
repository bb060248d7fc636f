/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rules.pml - what the server does with each request, and by itself.
 */

/* ++seq: later than all; a token is granted after what else a step does. */
#define NOW (2 * CLIENTS + 1)
#define NEW_TOKEN (2 * CLIENTS + 2)

#define IS_LIVE(c) live[c]
#define IS_PARKED(c) (client[c] == PARKED)
#define WAITERS SUM(IS_PARKED)
#define HOLDS(c) (client[c] == GRANTED || client[c] == LOADED)
#define MINE(c) (lease != 0 && token[c] == lease)

/* How many tokens are older than a number? */
#if CLIENTS == 2
#define OLDER_THAN(x) \
	((token[0] && token[0] < x) + (token[1] && token[1] < x))
#else
#define OLDER_THAN(x) \
	((token[0] && token[0] < x) + (token[1] && token[1] < x) + \
	 (token[2] && token[2] < x))
#endif

/* For a request that wants version n (0: any): is there a hit, something? */
#define STANDS (value != NONE && !gone)
#define READABLE (value == FRESH && !gone)
#define SATISFIES(n) (n == 0 || (versioned && version >= n))
#define SHOWS(n) (READABLE && SATISFIES(n))
#define HAS(n) (STANDS && SATISFIES(n))

/* ---- parts of them --------------------------------------------------------- */

inline forget(c)
{
	client[c] = IDLE;
	token[c] = 0; live[c] = 0; seen[c] = 0; late[c] = 0; late_tag[c] = 0;
	place[c] = 0; willing[c] = 0; need[c] = 0
}

inline park(c, n, lead)
{
	client[c] = PARKED;
	place[c] = WAITERS;
	willing[c] = lead;
	need[c] = n
}

inline unpark(c)
{
	for (i : 0 .. CLIENTS - 1) {
		if
		:: place[i] > place[c] -> place[i]--
		:: else
		fi
	}
	forget(c)
}

inline unpark_all()
{
	for (i : 0 .. CLIENTS - 1) {
		if
		:: client[i] == PARKED -> forget(i)
		:: else
		fi
	}
}

inline grant(c, t)
{
	client[c] = GRANTED;
	token[c] = t;
	live[c] = 1;
	lease = t;
	source_spared = !backoff;
	assert(source_spared)
}

inline end_lease()
{
	for (i : 0 .. CLIENTS - 1) {
		if
		:: MINE(i) -> live[i] = 0
		:: else
		fi
	}
	lease = 0
}

inline drop_value()
{
	value = NONE;
	stored = 0; birth = 0; version = 0; versioned = 0; tagged = 0;
	gone = 0; filled = 0; wrong = 0
}

inline put(v, has_version)
{
	value = FRESH;
	stored = NOW; birth = NOW; version = v; versioned = has_version;
	tagged = 0; gone = 0; filled = 0; wrong = 0;
	backoff = 0;
	end_lease();
	event = STORED
}

/* Ghost: what was computed before is outdated. */
inline outdate_loads()
{
	for (i : 0 .. CLIENTS - 1) {
		if
		:: client[i] == LOADED -> late[i] = 1
		:: else
		fi
	}
}

inline outdate()
{
	outdate_loads();
	wrong = filled;
	if
	:: !IF(LAG) || IF(PROMISES) -> promised = MAX(promised, db)
	:: else
	fi
}

/* Ghost: ... what is older than version n. */
inline outdate_below(n)
{
	for (i : 0 .. CLIENTS - 1) {
		if
		:: client[i] == LOADED && seen[i] < n -> late[i] = 1
		:: else
		fi
	}
	if
	:: filled && version < n -> wrong = 1
	:: else
	fi
}

/* The base of a tombstone that begins now: what stands counts as evicted. */
inline begin_base()
{
	began = key_clock;
	if
	:: BUG == base_without_store
	:: else -> began = MAX(began, stored)
	fi
}

inline raise_floor(n)
{
	if
	:: !tombstone ->
		tombstone = 1;
		floor = n;
		base = began;
		heard = n;
		due = 0;
		shown = 0
	:: else ->
		heard = MAX(heard, n);
		floor = (n > floor || BUG == floor_lowered -> n : floor)
	fi
}

/* Something without a version has happened to the key. */
inline move_base()
{
	if
	:: tombstone -> base = NOW
	:: else
	fi
}

/* ---- requests of those who read ---------------------------------------------- */

/* mg n w, mg w: of one who holds nothing; hits change nothing */
inline lease_get(c, n, lead)
{
	if
	:: SHOWS(n) && IF(EARLY) && lease == 0 && !backoff ->
		SAY("client %d: hit, an early refresh is its\n", c);
		grant(c, NEW_TOKEN)
	:: !SHOWS(n) && lead && (lease == 0 || BUG == lease_shared) &&
	    (!backoff || BUG == backoff_ignored) ->
		SAY("client %d: miss (V%d), gets the lease\n", c, n);
		grant(c, NEW_TOKEN)
	:: !SHOWS(n) && lease && !HAS(n) && BUG != lease_shared ->
		SAY("client %d: parks (V%d, n %d)\n", c, n, lead);
		park(c, n, lead)
	:: else
	fi
}

/* The lease table is full: a token, no record. */
inline unrecorded_get(c)
{
	if
	:: !READABLE && lease == 0 && !backoff ->
		SAY("client %d: miss, gets a token without a lease\n", c);
		client[c] = GRANTED;
		token[c] = NEW_TOKEN
	:: else
	fi
}

/* mg w on the connection that has the lease: Z at once */
inline ask_again(c)
{
	if
	:: BUG == holder_parked && MINE(c) && !READABLE ->
		SAY("client %d: parks behind itself\n", c);
		park(c, 0, 1)
	:: else
	fi
}

/* mg C<token> n: without time, a renewed lease is one that did not lapse */
inline renew(c)
{
	if
	:: BUG == renew_revives && token[c] && !MINE(c) ->
		SAY("client %d: renews a lapsed lease\n", c);
		lease = token[c];
		live[c] = 1
	:: else
	fi
}

/* md C<token> U [d] */
inline give_up(c, spare)
{
	SAY("client %d: gives up (d %d)\n", c, spare);
	if
	:: MINE(c) ->
		end_lease();
		if
		:: spare -> backoff = 1; event = SPARED
		:: else
		fi;
		if
		:: spare && BUG != backoff_strands -> unpark_all()
		:: else
		fi
	:: else
	fi;
	forget(c)
}

/* A connection is gone and its client with it; or a waiter's time is up. */
inline leave(c)
{
	SAY("client %d: leaves\n", c);
	if
	:: client[c] == PARKED -> unpark(c)
	:: client[c] != PARKED && MINE(c) -> end_lease(); forget(c)
	:: else -> forget(c)
	fi
}

inline load(c, v)
{
	if
	:: v >= replica && v <= db ->
		SAY("client %d: reads version %d of the source\n", c, v);
		client[c] = LOADED;
		seen[c] = v
	:: else
	fi
}

/* ---- fills ----------------------------------------------------------------- */

/* ok: F1, F5, F2, F3, F4 */
inline admit(c, with_v, with_a)
{
	ok = token[c] && (token[c] >= oldest || BUG == old_tokens_pass);
	if
	:: value != NONE && BUG != fill_ignores_value ->
		ok = ok && (BUG == fill_by_grant -> birth : stored) <= token[c];
		ok = ok && !(READABLE && versioned && with_v &&
		    seen[c] < version && BUG != fill_ignores_version)
	:: else
	fi;
	ok = ok && (flush_clock <= token[c] || BUG == flush_keeps_tokens);
	ok = ok && (!with_a || tag_clock <= token[c] ||
	    BUG == tag_ignored || BUG == tag_by_store);
	if
	:: tombstone && with_v ->
		ok = ok && (seen[c] >= floor || BUG == floor_ignored);
		ok = ok && (base <= token[c] || BUG == base_ignored)
	:: tombstone && !with_v ->
		ok = ok && key_clock <= token[c] &&
		    (IF(LAX) || BUG == plain_under_floor)
	:: !tombstone ->
		ok = ok && (key_clock <= token[c] || BUG == clock_ignored)
	fi;
	if
	:: BUG == any_token && READABLE -> ok = (token[c] != 0)
	:: else
	fi
}

inline accept(c, with_v, with_a)
{
	SAY("client %d: fills v%d (V %d, A %d): stored\n",
	    c, seen[c], with_v, with_a);
	no_late_fill = BUG != deny_late_fill || live[c];
	assert(no_late_fill);
	no_known_change = BUG != deny_known_change || key_clock < token[c];
	assert(no_known_change);
	k = late[c] || (with_a && late_tag[c]);
	if
	:: with_v -> outdate_below(seen[c])
	:: else -> outdate_loads(); move_base()
	fi;
	if
	:: tombstone && with_v -> raise_floor(seen[c])
	:: else
	fi;
	put(seen[c], with_v);
	birth = token[c];
	tagged = with_a;
	gone = with_a && tag_clock > birth && BUG != tag_by_store;
	filled = 1;
	wrong = k
}

inline refuse(c, with_v, with_a)
{
	SAY("client %d: fills v%d (V %d, A %d): refused\n",
	    c, seen[c], with_v, with_a);
	if
	:: MINE(c) -> end_lease()
	:: else
	fi;
	if
	:: BUG == refused_freshens && value == MARKED -> value = FRESH
	:: else
	fi;
	event = REFUSED
}

/* ms C<token> [V] [A] */
inline fill(c, with_v, with_a)
{
	admit(c, with_v, with_a);
	if
	:: ok -> accept(c, with_v, with_a)
	:: else -> refuse(c, with_v, with_a)
	fi;
	forget(c)
}

/* ms C<token> T-1: an invalidation; the waiters get Z */
inline dead_fill(c, with_v)
{
	admit(c, with_v, 0);
	if
	:: ok ->
		SAY("client %d: fills with what is expired\n", c);
		key_clock = NOW;
		if
		:: tombstone && with_v -> raise_floor(seen[c])
		:: else
		fi;
		move_base();
		outdate();
		drop_value();
		end_lease();
		event = SPARED
	:: else -> refuse(c, with_v, 0)
	fi;
	if
	:: ok && BUG != dead_fill_strands -> unpark_all()
	:: else
	fi;
	forget(c)
}

/* ---- writers and events ------------------------------------------------------- */

inline delete()
{
	SAY("delete\n");
	if
	:: BUG != delete_keeps_tokens -> key_clock = NOW
	:: else
	fi;
	if
	:: BUG != delete_keeps_tokens && BUG != base_unmoved -> move_base()
	:: else
	fi;
	outdate();
	drop_value();
	end_lease();
	event = DELETED
}

inline mark()
{
	SAY("md I\n");
	if
	:: BUG != mark_keeps_tokens -> key_clock = NOW; move_base()
	:: else
	fi;
	outdate();
	value = (STANDS -> MARKED : value);
	end_lease()
}

/* md V<n> [I]: the lease stays; of a value that stays the version is known */
inline set_floor(n, marks)
{
	SAY("md V%d (I %d)\n", n, marks);
	latest = MAX(latest, n);
	outdate_below(n);
	begin_base();
	if
	:: BUG != floor_keeps_clock -> key_clock = NOW
	:: else
	fi;
	k = (HAS(n) && BUG != floor_without_value -> version : n);
	if
	:: !HAS(n) || BUG != floor_forgotten -> raise_floor(k); due = MAX(due, n)
	:: else
	fi;
	if
	:: HAS(n)
	:: !HAS(n) && STANDS && marks -> value = MARKED
	:: else -> drop_value()
	fi
}

/* What MR finds must be able to tell whether it is older, and be in use. */
#define CAN_REFRESH (STANDS && (value != MARKED || BUG == refresh_marked) && \
	(versioned || BUG == refresh_plain))

/* ms V<n> [MR] */
inline push(n, refresh)
{
	SAY("ms V%d (MR %d)\n", n, refresh);
	latest = MAX(latest, n);
	outdate_below(n);
	begin_base();
	ok = BUG == push_blind || (!(tombstone && n < floor) &&
	    !(STANDS && versioned && version > n));
	k = (HAS(n) -> version : n);
	if
	:: BUG == push_no_floor
	:: BUG == push_forgotten && !ok
	:: else -> raise_floor(k); due = MAX(due, n)
	fi;
	if
	:: ok && (!refresh || CAN_REFRESH) -> put(n, 1)
	:: ok && refresh && !CAN_REFRESH ->
		key_clock = NOW;
		if
		:: value != MARKED -> drop_value()
		:: else
		fi
	:: else
	fi
}

/* ms V<n> T-1: as md V<n>, but a lease ends */
inline dead_push(n)
{
	SAY("ms V%d, expired\n", n);
	latest = MAX(latest, n);
	outdate_below(n);
	begin_base();
	ok = !(tombstone && n < floor) && !(STANDS && versioned && version > n);
	k = (HAS(n) -> version : n);
	if
	:: BUG != dead_push_no_floor -> raise_floor(k); due = MAX(due, n)
	:: else
	fi;
	if
	:: ok -> key_clock = NOW; move_base(); drop_value(); end_lease()
	:: else
	fi
}

inline set()
{
	if
	:: !tombstone || IF(LAX) || BUG == set_under_floor ->
		SAY("set\n");
		outdate_loads();
		if
		:: BUG != lax_keeps_base -> move_base()
		:: else
		fi;
		put(db, 0)
	:: else
	fi
}

/* append, incr: the new item keeps version, tags, birth */
inline append()
{
	if
	:: READABLE && (!tombstone || IF(LAX)) ->
		SAY("append\n");
		outdate_loads();
		move_base();
		if
		:: BUG != append_keeps_number -> stored = NOW
		:: else
		fi;
		backoff = 0;
		end_lease();
		event = STORED
	:: else
	fi
}

inline move_tag()
{
	SAY("md A\n");
	for (i : 0 .. CLIENTS - 1) {
		if
		:: client[i] == LOADED -> late_tag[i] = 1
		:: else
		fi
	}
	if
	:: tagged && filled -> wrong = 1
	:: else
	fi;
	if
	:: BUG != dead_tag -> tag_clock = NOW; gone = gone || tagged
	:: else
	fi
}

inline flush()
{
	SAY("flush_all\n");
	flush_clock = NOW;
	outdate();
	gone = (value != NONE);
	end_lease()
}

/* ---- what happens by itself ------------------------------------------------ */

/*
 * Eviction, the end of a value's time, the sweep over what tag and flush left.
 * With no token between two numbers they are equal here, hence <= for "before".
 */
inline evict()
{
	if
	:: value != NONE ->
		SAY("the value leaves\n");
		if
		:: BUG == evicts_silently || (IF(OLD_TOKENS) && stored <= oldest)
		:: else -> key_clock = MAX(key_clock, stored)
		fi;
		drop_value()
	:: else
	fi
}

inline expire()
{
	if
	:: value == FRESH -> SAY("grace begins\n"); value = GRACED
	:: value == GRACED -> SAY("touch\n"); value = FRESH
	:: else
	fi
}

/* By time, with its connection, or dropped for want of memory. */
inline lapse()
{
	if
	:: lease -> SAY("the lease lapses\n"); end_lease()
	:: else
	fi
}

/* By time, which is longer than the replica's lag, or dropped. */
inline end_tombstone()
{
	ok = tombstone && (replica >= due || IF(LOSSES));
	for (i : 0 .. VERSIONS) {
		ok = ok && !(IF(SPREAD) && 0 < i && i < due && !over[i])
	}
	if
	:: ok ->
		SAY("the tombstone ends\n");
		tombstone = 0;
		if
		:: BUG != tombstone_silent -> key_clock = NOW
		:: else
		fi
	:: else
	fi
}

/* Tokens up to client c's are too old; a lease is never, as token_max says. */
inline age(c)
{
	if
	:: token[c] && (lease == 0 || token[c] < lease) ->
		SAY("client %d's token is too old\n", c);
		oldest = MAX(oldest, token[c] + 1)
	:: else
	fi
}

inline collide()
{
	SAY("another key moves the clock\n");
	key_clock = NOW
}

inline restart(warm)
{
	SAY("restart (warm %d)\n", warm);
	end_lease();
	backoff = 0;
	unpark_all();
	if
	:: warm ->
		key_clock = NOW;
		tag_clock = NOW;
		flush_clock = NOW;
		gone = (gone || tagged) && !(BUG == warm_tags && tagged)
	:: else ->
		drop_value();
		key_clock = 1;
		tag_clock = 1;
		flush_clock = 1;
		oldest = 1
	fi;
	tombstone = tombstone && warm && BUG != warm_floors;
	for (i : 0 .. CLIENTS - 1) {
		token[i] = (BUG == epoch_ignored -> token[i] : 0)
	}
}

/* ---- the source ------------------------------------------------------------ */

inline commit()
{
	SAY("the source has version %d\n", db + 1);
	db++;
	replica = (IF(LAG) -> replica : db)
}

inline follow()
{
	SAY("the replica follows\n");
	replica++
}

/* 5: the bus is done with this event, and will not repeat it */
inline deliver(n, how)
{
	if
	:: how == 5 && IF(SPREAD) && sent[n] -> sent[n] = 0; over[n] = 1
	:: how < 5 && !over[n] && (n <= db || (IF(AHEAD) && n == db + 1)) ->
		if
		:: how == 0 -> set_floor(n, 0)
		:: how == 1 -> set_floor(n, 1)
		:: how == 2 -> push(n, 0)
		:: how == 3 -> push(n, 1)
		:: how == 4 -> dead_push(n)
		fi;
		sent[n] = IF(SPREAD)
	:: else
	fi
}
