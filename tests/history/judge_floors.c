/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * judge_floors.c - versions do not step back: I4 and I11.
 */
#include "config.h"

#include "judge.h"

#include <inttypes.h>

enum { SOON = 100 }; /* s: longer than a round */

/* Seconds are counted by a clock that ticks, and a busy server sees it late. */
static const uint64_t second = 1000000000, early = 1500000000;

/* ---- floors -------------------------------------------------------------- */

/* The floor that this request leaves behind, once it is done; 0: none. */
static uint64_t
floor_of(const struct op *op)
{
	if (!has(op, 'V') || has(op, 'C'))
		return 0;
	if (op->what != OP_DROP && op->what != OP_STORE)
		return 0;
	if (op->outcome == OUT_DONE)
		return op->version;
	if (op->outcome != OUT_REFUSED)
		return 0;
	/* What it was refused by stays a floor; MR leaves one where nothing
	   was. */
	return op->tells_version ? op->told : op->mode == 'R' ? op->version : 0;
}

/* What is marked as stale already, or is by this, is still to be seen. */
static bool
lets_marked_stand(const struct op *op)
{
	return op->what == OP_DROP ? has(op, 'I') : op->outcome == OUT_REFUSED;
}

/*
 * The lowest version that can be valid for a request; 0: any.  The floor must
 * have been there at `since`, or have come later.  Reads that show what is
 * marked as stale do not count floors that mark.
 */
static uint64_t
floor_for(const struct history *h, const struct op *op, int key, uint64_t since,
    bool shows_marked, size_t *from)
{
	const struct list *l = &h->list[key];
	uint64_t floor = 0;

	for (size_t n = 0; n < l->n; n++) {
		size_t i = l->op[n];
		const struct op *f = &h->op[i];
		uint64_t ttl = f->what == OP_DROP && has(f, 'T') ?
		    (uint64_t)f->exptime :
		    h->tombstone_ttl;

		if (f->recv >= op->send || floor_of(f) <= floor)
			continue;
		if (shows_marked && lets_marked_stand(f))
			continue;
		if (f->send < since && f->send + ttl * second < early + since)
			continue;
		floor = floor_of(f);
		*from = i;
	}
	return floor;
}

/* No version above this was sent before the request was answered. */
static uint64_t
highest_for(const struct history *h, const struct op *op)
{
	const struct list *l = &h->list[op->key];
	uint64_t highest = 0;

	for (size_t n = 0; n < l->n; n++) {
		const struct op *o = &h->op[l->op[n]];

		if (o->send < op->recv &&
		    (o->what == OP_STORE || o->what == OP_DROP) &&
		    o->version > highest)
			highest = o->version;
	}
	return highest;
}

/* ---- what is present ----------------------------------------------------- */

/* MR, though it is refused: it lets no value stand that has no version to
   compare, nor an older word that there is none. */
static bool
displaces(const struct op *op, const struct op *value)
{
	if (op->mode != 'R' || !has(op, 'V'))
		return false;
	return !has(value, 'V') ||
	    (has(value, 'z') && value->version < op->version);
}

/* Could this have made the value another, or none? */
static bool
disturbs(const struct op *op, const struct op *value)
{
	switch (op->what) {
	case OP_STORE:
		return op->outcome != OUT_REFUSED || displaces(op, value);
	case OP_DROP:
		return !has(op, 'V') || !has(value, 'V') ||
		    op->version > value->version;
	case OP_TAG:
		return value->tags != 0; /* tags may share a clock */
	case OP_FLUSH:
		return true;
	case OP_GIVE_UP:
		return !has(op, 'U');
	case OP_JOIN:
	case OP_COUNT:
		return false;
	default:
		return op->exptime < 0 ||
		    (op->exptime > 0 && op->exptime < SOON);
	}
}

static size_t
last_stored(const struct history *h, const struct op *op, int key)
{
	const struct list *l = &h->list[key];
	size_t last = NOTHING;

	for (size_t n = 0; n < l->n; n++) {
		size_t i = l->op[n];
		const struct op *o = &h->op[i];

		if (o->what == OP_STORE && o->done < op->send &&
		    (last == NOTHING || o->done > h->op[last].done))
			last = i;
	}
	return last;
}

size_t
present_for(const struct history *h, size_t self, int key)
{
	const struct op *op = &h->op[self], *value;
	const struct list *l;
	size_t store;

	if (h->evicts || op->key == NO_KEY)
		return NOTHING;
	store = last_stored(h, op, key);
	if (store == NOTHING)
		return NOTHING;
	value = &h->op[store];
	if (value->exptime < 0 || (value->exptime > 0 && value->exptime < SOON))
		return NOTHING;
	l = &h->list[key];
	for (size_t n = 0; n < l->n; n++) {
		const struct op *o = &h->op[l->op[n]];

		if (o != value && o != op && o->send < op->recv &&
		    o->recv > value->send && disturbs(o, value))
			return NOTHING;
	}
	return store;
}

/* ---- the rules ----------------------------------------------------------- */

static bool
store_holds(const struct history *h, size_t i, struct verdict *v)
{
	const struct op *op = &h->op[i];
	const struct op *grant = grant_of(h, op);
	size_t from = NOTHING, there;
	uint64_t floor;

	if (op->what != OP_STORE || op->outcome != OUT_DONE || op->exptime < 0)
		return true;
	/* The end of a floor is one of the tokens that were there, too. */
	floor = floor_for(h, op, op->key,
	    grant != NULL ? grant->recv : op->recv, false, &from);
	if (has(op, 'V') && op->version < floor)
		return violated(v, h, op->key, OPS(i, from),
		    "I4: version %" PRIu64 " is stored, the floor is %" PRIu64,
		    op->version, floor);
	if (!has(op, 'V') && floor > 0 && !h->lax)
		return violated(v, h, op->key, OPS(i, from),
		    "I4: stored without a version, the floor is %" PRIu64,
		    floor);
	if (!has(op, 'V'))
		return true;
	there = present_for(h, i, op->key);
	if (there != NOTHING && h->op[there].version > op->version)
		return violated(v, h, op->key, OPS(i, there),
		    "I4: version %" PRIu64 " replaces a newer one",
		    op->version);
	return true;
}

static bool
seen_holds(const struct history *h, const struct seen *s, struct verdict *v)
{
	size_t from = NOTHING, store;
	uint64_t floor;

	if (s->how == SEEN_MISS || s->how == SEEN_STALE)
		return true;
	store = store_of(h, s);
	if (store == NOTHING || !has(&h->op[store], 'V'))
		return true;
	floor = floor_for(h, &h->op[s->op], s->key, h->op[s->op].recv,
	    s->how == SEEN_PLAIN, &from);
	if (h->op[store].version >= floor)
		return true;
	return violated(v, h, s->key, OPS(s->op, from, store),
	    "I4: version %" PRIu64 " is seen, the floor is %" PRIu64,
	    h->op[store].version, floor);
}

/* What a reply says of the floor, to a refusal or to the winner of a lease. */
static bool
told_holds(const struct history *h, size_t i, struct verdict *v)
{
	const struct op *op = &h->op[i];
	size_t from = NOTHING;
	uint64_t floor = floor_for(h, op, op->key, op->recv, false, &from);
	uint64_t highest = highest_for(h, op);

	if (floor > 0 && (!op->tells_version || op->told < floor))
		return violated(v, h, op->key, OPS(i, from),
		    "I11: the floor is %" PRIu64 ", the reply says %" PRIu64,
		    floor, op->told);
	if (op->tells_version && op->told > highest)
		return violated(v, h, op->key, OPS(i),
		    "I11: no version above %" PRIu64 " was sent", highest);
	return true;
}

bool
judge_floors(const struct history *h, struct verdict *v)
{
	for (size_t i = 0; i < h->ops; i++) {
		const struct op *op = &h->op[i];

		if (!store_holds(h, i, v))
			return false;
		if (op->outcome == OUT_REFUSED && op->tells_version &&
		    !told_holds(h, i, v))
			return false;
	}
	for (size_t i = 0; i < h->seens; i++) {
		const struct seen *s = &h->seen[i];
		const struct op *op = &h->op[s->op];

		if (!seen_holds(h, s, v))
			return false;
		if (s->how == SEEN_MISS && op->won && has(op, 'V') &&
		    !told_holds(h, s->op, v))
			return false;
	}
	return true;
}
