/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cache_delete.c - delete, md.
 */
#include "config.h"

#include <string.h>

#include "cache/cache.h"
#include "cache/held.h"

/*
 * The same item with its number in a field of its own, or without its value.
 * Private; made without the lock, since the value may be large.
 */
static struct item *
remake(struct cache *c, struct store_local *l, const struct key *key,
    const struct held *old, const struct delete_spec *spec, uint64_t cas,
    rel_time now, enum result *why)
{
	struct item_spec made = {
		.key = { .data = key->data,
		    .len = key->len,
		    .binary = old->binary_key,
		    .hash = key->hash },
		.value_len = spec->clear ? 0 : old->value_len,
		.client_flags = spec->clear ? spec->client_flags :
					      old->client_flags,
		.own_cas = true,
	};
	struct item *it = cache_prepare(c, l, &made, now, why);

	if (it == NULL)
		return NULL;
	memcpy(it->data, &cas, sizeof(cas));
	memcpy(item_value(it), old->value, made.value_len);
	return it;
}

/* Marks stale in place; the number moves with it. */
static void
mark_stale(struct shard *s, struct place at, struct item *it,
    const struct delete_spec *spec, rel_time now) REQUIRES(s->lock)
{
	uint64_t seq = store_next_seq(s->store);

	if (it->word & ITEM_CAS) {
		uint64_t cas = spec->own_cas ? spec->new_cas : seq;

		memcpy(it->data, &cas, sizeof(cas));
	} else {
		it->word &= ((uint64_t)1 << ITEM_SEQ_SHIFT) - 1;
		it->word |= seq << ITEM_SEQ_SHIFT;
	}
	it->word |= ITEM_STALE;
	it->word &= ~(uint64_t)ITEM_WON;
	if (spec->touch)
		shard_touch(s, at, it, spec->exptime, now);
}

/* Puts a remade item in the place of the old one. */
static void
swap(struct shard *s, struct store_local *l, struct place at, struct item *old,
    struct item *it, const struct delete_spec *spec, rel_time now)
    REQUIRES(s->lock)
{
	it->word |= spec->stale ? ITEM_STALE : 0;
	it->exptime = spec->clear ? 0 : old->exptime;
	if (spec->touch)
		it->exptime = spec->exptime;
	if (!spec->clear)
		it->word |= old->word & ITEM_FETCHED;
	shard_replace(s, l, at, old, it, now);
	if (!spec->clear)
		it->accessed = old->accessed;
	if (spec->clear)
		s->counted[SHARD_COUNTER_total_items]++;
	if (spec->clear && !spec->stale)
		shard_class(s, it)->event[CLASS_DELETE_HITS]++;
}

/* Whether the item has to be made anew: it can't change where it stands. */
static bool
needs_remake(const struct delete_spec *spec, const struct item *it)
{
	return spec->clear ||
	    (spec->stale && spec->own_cas && !(it->word & ITEM_CAS));
}

/* Pins, remakes without the lock, swaps.  MISS asks for another try. */
static enum result
remake_and_swap(struct cache *c, struct store_local *l, const struct key *key,
    const struct held *old, const struct delete_spec *spec, uint64_t cas,
    rel_time now)
{
	struct shard *s = store_shard(c->store, key->hash);
	enum result res;
	enum found why;
	struct place at;
	struct item *it = remake(c, l, key, old, spec, cas, now, &res);

	if (it == NULL)
		return RESULT_NO_MEMORY;
	shard_lock(s);
	if (shard_find(s, l, key, now, &at, &why) == old->item &&
	    item_cas(old->item) == old->cas) {
		swap(s, l, at, old->item, it, spec, now);
		res = RESULT_DELETED;
		it = NULL;
	} else {
		res = RESULT_MISS;
	}
	shard_unlock(s, l);
	if (it != NULL)
		store_item_release(l, it);
	return res;
}

static enum result
try_delete(struct cache *c, struct store_local *l, const struct key *key,
    const struct delete_spec *spec, rel_time now, uint32_t *size)
{
	struct shard *s = store_shard(c->store, key->hash);
	enum result res = RESULT_DELETED;
	bool remade = false;
	uint64_t cas = 0;
	struct held old;
	enum found why;
	struct place at;
	struct item *it;

	shard_lock(s);
	it = shard_find(s, l, key, now, &at, &why);
	if (it == NULL) {
		res = RESULT_NOT_FOUND;
	} else if (spec->compare &&
	    (!c->cas_enabled || item_cas(it) != spec->cas)) {
		res = RESULT_EXISTS;
	} else if (needs_remake(spec, it)) {
		*size = it->value_len;
		cas = spec->own_cas ? spec->new_cas :
		    spec->stale     ? store_next_seq(c->store) :
				      item_cas(it);
		remade = held_take(&old, it);
		res = RESULT_BUSY;
	} else if (spec->stale) {
		mark_stale(s, at, it, spec, now);
	} else {
		*size = it->value_len;
		shard_class(s, it)->event[CLASS_DELETE_HITS]++;
		shard_remove(s, l, key->hash, at, it);
	}
	shard_unlock(s, l);
	if (!remade)
		return res;
	res = remake_and_swap(c, l, key, &old, spec, cas, now);
	store_item_release(l, old.item);
	return res;
}

enum result
cache_delete(struct cache *c, struct store_local *l, const struct key *key,
    const struct delete_spec *spec, rel_time now, uint32_t *size)
{
	enum result res;

	*size = 0;
	do
		res = try_delete(c, l, key, spec, now, size);
	while (res == RESULT_MISS);
	return res;
}
