/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_check.c - histories made by hand: the checker finds what is wrong, and
 * nothing else.
 *
 * As in a record, but times are in milliseconds, and "| $k.2.7" is a value of
 * key k, version 2 and number 7, "| +k.7" a piece.
 */
#include "config.h"

#include "judge.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

enum { LINE_ROOM = 1000 };

/* A value as a record has it. */
static void
spell(const char *from, char *out, size_t room)
{
	struct chunk c = { .piece = *from == '+', .length = 3 };
	char whole[HEAD_BYTES + 8];
	size_t n;

	if (c.piece)
		sscanf(from, "+%79[^.].%" SCNu64, c.key, &c.unique);
	else
		sscanf(from, "$%79[^.].%" SCNu64 ".%" SCNu64, c.key, &c.version,
		    &c.unique);
	n = chunk_write(&c, whole);
	value_describe(whole, n, out, room);
}

static void
take(struct history *h, const char *line, size_t n)
{
	char text[LINE_ROOM], out[2 * LINE_ROOM], *value;
	uint64_t ms;
	int used = 0;

	snprintf(text, sizeof(text), "%.*s", (int)n, line);
	if (strchr("><x?h", text[0]) != NULL &&
	    sscanf(text + 1, " %" SCNu64 "%n", &ms, &used) == 1)
		snprintf(out, sizeof(out), "%c %" PRIu64 "%s\n", text[0],
		    ms * MS, text + 1 + used);
	else
		snprintf(out, sizeof(out), "%s\n", text);
	value = strstr(out, " | ");
	for (; value != NULL; value = strpbrk(value, "$+")) {
		char rest[LINE_ROOM];

		value += *value == ' ' ? 3 : 0;
		if (*value != '$' && *value != '+')
			break;
		snprintf(rest, sizeof(rest), "%s",
		    value + 1 + strcspn(value + 1, "$+\n"));
		spell(value, value, (size_t)(out + sizeof(out) - value));
		value += strlen(value);
		snprintf(value, (size_t)(out + sizeof(out) - value), "%s",
		    rest);
	}
	REQUIRE(history_line(h, out));
}

/* Plays a history; returns what is wrong with it, "" for nothing. */
static const char *
judged(const char *text)
{
	static struct verdict v;
	struct history h;
	FILE *nowhere = fopen("/dev/null", "w");

	memset(&v, 0, sizeof(v));
	history_start(&h);
	h.tag_prefix = ':';
	while (*text != '\0') {
		size_t n = strcspn(text, "\n");

		take(&h, text, n);
		text += n + (text[n] == '\n');
	}
	if (!judge_round(&h, &v) || !judge_counts(&h, &v))
		verdict_print(&h, &v, nowhere);
	fclose(nowhere);
	history_end(&h);
	return v.why;
}

static void
is_good(const char *text)
{
	CHECK_STR(judged(text), "");
}

static void
is_wrong(const char *text, const char *why)
{
	char start[40];

	snprintf(start, sizeof(start), "%.*s", (int)strlen(why), judged(text));
	CHECK_STR(start, why);
}

/* ---- I1 ------------------------------------------------------------------ */

#define WIN "> 1 1 1 mg k v c n5000\n< 2 1 1 VA 0 c1001 O1 W\n"
#define FILL(t, u, flags) "> 10 1 3 ms k 9 C" t flags " | $k.1." u "\n"

static void
a_fill_after_an_invalidation_is_refused(void)
{
	is_good(WIN FILL("1001", "7",
	    "") "< 11 1 3 HD O3\n"
		"> 12 2 4 mg k v\n< 13 2 4 VA 9 O4 | $k.1.7\n");
	is_good(WIN "> 3 2 2 delete k\n< 4 2 2 NOT_FOUND\n" FILL("1001", "7",
	    "") "< 11 1 3 NS O3\n");
	/* The delete may have come first. */
	is_good("> 1 1 1 mg k v c n5000\n> 3 2 2 delete k\n< 4 2 2 NOT_FOUND\n"
		"< 5 1 1 VA 0 c1001 O1 W\n" FILL("1001", "7",
		    "") "< 11 1 3 HD O3\n");
	is_wrong(WIN "> 3 2 2 delete k\n< 4 2 2 NOT_FOUND\n" FILL("1001", "7",
		     "") "< 11 1 3 HD O3\n",
	    "I1: a fill is acc");
	is_wrong(WIN "> 3 2 2 md k I\n< 4 2 2 NF\n" FILL("1001", "7",
		     "") "< 11 1 3 HD O3\n",
	    "I1: a fill is acc");
	is_wrong(WIN "> 3 2 2 flush_all\n< 4 2 2 OK\n" FILL("1001", "7",
		     "") "< 11 1 3 HD O3\n",
	    "I1: a fill is acc");
	is_wrong(WIN "> 3 2 2 md k V9\n< 4 2 2 HD\n" FILL("1001", "7",
		     "") "< 11 1 3 HD O3\n",
	    "I1: a fill is acc");
	is_wrong(WIN "> 3 2 2 set k 0 0 9 | $k.1.8\n< 4 2 2 STORED\n" FILL(
		     "1001", "7", "") "< 11 1 3 HD O3\n",
	    "I1: a fill is acc");
}

static void
a_fill_with_a_tag_that_was_invalidated_is_refused(void)
{
	is_good(WIN "> 3 2 2 md a A\n< 4 2 2 HD\n" FILL("1001", "7",
	    " Ab,c") "< 11 1 3 HD O3\n");
	is_wrong(WIN "> 3 2 2 md a A\n< 4 2 2 HD\n" FILL("1001", "7",
		     " Ab,a") "< 11 1 3 HD O3\n",
	    "I1: a fill");
	/* A tag by its name. */
	is_wrong("> 1 1 1 mg a:k v c n5000\n< 2 1 1 VA 0 c1001 O1 W\n"
		 "> 3 2 2 md a A\n< 4 2 2 HD\n"
		 "> 5 1 3 ms a:k 9 C1001 | $a:k.1.7\n< 6 1 3 HD\n",
	    "I1: a fill");
}

static void
what_was_invalidated_is_not_seen_as_fresh(void)
{
#define FILLED WIN FILL("1001", "7", " Aa") "< 11 1 3 HD O3\n"
#define READ "> 20 2 5 mg k v\n< 21 2 5 VA 9 O5 | $k.1.7\n"
	is_good(FILLED "> 12 2 4 md b A\n< 13 2 4 HD\n" READ);
	is_wrong(FILLED "> 12 2 4 md a A\n< 13 2 4 HD\n" READ, "I1: a value");
	is_wrong(FILLED "> 12 2 4 md k\n< 13 2 4 HD\n" READ, "I1: a value");
	is_wrong(FILLED "> 12 2 4 md k I\n< 13 2 4 HD\n" READ, "I1: a value");
	is_wrong(FILLED "> 12 2 4 md k V2\n< 13 2 4 HD\n" READ, "I1: a value");
	is_wrong(FILLED "> 12 2 4 flush_all\n< 13 2 4 OK\n" READ,
	    "I1: a value");
	/* Marked as stale it may be seen; and by a plain get. */
	is_good(FILLED "> 12 2 4 md k I\n< 13 2 4 HD\n"
		       "> 20 2 5 mg k v\n< 21 2 5 VA 9 O5 X W | $k.1.7\n");
	is_good(FILLED "> 12 2 4 md k I\n< 13 2 4 HD\n> 20 2 5 get k\n"
		       "< 21 2 5 VALUE k 0 9 | $k.1.7\n< 21 2 5 END\n");
	is_wrong(FILLED "> 12 2 4 md k\n< 13 2 4 HD\n> 20 2 5 get k\n"
			"< 21 2 5 VALUE k 0 9 | $k.1.7\n< 21 2 5 END\n",
	    "I1: a val");
	/* The read may have been before it. */
	is_good(FILLED "> 12 2 4 md k\n> 20 2 5 mg k v\n< 21 2 4 HD\n"
		       "< 22 2 5 VA 9 O5 | $k.1.7\n");
}

static void
what_is_known_to_be_absent_is_invalidated_too(void)
{
	const char *filled = WIN "> 3 1 2 ms k 0 C1001 z c | -\n"
				 "< 4 1 2 HD c77 O2\n";
	char text[LINE_ROOM];

	snprintf(text, sizeof(text), "%s%s", filled,
	    "> 5 2 5 mg k v c n1\n< 6 2 5 VA 0 c77 O5 z\n");
	is_good(text);
	snprintf(text, sizeof(text), "%s%s", filled,
	    "> 5 2 4 delete k\n< 6 2 4 DELETED\n"
	    "> 7 2 5 mg k v c n1\n< 8 2 5 VA 0 c77 O5 z\n");
	is_wrong(text, "I1: a value");
	snprintf(text, sizeof(text), "%s%s", filled,
	    "> 7 2 5 get k\n< 8 2 5 VALUE k 0 0 | -\n< 8 2 5 END\n");
	is_wrong(text, "a plain verb");
}

static void
what_was_appended_does_not_outlive_a_value(void)
{
#define JOINED FILLED "> 12 2 4 append k 0 0 9 | +k.8\n< 13 2 4 STORED\n"
#define BOTH "< 21 2 5 VA 9 O5 | $k.1.7+k.8\n"
	is_good(JOINED "> 20 2 5 mg k v\n" BOTH);
	is_wrong(JOINED "> 14 2 9 md k\n< 15 2 9 HD\n> 20 2 5 mg k v\n" BOTH,
	    "I1: what was");
}

/* ---- I4, I11 ------------------------------------------------------------- */

static void
an_older_value_does_not_come_back(void)
{
	/* 8 was stored after the token of 7 was granted. */
	is_wrong(WIN FILL("1001", "7",
		     "") "> 11 2 4 set k 0 0 9 | $k.2.8\n< 12 2 4 STORED\n"
			 "< 13 1 3 HD O3\n" READ,
	    "I4: an older");
	is_good(WIN FILL("1001", "7",
	    "") "> 11 2 4 set k 0 0 9 | $k.2.8\n< 12 2 4 STORED\n"
		"< 13 1 3 HD O3\n> 20 2 5 mg k v\n< 21 2 5 VA 9 | $k.2.8\n");
}

static void
nothing_below_the_floor_is_stored_or_seen(void)
{
#define FLOOR "> 1 1 1 md k V5\n< 2 1 1 HD O1\n"
	is_good(FLOOR "> 3 1 2 ms k 9 V4 | $k.4.7\n< 4 1 2 NS V5 O2\n");
	is_good(FLOOR "> 3 1 2 ms k 9 V5 | $k.5.7\n< 4 1 2 HD O2\n");
	is_wrong(FLOOR "> 3 1 2 ms k 9 V4 | $k.4.7\n< 4 1 2 HD O2\n",
	    "I4: version 4 is stored");
	is_wrong(FLOOR "> 3 1 2 set k 0 0 9 | $k.4.7\n< 4 1 2 STORED\n",
	    "I4: stored without");
	/* What a write was refused by stays one. */
	is_wrong("> 1 1 1 ms k 9 V3 | $k.3.7\n< 2 1 1 NS V5 O1\n"
		 "> 1 1 9 md k V5\n"
		 "> 3 1 2 ms k 9 V4 | $k.4.8\n< 4 1 2 HD O2\n",
	    "I4: version 4 is stored");
	is_wrong("> 1 1 1 ms k 9 V5 MR | $k.3.7\n< 2 1 1 NS O1\n"
		 "> 3 1 2 ms k 9 V4 | $k.4.8\n< 4 1 2 HD O2\n",
	    "I4: version 4 is stored");
	/* One second is too short to be sure of anything. */
	is_good("> 1 1 1 md k V5 T1\n< 2 1 1 HD O1\n"
		"> 3 1 2 ms k 9 V4 | $k.4.7\n< 4 1 2 HD O2\n");
	is_wrong("> 1 1 1 ms k 9 V4 | $k.4.7\n< 2 1 1 HD O1\n"
		 "> 3 1 2 md k V5\n< 4 1 2 HD\n"
		 "> 5 1 3 mg k v\n< 6 1 3 VA 9 | $k.4.7\n",
	    "I4: version 4 is seen");
}

static void
the_end_of_a_floor_ends_tokens(void)
{
#define SHORT WIN "> 3 2 2 md k V5 T1\n< 4 2 2 HD\n"
#define LATE(v) "> 3000 1 3 ms k 9 C1001 V" v " | $k.4.7\n"
	is_good(SHORT LATE("4") "< 3001 1 3 NS\n");
	is_good(SHORT LATE("5") "< 3001 1 3 HD\n");
	is_wrong(SHORT LATE("4") "< 3001 1 3 HD\n", "I4: version 4 is st");
	/* This token may have been granted after the end. */
	is_good("> 1 2 2 md k V5 T1\n< 2 2 2 HD\n"
		"> 2000 1 1 mg k v c n5000\n< 2001 1 1 VA 0 c1001 O1 W\n" LATE(
		    "4") "< 3001 1 3 HD\n");
}

static void
versions_only_rise_while_a_value_stands(void)
{
	/* A fill leaves no floor, so this is about the value alone. */
	is_wrong(WIN FILL("1001", "7",
		     " V6") "< 11 1 3 HD O3\n"
			    "> 12 1 4 ms k 9 V5 | $k.5.8\n< 13 1 4 HD O4\n",
	    "I4: version 5 replaces");
	is_good(WIN FILL("1001", "7",
	    " V6") "< 11 1 3 HD O3\n"
		   "> 12 1 4 ms k 9 V5 | $k.5.8\n< 13 1 4 NS V6 O4\n");
	is_wrong(
	    WIN FILL("1001", "7",
		" V6") "< 11 1 3 HD O3\n"
		       "> 12 1 4 mg k v V8\n< 13 1 4 VA 9 V6 O4 | $k.1.7\n",
	    "I4: older than");
}

static void
the_floor_is_the_highest_of_the_versions(void)
{
#define EVENTS                                                                 \
	"> 1 1 1 md k V5\n< 2 1 1 HD\n> 3 1 2 md k V9\n< 4 1 2 HD\n"           \
	"> 5 1 3 md k V7\n< 6 1 3 HD\n> 7 1 4 ms k 0 V0 | -\n"
	is_good(EVENTS "< 8 1 4 NS V9\n");
	is_wrong(EVENTS "< 8 1 4 NS V7\n", "I11: the floor is 9");
	is_wrong(EVENTS "< 8 1 4 NS V10\n", "I11: no version above 9");
	is_wrong("> 1 1 1 md k V5\n< 2 1 1 HD\n"
		 "> 3 1 2 mg k v c n1 V\n< 4 1 2 VA 0 c1001 O2 W\n",
	    "I11: the floor is 5");
}

/* ---- I5, I14 ------------------------------------------------------------- */

static void
a_refused_value_is_not_seen(void)
{
	is_wrong("> 1 1 1 ms k 9 C1 | $k.1.7\n< 2 1 1 NF O1\n"
		 "> 3 2 2 mg k v\n< 4 2 2 VA 9 O2 | $k.1.7\n",
	    "I5: a value t");
	/* Nor does it harm the one that is there. */
	is_wrong("> 1 1 1 ms k 9 | $k.1.7\n< 2 1 1 HD O1\n"
		 "> 3 1 2 ms k 9 C5 | $k.1.8\n< 4 1 2 EX O2\n"
		 "> 5 2 3 mg k v\n< 6 2 3 EN O3\n",
	    "I5: a value that nobody");
	is_good("> 1 1 1 ms k 9 | $k.1.7\n< 2 1 1 HD O1\n"
		"> 3 1 2 delete k\n> 5 2 3 mg k v\n< 6 2 3 EN O3\n");
}

static void
a_value_is_whole_and_of_its_key(void)
{
#define STORE "> 1 1 1 ms k 9 | $k.1.7\n< 2 1 1 HD O1\n> 3 2 2 mg k v\n"
	is_wrong(STORE "< 4 2 2 VA 9 O2 | $l.1.7\n", "I14: a value is torn");
	is_wrong(STORE "< 4 2 2 VA 9 O2 | $k.1.9\n", "I14: a value that nob");
	is_wrong(STORE "< 4 2 2 VA 9 O2 | $k.1.7$k.1.7\n", "I14: a value is");
	is_wrong(STORE "< 4 2 2 VA 9 O2 | ?torn\n", "I14: a value is torn");
	is_wrong(STORE "< 4 2 2 VA 9 O2 | [k v1 u7 c0 r0 n9 s00000001]"
		       "=8:00000001\n",
	    "I14: a value is torn");
	is_wrong("> 1 2 2 mg k v\n< 2 2 2 VA 9 O2 | $k.1.7\n"
		 "> 3 1 1 ms k 9 | $k.1.7\n< 4 1 1 HD O1\n",
	    "I14: a value before");
}

/* ---- I2, I7, tokens ------------------------------------------------------ */

#define SECOND "> 100 2 9 mg k v c n5000\n< 101 2 9 VA 0 c2002 O9 W\n"

static void
a_key_has_one_live_lease(void)
{
	is_wrong(WIN SECOND, "I2, I7");
	is_good(WIN "> 3 3 5 delete k\n< 4 3 5 NOT_FOUND\n" SECOND);
	is_good(WIN "x 50 1\n" SECOND);
	is_good(WIN "> 3 1 5 md k C1001 U\n< 4 1 5 HD O5\n" SECOND);
	is_good(WIN "> 3 1 5 ms k 9 C1001 Aa | $k.1.7\n< 4 1 5 NS O5\n" SECOND);
	/* This one ends nothing: it came before, or was another's. */
	is_wrong("> 0 3 5 delete k\n< 0 3 5 NOT_FOUND\n" WIN SECOND, "I2, I7");
	is_wrong(WIN "> 3 1 5 md k C999 U\n< 4 1 5 NF O5\n" SECOND, "I2, I7");
	is_wrong(WIN "> 3 1 5 md k V7\n< 4 1 5 HD O5\n" SECOND, "I2, I7");
	/* It lapses after 5 s; clocks are given a quarter of one. */
	is_good(WIN "> 4900 2 9 mg k v c n5\n< 4901 2 9 VA 0 c2002 O9 W\n");
	is_wrong(WIN "> 3 1 5 mg k C1001 n30000 u\n< 4 1 5 HD O5 W\n"
		     "> 4900 2 9 mg k v c n5\n< 4901 2 9 VA 0 c2002 O9 W\n",
	    "I2, I7");
	is_wrong(WIN "> 3 3 5 delete k\n< 4 3 5 NOT_FOUND\n" SECOND
		     "> 200 1 6 mg k C1001 n30000 u\n< 201 1 6 HD O6 W\n",
	    "I2: a lease lives on");
	/* By mcrouter's verbs. */
	is_wrong(WIN "> 3 2 2 lease-get k\n< 4 2 2 LVALUE k 2002 0 0 | -\n"
		     "< 4 2 2 END\n",
	    "I2, I7");
	/* By gets, where the listener says so. */
	is_wrong(WIN "> 3 2 2 gets k\n< 4 2 2 VALUE k 0 0 2305843009213693999"
		     " | -\n< 4 2 2 END\n",
	    "I2, I7");
	is_good(WIN "> 3 2 2 gets k\n< 4 2 2 VALUE k 0 0 1 | -\n"
		    "< 4 2 2 END\n");
}

static void
one_end_wakes_one_waiter(void)
{
#define WAIT "> 3 2 11 mg k v c n5000 w900\n> 4 3 12 mg k v c n5000 w900\n"
	is_good(
	    WIN WAIT "> 5 4 13 md k\n< 6 4 13 NF O13\n"
		     "< 7 2 11 VA 0 c2002 O11 W\n< 905 3 12 VA 0 c0 O12 Z\n");
	is_wrong(WIN WAIT
	    "> 5 4 13 md k\n< 6 4 13 NF O13\n"
	    "< 7 2 11 VA 0 c2002 O11 W\n< 8 3 12 VA 0 c3003 O12 W\n",
	    "I2, I7");
	is_good(
	    WIN WAIT "> 5 4 13 md k\n< 6 4 13 NF O13\n"
		     "> 6 4 14 md k\n< 6 4 14 NF O14\n"
		     "< 7 2 11 VA 0 c2002 O11 W\n< 8 3 12 VA 0 c3003 O12 W\n");
}

static void
nobody_is_given_a_lease_while_the_source_is_spared(void)
{
#define SPARE WIN "> 3 1 2 md k C1001 U d900\n< 4 1 2 HD O2\n"
	is_wrong(SPARE SECOND, "a lease while");
	is_good(SPARE "> 5 1 5 set k 0 0 9 | $k.1.7\n< 6 1 5 STORED\n"
		      "> 7 1 6 delete k\n< 8 1 6 DELETED\n" SECOND);
	is_good(SPARE "> 900 2 9 mg k v c n5\n< 901 2 9 VA 0 c2002 O9 W\n");
}

static void
tokens_rise(void)
{
	is_wrong("> 1 1 1 mg l v c n5\n< 2 1 1 VA 0 c3003 O1 W\n" SECOND,
	    "fence");
	is_good("> 1 1 1 mg l v c n5\n" SECOND "< 102 1 1 VA 0 c3003 O1 W\n");
	is_wrong(WIN "x 3 1\n> 4 2 2 mg k v c n5\n< 5 2 2 VA 0 c1001 O2 W\n",
	    "fence");
}

/* ---- I6, I8, I10, I12 ---------------------------------------------------- */

static void
every_request_has_its_reply_in_time(void)
{
	is_wrong("> 1 1 1 mg k v\n< 2 1 1 EN O2\n", "I6: the reply to ano");
	is_wrong("> 1 1 1 mg k v\nh 30000 1 1\n", "I6: a request is not");
	is_wrong("? 1 1 unasked EN\n", "I6: a reply that nobody");
	is_wrong("> 1 1 1 mg k v w5\n< 20007 1 1 EN O1\n", "I6: the reply to");
	is_wrong("> 1 1 1 mg k\n< 2 1 1 CLIENT_ERROR invalid flag\n",
	    "an error");
}

static void
a_holder_is_not_parked(void)
{
#define HOLD "> 1 1 1 mg k v c n60000\n< 2 1 1 VA 0 c1001 O1 W\n"
	is_good(HOLD "> 3 1 2 mg l v c n9 w3000\n< 4 1 2 VA 0 c0 O2 Z\n");
	is_wrong(HOLD "> 3 1 2 mg l v c n9 w3000\n< 3004 1 2 VA 0 c0 O2 Z\n",
	    "I8");
	/* Another connection does. */
	is_good(HOLD "> 3 2 2 mg l v c n9 w3000\n< 3004 2 2 VA 0 c0 O2 Z\n");
	is_good(HOLD "> 3 2 3 md k\n> 3 1 2 mg l v c n9 w3000\n"
		     "< 4 2 3 NF O3\n< 3004 1 2 VA 0 c0 O2 Z\n");
}

static void
who_waits_is_told_of_a_store(void)
{
#define LONG WIN "> 3 2 2 mg k v w8000\n"
#define ANY "> 5000 3 3 ms k 9 | $k.1.7\n< 5001 3 3 HD\n"
	is_good(LONG ANY "< 5002 2 2 VA 9 O2 | $k.1.7\n");
	is_wrong(LONG ANY "< 8004 2 2 EN O2\n", "I3: one waited all");
	is_wrong(LONG ANY "< 8003 2 2 VA 9 O2 | $k.1.7\n",
	    "I3: one waited all");
	is_good(LONG "< 8003 2 2 EN O2\n");
	/* Nobody looked at it while the one before it waited. */
	is_good(WIN "> 2 2 8 mg l w8000\n> 3 2 2 mg k v w8000\n" ANY
		    "< 7000 2 8 EN O8\n> 7001 3 4 md k\n< 7002 3 4 HD\n"
		    "< 8003 2 2 EN O2\n");
	/* It may have asked later. */
	is_good(LONG "> 4 3 3 ms k 9 | $k.1.7\n< 5 3 3 HD\n"
		     "> 6 3 4 md k\n< 7 3 4 HD\n< 8003 2 2 EN O2\n");
}

static void
many_that_miss_load_once(void)
{
	is_good(WIN "! loads k 1\n");
	is_wrong(WIN "! loads k 2\n", "I12, I7");
	is_wrong(WIN "> 3 2 2 mg k v c n9 w9\n< 4 2 2 VA 0 c0 O2 Z\n"
		     "! served k\n",
	    "I3");
	is_wrong(WIN "> 3 2 2 mg k v c n9 w9\n> 4 1 3 ms k 9 | $k.1.7\n"
		     "< 5 1 3 HD\n< 12 2 2 VA 9 O2 | $k.1.7\n! served k\n",
	    "I3");
	is_good("> 1 1 1 get k\n< 2 1 1 END\n! misses k 1\n");
	is_wrong("> 1 1 1 get k\n< 2 1 1 END\n> 1 2 2 get k\n< 2 2 2 END\n"
		 "! misses k 1\n",
	    "I12, I7");
}

static void
the_counters_add_up(void)
{
#define PARTS                                                                  \
	"= lease_filled 3\n= lease_refused 2\n= lease_lapsed 1\n"              \
	"= lease_given_up 1\n= lease_revoked 4\n= lease_live 0\n= waiters 0\n"
	is_good("= lease_granted 11\n" PARTS);
	is_wrong("= lease_granted 12\n" PARTS, "I10");
	is_wrong(PARTS, "I10");
	is_wrong("= lease_granted 12\n" PARTS "= lease_live 1\n", "I9");
}

UNIT("history", TEST(a_fill_after_an_invalidation_is_refused),
    TEST(a_fill_with_a_tag_that_was_invalidated_is_refused),
    TEST(what_was_invalidated_is_not_seen_as_fresh),
    TEST(what_is_known_to_be_absent_is_invalidated_too),
    TEST(what_was_appended_does_not_outlive_a_value),
    TEST(an_older_value_does_not_come_back),
    TEST(nothing_below_the_floor_is_stored_or_seen),
    TEST(the_end_of_a_floor_ends_tokens),
    TEST(versions_only_rise_while_a_value_stands),
    TEST(the_floor_is_the_highest_of_the_versions),
    TEST(a_refused_value_is_not_seen), TEST(a_value_is_whole_and_of_its_key),
    TEST(a_key_has_one_live_lease), TEST(one_end_wakes_one_waiter),
    TEST(nobody_is_given_a_lease_while_the_source_is_spared), TEST(tokens_rise),
    TEST(every_request_has_its_reply_in_time), TEST(a_holder_is_not_parked),
    TEST(who_waits_is_told_of_a_store), TEST(many_that_miss_load_once),
    TEST(the_counters_add_up))
