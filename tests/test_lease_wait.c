/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_lease_wait.c - those who wait for the end of a lease.
 */
#include "config.h"

#include "cache/wait.h"

#include <stdlib.h>
#include <string.h>

#include "duo.h"

#include "unit.h"

static void
a_value_is_for_all_who_wait(void)
{
	struct waiter *w[6];
	struct item *it;
	uint64_t token;

	duo_begin(NULL);
	token = duo_grant(&duo_one, "a", DUO_LEASE_MS);
	for (int i = 0; i < 6; i++) {
		w[i] = duo_park(i % 2 ? &duo_two : &duo_one, "a",
		    i < 3 ? 100 : 0);
		REQUIRE(w[i] != NULL);
	}
	CHECK_EQ(duo_look("a").waiters, 6);
	CHECK_EQ(duo_fill(&duo_two, "a", "value", token), RESULT_STORED);
	CHECK_EQ(duo_look("a").token, 0);
	duo_collect();
	it = wait_hit(w[0])->pinned;
	for (int i = 0; i < 6; i++) {
		CHECK_EQ(w[i]->outcome, WAIT_VALUE);
		CHECK_BYTES(wait_hit(w[i])->value, wait_hit(w[i])->value_len,
		    "value");
		CHECK(wait_hit(w[i])->pinned == it);
	}
	/* whatever becomes of the key meanwhile */
	CHECK_EQ(rig_set(&duo_one, "a", "other", 5, 0), RESULT_STORED);
	for (int i = 0; i < 6; i++) {
		CHECK_BYTES(wait_hit(w[i])->value, 5, "value");
		duo_done(w[i]);
	}
	CHECK_EQ(RIG_COUNT(&duo_one, lease_filled), 1);
	duo_end();
}

static void
anybodys_store_answers_them_and_ends_the_lease(void)
{
	struct waiter *w;

	duo_begin(NULL);
	duo_grant(&duo_one, "a", DUO_LEASE_MS);
	w = duo_park(&duo_two, "a", 100);
	CHECK_EQ(rig_set(&duo_one, "a", "x", 1, 0), RESULT_STORED);
	duo_collect();
	CHECK_EQ(w->outcome, WAIT_VALUE);
	duo_done(w);
	CHECK_EQ(RIG_COUNT(&duo_one, lease_revoked), 1);
	CHECK_EQ(RIG_COUNT(&duo_one, lease_filled), 0);
	duo_end();
}

/* The oldest willing one of all threads gets the next lease. */
static void
a_lease_without_a_value_goes_to_the_oldest_willing(void)
{
	struct waiter *w[6];
	uint64_t token, last;

	duo_begin(NULL);
	last = duo_grant(&duo_one, "a", DUO_LEASE_MS);
	for (int i = 0; i < 6; i++)
		w[i] = duo_park(i % 2 ? &duo_two : &duo_one, "a",
		    i == 0 || i == 3 ? 0 : 1000 + (uint32_t)i);
	for (int i = 1; i < 6; i += i == 2 ? 2 : 1) {
		duo_finish("a", LEASE_LAPSED);
		duo_collect();
		unit_note("waiter %d", i);
		CHECK_EQ(w[i]->outcome, WAIT_LEASE);
		token = w[i]->token;
		CHECK(token > last);
		CHECK(duo_look("a").token == token);
		CHECK_EQ(duo_look("a").timer.key, duo_one.x.now_ms + 1000 + i);
		for (int k = 0; k < 6; k++)
			CHECK(k <= i || w[k]->outcome == WAIT_PENDING);
		CHECK_EQ(w[0]->outcome, WAIT_PENDING);
		last = token;
		duo_done(w[i]);
		w[i] = NULL;
	}
	/* nobody is willing any more */
	duo_finish("a", LEASE_GIVEN_UP);
	duo_collect();
	CHECK_EQ(w[0]->outcome, WAIT_OVER);
	CHECK_EQ(w[3]->outcome, WAIT_OVER);
	CHECK_EQ(duo_look("a").token, 0);
	duo_done(w[0]);
	duo_done(w[3]);
	unit_note("%s", "");
	CHECK_EQ(RIG_COUNT(&duo_one, lease_handed_over), 4);
	CHECK_EQ(RIG_COUNT(&duo_one, lease_granted), 5);
	duo_end();
}

/* Handed over, but not taken yet: its time is the usual one until then. */
static void
a_lease_waits_for_its_heir(void)
{
	struct waiter *w;
	uint64_t token;

	duo_begin(NULL);
	duo_grant(&duo_one, "a", DUO_LEASE_MS);
	w = duo_park(&duo_two, "a", 300);
	duo_finish("a", LEASE_LAPSED);
	token = duo_look("a").token;
	CHECK(token != 0);
	CHECK_EQ(duo_look("a").cfd, -1);
	CHECK_EQ(duo_look("a").timer.key, duo_one.x.now_ms + 10000);
	duo_pass(500);
	duo_collect();
	CHECK_EQ(w->outcome, WAIT_LEASE);
	CHECK(w->token == token);
	CHECK_EQ(duo_look("a").timer.key, duo_one.x.now_ms + 300);
	CHECK_EQ(duo_look("a").granted, duo_one.x.now_ms);
	duo_done(w);
	duo_end();
}

static void
an_heir_who_leaves_is_followed_by_the_next(void)
{
	struct waiter *first, *second, *third;

	duo_begin(NULL);
	duo_grant(&duo_one, "a", DUO_LEASE_MS);
	first = duo_park(&duo_one, "a", 100);
	second = duo_park(&duo_two, "a", 100);
	third = duo_park(&duo_one, "a", 100);
	duo_finish("a", LEASE_LAPSED);
	duo_leave(first); /* before he is told */
	duo_collect();
	CHECK_EQ(second->outcome, WAIT_LEASE);
	CHECK_EQ(third->outcome, WAIT_PENDING);
	CHECK_EQ(duo_look("a").waiters, 1);
	duo_done(second);
	duo_finish("a", LEASE_LAPSED);
	duo_collect();
	CHECK_EQ(third->outcome, WAIT_LEASE);
	CHECK_EQ(duo_look("a").waiters, 0);
	duo_done(third);
	CHECK_EQ(RIG_COUNT(&duo_one, lease_handed_over), 2);
	duo_finish("a", LEASE_GIVEN_UP);
	duo_end();
}

static void
the_only_heir_who_leaves_ends_the_lease(void)
{
	struct waiter *w, *unwilling;

	duo_begin(NULL);
	duo_grant(&duo_one, "a", DUO_LEASE_MS);
	w = duo_park(&duo_one, "a", 100);
	unwilling = duo_park(&duo_two, "a", 0);
	duo_finish("a", LEASE_LAPSED);
	duo_leave(w);
	duo_collect();
	CHECK_EQ(duo_look("a").token, 0);
	CHECK_EQ(unwilling->outcome, WAIT_OVER);
	duo_done(unwilling);
	CHECK_EQ(RIG_COUNT(&duo_one, lease_lapsed), 2);
	duo_end();
}

static void
who_leaves_is_not_answered(void)
{
	struct waiter *w[5];
	uint64_t token;

	duo_begin(NULL);
	token = duo_grant(&duo_one, "a", DUO_LEASE_MS);
	for (int i = 0; i < 5; i++)
		w[i] = duo_park(&duo_one, "a", 100);
	duo_leave(w[2]);
	duo_leave(w[0]);
	CHECK_EQ(duo_look("a").waiters, 3);
	CHECK_EQ(duo_fill(&duo_one, "a", "x", token), RESULT_STORED);
	duo_leave(w[4]); /* the value is there, but not collected */
	duo_collect();
	CHECK_EQ(w[1]->outcome, WAIT_VALUE);
	CHECK_EQ(w[3]->outcome, WAIT_VALUE);
	duo_done(w[1]);
	duo_done(w[3]);

	/* all of them leave */
	duo_grant(&duo_one, "b", DUO_LEASE_MS);
	w[0] = duo_park(&duo_one, "b", 100);
	w[1] = duo_park(&duo_two, "b", 100);
	duo_leave(w[0]);
	duo_leave(w[1]);
	CHECK_EQ(duo_look("b").waiters, 0);
	CHECK(duo_look("b").queue == NULL);
	CHECK_EQ(rig_set(&duo_one, "b", "x", 1, 0), RESULT_STORED);
	duo_collect();
	duo_end();
}

/* mg V<n>: the value that comes may not be good enough. */
static struct waiter *
park_with_needs(struct rig *r, const char *text,
    uint32_t lease_ms) UNCHECKED_LOCKING
{
	struct waiter *w = duo_park(r, text, lease_ms);
	struct shard *s;

	/* as if it had come with them: nobody has looked yet */
	REQUIRE(w != NULL);
	s = store_shard(r->store, w->queue->hash);
	shard_lock(s);
	w->needs = true;
	if (lease_ms != 0 && w->queue->needy == 0)
		w->queue->needy = w->token;
	shard_unlock(s, &r->local);
	return w;
}

static void
a_value_that_may_not_do_brings_a_lease_with_it(void)
{
	struct waiter *content, *mute, *second, *first;
	uint64_t token;

	duo_begin(NULL);
	token = duo_grant(&duo_one, "a", DUO_LEASE_MS);
	content = duo_park(&duo_one, "a", 100);
	mute = park_with_needs(&duo_one, "a", 0);
	first = park_with_needs(&duo_two, "a", 100);
	second = park_with_needs(&duo_one, "a", 100);
	CHECK_EQ(duo_fill(&duo_one, "a", "x", token), RESULT_STORED);
	duo_collect();
	CHECK_EQ(content->outcome, WAIT_VALUE);
	CHECK_EQ(mute->outcome, WAIT_VALUE);
	CHECK_EQ(second->outcome, WAIT_VALUE);
	CHECK_EQ(first->outcome, WAIT_VALUE);
	CHECK(!content->heir && !mute->heir && !second->heir);
	CHECK(first->heir);
	CHECK(duo_look("a").token == first->token && first->token > token);
	duo_done(content);
	duo_done(mute);
	duo_done(second);
	CHECK_EQ(duo_fill(&duo_two, "a", "y", first->token), RESULT_STORED);
	CHECK_STR(rig_get(&duo_one, "a"), "y");
	duo_done(first);
	CHECK_EQ(RIG_COUNT(&duo_one, lease_filled), 2);
	CHECK_EQ(RIG_COUNT(&duo_one, lease_handed_over), 1);
	duo_end();
}

static void
who_leaves_with_such_a_lease_ends_it(void)
{
	struct waiter *w;
	uint64_t token;

	duo_begin(NULL);
	token = duo_grant(&duo_one, "a", DUO_LEASE_MS);
	w = park_with_needs(&duo_two, "a", 100);
	CHECK_EQ(duo_fill(&duo_one, "a", "x", token), RESULT_STORED);
	CHECK(duo_look("a").token != 0);
	duo_leave(w); /* before it is told */
	duo_collect();
	CHECK_EQ(duo_look("a").token, 0);
	CHECK_EQ(RIG_COUNT(&duo_one, lease_disconnected), 1);
	duo_end();
}

static void
a_back_off_lets_nobody_try(void)
{
	struct waiter *w[3];
	struct key key;
	uint64_t token, until;

	duo_begin(NULL);
	key = rig_key("a");
	token = duo_grant(&duo_one, "a", DUO_LEASE_MS);
	for (int i = 0; i < 3; i++)
		w[i] = duo_park(i ? &duo_two : &duo_one, "a", i == 2 ? 0 : 100);
	CHECK(cache_give_up(&duo_one.cache, &duo_one.local, &key, token, 800,
	    duo_one.x.now));
	until = duo_one.x.now_ms + 800;
	duo_collect();
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(w[i]->outcome, WAIT_BACKOFF);
		CHECK_EQ(w[i]->queue->until, until);
		duo_done(w[i]);
	}
	CHECK(duo_look("a").backoff);
	CHECK_EQ(leases_live(duo_one.cache.leases, duo_one.store), 0);
	/* nothing but time and stores ends it */
	duo_finish("a", LEASE_REVOKED);
	cache_flush(&duo_one.cache, &duo_one.local, duo_one.x.now);
	CHECK(duo_look("a").backoff);
	CHECK(!cache_give_up(&duo_one.cache, &duo_one.local, &key, token, 0,
	    duo_one.x.now));
	duo_pass(800);
	CHECK_EQ(duo_look("a").timer.key, 0);

	token = duo_grant(&duo_one, "a", DUO_LEASE_MS);
	CHECK(cache_give_up(&duo_one.cache, &duo_one.local, &key, token, 800,
	    duo_one.x.now));
	CHECK_EQ(rig_set(&duo_one, "a", "x", 1, 0), RESULT_STORED);
	CHECK_EQ(duo_look("a").timer.key, 0);
	CHECK_EQ(RIG_COUNT(&duo_one, backoffs), 2);
	CHECK_EQ(RIG_COUNT(&duo_one, lease_given_up), 2);
	duo_end();
}

static void
what_has_expired_on_arrival_is_no_answer(void)
{
	struct store_spec spec = { .compare = true };
	struct item_spec item = { .exptime = CLOCK_LONG_AGO };
	struct waiter *w;
	struct stored out;
	enum result why;
	struct item *it;

	duo_begin(NULL);
	item.key = rig_key("a");
	spec.cas = duo_grant(&duo_one, "a", DUO_LEASE_MS);
	w = duo_park(&duo_two, "a", 100);
	it = cache_prepare(&duo_one.cache, &duo_one.local, &item, duo_one.x.now,
	    &why);
	REQUIRE(it != NULL);
	CHECK_EQ(cache_store(&duo_one.cache, &duo_one.local, &item.key, it,
		     &spec, duo_one.x.now, &out),
	    RESULT_STORED);
	duo_collect();
	CHECK_EQ(w->outcome, WAIT_TIMEOUT);
	duo_done(w);
	CHECK_EQ(RIG_COUNT(&duo_one, lease_filled), 1);
	duo_end();
}

static void
an_invalidation_hands_the_lease_over(void)
{
	static const struct delete_spec plain;
	struct waiter *w[2];
	uint64_t token;
	uint32_t size;
	struct key key;

	duo_begin(NULL);
	key = rig_key("a");
	token = duo_grant(&duo_one, "a", DUO_LEASE_MS);
	w[0] = duo_park(&duo_one, "a", 100);
	w[1] = duo_park(&duo_two, "a", 100);
	CHECK_EQ(cache_delete(&duo_one.cache, &duo_one.local, &key, &plain,
		     duo_one.x.now, &size),
	    RESULT_DELETED); /* as of a stub */
	duo_collect();
	CHECK_EQ(w[0]->outcome, WAIT_LEASE);
	CHECK_EQ(duo_fill(&duo_one, "a", "old", token), RESULT_REFUSED);
	cache_flush(&duo_one.cache, &duo_one.local, duo_one.x.now);
	duo_collect();
	CHECK_EQ(w[1]->outcome, WAIT_LEASE);
	CHECK_EQ(duo_fill(&duo_one, "a", "old", w[0]->token), RESULT_REFUSED);
	CHECK_EQ(duo_fill(&duo_one, "a", "new", w[1]->token), RESULT_STORED);
	CHECK_STR(rig_get(&duo_one, "a"), "new");
	duo_done(w[0]);
	duo_done(w[1]);
	CHECK_EQ(RIG_COUNT(&duo_one, lease_revoked), 2);
	CHECK_EQ(RIG_COUNT(&duo_one, lease_filled), 1);
	duo_end();
}

static void
a_fill_that_is_refused_hands_its_lease_over(void)
{
	struct key key;
	struct waiter *w;
	uint64_t token;

	duo_begin(NULL);
	key = rig_key("a");
	token = duo_grant(&duo_one, "a", DUO_LEASE_MS);
	w = duo_park(&duo_two, "a", 100);
	clocks_move_key(&duo_one.store->clocks, key.hash,
	    store_next_seq(duo_one.store));
	CHECK_EQ(duo_fill(&duo_one, "a", "x", token), RESULT_REFUSED);
	duo_collect();
	CHECK_EQ(w->outcome, WAIT_LEASE);
	CHECK_EQ(duo_fill(&duo_two, "a", "y", w->token), RESULT_STORED);
	duo_done(w);
	CHECK_EQ(RIG_COUNT(&duo_one, lease_refused), 1);
	CHECK_EQ(RIG_COUNT(&duo_one, fill_refused_clock), 1);
	duo_end();
}

static void
of_one_key_only_so_many_may_wait(void)
{
	struct lease_config few = rig_lease_config;
	struct waiter *w[2];

	few.waiters_per_key = 2;
	duo_begin(&few);
	duo_grant(&duo_one, "a", DUO_LEASE_MS);
	w[0] = duo_park(&duo_one, "a", 100);
	w[1] = duo_park(&duo_two, "a", 100);
	REQUIRE(w[0] != NULL && w[1] != NULL);
	CHECK(duo_park(&duo_one, "a", 100) == NULL);
	CHECK(duo_park(&duo_two, "a", 100) == NULL);
	CHECK_EQ(RIG_COUNT(&duo_one, wait_refused_cap), 2);
	duo_leave(w[0]);
	w[0] = duo_park(&duo_two, "a", 100);
	CHECK(w[0] != NULL);
	duo_leave(w[0]);
	duo_leave(w[1]);
	duo_finish("a", LEASE_GIVEN_UP);
	duo_end();
}

static void
a_server_that_ends_hands_nothing_over(void)
{
	struct waiter *w;

	duo_begin(NULL);
	duo_grant(&duo_one, "a", DUO_LEASE_MS);
	w = duo_park(&duo_two, "a", 100);
	atomic_store(&duo_one.cache.leases->ending, true);
	duo_finish("a", LEASE_DISCONNECTED);
	duo_collect();
	CHECK_EQ(w->outcome, WAIT_OVER);
	CHECK_EQ(duo_look("a").token, 0);
	duo_done(w);
	duo_end();
}

/* Thousands of waiters cost the lock's holder a few steps, one mail each. */
static void
many_wait_behind_one_lease(void)
{
	enum { MANY = 5000 };
	static struct waiter *w[MANY];
	struct mail *m;
	uint64_t token;
	int mails = 0;

	duo_begin(NULL);
	token = duo_grant(&duo_one, "a", DUO_LEASE_MS);
	for (int i = 0; i < MANY; i++)
		w[i] = duo_park(i % 3 ? &duo_two : &duo_one, "a", 100);
	CHECK_EQ(duo_fill(&duo_one, "a", "x", token), RESULT_STORED);
	m = mailbox_take(&duo_two.mailbox);
	for (struct mail *at = m; at != NULL; at = at->next)
		mails++;
	CHECK_EQ(mails, 1);
	mailbox_post(&duo_two.mailbox, m);
	duo_collect();
	for (int i = 0; i < MANY; i++) {
		CHECK_EQ(w[i]->outcome, WAIT_VALUE);
		duo_done(w[i]);
	}
	duo_end();
}

UNIT("lease wait", TEST(a_value_is_for_all_who_wait),
    TEST(anybodys_store_answers_them_and_ends_the_lease),
    TEST(a_lease_without_a_value_goes_to_the_oldest_willing),
    TEST(a_lease_waits_for_its_heir),
    TEST(an_heir_who_leaves_is_followed_by_the_next),
    TEST(the_only_heir_who_leaves_ends_the_lease),
    TEST(who_leaves_is_not_answered),
    TEST(a_value_that_may_not_do_brings_a_lease_with_it),
    TEST(who_leaves_with_such_a_lease_ends_it),
    TEST(a_back_off_lets_nobody_try),
    TEST(what_has_expired_on_arrival_is_no_answer),
    TEST(an_invalidation_hands_the_lease_over),
    TEST(a_fill_that_is_refused_hands_its_lease_over),
    TEST(of_one_key_only_so_many_may_wait),
    TEST(a_server_that_ends_hands_nothing_over),
    TEST(many_wait_behind_one_lease))
