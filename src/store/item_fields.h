/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * item_fields.h - the optional fields of an item; item.h has the layout.
 *
 * Included by item.h alone.
 *
 * Layer: store.
 */
#ifndef STORE_ITEM_FIELDS_H
#define STORE_ITEM_FIELDS_H

#include "store/item.h"

static inline unsigned
item_tags(const struct item *it)
{
	return it->word >> ITEM_TAGS_SHIFT & 0xf;
}

/* The slot of tag number i. */
static inline uint32_t
item_tag(const struct item *it, unsigned i)
{
	size_t at = item_fields(it->word) - 4 * (size_t)(item_tags(it) - i);
	uint32_t slot;

	memcpy(&slot, it->data + at, sizeof(slot));
	return slot;
}

/* Seconds that an expired value is kept as stale. */
static inline uint32_t
item_grace(const struct item *it)
{
	uint32_t grace = 0;

	if (it->word & ITEM_GRACE)
		memcpy(&grace,
		    it->data + item_numbers(it->word) +
			(it->word & ITEM_FLAGS ? 4 : 0),
		    sizeof(grace));
	return grace;
}

/* The source's version; meaningful with ITEM_VERSION only. */
static inline uint64_t
item_version(const struct item *it)
{
	uint64_t version = 0;

	if (it->word & ITEM_VERSION)
		memcpy(&version, it->data + item_numbers(it->word) - 8,
		    sizeof(version));
	return version;
}

/* The number that tag clocks are compared with. */
static inline uint64_t
item_birth(const struct item *it)
{
	uint64_t birth;

	if (!(it->word & ITEM_BIRTH))
		return item_stored(it);
	memcpy(&birth, it->data + (it->word & ITEM_CAS ? 8 : 0), sizeof(birth));
	return birth >> ITEM_SEQ_SHIFT;
}

/* Milliseconds that the load of the value took; 0: not known. */
static inline uint32_t
item_load_ms(const struct item *it)
{
	uint64_t birth;

	if (!(it->word & ITEM_BIRTH))
		return 0;
	memcpy(&birth, it->data + (it->word & ITEM_CAS ? 8 : 0), sizeof(birth));
	return (uint32_t)(birth & ITEM_LOAD_MAX);
}

/* Whether the exptime has passed; in its grace the item is stale, not dead. */
static inline bool
item_is_overdue(const struct item *it, rel_time now)
{
	return it->exptime != 0 && it->exptime <= now;
}

/* When time kills the item: the end of its grace; 0 never. */
static inline rel_time
item_end(const struct item *it)
{
	if (LIKELY(!(it->word & ITEM_GRACE)) || it->exptime <= CLOCK_LONG_AGO)
		return it->exptime;
	return it->exptime < UINT32_MAX - item_grace(it) ?
	    it->exptime + item_grace(it) :
	    UINT32_MAX;
}

/* Whether time has killed the item. */
static inline bool
item_is_expired(const struct item *it, rel_time now)
{
	return item_is_overdue(it, now) &&
	    (LIKELY(!(it->word & ITEM_GRACE)) || item_end(it) <= now);
}

/* Sets birth and load time of an item that has room for them; else nothing. */
void item_set_birth(struct item *it, uint64_t birth, uint32_t load_ms);

/* What the item has of it, to make another item like it. */
void item_extra_of(const struct item *it, struct item_extra *extra);

#endif
