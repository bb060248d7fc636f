/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * model.h - a naive cache: a list of keys, with all that a client can learn.
 *
 * It says what the cache should answer.  Numbers (CAS) that the store gives by
 * itself are told to it.
 */
#ifndef TESTS_MODEL_H
#define TESTS_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cache/cache.h"

enum { MODEL_KEYS = 24, MODEL_ITEM_MAX = 6000 };

struct known {
	bool present, flushed;
	bool stale, won, fetched, binary;
	rel_time exptime, accessed;
	uint32_t client_flags;
	uint64_t cas;
	size_t len;
	char value[MODEL_ITEM_MAX];
};

struct model {
	struct known known[MODEL_KEYS];
	rel_time now;
	bool cas_enabled;
};

/* A request to store, as both sides get it. */
struct model_request {
	unsigned i; /* the key's place */
	struct item_spec item;
	struct store_spec spec;
	char value[MODEL_ITEM_MAX];
};

/* As memcached: without CAS numbers an item has 8 bytes more room. */
bool model_fits(const struct model *m, size_t key_len, size_t value_len,
    uint32_t client_flags);
bool model_expired(const struct model *m, const struct known *k);

/* The living item, or NULL and why; a dead one is gone then. */
struct known *model_look(struct model *m, unsigned i, enum found *why);

/* Another value; what belongs to the old one is forgotten. */
void model_put(struct model *m, struct known *k, const char *value, size_t n);

enum result model_store(struct model *m, const struct model_request *q);

/* What a hit shows, and what it leaves behind. */
struct hit model_hit(struct model *m, struct known *k,
    const struct read_spec *spec);

/* *n is the new number. */
enum result model_arith(struct model *m, struct known *k,
    const struct arith_spec *spec, uint64_t *n);
void model_make_number(struct model *m, struct known *k,
    const struct arith_spec *spec, uint64_t *n);

#endif
