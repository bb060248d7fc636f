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

/* ---- what stands --------------------------------------------------------- */

static bool
has_passed(const struct model *m, rel_time t)
{
	return t != 0 && t <= m->now;
}

/* When the item is of no more use to anybody. */
static rel_time
end_of(const struct known *k)
{
	return k->exptime <= CLOCK_LONG_AGO ? k->exptime :
					      k->exptime + k->grace;
}

/* Whatever is older than this may not come in any more. */
static void
forget_before(struct known *k, uint64_t event)
{
	if (k->clock < event)
		k->clock = event;
}

void
model_lose(struct known *k)
{
	if (k->present)
		forget_before(k, k->stored);
	k->present = false;
}

static bool
has_dead_tag(const struct model *m, const struct known *k)
{
	for (unsigned t = 0; t < MODEL_TAGS; t++)
		if (k->tags >> t & 1 && m->tag[t] > k->birth)
			return true;
	return false;
}

struct known *
model_look(struct model *m, unsigned i, enum found *why)
{
	struct known *k = &m->known[i];

	*why = FOUND_NOTHING;
	if (!k->present)
		return NULL;
	if (has_passed(m, end_of(k)))
		*why = FOUND_EXPIRED;
	else if (k->stored <= m->flushed)
		*why = FOUND_FLUSHED;
	else if (has_dead_tag(m, k))
		*why = FOUND_UNTAGGED;
	else if (has_passed(m, k->exptime))
		*why = FOUND_GRACE;
	else
		*why = k->negative ? FOUND_NEGATIVE : FOUND;
	if (found_stands(*why))
		return k;
	model_lose(k);
	return NULL;
}

struct known *
model_see(struct model *m, unsigned i, enum found *why)
{
	struct known *k = model_look(m, i, why);

	return *why == FOUND ? k : NULL;
}

static void
put(struct model *m, struct known *k, const char *value, size_t n)
{
	memmove(k->value, value, n);
	k->len = n;
	k->present = true;
	k->accessed = m->now;
	k->stored = ++m->event;
}

/* An item that takes over nothing. */
static void
put_new(struct model *m, struct known *k, const char *value, size_t n)
{
	put(m, k, value, n);
	k->stale = k->fetched = k->negative = k->versioned = false;
	k->client_flags = k->grace = 0;
	k->exptime = 0;
	k->version = 0;
	k->tags = 0;
	k->birth = k->stored;
}

bool
model_fits(const struct model *m, size_t key_len, size_t n, uint32_t flags)
{
	return 48 + (m->cas_enabled ? 8 : 0) + key_len + 1 +
	    (flags != 0 ? 4 : 0) + n + 2 <=
	    MODEL_ITEM_MAX;
}

/* ---- leases, clocks, floors ---------------------------------------------- */

bool
model_is_led(const struct model *m, const struct known *k)
{
	return (k->leased || k->spared) && k->until > m->now_ms;
}

void
model_grant(struct model *m, struct known *k, uint64_t token, uint64_t ms)
{
	k->leased = true;
	k->spared = false;
	k->token = token;
	k->granted = m->now_ms;
	k->until = m->now_ms + ms;
	k->last_given = (k->last_given + 1) % MODEL_TOKENS;
	k->given[k->last_given] = (struct model_token){ token, ++m->event };
}

uint64_t
model_grant_of(const struct known *k, uint64_t token)
{
	for (unsigned i = 0; token != 0 && i < MODEL_TOKENS; i++)
		if (k->given[i].token == token)
			return k->given[i].event;
	return 0;
}

/* Nobody waits here, so a lease that ends is gone; a back-off lasts. */
static void
end_lease(struct known *k)
{
	k->leased = false;
}

void
model_pass(struct model *m, uint64_t now_ms)
{
	m->now_ms = now_ms;
	m->now = clock_rel(now_ms);
	for (unsigned i = 0; i < MODEL_KEYS; i++) {
		struct known *k = &m->known[i];

		if (k->floored && k->floor_until <= m->now) {
			k->floored = false;
			k->clock = ++m->event;
		}
	}
}

static void
move_base(struct model *m, struct known *k)
{
	if (k->floored)
		k->base = ++m->event;
}

void
model_invalidate(struct model *m, struct known *k)
{
	move_base(m, k);
	k->clock = ++m->event;
}

void
model_raise_floor(struct known *k, bool stands, uint64_t version,
    rel_time until)
{
	if (stands)
		forget_before(k, k->stored);
	if (!k->floored) {
		k->floored = true;
		k->floor = 0;
		k->floor_until = 0;
		k->base = k->clock;
	}
	if (k->floor < version)
		k->floor = version;
	if (k->floor_until < until)
		k->floor_until = until;
}

void
model_flush(struct model *m)
{
	m->flushed = ++m->event;
	for (unsigned i = 0; i < MODEL_KEYS; i++)
		end_lease(&m->known[i]);
}

/* ---- storing ------------------------------------------------------------- */

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
	put(m, k, value, k->len + n);
	k->fetched = false;
	move_base(m, k);
	return RESULT_STORED;
}

static enum result
refuse(struct stored *out, uint64_t version)
{
	out->versioned = true;
	out->version = version;
	return RESULT_REFUSED;
}

/* F5 to F4, for a token that was granted with that event. */
static enum result
judge_fill(struct model *m, const struct model_request *q, struct known *k,
    enum found why, uint64_t granted, struct stored *out)
{
	const struct store_spec *spec = &q->spec;
	bool readable = why == FOUND || why == FOUND_NEGATIVE;

	if (found_stands(why) && k->stored > granted)
		return RESULT_EXISTS;
	if (readable && !k->stale && spec->versioned && k->versioned &&
	    spec->version < k->version)
		return RESULT_EXISTS;
	if (m->flushed > granted)
		return RESULT_REFUSED;
	for (unsigned t = 0; t < MODEL_TAGS; t++)
		if (q->tags >> t & 1 && m->tag[t] > granted)
			return RESULT_REFUSED;
	if (!k->floored)
		return k->clock <= granted ? RESULT_STORED : RESULT_REFUSED;
	if (!spec->versioned || spec->version < k->floor)
		return refuse(out, k->floor);
	return k->base <= granted ? RESULT_STORED : RESULT_REFUSED;
}

/* A store that no token allows, where the mode and the number allow it. */
static enum result
judge_write(struct model *m, const struct store_spec *spec, struct known *k,
    enum found why, struct stored *out)
{
	uint64_t least = k->floored ? k->floor : 0;

	if (!spec->versioned)
		return k->floored ? refuse(out, least) : RESULT_STORED;
	if (found_stands(why) && k->versioned && k->version > least)
		least = k->version;
	if (spec->version >= least)
		return RESULT_STORED;
	model_raise_floor(k, found_stands(why), least, m->now + MODEL_FLOOR_S);
	return refuse(out, least);
}

static void
keep(struct model *m, const struct model_request *q, struct known *k,
    uint64_t birth)
{
	put_new(m, k, q->value, q->item.value_len);
	if (birth != 0)
		k->birth = birth;
	k->client_flags = q->item.client_flags;
	k->exptime = q->item.exptime;
	k->binary = q->item.key.binary;
	k->versioned = q->extra.versioned;
	k->version = q->extra.version;
	k->negative = q->extra.negative;
	k->grace = q->extra.grace;
	k->tags = q->tags;
}

/* What has expired on arrival is an invalidation. */
static void
store_nothing(struct model *m, const struct store_spec *spec, struct known *k,
    bool stands, bool fill)
{
	if (!spec->versioned)
		model_invalidate(m, k);
	else if (!fill)
		model_raise_floor(k, stands, spec->version,
		    m->now + MODEL_FLOOR_S);
	else if (k->floored && k->floor < spec->version)
		k->floor = spec->version;
	k->clock = ++m->event;
	k->present = false;
	if (k->leased)
		end_lease(k);
}

static enum result
store_value(struct model *m, const struct model_request *q, struct known *k,
    enum found why, uint64_t granted)
{
	bool stands = found_stands(why);

	if (has_passed(m, q->item.exptime)) {
		store_nothing(m, &q->spec, k, stands, granted != 0);
		return RESULT_STORED;
	}
	if (q->spec.versioned && granted == 0 && stands)
		forget_before(k, k->stored);
	keep(m, q, k, granted);
	if (!q->spec.versioned)
		move_base(m, k);
	else if (granted == 0)
		model_raise_floor(k, false, q->spec.version,
		    m->now + MODEL_FLOOR_S);
	else if (k->floored && k->floor < q->spec.version)
		k->floor = q->spec.version;
	k->leased = k->spared = false;
	return RESULT_STORED;
}

/* An older number with I: the value is kept as stale, where it is already. */
static enum result
store_older(struct model *m, const struct model_request *q, struct known *k)
{
	rel_time exptime = k->exptime;

	if (!k->stale)
		return RESULT_EXISTS;
	keep(m, q, k, 0);
	k->exptime = exptime;
	k->stale = true;
	return RESULT_STORED;
}

static enum result
try_fill(struct model *m, const struct model_request *q, struct known *k,
    enum found why, uint64_t granted, struct stored *out)
{
	enum result res = RESULT_NOT_STORED;

	if (q->spec.mode == STORE_SET || why == FOUND ||
	    q->spec.mode == STORE_ADD)
		res = judge_fill(m, q, k, why, granted, out);
	if (res == RESULT_STORED)
		return store_value(m, q, k, why, granted);
	if (k->leased && k->token == q->spec.cas && model_is_led(m, k))
		end_lease(k);
	return res;
}

/*
 * A versioned write that only refreshes needs something fresh, with a version
 * to compare.  It leaves a floor, and nothing fresh that is older or has no
 * version.
 */
static enum result
refuse_refresh(struct model *m, const struct store_spec *spec, struct known *k,
    enum found why)
{
	bool fresh = found_stands(why) && !k->stale && why != FOUND_GRACE;
	bool stays = fresh && k->versioned && k->version >= spec->version;

	model_raise_floor(k, found_stands(why),
	    stays ? k->version : spec->version, m->now + MODEL_FLOOR_S);
	k->clock = ++m->event;
	if (fresh && !stays)
		k->present = false;
	return RESULT_NOT_STORED;
}

static enum result
try_write(struct model *m, const struct model_request *q, struct known *k,
    enum found why, struct stored *out)
{
	const struct store_spec *spec = &q->spec;
	bool there = why == FOUND;
	enum result res;

	if (spec->versioned && spec->mode == STORE_REPLACE &&
	    !(there && !k->stale && k->versioned))
		return refuse_refresh(m, spec, k, why);
	if (!there && spec->compare && spec->mode != STORE_ADD)
		return RESULT_NOT_FOUND;
	if (!there && spec->mode == STORE_REPLACE)
		return RESULT_NOT_STORED;
	if (there && !matches(m, k, spec->compare, spec->cas))
		return m->cas_enabled && spec->stale_if_older &&
			spec->cas != 0 && spec->cas < k->cas ?
		    store_older(m, q, k) :
		    RESULT_EXISTS;
	res = judge_write(m, spec, k, why, out);
	return res == RESULT_STORED ? store_value(m, q, k, why, 0) : res;
}

enum result
model_store(struct model *m, const struct model_request *q, struct stored *out)
{
	struct model_request made = *q;
	bool joins = q->spec.mode == STORE_APPEND ||
	    q->spec.mode == STORE_PREPEND;
	struct known *k = &m->known[q->i];
	uint64_t granted = 0;
	enum found why;

	memset(out, 0, sizeof(*out));
	model_look(m, q->i, &why);
	if (joins && why == FOUND)
		return model_join(m, q, k);
	if (joins && !q->spec.vivify)
		return RESULT_NOT_STORED;
	if (joins) {
		made.spec.mode = STORE_ADD;
		made.item.exptime = q->spec.vivify_exptime;
	}
	if (made.spec.mode == STORE_ADD && why == FOUND) {
		if (q->spec.compare && q->spec.cas == k->token)
			end_lease(k);
		return RESULT_NOT_STORED;
	}
	if (q->spec.compare && (!found_stands(why) || k->cas != q->spec.cas))
		granted = model_grant_of(k, q->spec.cas);
	return granted != 0 ? try_fill(m, &made, k, why, granted, out) :
			      try_write(m, &made, k, why, out);
}

/* ---- reading ------------------------------------------------------------- */

/* Whether a reader may see what stands, and how: fresh or stale. */
static bool
is_shown(const struct read_spec *spec, const struct known *k, enum found why)
{
	const struct lead_spec *lead = spec->lead;

	if (lead == NULL)
		return why == FOUND;
	if (!found_stands(why) ||
	    ((why == FOUND_GRACE || k->negative) && !lead->aware))
		return false;
	return !lead->versioned ||
	    (k->versioned && k->version >= lead->version);
}

static void
show(struct model *m, struct known *k, const struct read_spec *spec,
    struct hit *want)
{
	want->value_len = (uint32_t)k->len;
	want->client_flags = k->client_flags;
	want->cas = k->cas;
	want->exptime = k->exptime;
	want->accessed = k->accessed;
	want->fetched = k->fetched;
	want->binary_key = k->binary;
	want->negative = k->negative;
	want->versioned = k->versioned;
	want->version = k->version;
	if (!spec->peek) {
		k->fetched = true;
		k->accessed = m->now;
	}
	if (spec->touch && !has_passed(m, k->exptime))
		k->exptime = spec->exptime;
}

/* Whether what expires soon, or has expired, is to be refreshed. */
static bool
is_due(const struct read_spec *spec, rel_time before)
{
	rel_time exptime = spec->touch && !spec->recache_first ? spec->exptime :
								 before;

	return exptime != 0 && exptime < spec->recache_until;
}

enum result
model_read(struct model *m, unsigned i, const struct read_spec *spec,
    struct hit *want)
{
	struct known *k = &m->known[i];
	bool shown, stale, wants;
	enum found why;

	memset(want, 0, sizeof(*want));
	model_look(m, i, &why);
	shown = is_shown(spec, k, why);
	want->why = shown ? FOUND : why;
	stale = shown && (why == FOUND_GRACE || k->stale);
	if (shown)
		show(m, k, spec, want);
	if (spec->lead == NULL)
		return shown ? RESULT_HIT : RESULT_MISS;
	if (!shown || stale) {
		want->floored = k->floored;
		want->floor = k->floored ? k->floor : 0;
	}
	if (shown && !stale)
		wants = is_due(spec, want->exptime);
	else
		wants = spec->lead->lead ||
		    (shown && !spec->peek && k->stale) ||
		    (why == FOUND_GRACE && shown &&
			want->exptime < spec->recache_until);
	want->stale = stale;
	want->won = wants && !model_is_led(m, k);
	/* a back-off does not show on what is fresh */
	want->taken = model_is_led(m, k) && (!shown || stale || k->leased);
	if (shown)
		return RESULT_HIT;
	want->absent = true;
	want->accessed = m->now;
	return spec->lead->lead ? RESULT_HIT : RESULT_MISS;
}

/* ---- numbers ------------------------------------------------------------- */

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
	char digits[32] = "";
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
	k->stored = ++m->event;
	if (k->tags == 0)
		k->birth = k->stored;
	move_base(m, k);
	if (spec->touch)
		k->exptime = spec->exptime;
	return RESULT_STORED;
}

enum result
model_make_number(struct model *m, struct known *k,
    const struct arith_spec *spec, uint64_t *n)
{
	char digits[32] = "";

	*n = spec->initial;
	if (k->floored)
		return RESULT_REFUSED;
	put_new(m, k, digits, (size_t)sprintf(digits, "%" PRIu64, *n));
	k->exptime = spec->vivify_exptime;
	k->leased = k->spared = false;
	return RESULT_STORED;
}

/* ---- deleting ------------------------------------------------------------ */

/* The value goes, or stays as stale or cleared, which is no store. */
static void
do_away(struct model *m, struct known *k, const struct delete_spec *spec,
    bool *numbered)
{
	if (!spec->stale && !spec->clear) {
		k->present = false;
		return;
	}
	if (spec->clear) {
		k->len = 0;
		k->accessed = m->now;
		k->fetched = k->stale = false;
		k->client_flags = spec->client_flags;
		k->exptime = 0;
	}
	if (spec->touch) {
		k->exptime = spec->exptime;
		k->grace = 0;
	}
	if (spec->stale)
		k->stale = true;
	/* an item that is only cleared keeps its number */
	*numbered = spec->stale || spec->own_cas;
}

static enum result
delete_below(struct model *m, struct known *k, enum found why,
    const struct delete_spec *spec, bool *numbered)
{
	bool stands = found_stands(why);
	bool stays = stands && k->versioned && k->version >= spec->version;

	/* The floor remembers the value that stays. */
	model_raise_floor(k, stands, stays ? k->version : spec->version,
	    spec->floor_until);
	k->clock = ++m->event;
	if (stands && !stays)
		do_away(m, k, spec, numbered);
	return RESULT_DELETED;
}

static enum result
delete_any(struct model *m, struct known *k, enum found why,
    const struct delete_spec *spec, bool *numbered)
{
	bool there = found_stands(why) && !(spec->classic && k->negative);
	bool stub = k->leased && model_is_led(m, k) && !found_stands(why);

	model_invalidate(m, k);
	if (found_stands(why))
		do_away(m, k, spec, numbered);
	end_lease(k);
	return there || stub ? RESULT_DELETED : RESULT_NOT_FOUND;
}

enum result
model_delete(struct model *m, unsigned i, const struct delete_spec *spec,
    bool *numbered)
{
	struct known *k = &m->known[i];
	enum found why;

	*numbered = false;
	model_look(m, i, &why);
	if (spec->compare &&
	    !(found_stands(why) && m->cas_enabled && k->cas == spec->cas)) {
		if (k->leased && model_is_led(m, k) && k->token == spec->cas) {
			end_lease(k);
			return RESULT_DELETED;
		}
		return why == FOUND ? RESULT_EXISTS : RESULT_NOT_FOUND;
	}
	return spec->versioned ? delete_below(m, k, why, spec, numbered) :
				 delete_any(m, k, why, spec, numbered);
}
