/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cache_arith.c - incr, decr, ma.
 *
 * The stored text is the number.  A shorter result keeps the old length and is
 * padded with spaces ("10" less 1 is stored as "9 "), as memcached does it: a
 * client that reads the value back sees the same bytes.
 */
#include "config.h"

#include <string.h>

#include "base/num.h"
#include "cache/cache.h"
#include "cache/fill.h"

static bool
is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* As strtoull() at the front of a text that may go on with white space. */
static bool
read_number(const char *p, size_t n, uint64_t *number)
{
	size_t end;

	if (n == 0 || n > CACHE_NUMBER_MAX)
		return false;
	while (n > 0 && is_blank(*p))
		p++, n--;
	for (end = 0; end < n && !is_blank(p[end]) && p[end] != '\0';)
		end++;
	return num_loose(p, end, UINT64_MAX, number);
}

/* The item that stands for the new number, private; NULL: no memory. */
static struct item *
make(struct store_local *l, const struct item_spec *like, uint64_t number,
    const struct arith_spec *spec)
{
	struct item_spec made = *like;
	char digits[NUM_MAX];
	size_t n = num_print(digits, number);
	struct item *it;

	if (made.value_len < n)
		made.value_len = (uint32_t)n;
	made.own_cas = spec->own_cas;
	it = store_item_new(l, &made);
	if (it == NULL)
		return NULL;
	if (spec->own_cas)
		memcpy(it->data, &spec->new_cas, sizeof(uint64_t));
	memcpy(item_value(it), digits, n);
	memset(item_value(it) + n, ' ', made.value_len - n);
	return it;
}

/* What a number that is not there yet is made from; *extra is filled. */
static struct item_spec
new_number(const struct act *st, const struct arith_spec *spec,
    struct item_extra *extra)
{
	char digits[NUM_MAX];

	*extra = (struct item_extra){ .tags = 0 };
	cache_add_prefix_tag(st->c, st->key, extra);
	return (struct item_spec){
		.key = *st->key,
		.value_len = (uint32_t)num_print(digits, spec->initial),
		.own_cas = spec->own_cas,
		.exptime = spec->vivify_exptime,
		.extra = extra,
	};
}

/*
 * A region of the very size that a new number takes: another does not keep one
 * from being made beyond the limit.
 */
static bool
reserve(const struct act *st, const struct arith_spec *spec)
{
	struct item_extra extra;
	struct item_spec number = new_number(st, spec, &extra);

	return store_reserve(st->l, item_size_for(&number), st->now);
}

/* Nothing that everybody sees stands: the number is a store like any other. */
static enum result
vivify(struct act *st, const struct standing *old,
    const struct arith_spec *spec, struct item **made) REQUIRES(st->s->lock)
{
	static const struct store_spec plain;
	struct item_extra extra;
	struct item_spec number = new_number(st, spec, &extra);
	struct stored out;
	struct item *it;

	if (fill_judge_plain(st, &plain, old, &out) != RESULT_STORED)
		return RESULT_REFUSED;
	it = make(st->l, &number, spec->initial, spec);
	if (it == NULL)
		return RESULT_NO_MEMORY;
	if (old->item != NULL) {
		shard_replace(st->s, st->l, old->at, old->item, it, st->now);
	} else if (!shard_insert(st->s, st->l, st->key->hash, it, st->now)) {
		if (item_unref(it))
			store_doom(st->l, it);
		return RESULT_NO_MEMORY;
	}
	st->s->counted[SHARD_COUNTER_total_items]++;
	fill_stored(st, &plain, it, lease_find(st), 0);
	*made = it;
	return RESULT_STORED;
}

static enum result
change(struct act *st, const struct standing *standing,
    const struct arith_spec *spec, struct item **made, uint64_t *number)
    REQUIRES(st->s->lock)
{
	struct item *old = standing->item;
	struct item_extra extra;
	struct item_spec like = {
		.key = { .data = item_key(old),
		    .len = item_key_len(old),
		    .binary = old->word & ITEM_BINARY_KEY },
		.value_len = item_value_len(old),
		.client_flags = item_client_flags(old),
		.exptime = spec->touch ? spec->exptime : item_exptime(old),
		.extra = &extra,
	};
	uint64_t kept = old->word & (ITEM_STALE | ITEM_WON | ITEM_FETCHED);
	struct item *it;
	uint64_t v;

	if (spec->compare &&
	    (!st->c->cas_enabled || item_cas(old) != spec->cas))
		return RESULT_EXISTS;
	if (!read_number(item_value(old), item_value_len(old), &v))
		return RESULT_NOT_A_NUMBER;
	if (!spec->decrement)
		v += spec->delta;
	else
		v = spec->delta > v ? 0 : v - spec->delta;
	item_extra_of(old, &extra);
	it = make(st->l, &like, v, spec);
	if (it == NULL)
		return RESULT_NO_MEMORY;
	shard_class(st->s, old)
	    ->event[spec->decrement ? CLASS_DECR_HITS : CLASS_INCR_HITS]++;
	shard_replace(st->s, st->l, standing->at, old, it, st->now);
	it->word |= kept;
	fill_move_base(st, item_stored(it));
	*number = v;
	*made = it;
	return RESULT_STORED;
}

enum result
cache_arith(struct cache *c, struct store_local *l, const struct key *key,
    const struct arith_spec *spec, rel_time now, struct arith_done *out)
{
	struct act st = act_begin(c, l, key, now);
	enum result res = RESULT_NOT_FOUND;
	struct item *it = NULL;
	struct standing old;
	bool room;

	memset(out, 0, sizeof(*out));
	room = reserve(&st, spec);
	shard_lock(st.s);
	old = fill_look(&st);
	if (old.visible) {
		out->exptime = item_exptime(old.item);
		out->binary_key = old.item->word & ITEM_BINARY_KEY;
		/* Without room a number may still change: the old one goes. */
		res = change(&st, &old, spec, &it, &out->number);
	} else if (lease_shows_stub(&st)) {
		res = RESULT_NOT_A_NUMBER;
	} else if (spec->vivify) {
		out->made = true;
		out->number = spec->initial;
		out->binary_key = key->binary;
		res = room ? vivify(&st, &old, spec, &it) : RESULT_NO_MEMORY;
	}
	if (it != NULL && c->cas_enabled)
		out->cas = item_cas(it);
	act_end(&st);
	return res;
}
