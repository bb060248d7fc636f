/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * judge_waits.c - who waits, for how long, and what for: I6, I8 and I12.
 */
#include "config.h"

#include "judge.h"

#include <inttypes.h>
#include <string.h>

/* Bounds for what is broken: what works is never so late (I6), nor is a wait
   that is shorter looked at (I8). */
static const uint64_t hang = (uint64_t)20000 * MS, long_wait = 2000;

/* ---- I6 ------------------------------------------------------------------ */

static bool
in_time(const struct history *h, size_t i, struct verdict *v)
{
	const struct op *op = &h->op[i];

	if (op->recv == NEVER || op->recv - op->send < op->wait * MS + hang)
		return true;
	return violated(v, h, op->key, OPS(i),
	    "I6: the reply took %" PRIu64 " ms", (op->recv - op->send) / MS);
}

/* ---- I8 ------------------------------------------------------------------ */

/* It was live from before `op` was sent until that was answered. */
static bool
is_live(const struct history *h, const struct grant *g, const struct op *op)
{
	const struct op *grant = &h->op[g->op];
	const struct list *l = &h->list[g->key];

	if (grant->recv >= op->send || lapse_of(h, g, grant->send) <= op->recv)
		return false;
	for (size_t n = 0; n < l->n; n++) {
		const struct op *o = &h->op[l->op[n]];

		if (o->send < op->recv && o->recv > grant->send &&
		    (ends_any_lease(o, g->key) || o->token == g->token))
			return false;
	}
	return map_get(&h->closed, grant->conn) == NOTHING;
}

static bool
holder_is_not_parked(const struct history *h, size_t i, struct verdict *v)
{
	const struct op *op = &h->op[i];

	if (op->what != OP_READ || op->wait < long_wait || op->recv == NEVER ||
	    op->recv - op->send < op->wait * MS)
		return true;
	for (size_t k = 0; k < h->grants; k++) {
		const struct grant *g = &h->grant[k];

		if (h->op[g->op].conn == op->conn && is_live(h, g, op))
			return violated(v, h, NO_KEY, OPS(i, g->op),
			    "I8: a connection that holds a lease was parked");
	}
	return true;
}

/* ---- I3 ------------------------------------------------------------------ */

/* A value that whoever waits for this is to be given. */
static bool
serves(const struct op *store, const struct op *op)
{
	return store->what == OP_STORE && store->outcome == OUT_DONE &&
	    store->exptime >= 0 && !has(store, 'z') &&
	    store->version >= op->version;
}

/*
 * Nobody waits out a long time while there was a store.  He was parked when it
 * came: it is seconds that are looked at.
 */
static bool
is_told_of_stores(const struct history *h, const struct seen *s,
    struct verdict *v)
{
	const struct op *op = &h->op[s->op];
	const struct list *l = &h->list[s->key];
	uint64_t begun = op->send;

	if (op->wait < 2 * long_wait || op->recv - op->send < op->wait * MS)
		return true;
	/* Nothing behind one that is parked is looked at. */
	if (op->before != NOTHING && h->op[op->before].recv > begun)
		begun = h->op[op->before].recv;
	if (begun == NEVER)
		return true;
	for (size_t n = 0; n < l->n; n++) {
		const struct op *o = &h->op[l->op[n]];

		if (serves(o, op) && o->send > begun + long_wait * MS &&
		    o->recv < op->recv - long_wait / 2 * MS)
			return violated(v, h, s->key, OPS(s->op, l->op[n]),
			    "I3: one waited all his time though there was a "
			    "store");
	}
	return true;
}

/* ---- what is expected of a round ----------------------------------------- */

static bool
served(const struct history *h, const struct expectation *e, struct verdict *v)
{
	for (size_t i = 0; i < h->seens; i++) {
		const struct seen *s = &h->seen[i];
		const struct op *op = &h->op[s->op];

		if (s->key != e->key || op->wait == 0)
			continue;
		if ((s->how == SEEN_MISS && !op->won) ||
		    op->recv - op->send >= op->wait * MS)
			return violated(v, h, e->key, OPS(s->op),
			    "I3: one waited in vain for what was there");
	}
	return true;
}

static bool
expected(const struct history *h, const struct expectation *e,
    struct verdict *v)
{
	uint64_t loads = 0, misses = 0;

	for (size_t i = 0; i < h->grants; i++)
		loads += h->grant[i].key == e->key;
	for (size_t i = 0; i < h->seens; i++)
		misses += h->seen[i].key == e->key &&
		    h->seen[i].how == SEEN_MISS && h->op[h->seen[i].op].plain;
	if (strcmp(e->what, "served") == 0)
		return served(h, e, v);
	if (strcmp(e->what, "loads") == 0 && loads != e->n)
		violated(v, h, e->key, OPS(NOTHING),
		    "I12, I7: %" PRIu64 " leases instead of %" PRIu64, loads,
		    e->n);
	else if (strcmp(e->what, "misses") == 0 && misses != e->n)
		violated(v, h, e->key, OPS(NOTHING),
		    "I12, I7: %" PRIu64
		    " were shown a miss instead of %" PRIu64,
		    misses, e->n);
	else
		return true;
	v->line = e->line;
	return false;
}

bool
judge_waits(const struct history *h, struct verdict *v)
{
	for (size_t i = 0; i < h->ops; i++) {
		if (!in_time(h, i, v) || !holder_is_not_parked(h, i, v))
			return false;
	}
	for (size_t i = 0; i < h->seens; i++) {
		if (!is_told_of_stores(h, &h->seen[i], v))
			return false;
	}
	for (size_t i = 0; i < h->expects; i++) {
		if (!expected(h, &h->expect[i], v))
			return false;
	}
	return true;
}
