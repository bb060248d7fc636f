/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * verb.c - the cache's verbs in a few words, for tests of the cache.
 */
#include "config.h"

#include "verb.h"

#include <string.h>

#include "fake_arena.h"
#include "unit.h"

struct rig verb_rig;

void
verb_begin(void)
{
	rig_open(&verb_rig, &(struct rig_config){ 0 });
}

void
verb_end(void)
{
	CHECK(rig_is_sane(&verb_rig, 0));
	rig_close(&verb_rig);
	CHECK_EQ(fake_arena_bytes(), 0);
}

struct verb_said
verb_store(const char *key, const char *value, const struct item_spec *item,
    const struct store_spec *spec)
{
	struct item_spec s = *item;
	struct stored out;
	struct verb_said said = { .cas = 0 };
	struct item *it;

	s.key = rig_key(key);
	s.value_len = (uint32_t)strlen(value);
	s.own_cas = spec->own_cas;
	s.timed |= cache_times_later(spec);
	it = cache_prepare(&verb_rig.cache, &verb_rig.local, &s, verb_rig.x.now,
	    &said.res);
	if (it == NULL)
		return said;
	memcpy(item_value(it), value, s.value_len);
	said.res = cache_store(&verb_rig.cache, &verb_rig.local, &s.key, it,
	    spec, verb_rig.x.now, &out);
	said.cas = out.cas;
	said.value_len = out.value_len;
	return said;
}

enum result
verb_put(const char *key, const char *value, enum store_mode mode)
{
	return verb_store(key, value, &(struct item_spec){ 0 },
	    &(struct store_spec){ .mode = mode })
	    .res;
}

struct verb_said
verb_put_cas(const char *key, const char *value, enum store_mode mode,
    uint64_t cas)
{
	return verb_store(key, value, &(struct item_spec){ 0 },
	    &(struct store_spec){ .mode = mode, .compare = true, .cas = cas });
}

struct hit
verb_read_as(const char *key, const struct read_spec *spec, enum result want)
{
	struct key k = rig_key(key);
	struct hit hit;

	CHECK_EQ(cache_read(&verb_rig.cache, &verb_rig.local, &k, spec,
		     verb_rig.x.now, verb_rig.x.scratch, &hit),
	    want);
	return hit;
}

struct hit
verb_peek(const char *key)
{
	return verb_read_as(key, &(struct read_spec){ .peek = true },
	    RESULT_HIT);
}

struct hit
verb_meta_get(const char *key)
{
	struct lead_spec lead = { .lease_ms = 10000 };

	return verb_read_as(key,
	    &(struct read_spec){ .meta = true, .lead = &lead }, RESULT_HIT);
}

struct hit
verb_lead(const char *key)
{
	struct lead_spec lead = { .aware = true,
		.lead = true,
		.lease_ms = 30000 };
	struct read_spec spec = { .want_value = true,
		.meta = true,
		.lead = &lead };

	return verb_read_as(key, &spec, RESULT_HIT);
}

struct verb_said
verb_fill(const char *key, const char *value, uint64_t token,
    const struct item_spec *item)
{
	return verb_store(key, value, item,
	    &(struct store_spec){ .compare = true, .cas = token });
}

enum result
verb_arith(const char *key, const struct arith_spec *spec,
    struct arith_done *out)
{
	struct key k = rig_key(key);

	return cache_arith(&verb_rig.cache, &verb_rig.local, &k, spec,
	    verb_rig.x.now, out);
}

enum result
verb_delete_as(const char *key, const struct delete_spec *spec)
{
	struct key k = rig_key(key);
	uint32_t size;

	return cache_delete(&verb_rig.cache, &verb_rig.local, &k, spec,
	    verb_rig.x.now, &size);
}

enum result
verb_touch(const char *key, rel_time exptime)
{
	struct key k = rig_key(key);

	return cache_touch(&verb_rig.cache, &verb_rig.local, &k, exptime,
	    verb_rig.x.now);
}
