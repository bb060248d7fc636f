/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stress_store.c - many threads on one store.
 *
 * Each test runs for a second or so, whatever the machine; with a sanitizer it
 * shows races and bytes that are used too late.
 */
#include "config.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/hash.h"
#include "fake_arena.h"
#include "framing.h"
#include "rig.h"
#include "rng.h"
#include "store/compact.h"
#include "wire.h"

#include "unit.h"

enum { THREADS = 4, RUN_MS = 1200, VALUE_LARGEST = 6000 };

/* What the threads of a test share. */
struct crowd {
	struct rig rig;
	_Atomic bool stop;
	_Atomic unsigned bad;   /* things that must not be */
	_Atomic uint64_t done;  /* things that were done */
	_Atomic uint64_t count; /* of what the test counts */
	_Atomic rel_time now;
};

struct member {
	struct crowd *crowd;
	struct rig rig;
	struct rng rng;
	unsigned id;
	void (*run)(struct member *m);
	pthread_t thread;
};

static void *
go_on(void *arg)
{
	struct member *m = arg;

	rig_share(&m->rig, &m->crowd->rig);
	while (!atomic_load(&m->crowd->stop)) {
		m->rig.x.now = atomic_load(&m->crowd->now);
		m->run(m);
		atomic_fetch_add(&m->crowd->done, 1);
	}
	rig_unshare(&m->rig);
	return NULL;
}

static void
spend(unsigned ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000L };

	nanosleep(&t, NULL);
}

/* Runs each of the functions in a thread, and time with them. */
static void
run_crowd(struct crowd *c, const struct rig_config *config, const char *what,
    void (*const run[THREADS])(struct member *m))
{
	struct rng seeds = rng_start(what, 51);
	struct member *m = calloc(THREADS, sizeof(*m));

	REQUIRE(m != NULL);
	memset((void *)c, 0, sizeof(*c));
	rig_open(&c->rig, config);
	atomic_store(&c->now, RIG_START);
	for (unsigned i = 0; i < THREADS; i++) {
		m[i].crowd = c;
		m[i].id = i;
		m[i].run = run[i];
		m[i].rng.state = rng_next(&seeds);
		REQUIRE(pthread_create(&m[i].thread, NULL, go_on, &m[i]) == 0);
	}
	for (int i = 0; i < 20; i++) {
		spend(RUN_MS / 20);
		atomic_fetch_add(&c->now, 1);
	}
	atomic_store(&c->stop, true);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(m[i].thread, NULL);
	free(m);
	unit_note("%llu steps", (unsigned long long)atomic_load(&c->done));
	CHECK_EQ(atomic_load(&c->bad), 0);
	CHECK(atomic_load(&c->done) > 0);
	unit_note("%s", "");
	CHECK(rig_is_sane(&c->rig, 0));
}

static void
end(struct crowd *c)
{
	rig_close(&c->rig);
	CHECK_EQ(fake_arena_bytes(), 0);
}

static void
must(struct member *m, bool good)
{
	if (!good)
		atomic_fetch_add(&m->crowd->bad, 1);
}

/* ---- values that carry their own digest ---------------------------------- */

/* [digest 8][key's number 4][bytes]: the digest is of all behind it. */
static void
make_value(struct rng *r, uint32_t number, char *value, size_t n)
{
	uint64_t digest;

	memset(value + 12, (int)rng_below(r, 256), n - 12);
	memcpy(value + 8, &number, sizeof(number));
	digest = hash_key(value + 8, n - 8);
	memcpy(value, &digest, sizeof(digest));
}

static bool
is_whole(const char *value, size_t n, uint32_t number)
{
	uint64_t digest;
	uint32_t got;

	if (n < 12)
		return n == 0; /* cleared, or nothing but a lease */
	memcpy(&digest, value, sizeof(digest));
	memcpy(&got, value + 8, sizeof(got));
	return got == number && digest == hash_key(value + 8, n - 8);
}

static struct key
numbered(uint32_t number, char text[16])
{
	return rig_key_bytes(text,
	    (size_t)snprintf(text, 16, "key:%u", number));
}

static void
store_some(struct member *m, const struct key *key, uint32_t number, size_t n)
{
	struct store_spec spec = {
		.mode = (enum store_mode)rng_below(&m->rng, STORE_APPEND),
	};
	struct item_spec item = {
		.key = *key,
		.client_flags = (uint32_t)rng_below(&m->rng, 2),
		.exptime = rng_one_in(&m->rng, 3) ?
		    m->rig.x.now + 1 + (rel_time)rng_below(&m->rng, 5) :
		    0,
	};
	char value[VALUE_LARGEST];
	struct stored out;
	enum result why;
	struct item *it;

	make_value(&m->rng, number, value, n);
	item.value_len = (uint32_t)n;
	it = cache_prepare(&m->rig.cache, &m->rig.local, &item, m->rig.x.now,
	    &why);
	if (it == NULL)
		return;
	memcpy(item_value(it), value, item.value_len);
	cache_store(&m->rig.cache, &m->rig.local, key, it, &spec, m->rig.x.now,
	    &out);
}

/* A large value is kept for a while, as a slow reader would. */
static void
read_value(struct member *m, const struct key *key, uint32_t number)
{
	struct lead_spec lead = {
		.lead = rng_one_in(&m->rng, 4),
		.lease_ms = 1000,
	};
	struct read_spec spec = {
		.want_value = true,
		.meta = rng_one_in(&m->rng, 4),
		.touch = rng_one_in(&m->rng, 20),
		.exptime = m->rig.x.now + 2,
	};
	struct hit hit;

	if (spec.meta)
		spec.lead = &lead;
	if (cache_read(&m->rig.cache, &m->rig.local, key, &spec, m->rig.x.now,
		m->rig.x.scratch, &hit) != RESULT_HIT)
		return;
	must(m, is_whole(hit.value, hit.value_len, number));
	if (hit.pinned == NULL)
		return;
	if (rng_one_in(&m->rng, 50))
		spend(1);
	must(m, is_whole(hit.value, hit.value_len, number));
	store_item_release(&m->rig.local, hit.pinned);
}

static void
delete_value(struct member *m, const struct key *key)
{
	struct delete_spec spec = {
		.stale = rng_one_in(&m->rng, 3),
		.clear = rng_one_in(&m->rng, 3),
		.own_cas = rng_one_in(&m->rng, 3),
		.new_cas = 5,
	};
	uint32_t size;

	cache_delete(&m->rig.cache, &m->rig.local, key, &spec, m->rig.x.now,
	    &size);
}

static void
use_values(struct member *m)
{
	uint32_t number = (uint32_t)rng_any(&m->rng, 10);
	char text[16];
	struct key key = numbered(number, text);

	cache_prefetch(&m->rig.cache, key.hash);
	cache_prefetch_item(&m->rig.cache, key.hash);
	switch (rng_below(&m->rng, 8)) {
	case 0:
		delete_value(m, &key);
		break;
	case 1:
	case 2:
	case 3:
		store_some(m, &key, number, 12 + rng_any(&m->rng, 12));
		break;
	default:
		read_value(m, &key, number);
		break;
	}
}

/* What the maintenance thread does, and now and then an operator. */
static void
maintain(struct member *m)
{
	struct store *st = m->crowd->rig.store;
	struct store_walk walk = { 0 };
	struct item_note notes[STORE_WALK_NOTES];
	struct store_sums sums;
	size_t n;

	store_keep_house(&m->rig.local, m->rig.x.now, 1024);
	if (rng_one_in(&m->rng, 500))
		store_flush(st, m->rig.x.now);
	if (rng_one_in(&m->rng, 500))
		store_flush_at(st, m->rig.x.now + 1);
	store_flush_due(st, m->rig.x.now);
	if (rng_one_in(&m->rng, 100))
		store_set_limit(st,
		    (size_t)(200 + rng_below(&m->rng, 300)) * 1024);
	store_sum(st, &sums);
	must(m, sums.items < 2048);
	while (rng_one_in(&m->rng, 2) && !store_walk_is_done(st, &walk)) {
		n = store_walk(&m->rig.local, &walk, m->rig.x.now, notes,
		    STORE_WALK_NOTES);
		for (size_t i = 0; i < n; i++)
			must(m, notes[i].key_len < 16);
	}
	store_settle(&m->rig.local, m->rig.x.now);
	store_local_done(&m->rig.local);
}

static void
every_value_is_whole_in_a_store_that_is_too_small(void)
{
	void (*const run[])(
	    struct member *) = { use_values, use_values, use_values, maintain };
	static struct crowd c;

	run_crowd(&c, &(struct rig_config){ .limit = 300 * 1024, .shards = 4 },
	    "values", run);
	end(&c);
}

/*
 * The same where items come from slabs, of few classes, that thin out and are
 * emptied all the time.
 */
static void
use_small_values(struct member *m)
{
	uint32_t number = (uint32_t)rng_below(&m->rng, 6000);
	char text[16];
	struct key key = numbered(number, text);

	switch (rng_below(&m->rng, 4)) {
	case 0:
		delete_value(m, &key);
		break;
	case 1:
		read_value(m, &key, number);
		break;
	default:
		store_some(m, &key, number, rng_one_in(&m->rng, 2) ? 150 : 700);
		break;
	}
}

static void
empty_slabs(struct member *m)
{
	struct store *st = m->crowd->rig.store;

	if (compact(&m->rig.local))
		atomic_fetch_add(&m->crowd->count, 1);
	if (rng_one_in(&m->rng, 50))
		slab_pool_purge(&st->slabs->pool,
		    (int64_t)rng_any(&m->rng, 22));
	if (rng_one_in(&m->rng, 50))
		store_set_limit(st,
		    (size_t)(900 + rng_below(&m->rng, 900)) * 1024);
	store_settle(&m->rig.local, m->rig.x.now);
	store_local_done(&m->rig.local);
}

static void
every_value_is_whole_while_slabs_are_emptied(void)
{
	void (*const run[])(struct member *) = { use_small_values,
		use_small_values, use_small_values, empty_slabs };
	static struct crowd c;

	run_crowd(&c,
	    &(struct rig_config){ .limit = 1500 * 1024,
		.shards = 4,
		.slabs = true },
	    "slabs", run);
	CHECK(atomic_load(&c.count) > 0);
	CHECK(atomic_load(&c.rig.store->moved) > 0);
	end(&c);
}

/* ---- one step on one key is atomic --------------------------------------- */

static void
increment(struct member *m)
{
	struct arith_spec spec = { .delta = 1, .vivify = true, .initial = 1 };
	struct arith_done done;
	char text[16];
	struct key key = numbered((uint32_t)rng_below(&m->rng, 3), text);

	if (cache_arith(&m->rig.cache, &m->rig.local, &key, &spec, m->rig.x.now,
		&done) == RESULT_STORED)
		atomic_fetch_add(&m->crowd->count, 1);
}

static void
no_increment_is_lost(void)
{
	void (*const run[])(
	    struct member *) = { increment, increment, increment, increment };
	static struct crowd c;
	uint64_t sum = 0;

	run_crowd(&c, &(struct rig_config){ 0 }, "incr", run);
	for (uint32_t i = 0; i < 3; i++) {
		char text[16];

		numbered(i, text);
		sum += strtoull(rig_get(&c.rig, text), NULL, 10);
	}
	CHECK_EQ(sum, atomic_load(&c.count));
	end(&c);
}

/* gets, then cas: of all who read a number, one stores. */
static void
compare_and_set(struct member *m)
{
	struct read_spec get = { .want_value = true };
	struct item_spec item = { .value_len = 8 };
	struct store_spec cas = { .compare = true };
	struct stored out;
	struct hit hit;
	struct item *it;
	enum result why;
	uint64_t n = 0;

	item.key = rig_key("n");
	if (cache_read(&m->rig.cache, &m->rig.local, &item.key, &get,
		m->rig.x.now, m->rig.x.scratch, &hit) == RESULT_HIT) {
		memcpy(&n, hit.value, sizeof(n));
		cas.cas = hit.cas;
	} else {
		cas = (struct store_spec){ .mode = STORE_ADD };
	}
	n++;
	it = cache_prepare(&m->rig.cache, &m->rig.local, &item, m->rig.x.now,
	    &why);
	if (it == NULL)
		return;
	memcpy(item_value(it), &n, sizeof(n));
	if (cache_store(&m->rig.cache, &m->rig.local, &item.key, it, &cas,
		m->rig.x.now, &out) == RESULT_STORED)
		atomic_fetch_add(&m->crowd->count, 1);
}

static void
of_all_who_compare_one_stores(void)
{
	void (*const run[])(struct member *) = { compare_and_set,
		compare_and_set, compare_and_set, compare_and_set };
	static struct crowd c;
	uint64_t n;

	run_crowd(&c, &(struct rig_config){ 0 }, "cas", run);
	REQUIRE(rig_get(&c.rig, "n") != NULL);
	memcpy(&n, c.rig.x.scratch, sizeof(n));
	CHECK_EQ(n, atomic_load(&c.count));
	end(&c);
}

/* Pieces from all threads at both ends; a value begins again when it is long.
 */
static void
extend(struct member *m)
{
	static const char letters[] = "abcd";
	struct item_spec item = { .value_len = 1 };
	struct store_spec spec = {
		.mode = rng_one_in(&m->rng, 2) ? STORE_APPEND : STORE_PREPEND,
		.vivify = true,
	};
	struct stored out;
	enum result why;
	struct item *it;

	item.key = rig_key("long");
	it = cache_prepare(&m->rig.cache, &m->rig.local, &item, m->rig.x.now,
	    &why);
	if (it == NULL)
		return;
	*item_value(it) = letters[m->id];
	if (cache_store(&m->rig.cache, &m->rig.local, &item.key, it, &spec,
		m->rig.x.now, &out) == RESULT_STORED)
		atomic_fetch_add(&m->crowd->count, 1);
}

static void
no_piece_that_is_appended_is_lost(void)
{
	struct read_spec get = { .want_value = true };
	void (*const run[])(
	    struct member *) = { extend, extend, extend, extend };
	static struct crowd c;
	struct hit hit;
	struct key key;

	run_crowd(&c, &(struct rig_config){ .item_max = 1 << 28 }, "append",
	    run);
	key = rig_key("long");
	CHECK_EQ(cache_read(&c.rig.cache, &c.rig.local, &key, &get, c.rig.x.now,
		     c.rig.x.scratch, &hit),
	    RESULT_HIT);
	CHECK_EQ(hit.value_len, atomic_load(&c.count));
	for (uint32_t i = 0; i < hit.value_len; i++)
		REQUIRE(hit.value[i] >= 'a' && hit.value[i] <= 'd');
	if (hit.pinned != NULL)
		store_item_release(&c.rig.local, hit.pinned);
	end(&c);
}

/* Counts the invalidations that were won, and those there were. */
static void
ask_for_the_lease(struct member *m)
{
	struct lead_spec lead = { .lease_ms = 60000 };
	struct read_spec get = { .meta = true, .lead = &lead };
	struct key key = rig_key("lease");
	struct hit hit;

	if (cache_read(&m->rig.cache, &m->rig.local, &key, &get, m->rig.x.now,
		m->rig.x.scratch, &hit) == RESULT_HIT &&
	    hit.won)
		atomic_fetch_add(&m->crowd->count, 1);
}

static _Atomic uint64_t invalidations;

static void
invalidate(struct member *m)
{
	struct delete_spec stale = { .stale = true };
	struct key key = rig_key("lease");
	uint64_t won = atomic_load(&m->crowd->count);
	uint32_t size;

	/* only when somebody has won the last one */
	if (won != atomic_load(&invalidations))
		must(m, won + 1 == atomic_load(&invalidations));
	else if (cache_delete(&m->rig.cache, &m->rig.local, &key, &stale,
		     m->rig.x.now, &size) == RESULT_DELETED)
		atomic_fetch_add(&invalidations, 1);
	else
		rig_set(&m->rig, "lease", "x", 1, 0);
}

static void
of_all_who_ask_one_wins(void)
{
	void (*const run[])(struct member *) = { ask_for_the_lease,
		ask_for_the_lease, ask_for_the_lease, invalidate };
	static struct crowd c;

	atomic_store(&invalidations, 0);
	run_crowd(&c, &(struct rig_config){ 0 }, "lease", run);
	CHECK(atomic_load(&invalidations) > 1);
	CHECK(atomic_load(&c.count) <= atomic_load(&invalidations));
	CHECK(atomic_load(&c.count) + 1 >= atomic_load(&invalidations));
	end(&c);
}

/* ---- sessions ------------------------------------------------------------ */

static const char *const requests[] = {
	"get k1 k2 k3 k4 k5\r\n",
	"gat 1 k1 k2\r\n",
	"set k%u 0 0 3\r\nabc\r\n",
	"set k%u 1 2 10\r\n0123456789\r\n",
	"append k%u 0 0 2\r\nxy\r\n",
	"incr k%u 5\r\n",
	"delete k%u\r\n",
	"mg k%u v t c N5 R3\r\n",
	"md k%u I\r\n",
	"md k%u x\r\n",
	"ms k%u 2 T3\r\n77\r\n",
	"ma k%u N0 J5 v\r\n",
	"touch k%u 2\r\n",
	"flush_all 2\r\n",
	"stats items\r\n",
	"stats slabs\r\n",
	"stats sizes\r\n",
	"lru_crawler metadump all\r\n",
	"me k%u\r\n",
	"mn\r\n",
	"stats detail on\r\n",
	"get p:k%u\r\n",
	"stats detail dump\r\n",
	"watch fetchers mutations evictions\r\n",
	"set k%u 0 0 9000\r\nxyz",
};

enum { REQUESTS = sizeof(requests) / sizeof(requests[0]) };

/* A client with a few requests, some of them in the same packet. */
static void
be_a_client(struct member *m)
{
	char text[128];
	struct wire w;

	wire_open(&w, &m->rig);
	w.send_max = rng_any(&m->rng, 10);
	for (uint64_t i = rng_below(&m->rng, 20); i > 0 && !w.closed; i--) {
		int n;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		n = snprintf(text, sizeof(text),
		    requests[rng_below(&m->rng, REQUESTS)],
		    (unsigned)rng_below(&m->rng, 9));
#pragma GCC diagnostic pop
		wire_put(&w, text, (size_t)n);
	}
	must(m, framing_is_sane(w.got, w.len));
	wire_close(&w);
}

static void
sessions_share_a_cache(void)
{
	void (*const run[])(struct member *) = { be_a_client, be_a_client,
		be_a_client, maintain };
	static struct crowd c;

	run_crowd(&c, &(struct rig_config){ .limit = 200 * 1024 }, "sessions",
	    run);
	end(&c);
}

UNIT("stress store", TEST(every_value_is_whole_in_a_store_that_is_too_small),
    TEST(every_value_is_whole_while_slabs_are_emptied),
    TEST(no_increment_is_lost), TEST(of_all_who_compare_one_stores),
    TEST(no_piece_that_is_appended_is_lost), TEST(of_all_who_ask_one_wins),
    TEST(sessions_share_a_cache))
