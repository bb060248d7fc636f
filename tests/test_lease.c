/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_lease.c - who may load a missing value, and who waits for it.
 *
 * There are two threads' worth of rigs, which one thread plays in turn.
 */
#include "config.h"

#include "cache/lease.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rig.h"
#include "rng.h"

#include "unit.h"

enum { LEASE_MS = 5000 };

/* `one` has the store; `two` has a mailbox of its own. */
static struct rig one, two;

static void
begin(const struct lease_config *config)
{
	rig_open(&one, &(struct rig_config){ .lease = config });
	rig_share(&two, &one);
}

static void
end(void)
{
	struct leases *ls = one.cache.leases;

	rig_unshare(&two);
	CHECK(rig_is_sane(&one, 0));
	for (unsigned i = 0; i < ls->shards; i++)
		CHECK_EQ(ls->shard[i].count, ls->shard[i].timers.count);
	rig_close(&one);
}

static void
pass(uint64_t ms)
{
	rig_pass(&one, ms);
	rig_pass(&two, ms);
}

/* ---- a step each --------------------------------------------------------- */

static uint64_t
grant(struct rig *r, const char *text, uint32_t ms) UNCHECKED_LOCKING
{
	struct key key = rig_key(text);
	struct act st = act_begin(&r->cache, &r->local, &key, r->x.now);
	uint64_t token;

	shard_lock(st.s);
	token = lease_grant(&st, NULL, ms, 7, NULL);
	act_end(&st);
	return token;
}

/* A copy of the lease or back-off; its token is 0 when there is none. */
static struct lease
look(const char *text) UNCHECKED_LOCKING
{
	struct key key = rig_key(text);
	struct act st = act_begin(&one.cache, &one.local, &key, one.x.now);
	struct lease copy = { .token = 0 };
	struct lease *found;

	shard_lock(st.s);
	found = lease_find(&st);
	if (found != NULL)
		memcpy(&copy, found, sizeof(copy));
	act_end(&st);
	return copy;
}

static void
finish(const char *text, enum lease_end how) UNCHECKED_LOCKING
{
	struct key key = rig_key(text);
	struct act st = act_begin(&one.cache, &one.local, &key, one.x.now);
	struct lease *lease;

	shard_lock(st.s);
	lease = lease_find(&st);
	CHECK(lease != NULL);
	if (lease != NULL)
		lease_finish(&st, lease, how);
	act_end(&st);
}

static void
prolong(const char *text, uint32_t ms) UNCHECKED_LOCKING
{
	struct key key = rig_key(text);
	struct act st = act_begin(&one.cache, &one.local, &key, one.x.now);
	struct lease *lease;

	shard_lock(st.s);
	lease = lease_find(&st);
	CHECK(lease != NULL);
	if (lease != NULL)
		lease_prolong(&st, lease, ms);
	act_end(&st);
}

/* NULL when there is no room for it. */
static struct waiter *
park(struct rig *r, const char *text, uint32_t lease_ms) UNCHECKED_LOCKING
{
	struct key key = rig_key(text);
	struct act st = act_begin(&r->cache, &r->local, &key, r->x.now);
	struct waiter *w = calloc(1, sizeof(*w));
	struct lease *lease;
	bool parked = false;

	if (w == NULL)
		abort();
	w->lease_ms = lease_ms;
	w->owner = r;
	shard_lock(st.s);
	lease = lease_find(&st);
	if (lease != NULL)
		parked = lease_park(&st, lease, w, &r->mailbox);
	act_end(&st);
	if (!parked)
		free(w);
	return parked ? w : NULL;
}

/* Answers the mail: outcomes stand in the waiters, who are not done yet. */
static void
note(void *ctx, struct waiter *w)
{
	struct rig *r = ctx;

	CHECK(w->owner == r);
	CHECK(w->outcome != WAIT_PENDING);
}

static void
collect(void)
{
	rig_collect(&one, note, &one);
	rig_collect(&two, note, &two);
}

static void
done(struct waiter *w)
{
	struct rig *r = w->owner;

	wait_done(&r->cache, &r->local, w, r->x.now);
}

static void
leave(struct waiter *w)
{
	struct rig *r = w->owner;

	wait_leave(&r->cache, &r->local, w, r->x.now);
	free(w);
}

/* By the token, as `ms C` does. */
static enum result
fill(struct rig *r, const char *text, const char *value,
    uint64_t token) UNCHECKED_LOCKING
{
	struct store_spec spec = { .compare = true, .cas = token };
	struct item_spec item = { .key = rig_key(text),
		.value_len = (uint32_t)strlen(value) };
	struct stored out;
	enum result why;
	struct item *it = cache_prepare(&r->cache, &r->local, &item, r->x.now,
	    &why);

	if (it == NULL)
		return why;
	memcpy(item_value(it), value, item.value_len);
	return cache_store(&r->cache, &r->local, &item.key, it, &spec, r->x.now,
	    &out);
}

/* ---- leases -------------------------------------------------------------- */

static void
a_key_has_one_lease(void)
{
	uint64_t a, b;

	begin(NULL);
	CHECK_EQ(look("a").token, 0);
	a = grant(&one, "a", LEASE_MS);
	b = grant(&two, "b", LEASE_MS);
	CHECK(b > a);
	CHECK(look("a").token == a);
	CHECK(look("b").token == b);
	CHECK_EQ(look("ab").token, 0);
	CHECK_EQ(look("a").cfd, 7);
	CHECK_EQ(look("a").granted, one.x.now_ms);
	CHECK_EQ(look("a").timer.key, one.x.now_ms + LEASE_MS);
	CHECK_EQ(leases_live(one.cache.leases, one.store), 2);
	finish("a", LEASE_GIVEN_UP);
	CHECK_EQ(look("a").token, 0);
	CHECK(look("b").token == b);
	CHECK_EQ(RIG_COUNT(&one, lease_granted), 2);
	CHECK_EQ(RIG_COUNT(&one, lease_given_up), 1);
	CHECK_EQ(leases_live(one.cache.leases, one.store), 1);
	end();
}

static void
a_lease_ends_with_its_time(void)
{
	begin(NULL);
	grant(&one, "a", 100);
	grant(&one, "b", 200);
	pass(99);
	rig_tick(&one);
	CHECK(look("a").token != 0);
	pass(1);
	CHECK_EQ(look("a").token, 0); /* whoever looks first ends it */
	CHECK_EQ(RIG_COUNT(&one, lease_lapsed), 1);
	pass(100);
	rig_tick(&two);
	CHECK_EQ(RIG_COUNT(&one, lease_lapsed), 2);
	CHECK_EQ(leases_live(one.cache.leases, one.store), 0);
	end();
}

static void
many_leases_end_in_time(void)
{
	struct rng rng = rng_start("leases", 65);
	uint64_t first, deadline[500], ended = 0, live = 500;
	char key[16];

	begin(NULL);
	first = one.x.now_ms;
	for (int i = 0; i < 500; i++) {
		uint32_t ms = 1 + (uint32_t)rng_below(&rng, 3000);

		snprintf(key, sizeof(key), "k%d", i);
		grant(&one, key, ms);
		deadline[i] = first + ms;
	}
	while (live > 0 && one.x.now_ms < first + 3000) {
		pass(1 + rng_below(&rng, 100));
		rig_tick(&one);
		live = 0;
		for (int i = 0; i < 500; i++)
			live += deadline[i] > one.x.now_ms;
		ended = RIG_COUNT(&one, lease_lapsed);
		CHECK_EQ(ended + live, 500);
		CHECK_EQ(leases_live(one.cache.leases, one.store), live);
	}
	CHECK_EQ(live, 0);
	end();
}

static void
a_lease_can_be_prolonged_up_to_the_longest(void)
{
	uint64_t start;

	begin(NULL);
	start = one.x.now_ms;
	grant(&one, "a", 100);
	pass(50);
	prolong("a", 100);
	CHECK_EQ(look("a").timer.key, start + 150);
	prolong("a", 10); /* or shortened */
	CHECK_EQ(look("a").timer.key, start + 60);
	prolong("a", UINT32_MAX);
	CHECK_EQ(look("a").timer.key, start + 60000);
	CHECK_EQ(RIG_COUNT(&one, lease_renewed), 3);
	CHECK_EQ(lease_length(one.cache.leases, 59999), 59999);
	CHECK_EQ(lease_length(one.cache.leases, UINT64_MAX), 60000);
	end();
}

static void
a_lease_is_found_by_its_token(void)
{
	struct key key;
	uint64_t token;

	begin(NULL);
	token = grant(&one, "a", LEASE_MS);
	key = rig_key("a");
	CHECK(cache_is_token(&one.cache, &key, token));
	CHECK(!cache_is_token(&one.cache, &key, token + 1));
	CHECK(cache_holds(&one.cache, &one.local, key.hash, token, one.x.now));
	CHECK(!cache_holds(&one.cache, &one.local, key.hash, token + 1,
	    one.x.now));
	CHECK(!cache_give_up(&one.cache, &one.local, &key, token + 1, 0,
	    one.x.now));
	CHECK(!cache_abandon(&one.cache, &one.local, key.hash, token + 1,
	    one.x.now));
	CHECK(look("a").token == token);
	CHECK(
	    cache_abandon(&one.cache, &one.local, key.hash, token, one.x.now));
	CHECK(
	    !cache_abandon(&one.cache, &one.local, key.hash, token, one.x.now));
	CHECK(!cache_holds(&one.cache, &one.local, key.hash, token, one.x.now));
	CHECK_EQ(RIG_COUNT(&one, lease_lapsed), 1);
	CHECK_EQ(RIG_COUNT(&one, lease_disconnected), 1);

	token = grant(&one, "a", 100);
	pass(100);
	CHECK(!cache_holds(&one.cache, &one.local, key.hash, token, one.x.now));
	end();
}

static void
without_room_there_is_a_token_and_no_lease(void)
{
	struct lease_config few = rig_lease_config;
	uint64_t token;

	few.leases = 2;
	begin(&few);
	grant(&one, "a", LEASE_MS);
	grant(&one, "b", LEASE_MS);
	token = grant(&one, "c", LEASE_MS);
	CHECK_EQ(look("c").token, 0);
	CHECK_EQ(RIG_COUNT(&one, lease_granted), 2);
	CHECK_EQ(RIG_COUNT(&one, lease_unrecorded), 1);
	CHECK_EQ(fill(&one, "c", "x", token), RESULT_STORED);
	CHECK_EQ(RIG_COUNT(&one, fill_late), 1);
	finish("a", LEASE_GIVEN_UP);
	CHECK(grant(&one, "c", LEASE_MS) != 0);
	CHECK(look("c").token != 0);
	end();
}

static void
memory_of_leases_is_counted(void)
{
	uint64_t empty, filled;
	char key[16];

	begin(NULL);
	empty = atomic_load(&one.cache.leases->bytes);
	for (int i = 0; i < 1000; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		grant(&one, key, LEASE_MS);
	}
	filled = atomic_load(&one.cache.leases->bytes);
	CHECK(filled > empty + 1000 * sizeof(struct lease));
	CHECK(filled < empty + 1000 * (sizeof(struct lease) + 64));
	pass(LEASE_MS);
	rig_tick(&one);
	/* the table stays */
	CHECK(atomic_load(&one.cache.leases->bytes) <= empty + 4096 * 8);
	CHECK_EQ(atomic_load(&one.cache.leases->records), 0);
	end();
}

/* ---- those who wait ------------------------------------------------------ */

static void
a_value_is_for_all_who_wait(void)
{
	struct waiter *w[6];
	struct item *it;
	uint64_t token;

	begin(NULL);
	token = grant(&one, "a", LEASE_MS);
	for (int i = 0; i < 6; i++) {
		w[i] = park(i % 2 ? &two : &one, "a", i < 3 ? 100 : 0);
		REQUIRE(w[i] != NULL);
	}
	CHECK_EQ(look("a").waiters, 6);
	CHECK_EQ(fill(&two, "a", "value", token), RESULT_STORED);
	CHECK_EQ(look("a").token, 0);
	collect();
	it = wait_hit(w[0])->pinned;
	for (int i = 0; i < 6; i++) {
		CHECK_EQ(w[i]->outcome, WAIT_VALUE);
		CHECK_BYTES(wait_hit(w[i])->value, wait_hit(w[i])->value_len,
		    "value");
		CHECK(wait_hit(w[i])->pinned == it);
	}
	/* whatever becomes of the key meanwhile */
	CHECK_EQ(rig_set(&one, "a", "other", 5, 0), RESULT_STORED);
	for (int i = 0; i < 6; i++) {
		CHECK_BYTES(wait_hit(w[i])->value, 5, "value");
		done(w[i]);
	}
	CHECK_EQ(RIG_COUNT(&one, lease_filled), 1);
	end();
}

static void
anybodys_store_answers_them_and_ends_the_lease(void)
{
	struct waiter *w;

	begin(NULL);
	grant(&one, "a", LEASE_MS);
	w = park(&two, "a", 100);
	CHECK_EQ(rig_set(&one, "a", "x", 1, 0), RESULT_STORED);
	collect();
	CHECK_EQ(w->outcome, WAIT_VALUE);
	done(w);
	CHECK_EQ(RIG_COUNT(&one, lease_revoked), 1);
	CHECK_EQ(RIG_COUNT(&one, lease_filled), 0);
	end();
}

/* The oldest willing one of all threads gets the next lease. */
static void
a_lease_without_a_value_goes_to_the_oldest_willing(void)
{
	struct waiter *w[6];
	uint64_t token, last;

	begin(NULL);
	last = grant(&one, "a", LEASE_MS);
	for (int i = 0; i < 6; i++)
		w[i] = park(i % 2 ? &two : &one, "a",
		    i == 0 || i == 3 ? 0 : 1000 + (uint32_t)i);
	for (int i = 1; i < 6; i += i == 2 ? 2 : 1) {
		finish("a", LEASE_LAPSED);
		collect();
		unit_note("waiter %d", i);
		CHECK_EQ(w[i]->outcome, WAIT_LEASE);
		token = w[i]->token;
		CHECK(token > last);
		CHECK(look("a").token == token);
		CHECK_EQ(look("a").timer.key, one.x.now_ms + 1000 + i);
		for (int k = 0; k < 6; k++)
			CHECK(k <= i || w[k]->outcome == WAIT_PENDING);
		CHECK_EQ(w[0]->outcome, WAIT_PENDING);
		last = token;
		done(w[i]);
		w[i] = NULL;
	}
	/* nobody is willing any more */
	finish("a", LEASE_GIVEN_UP);
	collect();
	CHECK_EQ(w[0]->outcome, WAIT_OVER);
	CHECK_EQ(w[3]->outcome, WAIT_OVER);
	CHECK_EQ(look("a").token, 0);
	done(w[0]);
	done(w[3]);
	unit_note("%s", "");
	CHECK_EQ(RIG_COUNT(&one, lease_handed_over), 4);
	CHECK_EQ(RIG_COUNT(&one, lease_granted), 5);
	end();
}

/* Handed over, but not taken yet: its time is the usual one until then. */
static void
a_lease_waits_for_its_heir(void)
{
	struct waiter *w;
	uint64_t token;

	begin(NULL);
	grant(&one, "a", LEASE_MS);
	w = park(&two, "a", 300);
	finish("a", LEASE_LAPSED);
	token = look("a").token;
	CHECK(token != 0);
	CHECK_EQ(look("a").cfd, -1);
	CHECK_EQ(look("a").timer.key, one.x.now_ms + 10000);
	pass(500);
	collect();
	CHECK_EQ(w->outcome, WAIT_LEASE);
	CHECK(w->token == token);
	CHECK_EQ(look("a").timer.key, one.x.now_ms + 300);
	CHECK_EQ(look("a").granted, one.x.now_ms);
	done(w);
	end();
}

static void
an_heir_who_leaves_is_followed_by_the_next(void)
{
	struct waiter *first, *second, *third;

	begin(NULL);
	grant(&one, "a", LEASE_MS);
	first = park(&one, "a", 100);
	second = park(&two, "a", 100);
	third = park(&one, "a", 100);
	finish("a", LEASE_LAPSED);
	leave(first); /* before he is told */
	collect();
	CHECK_EQ(second->outcome, WAIT_LEASE);
	CHECK_EQ(third->outcome, WAIT_PENDING);
	CHECK_EQ(look("a").waiters, 1);
	done(second);
	finish("a", LEASE_LAPSED);
	collect();
	CHECK_EQ(third->outcome, WAIT_LEASE);
	CHECK_EQ(look("a").waiters, 0);
	done(third);
	CHECK_EQ(RIG_COUNT(&one, lease_handed_over), 2);
	finish("a", LEASE_GIVEN_UP);
	end();
}

static void
the_only_heir_who_leaves_ends_the_lease(void)
{
	struct waiter *w, *unwilling;

	begin(NULL);
	grant(&one, "a", LEASE_MS);
	w = park(&one, "a", 100);
	unwilling = park(&two, "a", 0);
	finish("a", LEASE_LAPSED);
	leave(w);
	collect();
	CHECK_EQ(look("a").token, 0);
	CHECK_EQ(unwilling->outcome, WAIT_OVER);
	done(unwilling);
	CHECK_EQ(RIG_COUNT(&one, lease_lapsed), 2);
	end();
}

static void
who_leaves_is_not_answered(void)
{
	struct waiter *w[5];
	uint64_t token;

	begin(NULL);
	token = grant(&one, "a", LEASE_MS);
	for (int i = 0; i < 5; i++)
		w[i] = park(&one, "a", 100);
	leave(w[2]);
	leave(w[0]);
	CHECK_EQ(look("a").waiters, 3);
	CHECK_EQ(fill(&one, "a", "x", token), RESULT_STORED);
	leave(w[4]); /* the value is there, but not collected */
	collect();
	CHECK_EQ(w[1]->outcome, WAIT_VALUE);
	CHECK_EQ(w[3]->outcome, WAIT_VALUE);
	done(w[1]);
	done(w[3]);

	/* all of them leave */
	grant(&one, "b", LEASE_MS);
	w[0] = park(&one, "b", 100);
	w[1] = park(&two, "b", 100);
	leave(w[0]);
	leave(w[1]);
	CHECK_EQ(look("b").waiters, 0);
	CHECK(look("b").queue == NULL);
	CHECK_EQ(rig_set(&one, "b", "x", 1, 0), RESULT_STORED);
	collect();
	end();
}

/* mg V<n>: the value that comes may not be good enough. */
static struct waiter *
park_with_needs(struct rig *r, const char *text,
    uint32_t lease_ms) UNCHECKED_LOCKING
{
	struct waiter *w = park(r, text, lease_ms);
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

	begin(NULL);
	token = grant(&one, "a", LEASE_MS);
	content = park(&one, "a", 100);
	mute = park_with_needs(&one, "a", 0);
	first = park_with_needs(&two, "a", 100);
	second = park_with_needs(&one, "a", 100);
	CHECK_EQ(fill(&one, "a", "x", token), RESULT_STORED);
	collect();
	CHECK_EQ(content->outcome, WAIT_VALUE);
	CHECK_EQ(mute->outcome, WAIT_VALUE);
	CHECK_EQ(second->outcome, WAIT_VALUE);
	CHECK_EQ(first->outcome, WAIT_VALUE);
	CHECK(!content->heir && !mute->heir && !second->heir);
	CHECK(first->heir);
	CHECK(look("a").token == first->token && first->token > token);
	done(content);
	done(mute);
	done(second);
	CHECK_EQ(fill(&two, "a", "y", first->token), RESULT_STORED);
	CHECK_STR(rig_get(&one, "a"), "y");
	done(first);
	CHECK_EQ(RIG_COUNT(&one, lease_filled), 2);
	CHECK_EQ(RIG_COUNT(&one, lease_handed_over), 1);
	end();
}

static void
who_leaves_with_such_a_lease_ends_it(void)
{
	struct waiter *w;
	uint64_t token;

	begin(NULL);
	token = grant(&one, "a", LEASE_MS);
	w = park_with_needs(&two, "a", 100);
	CHECK_EQ(fill(&one, "a", "x", token), RESULT_STORED);
	CHECK(look("a").token != 0);
	leave(w); /* before it is told */
	collect();
	CHECK_EQ(look("a").token, 0);
	CHECK_EQ(RIG_COUNT(&one, lease_disconnected), 1);
	end();
}

static void
a_back_off_lets_nobody_try(void)
{
	struct waiter *w[3];
	struct key key;
	uint64_t token, until;

	begin(NULL);
	key = rig_key("a");
	token = grant(&one, "a", LEASE_MS);
	for (int i = 0; i < 3; i++)
		w[i] = park(i ? &two : &one, "a", i == 2 ? 0 : 100);
	CHECK(
	    cache_give_up(&one.cache, &one.local, &key, token, 800, one.x.now));
	until = one.x.now_ms + 800;
	collect();
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(w[i]->outcome, WAIT_BACKOFF);
		CHECK_EQ(w[i]->queue->until, until);
		done(w[i]);
	}
	CHECK(look("a").backoff);
	CHECK_EQ(leases_live(one.cache.leases, one.store), 0);
	/* nothing but time and stores ends it */
	finish("a", LEASE_REVOKED);
	cache_flush(&one.cache, &one.local, one.x.now);
	CHECK(look("a").backoff);
	CHECK(
	    !cache_give_up(&one.cache, &one.local, &key, token, 0, one.x.now));
	pass(800);
	CHECK_EQ(look("a").timer.key, 0);

	token = grant(&one, "a", LEASE_MS);
	CHECK(
	    cache_give_up(&one.cache, &one.local, &key, token, 800, one.x.now));
	CHECK_EQ(rig_set(&one, "a", "x", 1, 0), RESULT_STORED);
	CHECK_EQ(look("a").timer.key, 0);
	CHECK_EQ(RIG_COUNT(&one, backoffs), 2);
	CHECK_EQ(RIG_COUNT(&one, lease_given_up), 2);
	end();
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

	begin(NULL);
	item.key = rig_key("a");
	spec.cas = grant(&one, "a", LEASE_MS);
	w = park(&two, "a", 100);
	it = cache_prepare(&one.cache, &one.local, &item, one.x.now, &why);
	REQUIRE(it != NULL);
	CHECK_EQ(cache_store(&one.cache, &one.local, &item.key, it, &spec,
		     one.x.now, &out),
	    RESULT_STORED);
	collect();
	CHECK_EQ(w->outcome, WAIT_TIMEOUT);
	done(w);
	CHECK_EQ(RIG_COUNT(&one, lease_filled), 1);
	end();
}

static void
an_invalidation_hands_the_lease_over(void)
{
	static const struct delete_spec plain;
	struct waiter *w[2];
	uint64_t token;
	uint32_t size;
	struct key key;

	begin(NULL);
	key = rig_key("a");
	token = grant(&one, "a", LEASE_MS);
	w[0] = park(&one, "a", 100);
	w[1] = park(&two, "a", 100);
	CHECK_EQ(cache_delete(&one.cache, &one.local, &key, &plain, one.x.now,
		     &size),
	    RESULT_DELETED); /* as of a stub */
	collect();
	CHECK_EQ(w[0]->outcome, WAIT_LEASE);
	CHECK_EQ(fill(&one, "a", "old", token), RESULT_REFUSED);
	cache_flush(&one.cache, &one.local, one.x.now);
	collect();
	CHECK_EQ(w[1]->outcome, WAIT_LEASE);
	CHECK_EQ(fill(&one, "a", "old", w[0]->token), RESULT_REFUSED);
	CHECK_EQ(fill(&one, "a", "new", w[1]->token), RESULT_STORED);
	CHECK_STR(rig_get(&one, "a"), "new");
	done(w[0]);
	done(w[1]);
	CHECK_EQ(RIG_COUNT(&one, lease_revoked), 2);
	CHECK_EQ(RIG_COUNT(&one, lease_filled), 1);
	end();
}

static void
a_fill_that_is_refused_hands_its_lease_over(void)
{
	struct key key;
	struct waiter *w;
	uint64_t token;

	begin(NULL);
	key = rig_key("a");
	token = grant(&one, "a", LEASE_MS);
	w = park(&two, "a", 100);
	clocks_move_key(&one.store->clocks, key.hash,
	    store_next_seq(one.store));
	CHECK_EQ(fill(&one, "a", "x", token), RESULT_REFUSED);
	collect();
	CHECK_EQ(w->outcome, WAIT_LEASE);
	CHECK_EQ(fill(&two, "a", "y", w->token), RESULT_STORED);
	done(w);
	CHECK_EQ(RIG_COUNT(&one, lease_refused), 1);
	CHECK_EQ(RIG_COUNT(&one, fill_refused_clock), 1);
	end();
}

static void
of_one_key_only_so_many_may_wait(void)
{
	struct lease_config few = rig_lease_config;
	struct waiter *w[2];

	few.waiters_per_key = 2;
	begin(&few);
	grant(&one, "a", LEASE_MS);
	w[0] = park(&one, "a", 100);
	w[1] = park(&two, "a", 100);
	REQUIRE(w[0] != NULL && w[1] != NULL);
	CHECK(park(&one, "a", 100) == NULL);
	CHECK(park(&two, "a", 100) == NULL);
	CHECK_EQ(RIG_COUNT(&one, wait_refused_cap), 2);
	leave(w[0]);
	w[0] = park(&two, "a", 100);
	CHECK(w[0] != NULL);
	leave(w[0]);
	leave(w[1]);
	finish("a", LEASE_GIVEN_UP);
	end();
}

static void
a_server_that_ends_hands_nothing_over(void)
{
	struct waiter *w;

	begin(NULL);
	grant(&one, "a", LEASE_MS);
	w = park(&two, "a", 100);
	atomic_store(&one.cache.leases->ending, true);
	finish("a", LEASE_DISCONNECTED);
	collect();
	CHECK_EQ(w->outcome, WAIT_OVER);
	CHECK_EQ(look("a").token, 0);
	done(w);
	end();
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

	begin(NULL);
	token = grant(&one, "a", LEASE_MS);
	for (int i = 0; i < MANY; i++)
		w[i] = park(i % 3 ? &two : &one, "a", 100);
	CHECK_EQ(fill(&one, "a", "x", token), RESULT_STORED);
	m = mailbox_take(&two.mailbox);
	for (struct mail *at = m; at != NULL; at = at->next)
		mails++;
	CHECK_EQ(mails, 1);
	mailbox_post(&two.mailbox, m);
	collect();
	for (int i = 0; i < MANY; i++) {
		CHECK_EQ(w[i]->outcome, WAIT_VALUE);
		done(w[i]);
	}
	end();
}

UNIT("lease", TEST(a_key_has_one_lease), TEST(a_lease_ends_with_its_time),
    TEST(many_leases_end_in_time),
    TEST(a_lease_can_be_prolonged_up_to_the_longest),
    TEST(a_lease_is_found_by_its_token),
    TEST(without_room_there_is_a_token_and_no_lease),
    TEST(memory_of_leases_is_counted), TEST(a_value_is_for_all_who_wait),
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
