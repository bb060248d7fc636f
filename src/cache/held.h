/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * held.h - an item pinned so that a new one can be made from it.
 *
 * What changes under the shard's lock is copied while the lock is held; key
 * and value of a pinned item never change and may be read without it.
 *
 * Layer: cache.
 */
#ifndef CACHE_HELD_H
#define CACHE_HELD_H

#include <stdbool.h>
#include <stdint.h>

#include "store/item.h"

struct held {
	struct item *item; /* one reference: store_item_release() */
	const char *value;
	uint32_t value_len;
	uint32_t client_flags;
	bool binary_key;
	bool own_cas;
	bool timed;   /* has room for an exptime */
	uint64_t cas; /* as it was then */
	struct item_extra extra;
};

/* Under the shard's lock.  False when too many readers hold the item. */
static inline bool
held_take(struct held *h, struct item *it)
{
	if (!item_ref(it))
		return false;
	h->item = it;
	h->value = item_value(it);
	h->value_len = item_value_len(it);
	h->client_flags = item_client_flags(it);
	h->binary_key = it->word & ITEM_BINARY_KEY;
	h->own_cas = it->word & ITEM_CAS;
	h->timed = it->word & ITEM_EXPTIME;
	h->cas = item_cas(it);
	item_extra_of(it, &h->extra);
	return true;
}

#endif
