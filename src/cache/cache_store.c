/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cache_store.c - set, add, replace, append, prepend, cas, ms.
 */
#include "config.h"

#include <string.h>

#include "base/check.h"
#include "cache/cache.h"
#include "cache/held.h"

bool
cache_fits(const struct cache *c, size_t key_len, size_t value_len,
    uint32_t client_flags)
{
	/* memcached's items have no room for a number under -C. */
	size_t unused = c->cas_enabled ? 0 : sizeof(uint64_t);

	return value_len <= VALUE_MAX &&
	    sizeclass_item_size(key_len, value_len, client_flags) - unused <=
	    c->item_max;
}

struct item *
cache_prepare(struct cache *c, struct store_local *l,
    const struct item_spec *spec, rel_time now, enum result *why)
{
	struct item *it;

	*why = RESULT_TOO_LARGE;
	if (!cache_fits(c, spec->key.len, spec->value_len, spec->client_flags))
		return NULL;
	*why = RESULT_NO_MEMORY;
	it = store_reserve(l, item_size_for(spec), now) ?
	    store_item_new(l, spec) :
	    NULL;
	if (it != NULL)
		*why = RESULT_STORED;
	else
		cache_count(c, &spec->key, spec->value_len, spec->client_flags,
		    CLASS_OUT_OF_MEMORY);
	return it;
}

void
cache_count(struct cache *c, const struct key *key, size_t value_len,
    uint32_t client_flags, enum class_event event)
{
	struct shard *s = store_shard(c->store, key->hash);
	unsigned id = sizeclass_of(
	    sizeclass_item_size(key->len, value_len, client_flags));

	lock_take(&s->lock);
	s->cls[id].event[event]++;
	lock_drop(&s->lock);
}

enum match { MATCH, MATCH_OLDER, MATCH_NOT };

static enum match
compare(const struct cache *c, const struct store_spec *spec,
    const struct item *old)
{
	uint64_t cas = c->cas_enabled ? item_cas(old) : 0;

	if (!spec->compare || (spec->cas == cas && spec->cas != 0))
		return MATCH;
	if (spec->stale_if_older && spec->cas != 0 && spec->cas < cas)
		return MATCH_OLDER;
	return MATCH_NOT;
}

/* What becomes of a store when a value stands already. */
static enum result
judge(const struct cache *c, const struct store_spec *spec, struct shard *s,
    const struct item *old, enum match *match)
{
	*match = MATCH;
	if (spec->mode == STORE_ADD)
		return RESULT_NOT_STORED;
	*match = compare(c, spec, old);
	if (spec->compare &&
	    (spec->mode == STORE_SET || spec->mode == STORE_REPLACE))
		shard_class(s, old)
		    ->event[*match == MATCH_NOT ? CLASS_CAS_BADVAL :
						  CLASS_CAS_HITS]++;
	return *match == MATCH_NOT ? RESULT_EXISTS : RESULT_STORED;
}

static void
finish(struct cache *c, struct shard *s, struct item *it, struct stored *out)
{
	s->counted[SHARD_COUNTER_total_items]++;
	out->cas = c->cas_enabled ? item_cas(it) : 0;
	out->value_len = it->value_len;
}

static enum result
store_new_key(struct cache *c, struct store_local *l, struct shard *s,
    const struct key *key, struct item *it, const struct store_spec *spec,
    enum found why, rel_time now, struct stored *out) REQUIRES(s->lock)
{
	if (spec->compare && spec->mode != STORE_ADD)
		return RESULT_NOT_FOUND;
	if (spec->mode == STORE_REPLACE)
		return RESULT_NOT_STORED;
	if (!shard_insert(s, l, key->hash, it, now))
		return RESULT_NO_MEMORY;
	if (why != FOUND_NOTHING)
		s->counted[SHARD_COUNTER_reclaimed]++;
	finish(c, s, it, out);
	return RESULT_STORED;
}

/* set, add, replace, cas: the whole value came with the request. */
static enum result
store_whole(struct cache *c, struct store_local *l, const struct key *key,
    struct item *it, const struct store_spec *spec, rel_time now,
    struct stored *out)
{
	struct shard *s = store_shard(c->store, key->hash);
	enum match match;
	enum result res;
	enum found why;
	struct place at;
	struct item *old;

	shard_lock(s);
	shard_class(s, it)->event[CLASS_CMD_SET]++;
	old = shard_find(s, l, key, now, &at, &why);
	if (old == NULL) {
		res = store_new_key(c, l, s, key, it, spec, why, now, out);
	} else if ((res = judge(c, spec, s, old, &match)) == RESULT_STORED) {
		if (match == MATCH_OLDER) {
			it->word |= ITEM_STALE | (old->word & ITEM_WON);
			it->exptime = old->exptime;
		}
		shard_replace(s, l, at, old, it, now);
		finish(c, s, it, out);
	} else if (spec->mode == STORE_ADD) {
		shard_lift(s, at, old); /* as memcached: add bumps */
	}
	shard_unlock(s, l);
	if (res != RESULT_STORED)
		store_item_release(l, it);
	return res;
}

/* Old and new value in one new item; private, or NULL and why. */
static struct item *
join(struct cache *c, struct store_local *l, const struct key *key,
    const struct held *old, struct item *add, const struct store_spec *spec,
    rel_time now, enum result *why)
{
	bool append = spec->mode == STORE_APPEND;
	struct item_spec joined = {
		.key = { .data = key->data,
		    .len = key->len,
		    .binary = old->binary_key,
		    .hash = key->hash },
		.value_len = old->value_len + add->value_len,
		.client_flags = old->client_flags,
		.own_cas = spec->own_cas,
	};
	struct item *it = cache_prepare(c, l, &joined, now, why);
	char *value;

	if (it == NULL)
		return NULL;
	if (spec->own_cas)
		memcpy(it->data, &spec->new_cas, sizeof(uint64_t));
	value = item_value(it);
	memcpy(value + (append ? 0 : add->value_len), old->value,
	    old->value_len);
	memcpy(value + (append ? old->value_len : 0), item_value(add),
	    add->value_len);
	return it;
}

/* Replaces the pinned item by the joined one if it still stands. */
static enum result
put_joined(struct cache *c, struct store_local *l, const struct key *key,
    struct item *old, struct item *it, const struct store_spec *spec,
    rel_time now, struct stored *out)
{
	struct shard *s = store_shard(c->store, key->hash);
	enum result res = RESULT_MISS;
	enum found why;
	struct place at;

	shard_lock(s);
	if (shard_find(s, l, key, now, &at, &why) == old &&
	    compare(c, spec, old) != MATCH_NOT) {
		it->exptime = old->exptime;
		shard_replace(s, l, at, old, it, now);
		finish(c, s, it, out);
		res = RESULT_STORED;
	}
	shard_unlock(s, l);
	if (res != RESULT_STORED)
		store_item_release(l, it);
	return res;
}

/*
 * One try to append: the old value is pinned, joined without the lock, and
 * replaced if it still stands.  MISS asks for another try.
 */
static enum result
try_extend(struct cache *c, struct store_local *l, const struct key *key,
    struct item *add, const struct store_spec *spec, rel_time now,
    struct stored *out)
{
	struct shard *s = store_shard(c->store, key->hash);
	enum result res = RESULT_NOT_STORED;
	struct item *it;
	struct held old;
	enum match match;
	enum found why;
	struct place at;

	shard_lock(s);
	it = shard_find(s, l, key, now, &at, &why);
	if (it != NULL) {
		res = judge(c, spec, s, it, &match);
		if (res == RESULT_STORED && !held_take(&old, it))
			res = RESULT_BUSY;
	}
	shard_unlock(s, l);
	if (it == NULL || res != RESULT_STORED)
		return res;
	it = join(c, l, key, &old, add, spec, now, &res);
	if (it != NULL)
		res = put_joined(c, l, key, old.item, it, spec, now, out);
	store_item_release(l, old.item);
	return res;
}

static enum result
extend(struct cache *c, struct store_local *l, const struct key *key,
    struct item *add, const struct store_spec *spec, rel_time now,
    struct stored *out)
{
	enum result res;

	for (;;) {
		struct store_spec create = *spec;

		do
			res = try_extend(c, l, key, add, spec, now, out);
		while (res == RESULT_MISS);
		if (res != RESULT_NOT_STORED || !spec->vivify)
			break;
		create.mode = STORE_ADD;
		add->exptime = spec->vivify_exptime;
		/* store_whole() takes a reference that we need once more. */
		CHECK(item_ref(add));
		res = store_whole(c, l, key, add, &create, now, out);
		if (res != RESULT_NOT_STORED)
			break; /* else somebody stored meanwhile: append */
	}
	store_item_release(l, add);
	/* As memcached: what would be too large together is not stored. */
	return res == RESULT_TOO_LARGE ? RESULT_NOT_STORED : res;
}

enum result
cache_store(struct cache *c, struct store_local *l, const struct key *key,
    struct item *it, const struct store_spec *spec, rel_time now,
    struct stored *out)
{
	memset(out, 0, sizeof(*out));
	if (it->word & ITEM_CAS)
		memcpy(it->data, &spec->new_cas, sizeof(uint64_t));
	if (spec->mode == STORE_APPEND || spec->mode == STORE_PREPEND) {
		cache_count(c, key, it->value_len, item_client_flags(it),
		    CLASS_CMD_SET);
		return extend(c, l, key, it, spec, now, out);
	}
	return store_whole(c, l, key, it, spec, now, out);
}

void
cache_drop(struct cache *c, struct store_local *l, const struct key *key,
    rel_time now)
{
	struct shard *s = store_shard(c->store, key->hash);
	enum found why;
	struct place at;
	struct item *it;

	shard_lock(s);
	it = shard_find(s, l, key, now, &at, &why);
	if (it != NULL)
		shard_remove(s, l, key->hash, at, it);
	shard_unlock(s, l);
}
