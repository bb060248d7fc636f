/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_session_wait.c - requests that wait, without a socket.
 */
#include "config.h"

#include "proto/session.h"

#include <stdio.h>
#include <string.h>

#include "fake_arena.h"
#include "wire.h"

#include "unit.h"

enum { CLIENTS = 4 };

static struct rig r;
static struct wire w[CLIENTS];

static void
begin(const struct lease_config *config)
{
	rig_open(&r, &(struct rig_config){ .lease = config });
	for (int i = 0; i < CLIENTS; i++)
		wire_open(&w[i], &r);
}

static void
end(void)
{
	for (int i = 0; i < CLIENTS; i++)
		wire_close(&w[i]);
	CHECK_EQ(atomic_load(&r.cache.leases->waiting), 0);
	CHECK_EQ(leases_live(r.cache.leases, r.store), 0);
	CHECK(rig_is_sane(&r, 0));
	rig_close(&r);
	CHECK_EQ(fake_arena_bytes(), 0);
}

static void
put(int i, const char *request)
{
	wire_put(&w[i], request, strlen(request));
}

/* A turn of the worker: waits that are over end, sessions go on. */
static void
turn(void)
{
	wire_collect(&r);
	for (int i = 0; i < CLIENTS; i++) {
		wire_end_due_wait(&w[i]);
		wire_wake(&w[i]);
	}
}

/* What has come since the last look; a * stands for a token. */
static void
got(int i, const char *want)
{
	char text[2048];
	const char *token = wire_last_token(&w[i]);
	size_t n = w[i].len;

	REQUIRE(n < sizeof(text));
	if (n > 0)
		memcpy(text, w[i].got, n);
	if (token != NULL) {
		size_t at = (size_t)(token - w[i].got);

		text[at] = '*';
		memmove(text + at + 1, text + at + WIRE_TOKEN,
		    n - at - WIRE_TOKEN);
		n -= WIRE_TOKEN - 1;
	}
	text[n] = '\0';
	unit_note("client %d", i);
	CHECK_STR(text, want);
	unit_note("%s", "");
	wire_forget(&w[i]);
}

/* Sends a request with the token in the place of its %s. */
static void
put_with_token(int i, const char *request, const char token[])
{
	char text[256];
	const char *at = strstr(request, "%s");
	int n = snprintf(text, sizeof(text), "%.*s%.*s%s", (int)(at - request),
	    request, WIRE_TOKEN, token, at + 2);

	REQUIRE(n > 0 && n < (int)sizeof(text));
	put(i, text);
}

/* Takes the lease of k; its token. */
static void
win(int i, char token[WIRE_TOKEN])
{
	put(i, "mg k n5000 c\r\n");
	REQUIRE(wire_last_token(&w[i]) != NULL);
	memcpy(token, wire_last_token(&w[i]), WIRE_TOKEN);
	got(i, "HD c* W\r\n");
}

static void
a_request_waits_for_the_value(void)
{
	char token[WIRE_TOKEN];

	begin(NULL);
	win(0, token);
	put(1, "mg k v w1000\r\n");
	put(2, "mg k v n10 w1000 c\r\n");
	got(1, "");
	CHECK(session_is_parked(&w[1].session));
	CHECK(session_is_parked(&w[2].session));
	turn();
	got(1, "");
	put_with_token(0, "ms k 3 C%s\r\nabc\r\n", token);
	got(1, ""); /* the mail is on its way */
	turn();
	got(1, "VA 3\r\nabc\r\n");
	got(2, "VA 3 c2\r\nabc\r\n");
	CHECK_EQ(RIG_COUNT(&r, wait_served), 2);
	end();
}

/* P2: what is behind it waits, too; what was before it is answered. */
static void
replies_stay_in_order(void)
{
	char token[WIRE_TOKEN];

	begin(NULL);
	win(0, token);
	put(1, "mn\r\nmg k v w1000\r\nmn\r\nget x\r\n");
	got(1, "MN\r\n");
	put(1, "set x 0 0 1\r\n1\r\n");
	turn();
	got(1, "");
	put_with_token(0, "ms k 1 C%s\r\nx\r\n", token);
	turn();
	got(1, "VA 1\r\nx\r\nMN\r\nEND\r\nSTORED\r\n");
	end();
}

/* P3: the time runs from the arrival of the line. */
static void
requests_that_came_together_wait_no_longer_than_one(void)
{
	char token[WIRE_TOKEN];

	begin(NULL);
	win(0, token);
	put(1, "mg k v w300\r\nmg k v w500\r\nmg k v w400 n9\r\nmn\r\n");
	rig_pass(&r, 299);
	turn();
	got(1, "");
	rig_pass(&r, 1);
	turn();
	got(1, "EN\r\n");
	rig_pass(&r, 200);
	turn();
	got(1, "EN\r\nVA 0 Z\r\n\r\nMN\r\n");
	CHECK_EQ(RIG_COUNT(&r, wait_timed_out), 2);
	end();
}

/* P4: who holds a lease never waits. */
static void
a_holder_is_told_at_once(void)
{
	char token[WIRE_TOKEN];

	begin(NULL);
	win(0, token);
	put(1, "mg other n5000\r\n");
	got(1, "HD W\r\n");
	put(1, "mg k v n9 w1000\r\n");
	got(1, "VA 0 Z\r\n\r\n");
	put(0, "mg other w1000\r\n");
	got(0, "EN\r\n");
	CHECK_EQ(RIG_COUNT(&r, wait_refused_holder), 2);
	put(1, "ms other 1\r\nx\r\nmg k v w1000\r\n");
	got(1, "HD\r\n");
	CHECK(session_is_parked(&w[1].session));
	end();
}

/* The end of a connection hands its lease to the oldest who waits. */
static void
a_lease_goes_from_hand_to_hand(void)
{
	char token[WIRE_TOKEN];

	begin(NULL);
	win(0, token);
	put(1, "mg k v w9000 c\r\n"); /* unwilling */
	put(2, "mg k v w9000 n700 c t\r\n");
	put(3, "mg k v w9000 n700 c\r\n");
	wire_close(&w[0]);
	wire_open(&w[0], &r);
	turn();
	got(1, "");
	got(2, "VA 0 c* t1 W\r\n\r\n");
	got(3, "");
	rig_pass(&r, 700); /* and it lapses */
	rig_tick(&r);
	turn();
	got(3, "VA 0 c* W\r\n\r\n");
	put(3, "delete k\r\n"); /* nobody is left who is willing */
	turn();
	got(3, "DELETED\r\n");
	got(1, "EN\r\n");
	end();
}

static void
caps_are_for_all_who_wait(void)
{
	struct lease_config few = rig_lease_config;
	char token[WIRE_TOKEN];

	few.waiters = 2;
	begin(&few);
	win(0, token);
	for (int i = 1; i < CLIENTS; i++)
		put(i, "mg k v w100\r\n");
	got(3, "EN\r\n");
	CHECK_EQ(RIG_COUNT(&r, wait_refused_cap), 1);
	CHECK_EQ(atomic_load(&r.cache.leases->waiting_most), 2);
	rig_pass(&r, 100);
	turn();
	got(1, "EN\r\n");
	got(2, "EN\r\n");
	put(3, "mg k v w100\r\n");
	CHECK(session_is_parked(&w[3].session));
	end();
}

/* A rule parks who did not ask for it: more input ends the wait. */
static void
a_rule_waits_for_those_who_do_not_know(void)
{
	struct lease_config config = rig_lease_config;
	struct coalesce_rule rule = { "k", 1, 500, 2000, 0, false };

	config.rule = &rule;
	config.rules = 1;
	begin(&config);
	put(0, "get k\r\n");
	got(0, "END\r\n");
	put(1, "get k\r\n");
	put(2, "get k\r\n");
	put(3, "get k other\r\nget j\r\n"); /* not for one key alone */
	got(3, "END\r\nEND\r\n");
	put(2, "mn\r\n");
	turn();
	got(2, "END\r\nMN\r\n");
	got(1, "");
	put(0, "set k 0 0 1\r\nx\r\n");
	turn();
	got(1, "VALUE k 0 1\r\nx\r\nEND\r\n");
	CHECK_EQ(atomic_load(&r.cache.leases->rule_counts[0].wait_served), 1);
	end();
}

static void
nobody_waits_on_a_proxys_connection(void)
{
	begin(NULL);
	w[1].session.mode = LISTEN_PROXY;
	w[2].session.mode = LISTEN_PROXY;
	put(2, "mg k n5000\r\n");
	got(2, "HD W\r\n");
	put(1, "mg k v n5 w1000\r\n");
	got(1, "VA 0 Z\r\n\r\n");
	/* nor does a lease end with it */
	wire_close(&w[2]);
	wire_open(&w[2], &r);
	CHECK_EQ(leases_live(r.cache.leases, r.store), 1);
	rig_pass(&r, 5000);
	rig_tick(&r);
	end();
}

UNIT("session wait", TEST(a_request_waits_for_the_value),
    TEST(replies_stay_in_order),
    TEST(requests_that_came_together_wait_no_longer_than_one),
    TEST(a_holder_is_told_at_once), TEST(a_lease_goes_from_hand_to_hand),
    TEST(caps_are_for_all_who_wait),
    TEST(a_rule_waits_for_those_who_do_not_know),
    TEST(nobody_waits_on_a_proxys_connection))
