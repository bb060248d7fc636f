/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rig.c - a store, a cache and what a thread works with, without a server.
 */
#include "config.h"

#include "rig.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/log.h"
#include "cache/lease.h"
#include "proto/command.h"
#include "rng.h"
#include "store/arena.h"
#include "store/sweep.h"

const struct lease_config rig_lease_config = {
	.clock_slots = CLOCKS_MIN,
	.tag_slots = CLOCKS_MIN,
	.tombstones = 1024,
	.lease_default = 10000,
	.lease_max = 60000,
	.token_max = 600,
	.tombstone_ttl = 60,
	.tombstone_max = 3600,
	.leases = 1000000,
	.waiters = 200000,
};

static _Atomic int verbosity;

/* The server's side of a session. */

static void
no_gauges(void *server, struct server_gauges *out)
{
	(void)server;
	memset(out, 0, sizeof(*out));
}

static void
no_report(void *server, stat_printer *print, void *ctx)
{
	(void)server;
	print(ctx, "name", "value");
}

static void
count_shutdown(void *server, bool graceful)
{
	struct rig *r = server;

	(void)graceful;
	r->shutdowns++;
}

/* A watcher's conn is the rig here. */
static void
count_wake(void *conn)
{
	struct rig *r = conn;

	r->wakes++;
}

/* In the place of base/log.c: lines are made, and dropped. */

void
log_set_verbosity(int v)
{
	atomic_store(&verbosity, v);
}

int
log_verbosity(void)
{
	return atomic_load(&verbosity);
}

#define LOG_FUNCTION(name)                                                     \
	void name(const char *fmt, ...)                                        \
	{                                                                      \
		char line[1024];                                               \
		va_list ap;                                                    \
                                                                               \
		va_start(ap, fmt);                                             \
		vsnprintf(line, sizeof(line), fmt, ap);                        \
		va_end(ap);                                                    \
	}

LOG_FUNCTION(log_error)
LOG_FUNCTION(log_warn)
LOG_FUNCTION(log_info)
LOG_FUNCTION(log_debug)

/*
 * In the place of the C library's: the hash of keys is the same in each run,
 * or as TEST_SEED says.
 */
ssize_t
getrandom(void *p, size_t n, unsigned flags)
{
	const char *text = getenv("TEST_SEED");
	struct rng r = { text != NULL ? strtoull(text, NULL, 0) : 1 };

	(void)flags;
	rng_fill(&r, p, n);
	return (ssize_t)n;
}

void
rig_start(void)
{
	static bool started;

	if (started)
		return;
	clock_start();
	hash_start();
	command_start();
	started = true;
}

static struct proto_env
env_for(struct rig *r)
{
	return (struct proto_env){
		.cache = &r->cache,
		.counters = &r->counter_set,
		.feed = &r->feed,
		.prefixes = &r->prefixes,
		.libevent_version = "none",
		.watch_buffer = 64 * 1024,
		.flush_enabled = true,
		.dump_enabled = true,
		.watch_enabled = true,
		.detect_binary = true,
		.crawler_off = &r->crawler_off,
		.server = r,
		.gauges = no_gauges,
		.report_settings = no_report,
		.report_conns = no_report,
		.shutdown = count_shutdown,
		.wake_watcher = count_wake,
	};
}

static void
set_ms(struct rig *r, uint64_t ms)
{
	r->x.now_ms = r->local.now_ms = ms;
	r->x.now = clock_rel(ms);
}

/* What each thread has. */
static void
begin_thread(struct rig *r, struct rig *shared, uint64_t ms)
{
	r->counters = counters_new(&shared->counter_set);
	CHECK(r->counters != NULL && mailbox_open(&r->mailbox));
	store_local_init(&r->local, r->store, r->counters);
	r->x = (struct exec){
		.env = &shared->env,
		.cache = &r->cache,
		.local = &r->local,
		.counters = r->counters,
		.waits = &r->waits,
		.mailbox = &r->mailbox,
	};
	set_ms(r, ms);
}

static void
nobody_waits(void *ctx, struct waiter *w)
{
	(void)ctx;
	CHECK(w == NULL);
}

static void
end_thread(struct rig *r)
{
	rig_collect(r, nobody_waits, NULL);
	CHECK(r->waits.count == 0);
	heap_free(&r->waits);
	mailbox_close(&r->mailbox);
	store_local_done(&r->local);
}

void
rig_open(struct rig *r, const struct rig_config *config)
{
	struct store_config store = {
		.limit = config->limit ? config->limit : (size_t)64 << 20,
		.shards = config->shards ? config->shards : 2,
		.evict = !config->no_evict,
		.slabs = config->slabs,
		.feed = &r->feed,
	};

	rig_start();
	memset((void *)r, 0, sizeof(*r));
	r->lease = config->lease ? *config->lease : rig_lease_config;
	store.clock_slots = r->lease.clock_slots;
	store.tag_slots = r->lease.tag_slots;
	store.token_max = r->lease.token_max;
	store.keep_dead_tags = r->lease.fault == FAULT_DEAD_TAG;
	feed_init(&r->feed);
	prefix_init(&r->prefixes, ':', false);
	r->store = store_new(&store);
	CHECK(r->store != NULL);
	r->cache = (struct cache){
		.store = r->store,
		.leases = leases_new(&r->lease, r->store),
		.item_max = config->item_max ? config->item_max : 1 << 20,
		.cas_enabled = !config->no_cas,
	};
	CHECK(r->cache.leases != NULL);
	r->env = env_for(r);
	begin_thread(r, r, RIG_START * 1000);
}

void
rig_close(struct rig *r)
{
	end_thread(r);
	leases_free(r->cache.leases);
	store_free(r->store);
	counters_free(&r->counter_set);
	prefix_destroy(&r->prefixes);
	feed_destroy(&r->feed);
}

void
rig_share(struct rig *mine, struct rig *r)
{
	memset((void *)mine, 0, sizeof(*mine));
	mine->store = r->store;
	mine->cache = r->cache;
	begin_thread(mine, r, r->x.now_ms);
}

void
rig_unshare(struct rig *mine)
{
	end_thread(mine);
}

void
rig_pass(struct rig *r, uint64_t ms)
{
	set_ms(r, r->x.now_ms + ms);
}

void
rig_tick(struct rig *r)
{
	cache_flush_due(&r->cache, &r->local, r->x.now);
	leases_tick(&r->cache, &r->local, r->x.now);
}

static void
answer_all(struct rig *r, struct wait_queue *q,
    void (*wake)(void *ctx, struct waiter *w), void *ctx)
{
	struct waiter *w;

	while ((w = wait_next(q)) != NULL) {
		if (w->timer.at != 0)
			heap_remove(&r->waits, &w->timer);
		wake(ctx, w);
	}
	wait_unlist(&r->cache, &r->local, q);
}

void
rig_collect(struct rig *r, void (*wake)(void *ctx, struct waiter *w), void *ctx)
{
	struct mail *m = mailbox_take(&r->mailbox), *next;
	struct waiter *heir;

	for (; m != NULL; m = next) {
		struct wait_queue *q = (struct wait_queue *)m;

		next = m->next;
		CHECK(m->kind == WAIT_MAIL);
		switch (
		    wait_collect(&r->cache, &r->local, q, r->x.now, &heir)) {
		case COLLECTED_NOTHING:
			break;
		case COLLECTED_HEIR:
			if (heir->timer.at != 0)
				heap_remove(&r->waits, &heir->timer);
			wake(ctx, heir);
			break;
		case COLLECTED_FINAL:
			answer_all(r, q, wake, ctx);
			break;
		}
	}
}

struct key
rig_key_bytes(const char *data, size_t len)
{
	return (struct key){ data, len, false, hash_key(data, len) };
}

struct key
rig_key(const char *text)
{
	return rig_key_bytes(text, strlen(text));
}

enum result
rig_set(struct rig *r, const char *key, const void *value, size_t n,
    rel_time exptime)
{
	static const struct store_spec set = { .mode = STORE_SET };
	struct item_spec spec = {
		.key = rig_key(key),
		.value_len = (uint32_t)n,
		.exptime = exptime,
	};
	struct stored out;
	enum result why;
	struct item *it = cache_prepare(&r->cache, &r->local, &spec, r->x.now,
	    &why);

	if (it == NULL)
		return why;
	memcpy(item_value(it), value, n);
	return cache_store(&r->cache, &r->local, &spec.key, it, &set, r->x.now,
	    &out);
}

const char *
rig_get(struct rig *r, const char *key)
{
	static const struct read_spec get = { .want_value = true };
	struct key k = rig_key(key);
	struct hit hit;

	if (cache_read(&r->cache, &r->local, &k, &get, r->x.now, r->x.scratch,
		&hit) != RESULT_HIT)
		return NULL;
	if (hit.pinned != NULL)
		store_item_release(&r->local, hit.pinned);
	if (hit.value_len >= sizeof(r->x.scratch))
		return "(large)";
	r->x.scratch[hit.value_len] = '\0';
	return r->x.scratch;
}

bool
rig_has(struct rig *r, const char *key, const void *value, size_t n)
{
	static const struct read_spec peek = { .want_value = true,
		.peek = true };
	struct key k = rig_key(key);
	struct hit hit;

	return cache_read(&r->cache, &r->local, &k, &peek, r->x.now,
		   r->x.scratch, &hit) == RESULT_HIT &&
	    hit.value_len == n && memcmp(hit.value, value, n) == 0;
}

/* Of regions in use, but for those that this thread keeps for the next. */
static int64_t
slab_items(const struct rig *r)
{
	int64_t sum = 0;

	for (unsigned i = 0;
	     r->store->slabs != NULL && i < r->store->slabs->classes; i++) {
		const struct slab_class *c = &r->store->slabs->cls[i];
		int64_t used = (int64_t)atomic_load(&c->regions) -
		    atomic_load(&c->free) - r->local.slabs.kept[i].n;

		sum += used * c->size;
	}
	return sum;
}

int64_t
rig_used(const struct rig *r)
{
	return atomic_load(&r->store->used) - r->local.credit + slab_items(r);
}

void
rig_sweep(struct rig *r, uint32_t at_once) UNCHECKED_LOCKING
{
	for (unsigned i = 0; i < r->store->shards; i++) {
		struct shard *s = &r->store->shard[i];
		bool done;

		do {
			shard_lock(s);
			done = sweep_dead(s, &r->local, r->x.now, at_once);
			shard_unlock(s, &r->local);
		} while (!done);
	}
}

/* What a walk over a shard's table finds. */
struct found_in_table {
	size_t items, bytes, timed, tagged;
	uint32_t at_level[256];
	uint64_t in_class[SIZECLASS_COUNT];
};

static void
walk(struct shard *s, struct found_in_table *f)
{
	memset(f, 0, sizeof(*f));
	for (uint32_t i = 0; i < table_buckets(&s->table); i++)
		for (struct bucket *b = table_bucket(&s->table, i); b != NULL;
		     b = table_next(b))
			for (int k = 0; k < TABLE_SLOTS; k++) {
				struct item *it = slot_item(b, k);

				if (it == NULL)
					continue;
				f->items++;
				f->bytes += store_item_cost(s->store,
				    item_size(it));
				f->timed += item_exptime(it) != 0;
				f->tagged += (it->word & ITEM_TAGS) != 0;
				f->at_level[slot_level(b, k)]++;
				f->in_class[shard_class(s, it) - s->cls]++;
			}
}

static bool
shard_is_sane(struct shard *s)
{
	struct found_in_table f;

	walk(s, &f);
	for (int i = 0; i < SIZECLASS_COUNT; i++)
		if (s->cls[i].items != f.in_class[i])
			return false;
	return f.items == s->table.items && f.bytes == s->bytes &&
	    f.timed == s->timed && f.tagged == s->tagged &&
	    memcmp(f.at_level, s->evict.count, sizeof(f.at_level)) == 0;
}

/* Every lease became something, or lives. */
static bool
leases_are_sane(struct rig *r)
{
	uint64_t granted = RIG_COUNT(r, lease_granted);
	uint64_t live = leases_live(r->cache.leases, r->store);
	uint64_t ended = RIG_COUNT(r, lease_filled) +
	    RIG_COUNT(r, lease_refused) + RIG_COUNT(r, lease_lapsed) +
	    RIG_COUNT(r, lease_given_up) + RIG_COUNT(r, lease_revoked);

	if (granted != ended + live)
		fprintf(stderr, "# leases granted: %llu, ended: %llu, %llu\n",
		    (unsigned long long)granted, (unsigned long long)ended,
		    (unsigned long long)live);
	return granted == ended + live;
}

bool
rig_is_sane(struct rig *r, int64_t more)
{
	int64_t sum = more;

	for (unsigned i = 0; i < r->store->shards; i++) {
		struct shard *s = &r->store->shard[i];

		if (!shard_is_sane(s)) {
			fprintf(stderr, "# shard %u: counts are wrong\n", i);
			return false;
		}
		sum += (int64_t)(s->bytes + s->table.bytes + s->evict.bytes);
	}
	if (sum != rig_used(r))
		fprintf(stderr, "# in use: %lld, found: %lld\n",
		    (long long)rig_used(r), (long long)sum);
	return sum == rig_used(r) && leases_are_sane(r);
}
