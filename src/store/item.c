/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * item.c - a stored value, and its layout.
 */
#include "config.h"

#include "store/item.h"

#include <string.h>

#include "base/attr.h"
#include "base/check.h"

static uint64_t
bits_for(const struct item_spec *spec)
{
	const struct item_extra *e = spec->extra;
	uint64_t bits = (spec->own_cas ? ITEM_CAS : 0) |
	    (spec->client_flags != 0 ? ITEM_FLAGS : 0) |
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
	if (spec->client_flags != 0)
		p = put(p, &spec->client_flags, sizeof(spec->client_flags));
	if (e != NULL && e->grace != 0)
		p = put(p, &e->grace, sizeof(e->grace));
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
	it->exptime = spec->exptime;
	it->accessed = 0;
	it->value_len = spec->value_len;
	atomic_init(&it->refs, 0x100 | (uint32_t)spec->key.len);
	put_fields(it, spec);
	memcpy(it->data + item_fields(it->word), spec->key.data, spec->key.len);
	return it;
}
