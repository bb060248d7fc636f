/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cache.h - what the verbs mean.
 *
 * One call is one atomic step on one key.  Requests come in as small specs,
 * outcomes go out as `enum result` plus a snapshot; nothing here knows how a
 * request or a reply is spelled.
 *
 * All functions take the calling thread's store_local and the time of the
 * batch, lock at most one shard at a time, and return without a lock.
 *
 * Layer: cache.
 */
#ifndef CACHE_CACHE_H
#define CACHE_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/clock.h"
#include "store/store.h"

struct leases;
struct lead_spec;

enum {
	/* Values up to this size are copied out under the lock. */
	CACHE_COPY_MAX = 2048,
	/* Longest stored text that incr takes for a number. */
	CACHE_NUMBER_MAX = 512 * 1024,
};

struct cache {
	struct store *store;
	struct leases *leases; /* cache/lease.h */
	size_t item_max;  /* bytes of an item, as memcached counts them (-I) */
	bool cas_enabled; /* false (-C): every number shows as 0 */
};

enum result {
	RESULT_HIT,
	RESULT_MISS,
	RESULT_STORED,
	RESULT_NOT_STORED,
	RESULT_EXISTS,
	RESULT_NOT_FOUND,
	RESULT_DELETED,
	RESULT_TOUCHED,
	RESULT_NOT_A_NUMBER,
	RESULT_TOO_LARGE,
	RESULT_NO_MEMORY,
	RESULT_BUSY, /* too many readers hold this value */
	RESULT_PARKED,
	RESULT_REFUSED, /* a version, a clock or a floor speaks against it */
};

/* How to read. */
struct read_spec {
	bool want_value;
	bool peek;  /* neither lifts the item nor marks it fetched */
	bool touch; /* gives it `exptime` */
	rel_time exptime;
	bool meta;              /* stale items may be won (W, X, Z) */
	rel_time recache_until; /* may be won when it expires before (R) */
	bool recache_first;     /* judged by the exptime before the touch */
	const struct lead_spec *lead; /* NULL: knows nothing of leases */
};

/* What was read: a snapshot, valid after the lock is gone. */
struct hit {
	enum found why;      /* of a miss */
	const char *value;   /* in the caller's buffer, or in `pinned` */
	struct item *pinned; /* a reference of the caller's, or NULL */
	uint32_t value_len;
	uint32_t client_flags;
	uint64_t cas;
	rel_time exptime;  /* before a touch; 0 never */
	rel_time accessed; /* before this access */
	bool fetched;      /* before this access */
	bool binary_key;
	bool negative;
	bool versioned;
	uint64_t version;
	bool absent;            /* no value: what follows is about a lease */
	bool won, stale, taken; /* W, X, Z */
	uint64_t token;         /* of the lease that was won */
	uint64_t lease_left;    /* ms */
	uint64_t backoff;       /* ms in which nobody may try; 0 none */
	bool floored;           /* a tombstone stands */
	uint64_t floor;
};

/*
 * Reads a key.  `buffer` takes a copy of a value of up to CACHE_COPY_MAX
 * bytes; a larger one is pinned, and the caller gives the reference back with
 * store_item_release().  HIT, MISS, BUSY, and NO_MEMORY of a touch; with a
 * lead_spec also PARKED, and HIT without a value (`absent`) for who won the
 * lease or has to do without.
 */
enum result cache_read(struct cache *c, struct store_local *l,
    const struct key *key, const struct read_spec *spec, rel_time now,
    char *buffer, struct hit *hit);

/* Fills what a hit says of an item, but its value; its shard is locked. */
void cache_snapshot(const struct cache *c, const struct item *it, rel_time now,
    struct hit *hit);

/* Start loading what cache_read() will touch: first all keys, then again. */
static inline void
cache_prefetch(struct cache *c, uint64_t hash)
{
	table_prefetch(&store_shard(c->store, hash)->table, hash);
}

static inline void
cache_prefetch_item(struct cache *c, uint64_t hash)
{
	table_prefetch_item(&store_shard(c->store, hash)->table, hash);
}

/* Copies what `me` and dumps show; false on a miss.  Not an access. */
bool cache_note(struct cache *c, struct store_local *l, const struct key *key,
    rel_time now, struct item_note *note);

enum store_mode {
	STORE_SET,
	STORE_ADD,
	STORE_REPLACE,
	STORE_APPEND,
	STORE_PREPEND,
};

struct store_spec {
	enum store_mode mode;
	bool compare; /* only if the number is `cas` */
	uint64_t cas;
	bool stale_if_older; /* an older `cas` stores a stale value (I) */
	bool own_cas;        /* the new number is `new_cas` (E) */
	uint64_t new_cas;
	bool vivify; /* append and prepend make a missing item */
	rel_time vivify_exptime;
	bool versioned; /* the writer tags the value with `version` */
	uint64_t version;
	bool guarded; /* refused if the key was invalidated after `guard` */
	uint64_t guard;
};

/* Whether an item for such a store needs room for an exptime told later. */
static inline bool
cache_times_later(const struct store_spec *spec)
{
	return spec->stale_if_older || spec->vivify;
}

struct stored {
	uint64_t cas;       /* the new number; 0 when nothing was stored */
	uint32_t value_len; /* of what stands now, when something was stored */
	bool by_guard;      /* REFUSED by the guard of a rule */
	bool versioned;     /* REFUSED because of a version: what is valid */
	uint64_t version;
};

/*
 * A private item for cache_store(): room for the value, which the caller
 * fills.  spec->timed where cache_times_later().  *why says TOO_LARGE or
 * NO_MEMORY when it returns NULL.
 */
struct item *cache_prepare(struct cache *c, struct store_local *l,
    const struct item_spec *spec, rel_time now, enum result *why);

/* Whether an item with these parts may be stored (-I). */
bool cache_fits(const struct cache *c, size_t key_len, size_t value_len,
    uint32_t client_flags);

/* Counts an event of a request that never became an item. */
void cache_count(struct cache *c, const struct key *key, size_t value_len,
    uint32_t client_flags, enum class_event event);

/* Publishes a prepared item, and takes the caller's reference in any case. */
enum result cache_store(struct cache *c, struct store_local *l,
    const struct key *key, struct item *it, const struct store_spec *spec,
    rel_time now, struct stored *out);

struct arith_spec {
	bool decrement;
	uint64_t delta;
	bool compare;
	uint64_t cas;
	bool own_cas;
	uint64_t new_cas;
	bool touch;
	rel_time exptime;
	bool vivify;
	uint64_t initial;
	rel_time vivify_exptime;
};

struct arith_done {
	uint64_t number;
	uint64_t cas;
	rel_time exptime; /* before a touch */
	bool binary_key;
	bool made;
};

/* STORED, NOT_FOUND, EXISTS, NOT_A_NUMBER, NO_MEMORY. */
enum result cache_arith(struct cache *c, struct store_local *l,
    const struct key *key, const struct arith_spec *spec, rel_time now,
    struct arith_done *out);

struct delete_spec {
	bool compare;
	uint64_t cas;
	bool stale; /* keep the value, marked stale (I) */
	bool clear; /* keep the item, without its value (x) */
	bool own_cas;
	uint64_t new_cas;
	bool touch; /* with stale or clear */
	rel_time exptime;
	uint32_t client_flags; /* with clear */
	bool classic;          /* a negative value is a miss */
	bool versioned;        /* only what is older than `version` goes */
	uint64_t version;
	rel_time floor_until; /* nothing older is stored up to then */
};

/* DELETED, NOT_FOUND, EXISTS, NO_MEMORY; *size: bytes of the value removed. */
enum result cache_delete(struct cache *c, struct store_local *l,
    const struct key *key, const struct delete_spec *spec, rel_time now,
    uint32_t *size);

/* TOUCHED, NOT_FOUND, BUSY, NO_MEMORY. */
enum result cache_touch(struct cache *c, struct store_local *l,
    const struct key *key, rel_time exptime, rel_time now);

/*
 * Deletes the value a failed `set` was meant to replace: memcached never
 * leaves an old value behind one that could not be stored.
 */
void cache_drop(struct cache *c, struct store_local *l, const struct key *key,
    rel_time now);

#endif
