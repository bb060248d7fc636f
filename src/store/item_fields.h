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

#include "base/check.h"
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

/* A field of 4 bytes, which stands behind those of `before`; 0 without it. */
static inline uint32_t
item_field(const struct item *it, uint64_t field, uint64_t before)
{
	uint32_t v = 0;

	if (it->word & field)
		memcpy(&v, it->data + item_field_bytes[it->word & before],
		    sizeof(v));
	return v;
}

enum {
	ITEM_NUMBERS = ITEM_CAS | ITEM_BIRTH | ITEM_VERSION,
};

/* When it expires; 0 never. */
static inline rel_time
item_exptime(const struct item *it)
{
	return item_field(it, ITEM_EXPTIME, ITEM_NUMBERS);
}

/* Without room for an exptime it must be 0. */
static inline void
item_set_exptime(struct item *it, rel_time exptime)
{
	DCHECK(exptime == 0 || it->word & ITEM_EXPTIME);
	if (it->word & ITEM_EXPTIME)
		memcpy(it->data + item_numbers(it->word), &exptime,
		    sizeof(exptime));
}

static inline uint32_t
item_client_flags(const struct item *it)
{
	return item_field(it, ITEM_FLAGS, ITEM_NUMBERS | ITEM_EXPTIME);
}

/* Seconds that an expired value is kept as stale. */
static inline uint32_t
item_grace(const struct item *it)
{
	return item_field(it, ITEM_GRACE,
	    ITEM_NUMBERS | ITEM_EXPTIME | ITEM_FLAGS);
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
	rel_time exptime = item_exptime(it);

	return exptime != 0 && exptime <= now;
}

/* When time kills the item: the end of its grace; 0 never. */
static inline rel_time
item_end(const struct item *it)
{
	rel_time exptime = item_exptime(it);

	if (LIKELY(!(it->word & ITEM_GRACE)) || exptime <= CLOCK_LONG_AGO)
		return exptime;
	return exptime < UINT32_MAX - item_grace(it) ?
	    exptime + item_grace(it) :
	    UINT32_MAX;
}

/* Whether time has killed the item. */
static inline bool
item_is_expired(const struct item *it, rel_time now)
{
	return item_is_overdue(it, now) &&
	    (LIKELY(!(it->word & ITEM_GRACE)) || item_end(it) <= now);
}

/*
 * When an item was last accessed: two bits for a unit (1 s, 64 s, 4096 s, 2^18
 * s) and 14 bits of the time in it.  item_grow_old() moves what has not been
 * accessed for 8192 units to the next one, so that the time is exact for more
 * than two hours and then off by less than 1 %.  The sweep calls it for all
 * items every ITEM_AGING seconds, before 14 bits run over.
 */
enum {
	ITEM_AGING = 4096,
	ITEM_AGE_BITS = 14,
	ITEM_AGE_MASK = (1 << ITEM_AGE_BITS) - 1,
	ITEM_AGE_OLD = 8192,
	/* Clocks of two threads' batches may differ: nothing is that old. */
	ITEM_AGE_FUTURE = ITEM_AGE_MASK - 64,
};

static inline void
item_set_accessed(struct item *it, rel_time now)
{
	it->accessed = now & ITEM_AGE_MASK;
}

static inline rel_time
item_accessed(const struct item *it, rel_time now)
{
	unsigned shift = 6 * (unsigned)(it->accessed >> ITEM_AGE_BITS);
	rel_time age = ((now >> shift) - it->accessed) & ITEM_AGE_MASK;

	if (UNLIKELY(age > ITEM_AGE_FUTURE))
		return now;
	return ((now >> shift) - age) << shift;
}

void item_grow_old(struct item *it, rel_time now);

/* Sets birth and load time of an item that has room for them; else nothing. */
void item_set_birth(struct item *it, uint64_t birth, uint32_t load_ms);

/* What the item has of it, to make another item like it. */
void item_extra_of(const struct item *it, struct item_extra *extra);

#endif
