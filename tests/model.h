/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * model.h - a naive cache: a list of keys, with all that a client can learn.
 *
 * It says what the cache should answer.  Numbers that the store gives by itself
 * (CAS numbers, tokens) are told to it; what came before what it counts itself:
 * each grant, store and invalidation is an event.
 */
#ifndef TESTS_MODEL_H
#define TESTS_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cache/cache.h"
#include "cache/cache_lease.h"

enum {
	MODEL_KEYS = 24,
	MODEL_ITEM_MAX = 6000,
	MODEL_TAGS = 4,
	MODEL_TOKENS = 8, /* latest tokens of a key */
	MODEL_FLOOR_S = 60,
};

/* What a token was granted for. */
struct model_token {
	uint64_t token; /* 0: none */
	uint64_t event;
};

/* A key, and what stands under it. */
struct known {
	/* the item */
	bool present;
	bool stale, fetched, binary, negative, versioned;
	rel_time exptime, accessed;
	uint32_t client_flags, grace;
	uint64_t cas, version;
	unsigned tags;          /* a bit each */
	uint64_t stored, birth; /* events */
	size_t len;
	char value[MODEL_ITEM_MAX];

	/* the key */
	uint64_t clock; /* event of its last invalidation */
	bool floored;
	uint64_t floor, base;
	rel_time floor_until;
	bool leased, spared; /* a lease, or a back-off */
	uint64_t token, granted, until;
	struct model_token given[MODEL_TOKENS];
	unsigned last_given;
};

struct model {
	struct known known[MODEL_KEYS];
	rel_time now;
	uint64_t now_ms;
	bool cas_enabled;
	uint64_t event; /* the latest */
	uint64_t flushed, tag[MODEL_TAGS];
};

/* A request to store, as both sides get it. */
struct model_request {
	unsigned i; /* the key's place */
	struct item_spec item;
	struct item_extra extra;
	unsigned tags;
	struct store_spec spec;
	char value[MODEL_ITEM_MAX];
};

/* Time moves on; floors whose time is over are gone. */
void model_pass(struct model *m, uint64_t now_ms);

/* As memcached: without CAS numbers an item has 8 bytes more room. */
bool model_fits(const struct model *m, size_t key_len, size_t value_len,
    uint32_t client_flags);

/*
 * What stands under a key, for everybody (*why is FOUND) or for those who know
 * (found_stands()); NULL when nothing does: what is dead is gone then.
 */
struct known *model_look(struct model *m, unsigned i, enum found *why);

/* The same for a reader who knows nothing of leases. */
struct known *model_see(struct model *m, unsigned i, enum found *why);

/* The item goes, and not because of a newer one. */
void model_lose(struct known *k);

/* Whether a lease is live, or a back-off lasts. */
bool model_is_led(const struct model *m, const struct known *k);

/* What follows a read that takes the lease. */
void model_grant(struct model *m, struct known *k, uint64_t token, uint64_t ms);

/* The event of the grant of a token of the key; 0: none. */
uint64_t model_grant_of(const struct known *k, uint64_t token);

/* The key, or a tag, or everything is invalidated. */
void model_invalidate(struct model *m, struct known *k);
void model_flush(struct model *m);

/*
 * Nothing below a version is valid.  A floor that begins counts the value that
 * `stands`, or stood before what happens now, as gone.
 */
void model_raise_floor(struct known *k, bool stands, uint64_t version,
    rel_time until);

/* *out says what a refusal says. */
enum result model_store(struct model *m, const struct model_request *q,
    struct stored *out);

/* What a read shows, and what it leaves behind but for a lease: RESULT_HIT with
 * want->absent where there is none. */
enum result model_read(struct model *m, unsigned i,
    const struct read_spec *spec, struct hit *want);

/* *n is the new number. */
enum result model_arith(struct model *m, struct known *k,
    const struct arith_spec *spec, uint64_t *n);
enum result model_make_number(struct model *m, struct known *k,
    const struct arith_spec *spec, uint64_t *n);

/*
 * Whether the value that stays, stale or cleared, got a number of the store's.
 */
enum result model_delete(struct model *m, unsigned i,
    const struct delete_spec *spec, bool *numbered);

#endif
