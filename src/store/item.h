/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * item.h - a stored value, and its layout.
 *
 *	 0        8           12     14         16
 *	+--------+-----------+------+----------+---
 *	| word   | lengths   | refs | accessed | ...
 *	+--------+-----------+------+----------+---
 *	... [cas 8] [birth 8] [version 8] [exptime 4] [client_flags 4]
 *	... [grace 4] [value_len 4] [tags 4n] key value
 *
 * word = number of the store (43 bits) << 21 | bits.  The fields in brackets
 * are there when their bit is set, so that a plain item pays for none of them.
 * Items are aligned to 4 bytes.
 *
 *	lengths  of the value << 8 | of the key; a value of 16 MiB and more has
 *	         a field for its length
 *	accessed when it was last read or stored: see item_accessed()
 *	exptime  there when the item was stored with one, or given one later
 *	birth    the number of the grant that allowed the store, << 21 | the
 *	         milliseconds that its load took; without it: the store's number
 *	version  the source's own version of the value
 *	grace    seconds past the exptime in which the value is kept as stale
 *	tags     the slots of up to 9 tag clocks (store/clocks.h)
 *
 * Key, value, these fields and their lengths never change once the item is
 * linked: a write publishes a new item, and so does a touch that needs room
 * for an exptime.  word, exptime, accessed and cas are not content; the lock
 * of the item's shard guards them.
 *
 * The table owns one reference.  A reader that needs the value after it drops
 * the lock takes its own, and reads key and value only.
 *
 * Layer: store.
 */
#ifndef STORE_ITEM_H
#define STORE_ITEM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/attr.h"
#include "base/clock.h"

enum { KEY_MAX = 250 };
#define VALUE_MAX ((uint64_t)1 << 30)

/* A key as it came in a request; `data` belongs to the caller. */
struct key {
	const char *data;
	size_t len;
	bool binary; /* stands on the wire in base64 */
	uint64_t hash;
};

enum item_bit {
	ITEM_CAS = 1 << 0,     /* a CAS number of its own: E, md I */
	ITEM_BIRTH = 1 << 1,   /* stored by a fill */
	ITEM_VERSION = 1 << 2, /* a version of its source */
	ITEM_GRACE = 1 << 3,
	ITEM_FLAGS = 1 << 4, /* client flags other than 0 */
	ITEM_EXPTIME = 1 << 5,
	ITEM_LONG = 1 << 6,  /* the length of the value in a field */
	ITEM_TAGS_SHIFT = 7, /* bits 7-10: how many tags */
	ITEM_TAGS = 0xf << 7,
	ITEM_FIELDS = 0x7ff,
	ITEM_BINARY_KEY = 1 << 11,
	ITEM_STALE = 1 << 12,    /* marked by md I or an older ms C I */
	ITEM_WON = 1 << 13,      /* a lease to refresh it is or was out */
	ITEM_FETCHED = 1 << 14,  /* read since it was stored */
	ITEM_LINKED = 1 << 15,   /* in its shard's table */
	ITEM_NEGATIVE = 1 << 16, /* known to be absent at the source (z) */
	ITEM_HITS_SHIFT = 17,    /* bits 17-20: see store/evict.h */
	ITEM_HITS = 0xf << 17,
	ITEM_SEQ_SHIFT = 21,
};

enum {
	ITEM_TAGS_MAX = 9, /* 8 of its writer's, and its prefix */
	ITEM_LOAD_MAX = (1 << ITEM_SEQ_SHIFT) - 1, /* ms, of a load */
	ITEM_SHORT_MAX = (1 << 24) - 1, /* longest value without ITEM_LONG */
	ITEM_REFS_MAX = 0xff00,
};

typedef uint64_t item_word __attribute__((aligned(4)));

struct item {
	item_word word;
	uint32_t lengths;
	_Atomic uint16_t refs;
	uint16_t accessed;
	char data[];
};

/* What few items have. */
struct item_extra {
	bool born;      /* `birth` is told; else it is the store's number */
	bool versioned; /* `version` is told */
	bool negative;
	uint8_t tags;
	uint32_t grace;   /* s */
	uint32_t load_ms; /* beside `birth` */
	uint64_t birth;
	uint64_t version;
	uint32_t tag[ITEM_TAGS_MAX]; /* slots */
};

/* What an item is made from. */
struct item_spec {
	struct key key;
	uint32_t value_len;
	uint32_t client_flags;
	bool own_cas;
	bool timed; /* room for an exptime, even if it has none now */
	rel_time exptime;
	const struct item_extra *extra; /* NULL: none of it */
};

/* Bytes of the item, and of the header and optional fields before the key. */
size_t item_size_for(const struct item_spec *spec);

/*
 * Lays out an item in `memory` (item_size_for() bytes) with one reference;
 * the value is the caller's to fill.
 */
struct item *item_init(void *memory, const struct item_spec *spec);

static inline size_t
item_key_len(const struct item *it)
{
	return it->lengths & 0xff;
}

/* Bytes of the fields that the bits below the tags stand for. */
extern const uint8_t item_field_bytes[1 << ITEM_TAGS_SHIFT];

/* Bytes before the exptime, and of all optional fields. */
static inline size_t
item_numbers(uint64_t word)
{
	return item_field_bytes[word & 7];
}

static inline size_t
item_fields(uint64_t word)
{
	return item_field_bytes[word & ((1 << ITEM_TAGS_SHIFT) - 1)] +
	    4 * (word >> ITEM_TAGS_SHIFT & 0xf);
}

static inline uint32_t
item_value_len(const struct item *it)
{
	uint32_t n = it->lengths >> 8;

	if (UNLIKELY(it->word & ITEM_LONG))
		memcpy(&n,
		    it->data + item_fields(it->word & ~(uint64_t)ITEM_TAGS) - 4,
		    sizeof(n));
	return n;
}

static inline const char *
item_key(const struct item *it)
{
	return it->data + item_fields(it->word);
}

static inline char *
item_value(struct item *it)
{
	return it->data + item_fields(it->word) + item_key_len(it);
}

static inline size_t
item_size(const struct item *it)
{
	return offsetof(struct item, data) + item_fields(it->word) +
	    item_key_len(it) + item_value_len(it);
}

/* The number of the store that made the item. */
static inline uint64_t
item_stored(const struct item *it)
{
	return it->word >> ITEM_SEQ_SHIFT;
}

static inline void
item_set_stored(struct item *it, uint64_t seq)
{
	it->word &= ((uint64_t)1 << ITEM_SEQ_SHIFT) - 1;
	it->word |= seq << ITEM_SEQ_SHIFT;
}

/* The number clients see. */
static inline uint64_t
item_cas(const struct item *it)
{
	uint64_t cas = item_stored(it);

	if (it->word & ITEM_CAS)
		memcpy(&cas, it->data, sizeof(cas));
	return cas;
}

static inline bool
item_has_key(const struct item *it, const struct key *key)
{
	return item_key_len(it) == key->len &&
	    memcmp(item_key(it), key->data, key->len) == 0;
}

/* Another reference; false when there are too many to count. */
static inline bool
item_ref(struct item *it)
{
	if (UNLIKELY(atomic_load_explicit(&it->refs, memory_order_relaxed) >=
		ITEM_REFS_MAX))
		return false;
	atomic_fetch_add_explicit(&it->refs, 1, memory_order_relaxed);
	return true;
}

/* Whether somebody beside the table refers to a linked item. */
static inline bool
item_is_held(const struct item *it)
{
	/* acquire: what a reader did before it let go has been done */
	return atomic_load_explicit(&it->refs, memory_order_acquire) > 1;
}

/* Gives a reference back; true when it was the last one. */
static inline bool
item_unref(struct item *it)
{
	/* acquire and release: the last one sees all that others did */
	return atomic_fetch_sub_explicit(&it->refs, 1, memory_order_acq_rel) ==
	    1;
}

#include "store/item_fields.h"

#endif
