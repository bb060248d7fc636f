/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * item.c - a stored value, and its layout.
 */
#include "config.h"

#include "store/item.h"

#include <string.h>

#include "base/attr.h"
#include "base/check.h"

/* Three fields of 8 bytes, then four of 4. */
#define BYTES(bits)                                                            \
	(8 * (((bits)&1) + ((bits) >> 1 & 1) + ((bits) >> 2 & 1)) +            \
	    4 *                                                                \
		(((bits) >> 3 & 1) + ((bits) >> 4 & 1) + ((bits) >> 5 & 1) +   \
		    ((bits) >> 6 & 1)))
#define BYTES_4(b) BYTES(b), BYTES((b) + 1), BYTES((b) + 2), BYTES((b) + 3)
#define BYTES_16(b)                                                            \
	BYTES_4(b), BYTES_4((b) + 4), BYTES_4((b) + 8), BYTES_4((b) + 12)

const uint8_t item_field_bytes[1 << ITEM_TAGS_SHIFT] = { BYTES_16(0),
	BYTES_16(16), BYTES_16(32), BYTES_16(48), BYTES_16(64), BYTES_16(80),
	BYTES_16(96), BYTES_16(112) };

static uint64_t
bits_for(const struct item_spec *spec)
{
	const struct item_extra *e = spec->extra;
	uint64_t bits = (spec->own_cas ? ITEM_CAS : 0) |
	    (spec->client_flags != 0 ? ITEM_FLAGS : 0) |
	    (spec->timed || spec->exptime != 0 ? ITEM_EXPTIME : 0) |
	    (spec->value_len > ITEM_SHORT_MAX ? ITEM_LONG : 0) |
	    (spec->key.binary ? ITEM_BINARY_KEY : 0);

	if (LIKELY(e == NULL))
		return bits;
	return bits | (e->born ? ITEM_BIRTH : 0) |
	    (e->versioned ? ITEM_VERSION : 0) |
	    (e->grace != 0 ? ITEM_GRACE : 0) |
	    (e->negative ? ITEM_NEGATIVE : 0) |
	    (uint64_t)e->tags << ITEM_TAGS_SHIFT;
}

/* Appends a field and returns the end. */
static char *
put(char *p, const void *field, size_t n)
{
	memcpy(p, field, n);
	return p + n;
}

/* All optional fields but the CAS number, which cache/ sets. */
static void
put_fields(struct item *it, const struct item_spec *spec)
{
	const struct item_extra *e = spec->extra;
	char *p = it->data + (spec->own_cas ? 8 : 0);

	if (e != NULL && e->born) {
		item_set_birth(it, e->birth, e->load_ms);
		p += sizeof(e->birth);
	}
	if (e != NULL && e->versioned)
		p = put(p, &e->version, sizeof(e->version));
	if (it->word & ITEM_EXPTIME)
		p = put(p, &spec->exptime, sizeof(spec->exptime));
	if (spec->client_flags != 0)
		p = put(p, &spec->client_flags, sizeof(spec->client_flags));
	if (e != NULL && e->grace != 0)
		p = put(p, &e->grace, sizeof(e->grace));
	if (it->word & ITEM_LONG)
		p = put(p, &spec->value_len, sizeof(spec->value_len));
	if (e != NULL && e->tags != 0)
		put(p, e->tag, 4 * (size_t)e->tags);
}

void
item_set_birth(struct item *it, uint64_t birth, uint32_t load_ms)
{
	uint64_t field = birth << ITEM_SEQ_SHIFT |
	    (load_ms < ITEM_LOAD_MAX ? load_ms : ITEM_LOAD_MAX);

	if (it->word & ITEM_BIRTH)
		memcpy(it->data + (it->word & ITEM_CAS ? 8 : 0), &field,
		    sizeof(field));
}

void
item_grow_old(struct item *it, rel_time now)
{
	unsigned unit = it->accessed >> ITEM_AGE_BITS;
	rel_time at = item_accessed(it, now);

	if (unit == 3 || (now - at) >> 6 * unit < ITEM_AGE_OLD)
		return;
	unit++;
	it->accessed = (uint16_t)(unit << ITEM_AGE_BITS |
	    (at >> 6 * unit & ITEM_AGE_MASK));
}

void
item_extra_of(const struct item *it, struct item_extra *extra)
{
	*extra = (struct item_extra){
		/* what is made from it must not seem younger than it */
		.born = it->word & (ITEM_BIRTH | ITEM_TAGS),
		.versioned = it->word & ITEM_VERSION,
		.negative = it->word & ITEM_NEGATIVE,
		.tags = (uint8_t)item_tags(it),
		.grace = item_grace(it),
		.load_ms = item_load_ms(it),
		.birth = item_birth(it),
		.version = item_version(it),
	};
	for (unsigned i = 0; i < extra->tags; i++)
		extra->tag[i] = item_tag(it, i);
}

size_t
item_size_for(const struct item_spec *spec)
{
	return offsetof(struct item, data) + item_fields(bits_for(spec)) +
	    spec->key.len + spec->value_len;
}

struct item *
item_init(void *memory, const struct item_spec *spec)
{
	struct item *it = memory;

	CHECK(spec->key.len > 0 && spec->key.len <= KEY_MAX);
	CHECK(spec->value_len <= VALUE_MAX);
	it->word = bits_for(spec);
	it->lengths = (uint32_t)spec->key.len;
	if (!(it->word & ITEM_LONG))
		it->lengths |= spec->value_len << 8;
	atomic_init(&it->refs, 1);
	it->accessed = 0;
	put_fields(it, spec);
	memcpy(it->data + item_fields(it->word), spec->key.data, spec->key.len);
	return it;
}
