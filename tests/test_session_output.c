/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_session_output.c - replies of a session to a reader who takes his time.
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

static void
end(struct wire *w, struct rig *r)
{
	wire_close(w);
	CHECK(rig_is_sane(r, 0));
	rig_close(r);
	CHECK_EQ(fake_arena_bytes(), 0);
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

enum { MANY = 3000 };

/* Keys k0 to k2999, some of them with large values, some missing. */
static size_t
size_of_value(int i)
{
	return i % 7 == 0 ? 0 :
	    i % 50 == 1   ? 5000 + (size_t)i :
			    (size_t)i % 900;
}

static void
store_many(struct rig *r, unsigned salt)
{
	for (int i = 0; i < MANY; i++) {
		char key[16], *value = rng_bytes(size_of_value(i), salt);

		snprintf(key, sizeof(key), "k%d", i);
		if (i % 11 != 0)
			REQUIRE(rig_set(r, key, value, size_of_value(i), 0) ==
			    RESULT_STORED);
		free(value);
	}
}

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

/* False unless the reply has each value whole, as stored with `salt`. */
static bool
has_all_values(const struct wire *w, unsigned salt)
{
	const char *at = w->got;

	for (int i = 0; i < MANY; i++) {
		size_t n = size_of_value(i);
		char line[64], *value;
		int len;
		bool good;

		if (i % 11 == 0)
			continue;
		len = snprintf(line, sizeof(line), "VALUE k%d 0 %zu\r\n", i, n);
		value = rng_bytes(n, salt);
		good = memcmp(at, line, (size_t)len) == 0 &&
		    memcmp(at + len, value, n) == 0 &&
		    memcmp(at + len + n, "\r\n", 2) == 0;
		free(value);
		if (!good)
			return false;
		at += (size_t)len + n + 2;
	}
	return memcmp(at, "END\r\n", 5) == 0 && at + 5 == w->got + w->len;
}

static void
a_multi_get_goes_on_after_each_flush(void)
{
	static const size_t readers[] = { 0, 100000, 1000, 17 };
	char *text = get_many("get");
	struct wire w;
	struct rig r;

	rig_open(&r, &(struct rig_config){ 0 });
	store_many(&r, 5);
	for (size_t i = 0; i < sizeof(readers) / sizeof(readers[0]); i++) {
		wire_open(&w, &r);
		w.send_max = readers[i];
		wire_put(&w, text, strlen(text));
		unit_note("%zu bytes at a time", readers[i]);
		CHECK(has_all_values(&w, 5));
		wire_close(&w);
		CHECK(rig_is_sane(&r, 0));
	}
	unit_note("%s", "");
	CHECK_EQ(counter_sum(&r.counter_set, COUNTER_cmd_get), 4 * MANY);
	free(text);
	rig_close(&r);
}

/* The output's memory is bounded, whatever is asked for. */
static void
check_output(struct wire *w, void *arg)
{
	(void)arg;
	CHECK(w->out.used <= OUT_SIZE);
	CHECK(w->out.cuts <= OUT_CUTS);
}

static void
a_slow_reader_does_not_fill_memory(void)
{
	char *text = get_many("gat 0");
	struct wire w;
	struct rig r;

	rig_open(&r, &(struct rig_config){ 0 });
	store_many(&r, 6);
	wire_open(&w, &r);
	w.send_max = 3000;
	w.between = check_output;
	for (int i = 0; i < 3; i++)
		wire_put(&w, text, strlen(text));
	free(text);
	end(&w, &r);
}

/* Another client, who overwrites, deletes and flushes all the while. */
static void
meddle(struct wire *w, void *arg)
{
	static const char other[] = "flush_all\r\n";
	struct wire *o = arg;
	static unsigned turn;
	char text[64];

	(void)w;
	turn++;
	wire_forget(o);
	if (turn % 3 == 0) {
		wire_put(o, other, strlen(other));
	} else {
		unsigned i = turn * 7919 % MANY;

		wire_put(o, text,
		    (size_t)snprintf(text, sizeof(text),
			"set k%u 0 0 3\r\nnew\r\nincr k%u 1\r\n", i, i));
	}
}

/*
 * A value that a reader is half way through stays as it was.  (They are less
 * than OUT_CUT_BYTES together: all are pinned at once.)
 */
static void
pinned_values_are_sent_whole_whatever_happens_to_them(void)
{
	enum { BYTES = 30000, VALUES = 30 };
	char *value = rng_bytes(BYTES, 8), text[VALUES * 10] = "get", line[64];
	struct wire w, other;
	struct rig r;
	const char *at;

	rig_open(&r, &(struct rig_config){ 0 });
	for (int i = 0; i < VALUES; i++) {
		snprintf(line, sizeof(line), "k%d", i);
		REQUIRE(rig_set(&r, line, value, BYTES, 0) == RESULT_STORED);
		snprintf(text + strlen(text), 10, " k%d", i);
	}
	strcat(text, "\r\n");
	wire_open(&w, &r);
	wire_open(&other, &r);
	w.send_max = 999;
	w.between = meddle;
	w.arg = &other;
	wire_put(&w, text, strlen(text));

	at = w.got;
	for (int i = 0; i < VALUES; i++) {
		int len = snprintf(line, sizeof(line), "VALUE k%d 0 %d\r\n", i,
		    BYTES);

		REQUIRE(at + len + BYTES <= w.got + w.len);
		CHECK(memcmp(at, line, (size_t)len) == 0);
		CHECK(memcmp(at + len, value, BYTES) == 0);
		at += len + BYTES + 2;
	}
	CHECK_BYTES(at, (size_t)(w.got + w.len - at), "END\r\n");
	CHECK(
	    rig_get(&r, "k5") == NULL || strcmp(rig_get(&r, "k5"), "new") == 0);
	free(value);
	wire_close(&other);
	end(&w, &r);
}

static void
a_dump_lists_all_keys_to_a_slow_reader(void)
{
	enum session_wish wish;
	unsigned lines = 0;
	struct wire w;
	struct rig r;

	rig_open(&r, &(struct rig_config){ 0 });
	store_many(&r, 9);
	wire_open(&w, &r);
	w.send_max = 333;
	wire_put(&w, "lru_crawler metadump all\r\n", 26);
	REQUIRE(w.len > 10);
	for (size_t i = 0; i < w.len; i++)
		lines += w.got[i] == '\n';
	/* and OK and END */
	CHECK_EQ(lines, MANY - (MANY + 10) / 11 + 2);
	CHECK(memcmp(w.got + w.len - 5, "END\r\n", 5) == 0);
	asks(&w, "lru_crawler mgdump 39\r\n", "OK\r\nEN\r\n");
	asks(&w, "mn\r\n", "MN\r\n");

	/* one that goes in the middle */
	wire_forget(&w);
	r.x.budget = 1000;
	session_feed(&w.session, &r.x, "lru_crawler metadump all\r\n", 26,
	    &wish);
	CHECK_EQ(wish, WISH_FLUSH);
	CHECK_STR(session_state_name(&w.session), "conn_mwrite");
	end(&w, &r);
}

/* Whatever the pieces in which they are made and read. */
static void
lists_of_stats_have_the_same_bytes(void)
{
	static const char text[] =
	    "mn\r\nstats sizes\r\nstats cachedump 9 0\r\n"
	    "stats cachedump 9 20\r\nstats cachedump 39 0\r\nmn\r\n";
	static const size_t readers[] = { 0, 5000, 17 };
	struct wire whole, w;
	struct rig r;

	rig_open(&r, &(struct rig_config){ 0 });
	r.env.track_sizes = true;
	store_many(&r, 10);
	wire_open(&whole, &r);
	wire_put(&whole, text, sizeof(text) - 1);
	REQUIRE(whole.len > 5000);
	CHECK(memcmp(whole.got, "MN\r\nSTAT 64 ", 12) == 0);
	CHECK(memcmp(whole.got + whole.len - 14, "END\r\nEND\r\nMN\r\n", 14) ==
	    0);
	for (size_t i = 0; i < sizeof(readers) / sizeof(readers[0]); i++)
		for (int budget = 1; budget < 10; budget += 3) {
			wire_open(&w, &r);
			w.send_max = readers[i];
			w.budget = budget;
			w.between = check_output;
			wire_put(&w, text, sizeof(text) - 1);
			unit_note("%zu bytes, %d at a time", readers[i],
			    budget);
			unit_check_bytes(w.got, w.len, whole.got, whole.len,
			    "the replies", UNIT_HERE);
			wire_close(&w);
		}
	unit_note("%s", "");
	wire_close(&whole);
	CHECK(rig_is_sane(&r, 0));
	rig_close(&r);
	CHECK_EQ(fake_arena_bytes(), 0);
}

static void
others_are_served_while_stats_walks_over_all_items(void)
{
	static const struct {
		const char *request;
		int budget;
	} walks[] = {
		{ "stats sizes\r\n", 10 },
		{ "stats cachedump 39 0\r\n", 1000000 },
	};
	enum session_wish wish;
	struct wire w, other;
	struct rig r;

	rig_open(&r, &(struct rig_config){ 0 });
	r.env.track_sizes = true;
	store_many(&r, 11);
	for (size_t i = 0; i < 2; i++) {
		const char *request = walks[i].request;
		size_t n = strlen(request);

		unit_note("%s", request);
		wire_open(&w, &r);
		wire_open(&other, &r);
		r.x.budget = walks[i].budget;
		CHECK_EQ(session_feed(&w.session, &r.x, request, n, &wish), n);
		CHECK_EQ(wish, WISH_YIELD);
		CHECK_STR(session_state_name(&w.session), "conn_mwrite");
		asks(&other, "flush_all\r\nset new 0 0 0\r\n\r\nmn\r\n",
		    "OK\r\nSTORED\r\nMN\r\n");
		/* The first goes in the middle. */
		if (i > 0)
			asks(&w, "mn\r\n", "END\r\nMN\r\n");
		wire_close(&other);
		wire_close(&w);
		store_many(&r, 12);
	}
	unit_note("%s", "");
	CHECK(rig_is_sane(&r, 0));
	rig_close(&r);
	CHECK_EQ(fake_arena_bytes(), 0);
}

static void
a_watcher_is_told_of_requests(void)
{
	struct wire w, other;
	struct rig r;

	rig_open(&r, &(struct rig_config){ 0 });
	wire_open(&w, &r);
	wire_open(&other, &r);
	asks(&w, "watch fetchers mutations deletions\r\n", "OK\r\n");
	CHECK(session_is_watching(&w.session));
	asks(&other, "set a 0 0 1\r\nx\r\nget a b\r\nmd a\r\n",
	    "STORED\r\nVALUE a 0 1\r\nx\r\nEND\r\nHD\r\n");
	CHECK_EQ(r.wakes, 1);
	wire_forget(&w);
	wire_wake(&w);
	wire_put(&w, "", 0);
	CHECK(w.len > 100 && w.got[w.len - 1] == '\n');

	/* what a watcher sends is dropped */
	asks(&w, "get a\r\n", "");
	wire_close(&other);
	end(&w, &r);
}

UNIT("session output", TEST(a_multi_get_goes_on_after_each_flush),
    TEST(a_slow_reader_does_not_fill_memory),
    TEST(pinned_values_are_sent_whole_whatever_happens_to_them),
    TEST(a_dump_lists_all_keys_to_a_slow_reader),
    TEST(lists_of_stats_have_the_same_bytes),
    TEST(others_are_served_while_stats_walks_over_all_items),
    TEST(a_watcher_is_told_of_requests))
