/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * judge_leases.c - one live lease a key, one new one for each that ends: I2,
 * I7, and that tokens rise.
 *
 * Tokens say in which order a key's leases were granted.  Between two of them
 * the first must have ended.  Some ends are its own: it lapsed, its client gave
 * it up or left, its fill was refused.  Others would have ended any lease: a
 * store, a delete.  Each of these can be the end of one lease only.
 */
#include "config.h"

#include "judge.h"

#include <inttypes.h>
#include <stdlib.h>

/* Clocks of a server that is busy are late, and those it sets by them. */
static const uint64_t early = (uint64_t)250 * MS;

/* The leases of one key by their tokens, and when each was granted. */
struct leases {
	struct lease {
		const struct grant *grant;
		uint64_t low, high;
	} * lease;
	size_t n;
};

bool
ends_any_lease(const struct op *op, int key)
{
	if (op->what == OP_FLUSH)
		return true;
	if (op->key != key)
		return false;
	return (op->what == OP_STORE && op->outcome != OUT_REFUSED) ||
	    (op->what == OP_JOIN && op->outcome != OUT_REFUSED) ||
	    (op->what == OP_COUNT && op->outcome != OUT_REFUSED) ||
	    (op->what == OP_DROP && !has(op, 'V'));
}

uint64_t
lapse_of(const struct history *h, const struct grant *g, uint64_t granted)
{
	uint64_t ms = g->lease < h->lease_max ? g->lease : h->lease_max;
	uint64_t at = granted + ms * MS, last = 0;
	const struct list *l = &h->list[g->key];

	for (size_t i = 0; i < l->n; i++) {
		const struct op *op = &h->op[l->op[i]];

		if (op->what != OP_RENEW || op->token != g->token ||
		    op->send < last)
			continue;
		if (op->recv == NEVER)
			return 0;
		if (op->won) {
			last = op->send;
			at = op->send + op->lease * MS;
		}
	}
	return at < early ? 0 : at - early;
}

static int
by_token(const void *a, const void *b)
{
	uint64_t x = ((const struct lease *)a)->grant->token;
	uint64_t y = ((const struct lease *)b)->grant->token;

	return (x > y) - (x < y);
}

static void
gather(struct leases *l, const struct history *h, int key)
{
	l->n = 0;
	for (size_t i = 0; i < h->grants; i++) {
		if (h->grant[i].key == key)
			ARRAY_ADD(l->lease, l->n)->grant = &h->grant[i];
	}
	if (l->n > 0)
		qsort(l->lease, l->n, sizeof(*l->lease), by_token);
	for (size_t i = 0; i < l->n; i++) {
		const struct op *op = &h->op[l->lease[i].grant->op];

		l->lease[i].low = op->send;
		l->lease[i].high = op->recv;
		if (i > 0 && l->lease[i - 1].low > op->send)
			l->lease[i].low = l->lease[i - 1].low;
	}
	for (size_t i = l->n; i > 1; i--) {
		if (l->lease[i - 1].high < l->lease[i - 2].high)
			l->lease[i - 2].high = l->lease[i - 1].high;
	}
}

/* ---- ends ---------------------------------------------------------------- */

/* This lease, and no other, may have ended before `at`. */
static bool
may_end_itself(const struct history *h, const struct lease *l, uint64_t at)
{
	const struct op *grant = &h->op[l->grant->op];
	const struct list *of_key = &h->list[l->grant->key];
	size_t closed = map_get(&h->closed, grant->conn);

	if ((closed != NOTHING && closed < at) ||
	    lapse_of(h, l->grant, l->low) <= at)
		return true;
	for (size_t i = 0; i < of_key->n; i++) {
		const struct op *op = &h->op[of_key->op[i]];

		if (op->token == l->grant->token && op->send < at &&
		    (op->what == OP_GIVE_UP ||
			(op->what == OP_STORE && op->outcome == OUT_REFUSED)))
			return true;
	}
	return false;
}

/* The end that is over first, of those that nobody has used. */
static size_t
take_end(const struct history *h, const struct lease *l, uint64_t at,
    char *used)
{
	const struct list *of_key = &h->list[l->grant->key];
	size_t best = NOTHING;

	for (size_t n = 0; n < of_key->n; n++) {
		size_t i = of_key->op[n];
		const struct op *op = &h->op[i];

		if (!used[i] && op->send < at && op->recv > l->low &&
		    ends_any_lease(op, l->grant->key) &&
		    (best == NOTHING || op->recv < h->op[best].recv))
			best = i;
	}
	if (best != NOTHING)
		used[best] = 1;
	return best;
}

static bool
ends_suffice(const struct history *h, const struct leases *l, int key,
    struct verdict *v)
{
	char *used = calloc(h->ops + 1, 1);
	bool good = true;

	if (used == NULL)
		abort();
	for (size_t i = 1; good && i < l->n; i++) {
		const struct lease *a = &l->lease[i - 1], *b = &l->lease[i];

		if (a->grant->token == b->grant->token)
			good = violated(v, h, key,
			    OPS(a->grant->op, b->grant->op),
			    "fence: a token is granted twice");
		else if (!may_end_itself(h, a, b->high) &&
		    take_end(h, a, b->high, used) == NOTHING)
			good = violated(v, h, key,
			    OPS(a->grant->op, b->grant->op),
			    "I2, I7: a second lease, and nothing has ended "
			    "the first; or one end was that of two");
	}
	free(used);
	return good;
}

/* ---- a lease that lives after another was granted ------------------------ */

static bool
shows_life(const struct op *op)
{
	return op->outcome == OUT_DONE &&
	    ((op->what == OP_RENEW && op->won) ||
		(op->what == OP_GIVE_UP && (has(op, 'U') || op->plain)));
}

static bool
dead_stay_dead(const struct history *h, const struct leases *l, int key,
    struct verdict *v)
{
	const struct list *of_key = &h->list[key];

	for (size_t n = 0; n < of_key->n; n++) {
		size_t i = of_key->op[n];
		const struct op *op = &h->op[i];

		if (!shows_life(op))
			continue;
		for (size_t k = 0; k < l->n; k++) {
			const struct lease *b = &l->lease[k];

			if (b->grant->token > op->token && b->high < op->send)
				return violated(v, h, key, OPS(i, b->grant->op),
				    "I2: a lease lives on beside a newer one");
		}
	}
	return true;
}

/* ---- back-off ------------------------------------------------------------ */

static bool
ended_between(const struct history *h, int key, uint64_t from, uint64_t to)
{
	const struct list *of_key = &h->list[key];

	for (size_t n = 0; n < of_key->n; n++) {
		const struct op *op = &h->op[of_key->op[n]];

		if (op->send < to && op->recv > from && ends_any_lease(op, key))
			return true;
	}
	return false;
}

static bool
backoff_holds(const struct history *h, const struct leases *l, int key,
    struct verdict *v)
{
	const struct list *of_key = &h->list[key];

	for (size_t n = 0; n < of_key->n; n++) {
		size_t i = of_key->op[n];
		const struct op *op = &h->op[i];

		if (op->what != OP_GIVE_UP || op->outcome != OUT_DONE ||
		    op->backoff * MS <= early)
			continue;
		for (size_t k = 0; k < l->n; k++) {
			size_t grant = l->lease[k].grant->op;

			if (h->op[grant].send > op->recv &&
			    h->op[grant].recv <
				op->send + op->backoff * MS - early &&
			    !ended_between(h, key, op->send, h->op[grant].recv))
				return violated(v, h, key, OPS(i, grant),
				    "a lease while nobody may try");
		}
	}
	return true;
}

/* ---- tokens -------------------------------------------------------------- */

struct asked {
	uint64_t send;
	const struct grant *grant;
};

static int
by_send(const void *a, const void *b)
{
	uint64_t x = ((const struct asked *)a)->send;
	uint64_t y = ((const struct asked *)b)->send;

	return (x > y) - (x < y);
}

/* A token is above each that was known when it was asked for.  Grants are in
   the order of their replies. */
static bool
tokens_rise(struct history *h, struct verdict *v)
{
	struct asked *a = calloc(h->grants + 1, sizeof(*a));
	uint64_t highest = h->last_token;
	size_t known = 0, from = NOTHING;
	bool good = true;

	if (a == NULL)
		abort();
	for (size_t i = 0; i < h->grants; i++)
		a[i] = (struct asked){ h->op[h->grant[i].op].send,
			&h->grant[i] };
	qsort(a, h->grants, sizeof(*a), by_send);
	for (size_t i = 0; i < h->grants; i++) {
		const struct grant *g;

		for (; known < h->grants; known++) {
			g = &h->grant[known];
			if (h->op[g->op].recv >= a[i].send)
				break;
			if (g->token <= highest)
				continue;
			highest = g->token;
			from = g->op;
		}
		if (good && a[i].grant->token <= highest)
			good = violated(v, h, a[i].grant->key,
			    OPS(a[i].grant->op, from),
			    "fence: a token is not above one that was there");
		if (a[i].grant->token > h->last_token)
			h->last_token = a[i].grant->token;
	}
	free(a);
	return good;
}

bool
judge_leases(struct history *h, struct verdict *v)
{
	struct leases l = { 0 };
	bool good = tokens_rise(h, v);

	for (int key = 0; good && key < (int)h->keys; key++) {
		gather(&l, h, key);
		good = ends_suffice(h, &l, key, v) &&
		    dead_stay_dead(h, &l, key, v) &&
		    backoff_holds(h, &l, key, v);
	}
	free(l.lease);
	return good;
}
