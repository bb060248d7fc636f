/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cache_delete.c - delete, md.
 */
#include "config.h"

#include <string.h>

#include "cache/cache.h"
#include "cache/fill.h"
#include "cache/held.h"
#include "cache/retime.h"

/* One delete, while the shard is locked or an item is made anew. */
struct deleting {
	struct act st;
	const struct delete_spec *spec;
	struct standing old;
	struct lease *lease;
	uint32_t *size;
	struct held held; /* held.item != NULL: to be made anew */
	uint64_t cas;     /* of the new one */
};

/*
 * The same item with its number in a field of its own, without its grace, or
 * without its value.  Private; made without the lock, since the value may be
 * large.
 */
static struct item *
remake(const struct deleting *d, enum result *why)
{
	const struct act *st = &d->st;
	const struct delete_spec *spec = d->spec;
	struct item_extra extra = d->held.extra;
	struct item_spec made = {
		.key = { .data = st->key->data,
		    .len = st->key->len,
		    .binary = d->held.binary_key,
		    .hash = st->key->hash },
		.value_len = spec->clear ? 0 : d->held.value_len,
		.client_flags = spec->clear ? spec->client_flags :
					      d->held.client_flags,
		.own_cas = true,
		.timed = spec->touch || !spec->clear,
		.extra = &extra,
	};
	struct item *it;

	if (spec->touch)
		extra.grace = 0;
	/* What is only marked takes the place of the old one: room or not. */
	if (spec->clear)
		it = cache_prepare(st->c, st->l, &made, st->now, why);
	else
		it = store_item_new(st->l, &made);
	if (it == NULL)
		return NULL;
	memcpy(it->data, &d->cas, sizeof(d->cas));
	memcpy(item_value(it), d->held.value, made.value_len);
	return it;
}

/* Marks stale in place, with another number to show. */
static void
mark_stale(struct deleting *d, struct item *it, uint64_t seq)
    REQUIRES(d->st.s->lock)
{
	uint64_t cas = d->spec->own_cas ? d->spec->new_cas : seq;

	memcpy(it->data, &cas, sizeof(cas));
	it->word |= ITEM_STALE;
	if (d->spec->touch)
		shard_touch(d->st.s, d->old.at, it, d->spec->exptime,
		    d->st.now);
}

/* Puts a remade item in the place of the old one. */
static void
swap(struct deleting *d, struct item *it) REQUIRES(d->st.s->lock)
{
	const struct delete_spec *spec = d->spec;
	struct item *old = d->old.item;

	it->word |= (spec->stale ? ITEM_STALE : 0) | (old->word & ITEM_WON);
	item_set_exptime(it,
	    spec->touch     ? spec->exptime :
		spec->clear ? 0 :
			      item_exptime(old));
	shard_replace(d->st.s, d->st.l, d->old.at, old, it, d->st.now);
	/* It is no store: fills and tags go by the number of the old one. */
	if (!spec->clear)
		retime_take_over(it, old);
	else
		item_set_stored(it, item_stored(old));
	if (spec->clear)
		d->st.s->counted[SHARD_COUNTER_total_items]++;
	if (spec->clear && !spec->stale)
		shard_class(d->st.s, it)->event[CLASS_DELETE_HITS]++;
}

/* Whether the item has to be made anew: it can't change where it stands. */
static bool
needs_remake(const struct delete_spec *spec, const struct item *it)
{
	return spec->clear ||
	    (spec->stale &&
		(!(it->word & ITEM_CAS) ||
		    (spec->touch &&
			(it->word & ITEM_GRACE ||
			    retime_needed(it, spec->exptime)))));
}

static void
take_away(struct deleting *d) REQUIRES(d->st.s->lock)
{
	struct item *it = d->old.item;

	*d->size = item_value_len(it);
	shard_class(d->st.s, it)->event[CLASS_DELETE_HITS]++;
	shard_remove(d->st.s, d->st.l, d->st.key->hash, d->old.at, it);
}

/*
 * Pins, remakes without the lock, swaps.  MISS asks for another try.  For want
 * of memory an invalidation takes the value away: it never fails.
 */
static enum result
remake_and_swap(struct deleting *d)
{
	enum result res;
	struct item *it = remake(d, &res);

	if (it == NULL && !d->spec->stale)
		return RESULT_NO_MEMORY;
	res = RESULT_MISS;
	shard_lock(d->st.s);
	d->old = fill_look(&d->st);
	if (d->old.item == d->held.item &&
	    item_cas(d->old.item) == d->held.cas) {
		if (it != NULL)
			swap(d, it);
		else
			take_away(d);
		it = NULL;
		res = RESULT_DELETED;
	}
	act_end(&d->st);
	if (it != NULL)
		store_item_release(d->st.l, it);
	return res;
}

/* Takes the value away, or makes it stale. */
static enum result
do_away(struct deleting *d, uint64_t seq) REQUIRES(d->st.s->lock)
{
	const struct delete_spec *spec = d->spec;
	struct item *it = d->old.item;

	if (needs_remake(spec, it)) {
		*d->size = item_value_len(it);
		d->cas = spec->own_cas ? spec->new_cas :
		    spec->stale        ? seq :
					 item_cas(it);
		if (held_take(&d->held, it))
			return RESULT_MISS;
		if (!spec->stale)
			return RESULT_BUSY;
	} else if (spec->stale) {
		mark_stale(d, it, seq);
		return RESULT_DELETED;
	}
	take_away(d);
	return RESULT_DELETED;
}

/* Nothing below the version is valid; what is, stays, and so does a lease. */
static enum result
delete_versioned(struct deleting *d) REQUIRES(d->st.s->lock)
{
	const struct delete_spec *spec = d->spec;
	struct item *it = d->old.item;
	uint64_t seq;

	bool stays = it != NULL && it->word & ITEM_VERSION &&
	    item_version(it) >= spec->version;

	/* The floor remembers the value that stays, should it be lost. */
	fill_set_floor(&d->st, it, stays ? item_version(it) : spec->version,
	    spec->floor_until);
	seq = fill_move_clock(&d->st);
	return it == NULL || stays ? RESULT_DELETED : do_away(d, seq);
}

/* What is told of a value that not every reader sees. */
static enum result
delete_plain(struct deleting *d) REQUIRES(d->st.s->lock)
{
	const struct delete_spec *spec = d->spec;
	bool stub = d->lease != NULL && !d->lease->backoff;
	bool keep = d->st.c->leases->config->fault == FAULT_KEEP_TOKENS;
	enum result res = stub ? RESULT_DELETED : RESULT_NOT_FOUND;
	uint64_t seq = fill_invalidate(&d->st);
	bool absent = spec->classic && d->old.item != NULL &&
	    d->old.item->word & ITEM_NEGATIVE;

	if (d->old.item != NULL)
		res = do_away(d, seq);
	if (d->lease != NULL && !keep)
		lease_finish(&d->st, d->lease, LEASE_REVOKED);
	return absent && res == RESULT_DELETED ? RESULT_NOT_FOUND : res;
}

/* The number to compare: of a value, or the token of a lease to give up. */
static enum result
try_compared(struct deleting *d) REQUIRES(d->st.s->lock)
{
	const struct delete_spec *spec = d->spec;
	struct lease *lease = d->lease;

	if (d->old.item != NULL && d->st.c->cas_enabled &&
	    item_cas(d->old.item) == spec->cas)
		return spec->versioned ? delete_versioned(d) : delete_plain(d);
	if (lease_is(lease, spec->cas)) {
		lease_finish(&d->st, lease, LEASE_GIVEN_UP);
		return RESULT_DELETED;
	}
	return d->old.visible ? RESULT_EXISTS : RESULT_NOT_FOUND;
}

static enum result
try_delete(struct deleting *d)
{
	enum result res;

	d->held.item = NULL;
	shard_lock(d->st.s);
	d->old = fill_look(&d->st);
	d->lease = lease_find(&d->st);
	if (d->spec->compare)
		res = try_compared(d);
	else if (d->spec->versioned)
		res = delete_versioned(d);
	else
		res = delete_plain(d);
	act_end(&d->st);
	if (d->held.item == NULL)
		return res;
	res = remake_and_swap(d);
	store_item_release(d->st.l, d->held.item);
	return res;
}

enum result
cache_delete(struct cache *c, struct store_local *l, const struct key *key,
    const struct delete_spec *spec, rel_time now, uint32_t *size)
{
	struct deleting d = {
		.st = act_begin(c, l, key, now),
		.spec = spec,
		.size = size,
	};
	enum result res;

	*size = 0;
	do
		res = try_delete(&d);
	while (res == RESULT_MISS);
	return res;
}
