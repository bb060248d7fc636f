/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * verb.h - the cache's verbs in a few words, for tests of the cache.
 *
 * Keys and values are texts, and there is one cache: verb_rig.
 */
#ifndef TESTS_VERB_H
#define TESTS_VERB_H

#include "cache/cache.h"
#include "rig.h"

/* What each test has from verb_begin(), or its own rig_open(), to verb_end().
 */
extern struct rig verb_rig;

void verb_begin(void);

/* Nothing is left in use but tables, and then nothing at all. */
void verb_end(void);

/* What a store says, and the number it gave. */
struct verb_said {
	enum result res;
	uint64_t cas;
	uint32_t value_len;
};

/* Of `item` are the client flags and the exptime. */
struct verb_said verb_store(const char *key, const char *value,
    const struct item_spec *item, const struct store_spec *spec);
enum result verb_put(const char *key, const char *value, enum store_mode mode);
struct verb_said verb_put_cas(const char *key, const char *value,
    enum store_mode mode, uint64_t cas);

/* The result has to be `want`. */
struct hit verb_read_as(const char *key, const struct read_spec *spec,
    enum result want);

/* Reads without a trace, and as mg does; it has to be a hit. */
struct hit verb_peek(const char *key);
struct hit verb_meta_get(const char *key);

/* As mg N30: a hit, or the lease. */
struct hit verb_lead(const char *key);

/* As `ms C`; it stores by a token what has these parts. */
struct verb_said verb_fill(const char *key, const char *value, uint64_t token,
    const struct item_spec *item);

enum result verb_arith(const char *key, const struct arith_spec *spec,
    struct arith_done *out);
enum result verb_delete_as(const char *key, const struct delete_spec *spec);
enum result verb_touch(const char *key, rel_time exptime);

#endif
