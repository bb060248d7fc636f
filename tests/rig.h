/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rig.h - a store, a cache and what a thread works with, without a server.
 *
 * For tests and fuzzers.  Time stands at RIG_START until the test moves it:
 * rig_pass(), or rig.x.now where nothing counts milliseconds.
 */
#ifndef TESTS_RIG_H
#define TESTS_RIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/counter.h"
#include "base/feed.h"
#include "base/heap.h"
#include "base/mailbox.h"
#include "cache/cache.h"
#include "cache/lease.h"
#include "proto/prefix.h"
#include "proto/session.h"
#include "store/store.h"

enum { RIG_START = 1000 };

/* What differs from the usual; 0 is the usual. */
struct rig_config {
	size_t limit;    /* bytes; 64 MiB */
	size_t item_max; /* bytes; 1 MiB */
	unsigned shards; /* 2 */
	bool no_evict, no_cas;
	bool slabs; /* items from there, not each from the arena */
	const struct lease_config *lease; /* rig_lease_config */
};

/* The server's defaults, but for small tables. */
extern const struct lease_config rig_lease_config;

struct rig {
	struct store *store;
	struct cache cache;
	struct lease_config lease; /* the cache's: may be changed */
	struct heap waits;
	struct mailbox mailbox;
	struct counter_set counter_set;
	struct counters *counters;
	struct store_local local;
	struct feed feed;
	struct prefix_table prefixes;
	struct proto_env env;
	struct exec x;

	/* the server's side */
	_Atomic bool crawler_off;
	unsigned shutdowns, wakes;
};

/*
 * Starts the clock, the hash of keys with a seed that is the same in each run,
 * and the table of commands.  rig_open() does so, too.
 */
void rig_start(void);

/* Ends the process when there is no memory. */
void rig_open(struct rig *r, const struct rig_config *config);

/* Frees all items; every reference has been given back, nobody waits. */
void rig_close(struct rig *r);

/*
 * Another thread's: the same store and cache; counters, credit, mailbox of its
 * own.
 */
void rig_share(struct rig *mine, struct rig *r);
void rig_unshare(struct rig *mine);

/* Time moves on; nothing is done about it. */
void rig_pass(struct rig *r, uint64_t ms);

/* Ends leases whose time is over, as the maintenance thread does. */
void rig_tick(struct rig *r);

/*
 * What a worker does with mail: calls `wake` for each waiter whose outcome is
 * there, which may be done with it at once.
 */
void rig_collect(struct rig *r, void (*wake)(void *ctx, struct waiter *w),
    void *ctx);

/* The sum of a counter over all threads that share the rig. */
#define RIG_COUNT(r, name) counter_sum(&(r)->counter_set, COUNTER_##name)

struct key rig_key(const char *text);
struct key rig_key_bytes(const char *data, size_t len);

/* Stores n bytes, as `set` does. */
enum result rig_set(struct rig *r, const char *key, const void *value, size_t n,
    rel_time exptime);

/*
 * The value as a text, in r->x.scratch, or "(large)" from 2 KiB on; NULL on a
 * miss.
 */
const char *rig_get(struct rig *r, const char *key);

/* Whether the key has this value; no access.  Only values that are copied. */
bool rig_has(struct rig *r, const char *key, const void *value, size_t n);

/*
 * A pass of the sweep over all shards; `at_once` is how much of it is done
 * under one lock.
 */
void rig_sweep(struct rig *r, uint32_t at_once);

/* Bytes that are in use: what is reserved less the credit of this thread. */
int64_t rig_used(const struct rig *r);

/*
 * Whether all sums agree: each shard's counts with its table, what is reserved
 * with items, tables and `more` bytes of items that nobody can find, leases
 * granted with what became of them.
 */
bool rig_is_sane(struct rig *r, int64_t more);

#endif
