/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * item.c - a stored value, and its layout.
 */
#include "config.h"

#include "store/item.h"

#include "base/check.h"

static uint64_t
bits_for(const struct item_spec *spec)
{
	return (spec->own_cas ? ITEM_CAS : 0) |
	    (spec->client_flags != 0 ? ITEM_FLAGS : 0) |
	    (spec->key.binary ? ITEM_BINARY_KEY : 0);
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
	if (spec->client_flags != 0)
		memcpy(it->data + (spec->own_cas ? 8 : 0), &spec->client_flags,
		    sizeof(spec->client_flags));
	memcpy(it->data + item_fields(it->word), spec->key.data, spec->key.len);
	return it;
}
