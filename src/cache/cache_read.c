/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cache_read.c - get, gat, mg, touch.
 */
#include "config.h"

#include <string.h>

#include "cache/cache.h"

/*
 * Who recaches: a stale item, or one about to expire if the reader asks for
 * it, is won by the first reader; others learn that it is taken.
 */
static void
decide_win(struct item *it, const struct read_spec *spec, struct hit *hit)
{
	rel_time exptime = spec->recache_first ? hit->exptime : it->exptime;

	hit->stale = it->word & ITEM_STALE;
	hit->taken = it->word & ITEM_WON;
	if (hit->taken)
		return;
	if (hit->stale)
		hit->won = true;
	if (exptime != 0 && exptime < spec->recache_until)
		hit->won = true;
	if (hit->won)
		it->word |= ITEM_WON;
}

/* False when the value can't be pinned. */
static bool
snapshot(struct cache *c, struct item *it, const struct read_spec *spec,
    char *buffer, struct hit *hit)
{
	hit->why = FOUND;
	hit->value_len = it->value_len;
	hit->client_flags = item_client_flags(it);
	hit->cas = c->cas_enabled ? item_cas(it) : 0;
	hit->exptime = it->exptime;
	hit->accessed = it->accessed;
	hit->fetched = it->word & ITEM_FETCHED;
	hit->binary_key = it->word & ITEM_BINARY_KEY;
	if (!spec->want_value)
		return true;
	hit->value = item_value(it);
	if (it->value_len <= CACHE_COPY_MAX) {
		memcpy(buffer, hit->value, it->value_len);
		hit->value = buffer;
		return true;
	}
	if (!item_ref(it))
		return false;
	hit->pinned = it;
	return true;
}

/* Makes the empty item that stands for a load in progress. */
static enum result
vivify(struct cache *c, struct store_local *l, struct shard *s,
    const struct key *key, const struct read_spec *spec, rel_time now,
    struct hit *hit) REQUIRES(s->lock)
{
	struct item_spec stub = {
		.key = *key,
		.own_cas = spec->vivify_cas != 0,
		.exptime = spec->vivify_exptime,
	};
	struct item *it = store_item_new(l, &stub);

	if (it == NULL)
		return RESULT_NO_MEMORY;
	if (stub.own_cas)
		memcpy(it->data, &spec->vivify_cas, sizeof(uint64_t));
	if (!shard_insert(s, l, key->hash, it, now)) {
		if (item_unref(it))
			store_doom(l, it);
		return RESULT_NO_MEMORY;
	}
	s->counted[SHARD_COUNTER_total_items]++;
	shard_class(s, it)->event[CLASS_GET_HITS]++;
	it->word |= ITEM_WON | (spec->peek ? 0 : ITEM_FETCHED);
	hit->why = FOUND;
	hit->made = hit->won = true;
	hit->cas = c->cas_enabled ? item_cas(it) : 0;
	hit->accessed = now;
	hit->binary_key = key->binary;
	hit->value = "";
	return RESULT_HIT;
}

enum result
cache_read(struct cache *c, struct store_local *l, const struct key *key,
    const struct read_spec *spec, rel_time now, char *buffer, struct hit *hit)
{
	struct shard *s = store_shard(c->store, key->hash);
	enum result res = RESULT_HIT;
	enum class_event event;
	bool room = true;
	struct place at;
	struct item *it;

	memset(hit, 0, sizeof(*hit));
	if (UNLIKELY(spec->vivify))
		room = store_reserve(l, sizeof(struct item) + key->len + 8,
		    now);
	shard_lock(s);
	it = shard_find(s, l, key, now, &at, &hit->why);
	if (it == NULL) {
		res = RESULT_MISS;
		if (spec->vivify)
			res = room ? vivify(c, l, s, key, spec, now, hit) :
				     RESULT_NO_MEMORY;
	} else if (!snapshot(c, it, spec, buffer, hit)) {
		res = RESULT_BUSY;
	} else {
		if (!spec->peek)
			shard_hit(s, at, it, now);
		if (spec->touch)
			shard_touch(s, at, it, spec->exptime, now);
		if (spec->meta)
			decide_win(it, spec, hit);
		event = spec->touch ? CLASS_TOUCH_HITS : CLASS_GET_HITS;
		shard_class(s, it)->event[event]++;
	}
	shard_unlock(s, l);
	return res;
}

bool
cache_note(struct cache *c, struct store_local *l, const struct key *key,
    rel_time now, struct item_note *note)
{
	struct shard *s = store_shard(c->store, key->hash);
	enum found why;
	struct place at;
	struct item *it;

	shard_lock(s);
	it = shard_find(s, l, key, now, &at, &why);
	if (it != NULL) {
		item_note_fill(note, it);
		if (!c->cas_enabled)
			note->cas = 0;
	}
	shard_unlock(s, l);
	return it != NULL;
}

enum result
cache_touch(struct cache *c, struct store_local *l, const struct key *key,
    rel_time exptime, rel_time now)
{
	struct shard *s = store_shard(c->store, key->hash);
	enum found why;
	struct place at;
	struct item *it;

	shard_lock(s);
	it = shard_find(s, l, key, now, &at, &why);
	if (it != NULL) {
		shard_hit(s, at, it, now);
		shard_touch(s, at, it, exptime, now);
		shard_class(s, it)->event[CLASS_TOUCH_HITS]++;
	}
	shard_unlock(s, l);
	return it != NULL ? RESULT_TOUCHED : RESULT_NOT_FOUND;
}
