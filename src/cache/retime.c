/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * retime.c - an exptime for an item that was stored without one.
 */
#include "config.h"

#include "cache/retime.h"

#include <string.h>

#include "cache/cache.h"
#include "cache/fill.h"

/* Private; made without the lock, since the value may be large. */
static struct item *
make(struct act *st, const struct held *held)
{
	struct item_spec spec = {
		.key = *st->key,
		.value_len = held->value_len,
		.client_flags = held->client_flags,
		.own_cas = held->own_cas,
		.timed = true,
		.extra = &held->extra,
	};
	struct item *it;

	spec.key.binary = held->binary_key;
	/* A touch is not refused for want of room. */
	(void)!store_reserve(st->l, item_size_for(&spec), st->now);
	it = store_item_new(st->l, &spec);
	if (it == NULL)
		return NULL;
	if (spec.own_cas)
		memcpy(it->data, &held->cas, sizeof(held->cas));
	memcpy(item_value(it), held->value, held->value_len);
	return it;
}

void
retime_take_over(struct item *it, const struct item *old)
{
	it->word |= old->word & ITEM_FETCHED;
	it->accessed = old->accessed;
	item_set_stored(it, item_stored(old));
}

/* Puts the item in the place of the held one if that still stands. */
static void
put(struct act *st, const struct held *held, struct item *it)
{
	struct standing old;

	shard_lock(st->s);
	old = fill_look(st);
	if (old.item == held->item && item_cas(old.item) == held->cas) {
		it->word |= old.item->word & (ITEM_STALE | ITEM_WON);
		shard_replace(st->s, st->l, old.at, old.item, it, st->now);
		retime_take_over(it, old.item);
		it = NULL;
	}
	act_end(st);
	if (it != NULL)
		store_item_release(st->l, it);
}

bool
retime(struct act *st, struct held *held)
{
	struct item *it = make(st, held);

	if (it != NULL)
		put(st, held, it);
	store_item_release(st->l, held->item);
	return it != NULL;
}
