/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * model.c - a naive cache: a list of keys.
 */
#include "config.h"

#include "model.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool
model_expired(const struct model *m, const struct known *k)
{
	return k->exptime != 0 && k->exptime <= m->now;
}

struct known *
model_look(struct model *m, unsigned i, enum found *why)
{
	struct known *k = &m->known[i];

	*why = FOUND_NOTHING;
	if (!k->present)
		return NULL;
	*why = model_expired(m, k) ? FOUND_EXPIRED :
	    k->flushed             ? FOUND_FLUSHED :
				     FOUND;
	if (*why == FOUND)
		return k;
	k->present = false;
	return NULL;
}

void
model_put(struct model *m, struct known *k, const char *value, size_t n)
{
	memmove(k->value, value, n);
	k->len = n;
	k->present = true;
	k->flushed = k->stale = k->won = k->fetched = false;
	k->accessed = m->now;
}

bool
model_fits(const struct model *m, size_t key_len, size_t n, uint32_t flags)
{
	return 48 + (m->cas_enabled ? 8 : 0) + key_len + 1 +
	    (flags != 0 ? 4 : 0) + n + 2 <=
	    MODEL_ITEM_MAX;
}

static bool
matches(const struct model *m, const struct known *k, bool compare,
    uint64_t cas)
{
	return !compare || (m->cas_enabled && k->cas == cas && cas != 0);
}

static enum result
model_join(struct model *m, const struct model_request *q, struct known *k)
{
	size_t n = q->item.value_len;
	char value[2 * MODEL_ITEM_MAX];
	bool append = q->spec.mode == STORE_APPEND;

	if (!matches(m, k, q->spec.compare, q->spec.cas))
		return RESULT_EXISTS;
	if (!model_fits(m, q->item.key.len, k->len + n, k->client_flags))
		return RESULT_NOT_STORED;
	memcpy(value + (append ? 0 : n), k->value, k->len);
	memcpy(value + (append ? k->len : 0), q->value, n);
	model_put(m, k, value, k->len + n);
	return RESULT_STORED;
}

enum result
model_store(struct model *m, const struct model_request *q)
{
	const struct store_spec *spec = &q->spec;
	bool joins = spec->mode == STORE_APPEND || spec->mode == STORE_PREPEND;
	struct known *k = &m->known[q->i];
	enum found why;
	bool there = model_look(m, q->i, &why) != NULL, older;

	if (joins && there)
		return model_join(m, q, k);
	if (joins && !spec->vivify)
		return RESULT_NOT_STORED;
	if (!there && !joins && spec->compare && spec->mode != STORE_ADD)
		return RESULT_NOT_FOUND;
	if (!there && spec->mode == STORE_REPLACE)
		return RESULT_NOT_STORED;
	if (there && spec->mode == STORE_ADD)
		return RESULT_NOT_STORED;
	older = there && !matches(m, k, spec->compare, spec->cas);
	if (older &&
	    !(spec->stale_if_older && spec->cas != 0 && spec->cas < k->cas &&
		m->cas_enabled))
		return RESULT_EXISTS;
	if (older) {
		bool won = k->won;

		model_put(m, k, q->value, q->item.value_len);
		k->stale = true;
		k->won = won;
	} else {
		model_put(m, k, q->value, q->item.value_len);
		k->exptime = joins ? spec->vivify_exptime : q->item.exptime;
	}
	k->client_flags = q->item.client_flags;
	k->binary = q->item.key.binary;
	return RESULT_STORED;
}

static void
model_win(struct known *k, const struct read_spec *spec, rel_time before,
    struct hit *want)
{
	rel_time exptime = spec->recache_first ? before : k->exptime;

	want->stale = k->stale;
	want->taken = k->won;
	want->won = !k->won &&
	    (k->stale || (exptime != 0 && exptime < spec->recache_until));
	k->won = k->won || want->won;
}

struct hit
model_hit(struct model *m, struct known *k, const struct read_spec *spec)
{
	struct hit want = {
		.why = FOUND,
		.value_len = (uint32_t)k->len,
		.client_flags = k->client_flags,
		.cas = k->cas,
		.exptime = k->exptime,
		.accessed = k->accessed,
		.fetched = k->fetched,
		.binary_key = k->binary,
	};

	if (!spec->peek) {
		k->fetched = true;
		k->accessed = m->now;
	}
	if (spec->touch)
		k->exptime = spec->exptime;
	if (spec->meta)
		model_win(k, spec, want.exptime, &want);
	return want;
}

/* Whether the C library takes the value for a number, as memcached does. */
static bool
is_number(const struct known *k, uint64_t *n)
{
	char text[MODEL_ITEM_MAX + 1], *end;
	const char *at = text;

	memcpy(text, k->value, k->len);
	text[k->len] = '\0';
	errno = 0;
	*n = strtoull(text, &end, 10);
	while (isspace((unsigned char)*at))
		at++;
	return errno == 0 && end != text && *at != '-' &&
	    (*end == '\0' || isspace((unsigned char)*end));
}

enum result
model_arith(struct model *m, struct known *k, const struct arith_spec *spec,
    uint64_t *n)
{
	char digits[32];
	size_t len;

	if (spec->compare && (!m->cas_enabled || spec->cas != k->cas))
		return RESULT_EXISTS;
	if (!is_number(k, n))
		return RESULT_NOT_A_NUMBER;
	if (!spec->decrement)
		*n += spec->delta;
	else
		*n = *n > spec->delta ? *n - spec->delta : 0;
	len = (size_t)sprintf(digits, "%" PRIu64, *n);
	while (k->len < len)
		k->value[k->len++] = ' ';
	memset(k->value, ' ', k->len);
	memcpy(k->value, digits, len);
	k->accessed = m->now;
	if (spec->touch)
		k->exptime = spec->exptime;
	return RESULT_STORED;
}

void
model_make_number(struct model *m, struct known *k,
    const struct arith_spec *spec, uint64_t *n)
{
	char digits[32];

	*n = spec->initial;
	model_put(m, k, digits, (size_t)sprintf(digits, "%" PRIu64, *n));
	k->exptime = spec->vivify_exptime;
	k->client_flags = 0;
}
