/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stress_lease.c - many threads that load, wait, and invalidate.
 *
 * Each thread has a mailbox, parks waiters, and answers them.  Time is the
 * main thread's, who lets it run faster than it does.  With a sanitizer they
 * show races and what is used too late; without, waiters that are forgotten
 * and values that should not be there.
 */
#include "config.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/hash.h"
#include "cache/lease.h"
#include "fake_arena.h"
#include "framing.h"
#include "rig.h"
#include "rng.h"
#include "wire.h"

#include "unit.h"

enum {
	THREADS = 4,
	KEYS = 8,
	TAGS = 2,
	EVERYTHING = TAGS, /* stands for all keys: flush_all */
	GROUPS,
	RUN_MS = 1500,
	FASTER = 20, /* than the clock on the wall */
	PARKED_MAX = 12,
	HELD_MAX = 12,
	WIRES = 4,
	VALUE_LARGEST = 5000,
};

struct crowd {
	struct rig rig;
	_Atomic bool stop;
	_Atomic unsigned bad; /* things that must not be */
	_Atomic uint64_t done;
	_Atomic uint64_t now_ms;
	/* the source of the values: writes to each key, and to each group */
	_Atomic uint64_t key[KEYS], group[GROUPS];
	/* the last ones whose invalidation was acknowledged */
	_Atomic uint64_t key_told[KEYS], group_told[GROUPS];
};

/* One parked request. */
struct parked {
	struct member *m;
	struct waiter *w;
	unsigned key;
	uint64_t deadline;
};

/* The source as a load saw it, or as it is at least for a reader. */
struct seen {
	uint64_t key, group[GROUPS];
};

struct held {
	unsigned key;
	uint64_t token;
	struct seen seen;
};

struct member {
	struct crowd *crowd;
	struct rig rig;
	struct rng rng;
	void (*run)(struct member *m);
	pthread_t thread;
	struct parked parked[PARKED_MAX];
	struct held held[HELD_MAX];
	unsigned holds;
	struct wire wire[WIRES];
	bool has_wires;
};

static struct crowd crowd;

#define MUST(m, cond) must((m), (cond), __LINE__)

static void
must(struct member *m, bool good, int line)
{
	if (good)
		return;
	if (atomic_fetch_add(&m->crowd->bad, 1) == 0)
		fprintf(stderr, "# first of them in line %d\n", line);
}

static void
spend(unsigned ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000L };

	nanosleep(&t, NULL);
}

static void *
go_on(void *arg)
{
	struct member *m = arg;
	struct crowd *c = m->crowd;

	while (!atomic_load(&c->stop)) {
		uint64_t now = atomic_load(&c->now_ms);

		if (now > m->rig.x.now_ms)
			rig_pass(&m->rig, now - m->rig.x.now_ms);
		m->run(m);
		atomic_fetch_add(&c->done, 1);
	}
	return NULL;
}

/* All threads have stopped; what they left behind is for the caller. */
static struct member *
run_crowd(const char *what, const struct rig_config *config,
    void (*const run[THREADS])(struct member *m))
{
	struct rng seeds = rng_start(what, 71);
	struct member *m = calloc(THREADS, sizeof(*m));
	struct crowd *c = &crowd;

	if (m == NULL)
		abort();
	memset((void *)c, 0, sizeof(*c));
	rig_open(&c->rig, config);
	atomic_store(&c->now_ms, c->rig.x.now_ms);
	for (unsigned i = 0; i < THREADS; i++) {
		m[i].crowd = c;
		m[i].run = run[i];
		m[i].rng.state = rng_next(&seeds);
		rig_share(&m[i].rig, &c->rig);
	}
	for (unsigned i = 0; i < THREADS; i++)
		if (pthread_create(&m[i].thread, NULL, go_on, &m[i]) != 0)
			abort();
	for (int i = 0; i < RUN_MS / 5; i++) {
		spend(5);
		atomic_fetch_add(&c->now_ms, 5 * FASTER);
	}
	atomic_store(&c->stop, true);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(m[i].thread, NULL);
	return m;
}

/* ---- values -------------------------------------------------------------- */

/* [digest 8][key 8][seen][bytes]: the digest is of all behind it. */
enum { SEEN_AT = 16, BYTES_AT = SEEN_AT + sizeof(struct seen) };

static size_t
make_value(struct member *m, const struct held *h, char value[VALUE_LARGEST])
{
	size_t n = BYTES_AT + rng_any(&m->rng, 12);
	uint64_t key = h->key, digest;

	memcpy(value + 8, &key, sizeof(key));
	memcpy(value + SEEN_AT, &h->seen, sizeof(h->seen));
	memset(value + BYTES_AT, (int)rng_below(&m->rng, 256), n - BYTES_AT);
	digest = hash_key(value + 8, n - 8);
	memcpy(value, &digest, sizeof(digest));
	return n;
}

static bool
is_whole(const struct hit *hit, unsigned number)
{
	uint64_t digest, key;

	if (hit->value_len < BYTES_AT)
		return false;
	memcpy(&digest, hit->value, sizeof(digest));
	memcpy(&key, hit->value + 8, sizeof(key));
	return key == number &&
	    digest == hash_key(hit->value + 8, hit->value_len - 8);
}

static struct seen
see_source(struct crowd *c, unsigned key)
{
	struct seen s = { .key = atomic_load(&c->key[key]) };

	for (int i = 0; i < GROUPS; i++)
		s.group[i] = atomic_load(&c->group[i]);
	return s;
}

static struct seen
see_told(struct crowd *c, unsigned key)
{
	struct seen s = { .key = atomic_load(&c->key_told[key]) };

	for (int i = 0; i < GROUPS; i++)
		s.group[i] = atomic_load(&c->group_told[i]);
	return s;
}

static void
raise(_Atomic uint64_t *at, uint64_t to)
{
	uint64_t is = atomic_load(at);

	while (is < to && !atomic_compare_exchange_weak(at, &is, to))
		;
}

/*
 * I1: a fresh value was loaded after all that was acknowledged before it was
 * asked for.
 */
static bool
is_fresh(const struct hit *hit, const struct seen *before)
{
	struct seen s;

	memcpy(&s, hit->value + SEEN_AT, sizeof(s));
	for (int i = 0; i < GROUPS; i++)
		if (s.group[i] < before->group[i])
			return false;
	return s.key >= before->key;
}

static struct key
numbered(unsigned number, char text[16])
{
	return rig_key_bytes(text,
	    (size_t)snprintf(text, 16, "key:%u", number));
}

/* ---- what a thread does -------------------------------------------------- */

static void
hold(struct member *m, unsigned key, uint64_t token)
{
	struct held *h = &m->held[m->holds];

	if (m->holds == HELD_MAX)
		return; /* it lapses */
	h->key = key;
	h->token = token;
	h->seen = see_source(m->crowd, key);
	m->holds++;
}

/* The outcome is there; the waiter is done with. */
static void
answer(void *ctx, struct waiter *w)
{
	struct parked *p = w->owner;
	struct member *m = p->m;

	MUST(m, ctx == m && p->w == w);
	switch ((enum wait_outcome)w->outcome) {
	case WAIT_VALUE:
		MUST(m, is_whole(wait_hit(w), p->key));
		MUST(m, !w->heir || w->needs);
		if (w->heir)
			hold(m, p->key, w->token);
		COUNT(m->rig.counters, wait_served);
		break;
	case WAIT_LEASE:
		MUST(m, w->lease_ms != 0);
		hold(m, p->key, w->token);
		COUNT(m->rig.counters, wait_handed);
		break;
	case WAIT_PENDING:
		MUST(m, false);
		break;
	default:
		COUNT(m->rig.counters, wait_timed_out);
		break;
	}
	p->w = NULL;
	wait_done(&m->rig.cache, &m->rig.local, w, m->rig.x.now);
}

static void
leave(struct member *m, struct parked *p)
{
	wait_leave(&m->rig.cache, &m->rig.local, p->w, m->rig.x.now);
	free(p->w);
	p->w = NULL;
	COUNT(m->rig.counters, wait_gone);
}

static void
look_after_the_parked(struct member *m)
{
	rig_collect(&m->rig, answer, m);
	for (int i = 0; i < PARKED_MAX; i++) {
		struct parked *p = &m->parked[i];

		if (p->w != NULL &&
		    (p->deadline <= m->rig.x.now_ms || rng_one_in(&m->rng, 40)))
			leave(m, p);
	}
}

static struct parked *
place_to_park(struct member *m)
{
	for (int i = 0; i < PARKED_MAX; i++)
		if (m->parked[i].w == NULL)
			return &m->parked[i];
	return NULL;
}

static void
take_value(struct member *m, unsigned number, const struct hit *hit,
    const struct seen *before)
{
	MUST(m, is_whole(hit, number));
	MUST(m, hit->stale || is_fresh(hit, before));
	if (hit->pinned != NULL) {
		if (rng_one_in(&m->rng, 50))
			spend(1);
		MUST(m, is_whole(hit, number));
		store_item_release(&m->rig.local, hit->pinned);
	}
}

/* mg with v, and n or w or both. */
static void
read_or_wait(struct member *m, unsigned number)
{
	struct parked *p = place_to_park(m);
	struct lead_spec lead = {
		.aware = true,
		.lead = !rng_one_in(&m->rng, 4),
		.lease_ms = 1 + (uint32_t)rng_below(&m->rng, 300),
		.mailbox = &m->rig.mailbox,
		/* of a version that no value here has */
		.versioned = rng_one_in(&m->rng, 6),
		.version = 1,
	};
	struct read_spec spec = { .want_value = true,
		.meta = true,
		.lead = &lead };
	struct seen before = see_told(m->crowd, number);
	struct hit hit;
	char text[16];
	struct key key = numbered(number, text);
	enum result res;

	if (p != NULL)
		lead.waiter = calloc(1, sizeof(*lead.waiter));
	if (lead.waiter != NULL) {
		lead.waiter->owner = p;
		lead.waiter->lease_ms = lead.lead ? lead.lease_ms : 0;
		lead.waiter->needs = lead.versioned;
	}
	res = cache_read(&m->rig.cache, &m->rig.local, &key, &spec,
	    m->rig.x.now, m->rig.x.scratch, &hit);
	if (res == RESULT_PARKED) {
		*p = (struct parked){ m, lead.waiter, number,
			m->rig.x.now_ms + rng_below(&m->rng, 600) };
		COUNT(m->rig.counters, wait_parked);
		/* cppcheck-suppress memleak // the queue has it now */
		return;
	}
	free(lead.waiter);
	if (res == RESULT_HIT && !hit.absent)
		take_value(m, number, &hit, &before);
	if (hit.won)
		hold(m, number, hit.token);
}

static void
fill(struct member *m, const struct held *h)
{
	struct store_spec spec = { .compare = true, .cas = h->token };
	struct item_extra extra = { .born = true, .tags = TAGS };
	char text[16], value[VALUE_LARGEST];
	struct item_spec item = { .key = numbered(h->key, text),
		.extra = &extra };
	struct stored out;
	enum result why;
	struct item *it;

	if (rng_one_in(&m->rng, 3))
		item.exptime = m->rig.x.now + 1 +
		    (rel_time)rng_below(&m->rng, 3);
	if (rng_one_in(&m->rng, 3) && item.exptime != 0)
		extra.grace = 2;
	for (int i = 0; i < TAGS; i++)
		extra.tag[i] = cache_tag_slot(&m->rig.cache, &"ab"[i], 1);
	item.value_len = (uint32_t)make_value(m, h, value);
	it = cache_prepare(&m->rig.cache, &m->rig.local, &item, m->rig.x.now,
	    &why);
	if (it == NULL)
		return;
	memcpy(item_value(it), value, item.value_len);
	cache_store(&m->rig.cache, &m->rig.local, &item.key, it, &spec,
	    m->rig.x.now, &out);
}

static void
use_token(struct member *m)
{
	struct rig *r = &m->rig;
	unsigned i = (unsigned)rng_below(&m->rng, m->holds);
	struct held h = m->held[i];
	char text[16];
	struct key key = numbered(h.key, text);
	struct hit hit;

	switch (rng_below(&m->rng, 12)) {
	case 0:
		cache_give_up(&r->cache, &r->local, &key, h.token,
		    rng_one_in(&m->rng, 4) ? 50 : 0, r->x.now);
		break;
	case 1:
		cache_abandon(&r->cache, &r->local, key.hash, h.token,
		    r->x.now);
		break;
	case 2:
		cache_renew(&r->cache, &r->local, &key, h.token, 200, r->x.now,
		    &hit);
		return;
	case 3:
		return; /* later, or never */
	default:
		fill(m, &h);
		break;
	}
	m->held[i] = m->held[--m->holds];
}

static void
invalidate(struct member *m, unsigned number)
{
	struct delete_spec spec = {
		.stale = rng_one_in(&m->rng, 3),
		.versioned = rng_one_in(&m->rng, 6),
		.version = 1,
		.floor_until = m->rig.x.now + 1,
	};
	char text[16];
	struct key key = numbered(number, text);
	unsigned t = (unsigned)rng_below(&m->rng, TAGS);
	uint64_t written;
	uint32_t size;

	if (rng_one_in(&m->rng, 4)) {
		written = atomic_fetch_add(&m->crowd->group[t], 1) + 1;
		cache_invalidate_tag(&m->rig.cache, &"ab"[t], 1);
		raise(&m->crowd->group_told[t], written);
		return;
	}
	written = atomic_fetch_add(&m->crowd->key[number], 1) + 1;
	cache_delete(&m->rig.cache, &m->rig.local, &key, &spec, m->rig.x.now,
	    &size);
	raise(&m->crowd->key_told[number], written);
}

static void
load_and_wait(struct member *m)
{
	unsigned number = (unsigned)rng_any(&m->rng, 3);

	look_after_the_parked(m);
	switch (rng_below(&m->rng, 16)) {
	case 0:
		invalidate(m, number);
		break;
	case 1:
	case 2:
	case 3:
	case 4:
	case 5:
		if (m->holds > 0)
			use_token(m);
		break;
	default:
		read_or_wait(m, number);
		break;
	}
}

/* What the maintenance thread does, and now and then an operator. */
static void
maintain(struct member *m)
{
	struct crowd *c = m->crowd;
	struct rig *r = &m->rig;
	uint64_t written;

	rig_tick(r);
	clocks_tick(&r->store->clocks, r->x.now, store_seq(r->store));
	store_keep_house(&r->local, r->x.now, 1024);
	if (rng_one_in(&m->rng, 100)) {
		written = atomic_fetch_add(&c->group[EVERYTHING], 1) + 1;
		cache_flush(&r->cache, &r->local, r->x.now);
		raise(&c->group_told[EVERYTHING], written);
	}
	if (rng_one_in(&m->rng, 50))
		store_set_limit(r->store,
		    (size_t)(100 + rng_below(&m->rng, 300)) * 1024);
	store_settle(&r->local, r->x.now);
	store_local_done(&r->local);
	look_after_the_parked(m);
	if (rng_one_in(&m->rng, 4))
		spend(1);
}

/* ---- the end ------------------------------------------------------------- */

static unsigned
count_parked(const struct member *m)
{
	unsigned n = 0;

	for (unsigned i = 0; i < THREADS; i++)
		for (int k = 0; k < PARKED_MAX; k++)
			n += m[i].parked[k].w != NULL;
	return n;
}

/* I3: who waits now waits behind a live lease of that key. */
static bool
waits_for_something(const struct parked *p) UNCHECKED_LOCKING
{
	struct rig *r = &p->m->rig;
	char text[16];
	struct key key = numbered(p->key, text);
	struct act st = act_begin(&r->cache, &r->local, &key, r->x.now);
	const struct wait_queue *q;
	bool good;

	shard_lock(st.s);
	q = p->w->queue;
	good = q != NULL && q->lease != NULL && !q->lease->backoff &&
	    q->lease->key_len == key.len &&
	    memcmp(q->lease->key, key.data, key.len) == 0 &&
	    q->lease->waiters > 0;
	act_end(&st);
	return good;
}

/* All mail is read: nobody is forgotten, and all can be answered. */
static void
end_all_waits(struct member *m)
{
	struct rig *r = &m[0].rig;

	for (unsigned i = 0; i < THREADS; i++) {
		rig_collect(&m[i].rig, answer, &m[i]);
		for (int k = 0; k < PARKED_MAX; k++)
			if (m[i].parked[k].w != NULL)
				CHECK(waits_for_something(&m[i].parked[k]));
	}
	/* each end of the leases answers or hands over at least one each */
	for (int n = 0; n <= THREADS * PARKED_MAX && count_parked(m) > 0; n++) {
		cache_flush(&r->cache, &r->local, r->x.now);
		for (unsigned i = 0; i < THREADS; i++)
			rig_collect(&m[i].rig, answer, &m[i]);
	}
	CHECK_EQ(count_parked(m), 0);
}

static void
end(struct member *m)
{
	struct crowd *c = &crowd;
	struct leases *ls = c->rig.cache.leases;

	for (unsigned i = 0; i < THREADS; i++)
		rig_unshare(&m[i].rig);
	free(m);
	unit_note("%llu steps", (unsigned long long)atomic_load(&c->done));
	CHECK_EQ(atomic_load(&c->bad), 0);
	CHECK(rig_is_sane(&c->rig, 0));
	/* the last leases end by time, and then there are none */
	rig_pass(&c->rig, 100000000);
	rig_tick(&c->rig);
	CHECK_EQ(atomic_load(&ls->records), 0);
	CHECK_EQ(leases_live(ls, c->rig.store), 0);
	CHECK(rig_is_sane(&c->rig, 0));
	unit_note("%s", "");
	rig_close(&c->rig);
	CHECK_EQ(fake_arena_bytes(), 0);
}

static void
nobody_who_waits_is_forgotten(void)
{
	void (*const run[])(struct member *) = { load_and_wait, load_and_wait,
		load_and_wait, maintain };
	struct member *m = run_crowd("waiters",
	    &(struct rig_config){ .limit = 200 * 1024, .shards = 2 }, run);
	struct rig *r = &crowd.rig;

	end_all_waits(m);
	CHECK_EQ(RIG_COUNT(r, wait_parked),
	    RIG_COUNT(r, wait_served) + RIG_COUNT(r, wait_handed) +
		RIG_COUNT(r, wait_timed_out) + RIG_COUNT(r, wait_gone));
	CHECK(RIG_COUNT(r, wait_served) > 0);
	CHECK(RIG_COUNT(r, wait_handed) > 0);
	CHECK(RIG_COUNT(r, wait_gone) > 0);
	CHECK(RIG_COUNT(r, lease_filled) > 0);
	CHECK(RIG_COUNT(r, lease_lapsed) > 0);
	CHECK(RIG_COUNT(r, lease_revoked) > 0);
	CHECK(RIG_COUNT(r, fill_refused_clock) > 0);
	CHECK(RIG_COUNT(r, fill_refused_tag) > 0);
	end(m);
}

/* The same with so few records that most tokens have no lease. */
static void
nor_when_there_is_no_room(void)
{
	void (*const run[])(struct member *) = { load_and_wait, load_and_wait,
		load_and_wait, maintain };
	struct lease_config few = rig_lease_config;
	struct member *m;

	few.leases = 3;
	few.waiters_per_key = 2;
	few.tombstones = 8;
	m = run_crowd("few records",
	    &(struct rig_config){ .limit = 200 * 1024, .lease = &few }, run);
	end_all_waits(m);
	CHECK(RIG_COUNT(&crowd.rig, lease_unrecorded) > 0);
	CHECK(RIG_COUNT(&crowd.rig, wait_refused_cap) > 0);
	end(m);
}

/* ---- sessions ------------------------------------------------------------ */

/* %u is a number, %s the latest token that the client got. */
static const char *const requests[] = {
	"mg k%u n%u w200 v c\r\n",
	"mg k%u n%u w100 v c\r\n",
	"mg k%u N1 w300 v t\r\n",
	"mg k%u w400 v\r\n",
	"mg k%u v e\r\n",
	"lease-get k%u k0\r\n",
	"gets k%u\r\n",
	"get k%u\r\n",
	"set k%u 0 1 3\r\nabc\r\n",
	"delete k%u\r\n",
	"md k%u I\r\n",
	"md k%u V%u T1\r\n",
	"md a A\r\n",
	"flush_all\r\n",
	"ms k%u 2 V%u T2 H1 Aa\r\nxy\r\n",
	"stats leases\r\n",
};

static const char *const fills[] = {
	"ms k%u 3 C%s T1 Aa,b H2\r\nabc\r\n",
	"ms k%u 3 C%s V7\r\nabc\r\n",
	"lease-set k%u %s 0 0 3\r\nabc\r\n",
	"md k%u C%s U d30\r\n",
	"md k%u C%s\r\n",
	"mg k%u C%s n100\r\n",
};

static size_t
any_request(struct member *m, const struct wire *w, char text[256])
{
	enum {
		REQUESTS = sizeof(requests) / sizeof(requests[0]),
		FILLS = sizeof(fills) / sizeof(fills[0]),
	};
	unsigned key = (unsigned)rng_any(&m->rng, 2);
	unsigned ms = 1 + (unsigned)rng_below(&m->rng, 300);
	const char *token = wire_last_token(w);
	char digits[WIRE_TOKEN + 1] = "2305843009213693953";
	int n;

	if (token != NULL)
		memcpy(digits, token, WIRE_TOKEN);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	if (rng_one_in(&m->rng, 3))
		n = snprintf(text, 256, fills[rng_below(&m->rng, FILLS)], key,
		    digits);
	else
		n = snprintf(text, 256, requests[rng_below(&m->rng, REQUESTS)],
		    key, ms);
#pragma GCC diagnostic pop
	return (size_t)n;
}

static void
open_wire(struct member *m, struct wire *w)
{
	wire_open(w, &m->rig);
	w->session.mode = (uint8_t)rng_below(&m->rng, LISTEN_PROXY + 1);
	w->session.wait_ms = rng_one_in(&m->rng, 2) ? 150 : 0;
}

static void
close_wire(struct member *m, struct wire *w)
{
	MUST(m, framing_is_sane(w->got, w->len));
	wire_close(w);
}

/* A worker with a few clients, in turn. */
static void
serve_clients(struct member *m)
{
	unsigned i = (unsigned)rng_below(&m->rng, WIRES);
	char text[256];

	for (int k = 0; !m->has_wires && k < WIRES; k++)
		open_wire(m, &m->wire[k]);
	m->has_wires = true;
	for (int k = 0; k < 3 && !session_is_parked(&m->wire[i].session); k++)
		wire_put(&m->wire[i], text, any_request(m, &m->wire[i], text));
	wire_collect(&m->rig);
	for (int k = 0; k < WIRES; k++) {
		wire_end_due_wait(&m->wire[k]);
		wire_wake(&m->wire[k]);
	}
	if (rng_one_in(&m->rng, 20) || m->wire[i].len > 100000) {
		close_wire(m, &m->wire[i]);
		open_wire(m, &m->wire[i]);
	}
}

static void
clients_of_many_threads_wait_for_each_other(void)
{
	void (*const run[])(struct member *) = { serve_clients, serve_clients,
		serve_clients, maintain };
	struct lease_config config = rig_lease_config;
	struct coalesce_rule rule = { "k", 1, 100, 200, 1, true };
	struct member *m;
	struct rig *r = &crowd.rig;

	config.rule = &rule;
	config.rules = 1;
	m = run_crowd("clients",
	    &(struct rig_config){ .limit = 300 * 1024, .lease = &config }, run);
	for (unsigned i = 0; i < THREADS; i++)
		for (int k = 0; m[i].has_wires && k < WIRES; k++)
			close_wire(&m[i], &m[i].wire[k]);
	CHECK_EQ(atomic_load(&r->cache.leases->waiting), 0);
	CHECK(RIG_COUNT(r, wait_parked) > 0);
	CHECK(RIG_COUNT(r, wait_served) > 0);
	CHECK(RIG_COUNT(r, wait_handed) > 0);
	CHECK(RIG_COUNT(r, lease_disconnected) > 0);
	end(m);
}

UNIT("stress lease", TEST(nobody_who_waits_is_forgotten),
    TEST(nor_when_there_is_no_room),
    TEST(clients_of_many_threads_wait_for_each_other))
