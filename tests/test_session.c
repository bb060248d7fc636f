/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_session.c - one client's side of the protocol: bytes in, bytes out.
 *
 * What each command answers is the matter of t/; here it is that the answer
 * does not depend on how input and output are cut into pieces, and that
 * everything is given back.
 */
#include "config.h"

#include "proto/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_arena.h"
#include "rng.h"
#include "wire.h"

#include "unit.h"

/*
 * Of every command something, right and wrong; but for `watch` and dumps, which
 * want to be the first request of what is sent.
 */
static const char script[] =
    "set a 5 0 3\r\nabc\r\nget a\r\ngets a nobody a\r\n"
    "add a 0 0 1\r\nx\r\nadd b 0 100 2\r\nhi\r\nreplace c 0 0 1\r\nx\r\n"
    "append a 0 0 3\r\ndef\r\nprepend a 0 0 2\r\n->\r\nget a b c\r\n"
    "cas a 1 0 2 1\r\nno\r\ncas nobody 1 0 2 1\r\nno\r\n"
    "set n 0 0 2\r\n10\r\nincr n 5\r\ndecr n 100\r\nincr n x\r\nincr a 1\r\n"
    "get n\r\ntouch b 0\r\ntouch nobody 0\r\ngat 50 b nobody\r\n"
    "gats 0 a b\r\ngat x a\r\ndelete b\r\ndelete b\r\ndelete\r\n"
    "set q 0 0 1 noreply\r\nx\r\nincr n 1 noreply\r\ndelete q noreply\r\n"
    "touch a 0 noreply\r\nverbosity 0 noreply\r\nflush_all 500 noreply\r\n"
    "set bad 0 0 abc\r\nset bad x 0 3\r\nabc\r\nset bad 0 0 3\r\nabcdef\r\n"
    "set bad 0 0 3 noreply\r\nabcdefgh\r\nmn\r\n"
    "set\r\nset bad 0 0\r\nbogus\r\n\r\n \r\nx\r\nGET a\r\nget\r\nget  \r\n"
    "mg a v t f k s c O123\r\nmg nobody v k O9\r\nmg nobody q\r\nmg a\r\n"
    "ms m 5 T90 F7 c\r\nhello\r\nmg m v t f h l\r\nmg m v h l u\r\n"
    "ms m 3 MA\r\n!!!\r\nms new 2 MA N0\r\nab\r\nms m 2 ME k\r\nab\r\n"
    "ms m 2 C1\r\nab\r\nms m 2 E77 c\r\nab\r\nms m 2 MX\r\nab\r\n"
    "ms m bad\r\nms m 3 v v\r\nabc\r\nms m 2\r\nabcd\r\nms Zm9v 3 b "
    "q\r\nfoo\r\n"
    "mg Zm9v b k v\r\nmg foo k v\r\nmd m I T30\r\nmg m v\r\nmg m v\r\n"
    "md m x\r\nmg m v f\r\nmd m q\r\nmd m q k\r\nma n v\r\nma n MD D3 v t c\r\n"
    "ma fresh N60 J13 v t\r\nma nobody k\r\nma a\r\nma n q\r\nmg viv N30 v "
    "t\r\n"
    "mg viv N30 v\r\nme a\r\nme nobody\r\nmn\r\nmg a ! v\r\nmg a 1\r\n"
    "mg l n1000 w50 v c t O1 k\r\nmg l n5 v c\r\nlease-get l a other\r\n"
    "ms l 2 V3 Aa,b H9 T9 c\r\nab\r\nmg l v V e w5\r\nms l 2 V2\r\nab\r\n"
    "md l V5 T9\r\nmg l V n5 c\r\nms l 2\r\nab\r\nms l 2 V5\r\nab\r\n"
    "ms l 0 z V6\r\n\r\nmg l v w0\r\nget l\r\nmd a A\r\nmd b A k\r\n"
    "lease-set other 1 0 0 3\r\nabc\r\nlease-set other 1 0 -1 0\r\n\r\n"
    "lease-set other x 0 0 3 noreply\r\nabc\r\nlease-get\r\n"
    "md l U\r\nmd l C5 U d5\r\nmg l n0\r\nms l 3 A,\r\nabc\r\n"
    "stats tags\r\nstats leases\r\n"
    "version\r\nverbosity 0\r\nverbosity\r\nflush_all x\r\n"
    "cache_memlimit 1\r\ncache_memlimit 64\r\nshutdown\r\nrefresh_certs\r\n"
    "slabs reassign 1 2\r\nslabs automove 1\r\nlru mode flat\r\nlru tune\r\n"
    "lru_crawler enable\r\nlru_crawler crawl 1\r\nlru_crawler metadump x y\r\n"
    "stats items\r\nstats slabs\r\nstats sizes\r\nstats settings\r\n"
    "stats detail on\r\nget pre:a pre:b\r\nstats detail dump\r\n"
    "stats detail off\r\nstats cachedump 1 0\r\nstats bogus\r\nstats reset\r\n"
    "debugtime +1\r\nget a n m foo viv fresh\r\n"
    "flush_all\r\nget a n m foo viv fresh\r\nset e 0 0 0\r\n\r\nget "
    "e\r\nmn\r\n";

enum { SCRIPT = sizeof(script) - 1 };

struct reply {
	char *text;
	size_t len;
};

/* Takes over what a client got. */
static struct reply
take(struct wire *w)
{
	struct reply p = { w->got, w->len };

	w->got = NULL;
	w->len = w->room = 0;
	return p;
}

static bool
same(struct reply a, struct reply b)
{
	return a.len == b.len && memcmp(a.text, b.text, a.len) == 0;
}

static void
end(struct wire *w, struct rig *r)
{
	wire_close(w);
	CHECK(rig_is_sane(r, 0));
	rig_close(r);
	CHECK_EQ(fake_arena_bytes(), 0);
}

/* The script's answer when it comes in pieces that end at each `cut`. */
static struct reply
play(const char *text, size_t len, const size_t *cut, size_t cuts, int budget)
{
	struct reply p;
	struct wire w;
	struct rig r;
	size_t at = 0;

	rig_open(&r, &(struct rig_config){ 0 });
	wire_open(&w, &r);
	w.budget = budget;
	for (size_t i = 0; i < cuts; i++) {
		wire_put(&w, text + at, cut[i] - at);
		at = cut[i];
	}
	wire_put(&w, text + at, len - at);
	p = take(&w);
	end(&w, &r);
	return p;
}

/* What is asked, and what is answered, on a connection that goes on. */
static void
asks(struct wire *w, const char *request, const char *want)
{
	unit_note("%s", request);
	wire_forget(w);
	wire_put(w, request, strlen(request));
	unit_check_bytes(w->got, w->len, want, strlen(want), "the reply",
	    UNIT_HERE);
	unit_note("%s", "");
}

static void
requests_are_answered(void)
{
	struct wire w;
	struct rig r;

	rig_open(&r, &(struct rig_config){ 0 });
	wire_open(&w, &r);
	asks(&w, "set a 5 0 3\r\nabc\r\n", "STORED\r\n");
	asks(&w, "get a\r\n", "VALUE a 5 3\r\nabc\r\nEND\r\n");
	asks(&w, "get a b\nmn\r\n", "VALUE a 5 3\r\nabc\r\nEND\r\nMN\r\n");
	asks(&w, "mg a v s\r\n", "VA 3 s3\r\nabc\r\n");
	asks(&w, "incr a 1\r\n",
	    "CLIENT_ERROR cannot increment or decrement non-numeric value"
	    "\r\n");
	asks(&w, "bogus\r\n", "ERROR\r\n");
	asks(&w, "x\r\n", "CLIENT_ERROR bad command line format\r\n");
	asks(&w, "quit\r\n", "");
	CHECK(w.closed);
	end(&w, &r);
}

static void
noreply_hides_answers(void)
{
	struct wire w;
	struct rig r;

	rig_open(&r, &(struct rig_config){ 0 });
	wire_open(&w, &r);
	asks(&w, "set a 0 0 1 noreply\r\nx\r\n", "");
	asks(&w, "add a 0 0 1 noreply\r\nx\r\n", "");
	asks(&w, "incr a 1 noreply\r\n", "");
	asks(&w, "delete b noreply\r\n", "");
	asks(&w, "bogus noreply\r\n", "");
	asks(&w, "set a x 0 1 noreply\r\nx\r\n", "");
	asks(&w, "set a 0 0 1 noreply\r\nxyzwvu\r\n", "ERROR\r\n");
	asks(&w, "set a 0 0 bad noreply\r\n",
	    "CLIENT_ERROR bad command line format\r\n");
	asks(&w, "set a 0 0 9000000 noreply\r\n", "");
	CHECK_EQ(w.session.state, SESSION_SWALLOW);
	end(&w, &r);
}

static void
an_answer_does_not_depend_on_where_input_is_split(void)
{
	struct reply whole = play(script, SCRIPT, NULL, 0, 0);

	CHECK(whole.len > 3000);
	for (size_t cut = 1; cut < SCRIPT; cut++) {
		struct reply p = play(script, SCRIPT, &cut, 1, 0);
		bool good = same(p, whole);

		free(p.text);
		unit_note("split at %zu: %.20s", cut, script + cut);
		REQUIRE(good);
	}
	unit_note("%s", "");
	free(whole.text);
}

static void
input_may_come_in_many_pieces_and_turns(void)
{
	struct rng r = rng_start("pieces", 27);
	struct reply whole = play(script, SCRIPT, NULL, 0, 0);
	size_t *cut = malloc(SCRIPT * sizeof(*cut));

	REQUIRE(cut != NULL);
	for (int i = 0; i < 300; i++) {
		size_t cuts = 0, step = 1 + rng_any(&r, 8);
		struct reply p;
		bool good;

		for (size_t at = 1; at < SCRIPT; at += 1 + rng_below(&r, step))
			cut[cuts++] = at;
		p = play(script, SCRIPT, cut, cuts, 1 + (int)rng_below(&r, 3));
		good = same(p, whole);
		free(p.text);
		unit_note("round %d, %zu pieces", i, cuts);
		REQUIRE(good);
	}
	unit_note("%s", "");
	free(cut);
	free(whole.text);
}

static void
a_turn_ends_with_its_budget(void)
{
	enum session_wish wish;
	struct wire w;
	struct rig r;
	size_t used;

	rig_open(&r, &(struct rig_config){ 0 });
	wire_open(&w, &r);
	r.x.budget = 2;
	used = session_feed(&w.session, &r.x, "mn\r\nmn\r\nmn\r\nmn\r\n", 16,
	    &wish);
	CHECK_EQ(wish, WISH_YIELD);
	CHECK_EQ(used, 8);
	CHECK_EQ(w.out.used, 8);

	/* one that is used up with the input has nothing to wait for */
	r.x.budget = 2;
	used = session_feed(&w.session, &r.x, "mn\r\nmn\r\n", 8, &wish);
	CHECK_EQ(wish, WISH_INPUT);
	CHECK_EQ(used, 8);
	end(&w, &r);
}

/* ---- large values -------------------------------------------------------- */

/* `<line>\r\n<n bytes>\r\nmn\r\n`, to be freed. */
static char *
storage(const char *line, size_t n, size_t *len)
{
	char *value = rng_bytes(n, 1), *text = malloc(n + 200);
	size_t at;

	REQUIRE(text != NULL);
	at = (size_t)sprintf(text, "%s\r\n", line);
	memcpy(text + at, value, n);
	memcpy(text + at + n, "\r\nmn\r\n", 6);
	*len = at + n + 6;
	free(value);
	return text;
}

/* Stores in pieces of `step` bytes; the value must come back as it was. */
static void
large_value_in_steps(size_t n, size_t step, bool copies)
{
	char line[64], *text, *value = rng_bytes(n, 1);
	struct wire w;
	struct rig r;
	size_t len;

	snprintf(line, sizeof(line), "set large 3 0 %zu", n);
	text = storage(line, n, &len);
	rig_open(&r, &(struct rig_config){ 0 });
	wire_open(&w, &r);
	w.copies_values = copies;
	for (size_t at = 0; at < len; at += step)
		wire_put(&w, text + at, len - at < step ? len - at : step);
	unit_note("%zu bytes, %zu at a time", n, step);
	CHECK_BYTES(w.got, w.len, "STORED\r\nMN\r\n");

	wire_forget(&w);
	wire_put(&w, "get large\r\n", 11);
	snprintf(line, sizeof(line), "VALUE large 3 %zu\r\n", n);
	REQUIRE(w.len == strlen(line) + n + 7);
	CHECK(memcmp(w.got, line, strlen(line)) == 0);
	CHECK(memcmp(w.got + strlen(line), value, n) == 0);
	CHECK(memcmp(w.got + strlen(line) + n, "\r\nEND\r\n", 7) == 0);
	unit_note("%s", "");
	free(text);
	free(value);
	end(&w, &r);
}

static void
large_values_go_straight_into_their_items(void)
{
	static const size_t sizes[] = { SESSION_SMALL_VALUE - 1,
		SESSION_SMALL_VALUE, SESSION_SMALL_VALUE + 1, 20000, 300000 };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		for (size_t step = 1; step < 1000000; step *= 9) {
			large_value_in_steps(sizes[i], step, false);
			large_value_in_steps(sizes[i], step, true);
		}
}

/* Splits around both ends of the value, and everywhere in between now and
 * then. */
static void
a_large_value_may_be_split_anywhere(void)
{
	enum { BYTES = 9000 };
	static const char *const lines[] = { "set large 0 0 9000",
		"set large 0 0 9000 noreply", "ms large 9000 c k",
		"ms large 9000 q", "set large 0 0 8998", "add large x 0 9000",
		"set large 0 0 8998 noreply", "append large 0 0 9000",
		"ms large 9000 MA N0", "ms large 9000 v v" };

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		size_t len, line = strlen(lines[i]);
		char *text = storage(lines[i], BYTES, &len);
		struct reply whole = play(text, len, NULL, 0, 0);

		for (size_t cut = 1; cut < len;
		     cut += cut < line + 10 || cut > len - 20 ? 1 : 173) {
			struct reply p = play(text, len, &cut, 1, 0);
			bool good = same(p, whole);

			free(p.text);
			unit_note("%s, split at %zu of %zu", lines[i], cut,
			    len);
			REQUIRE(good);
		}
		free(text);
		free(whole.text);
	}
	unit_note("%s", "");
}

static void
room_is_offered_while_a_large_value_is_due(void)
{
	struct wire w;
	struct rig r;
	size_t room;
	char *target;

	rig_open(&r, &(struct rig_config){ 0 });
	wire_open(&w, &r);
	CHECK(session_target(&w.session, &room) == NULL);
	wire_put(&w, "set a 0 0 10000\r\nxyz", 20);
	CHECK_STR(session_state_name(&w.session), "conn_nread");
	target = session_target(&w.session, &room);
	REQUIRE(target != NULL);
	CHECK_EQ(room, 10000 - 3);
	memset(target, 'v', room);
	session_filled(&w.session, room - 1);
	CHECK(session_target(&w.session, &room) != NULL);
	CHECK_EQ(room, 1);
	session_filled(&w.session, 1);
	CHECK(session_target(&w.session, &room) == NULL);
	wire_put(&w, "\r", 1);
	CHECK_EQ(w.len, 0);
	wire_put(&w, "\n", 1);
	CHECK_BYTES(w.got, w.len, "STORED\r\n");
	CHECK(session_target(&w.session, &room) == NULL);
	end(&w, &r);
}

static void
a_client_that_goes_leaves_nothing_behind(void)
{
	static const char *const half[] = { "get a", "set a 0 0 5\r\nab",
		"set a 0 0 50000\r\nabc", "set a 0 0 5000000\r\nabc",
		"watch fetchers\r\n", "ms a 9000 T0\r\n" };

	for (size_t i = 0; i < sizeof(half) / sizeof(half[0]); i++) {
		struct wire w;
		struct rig r;

		rig_open(&r, &(struct rig_config){ 0 });
		wire_open(&w, &r);
		wire_put(&w, half[i], strlen(half[i]));
		unit_note("%s", half[i]);
		end(&w, &r);
	}
	unit_note("%s", "");
}

static void
a_value_that_is_too_large_is_swallowed(void)
{
	char *value = rng_bytes(2000000, 3);
	struct wire w;
	struct rig r;

	rig_open(&r, &(struct rig_config){ 0 });
	wire_open(&w, &r);
	asks(&w, "set a 0 0 1\r\nx\r\n", "STORED\r\n");
	asks(&w, "set a 0 0 2000000\r\n",
	    "SERVER_ERROR object too large for cache\r\n");
	CHECK_STR(session_state_name(&w.session), "conn_swallow");
	wire_forget(&w);
	for (size_t at = 0; at < 2000000; at += 50000)
		wire_put(&w, value + at, 50000);
	CHECK_EQ(w.len, 0);
	asks(&w, "\r\nget a\r\n", "END\r\n");
	CHECK(rig_is_sane(&r, 0));
	free(value);
	end(&w, &r);
}

static void
without_memory_a_value_is_refused_and_swallowed(void)
{
	static const char line[] = "set a 0 0 300000\r\n";
	char *value = rng_bytes(300000, 3);
	struct wire w;
	struct rig r;

	rig_open(&r, &(struct rig_config){ .limit = 200000, .no_evict = true });
	wire_open(&w, &r);
	asks(&w, "set a 0 0 1\r\nx\r\n", "STORED\r\n");
	asks(&w, line, "SERVER_ERROR out of memory storing object\r\n");
	wire_forget(&w);
	wire_put(&w, value, 300000);
	CHECK_EQ(w.len, 0);
	asks(&w, "\r\nget a\r\n", "END\r\n");
	free(value);
	end(&w, &r);
}

/* ---- lines --------------------------------------------------------------- */

static void
a_line_without_an_end_is_awaited_up_to_its_limit(void)
{
	char *text = malloc(100000);
	struct wire w;
	struct rig r;

	REQUIRE(text != NULL);
	memset(text, 'x', 100000);
	rig_open(&r, &(struct rig_config){ 0 });
	wire_open(&w, &r);
	wire_put(&w, text, SESSION_LINE_MAX);
	CHECK(!w.closed);
	wire_put(&w, text, 1);
	CHECK(w.closed);
	CHECK_EQ(w.len, 0);
	wire_close(&w);

	wire_open(&w, &r);
	wire_put(&w, "set ", 4);
	wire_put(&w, text, SESSION_LINE_MAX);
	CHECK(w.closed);
	wire_close(&w);

	memset(text, ' ', 100000);
	wire_open(&w, &r);
	wire_put(&w, text, SESSION_LINE_MAX + 1);
	CHECK(w.closed);
	free(text);
	end(&w, &r);
}

enum { MANY = 3000 };

static char *
get_many(const char *verb)
{
	char *text = malloc(MANY * 8 + 16);
	size_t at = (size_t)sprintf(text, "%s", verb);

	for (int i = 0; i < MANY; i++)
		at += (size_t)sprintf(text + at, " k%d", i);
	sprintf(text + at, "\r\n");
	return text;
}

static void
a_get_may_be_as_long_as_it_likes(void)
{
	static const char *const verbs[] = { "get", "gets", "gat 0", "gats 0" };
	struct wire w;
	struct rig r;

	rig_open(&r, &(struct rig_config){ 0 });
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		char *text = get_many(verbs[i]);

		wire_open(&w, &r);
		for (size_t at = 0; at < strlen(text); at += 1000)
			wire_put(&w, text + at, strnlen(text + at, 1000));
		unit_note("%s", verbs[i]);
		CHECK_BYTES(w.got, w.len, "END\r\n");
		wire_close(&w);
		free(text);
	}
	unit_note("%s", "");
	rig_close(&r);
}

static void
an_http_request_is_hung_up_on(void)
{
	struct wire w;
	struct rig r;

	rig_open(&r, &(struct rig_config){ 0 });
	wire_open(&w, &r);
	asks(&w, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "");
	CHECK(w.closed);
	end(&w, &r);
}

static void
the_binary_protocol_gets_an_answer_of_its_own(void)
{
	static const char hello[24] = "\x80\x0b\0\0\0\0\0\0\0\0\0\0ABCD";
	struct wire w;
	struct rig r;

	for (size_t cut = 1; cut < sizeof(hello); cut += 11) {
		rig_open(&r, &(struct rig_config){ 0 });
		wire_open(&w, &r);
		wire_put(&w, hello, cut);
		CHECK_EQ(w.len, 0);
		wire_put(&w, hello + cut, sizeof(hello) - cut);
		CHECK_BYTES(w.got, w.len,
		    "\x81\x0b\0\0\0\0\0\x81\0\0\0\x0f"
		    "ABCD\0\0\0\0\0\0\0\0Unknown command");
		CHECK(w.closed);
		end(&w, &r);
	}
}

static void
a_later_byte_of_0x80_is_not_the_binary_protocol(void)
{
	struct wire w;
	struct rig r;

	rig_open(&r, &(struct rig_config){ 0 });
	wire_open(&w, &r);
	asks(&w, "mn\r\n", "MN\r\n");
	asks(&w, "\x80\x0b\r\n", "ERROR\r\n");
	end(&w, &r);
}

UNIT("session", TEST(requests_are_answered), TEST(noreply_hides_answers),
    TEST(an_answer_does_not_depend_on_where_input_is_split),
    TEST(input_may_come_in_many_pieces_and_turns),
    TEST(a_turn_ends_with_its_budget),
    TEST(large_values_go_straight_into_their_items),
    TEST(a_large_value_may_be_split_anywhere),
    TEST(room_is_offered_while_a_large_value_is_due),
    TEST(a_client_that_goes_leaves_nothing_behind),
    TEST(a_value_that_is_too_large_is_swallowed),
    TEST(without_memory_a_value_is_refused_and_swallowed),
    TEST(a_line_without_an_end_is_awaited_up_to_its_limit),
    TEST(a_get_may_be_as_long_as_it_likes), TEST(an_http_request_is_hung_up_on),
    TEST(the_binary_protocol_gets_an_answer_of_its_own),
    TEST(a_later_byte_of_0x80_is_not_the_binary_protocol))
