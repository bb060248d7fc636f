/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fill.c - whether a value may be stored, and what a store leaves behind.
 */
#include "config.h"

#include "cache/fill.h"

static bool
has_fault(const struct act *st, enum lease_fault fault) REQUIRES(st->s->lock)
{
	return UNLIKELY(st->c->leases->config->fault == fault);
}

static struct tomb *
find_tomb(struct act *st) REQUIRES(st->s->lock)
{
	return tombs_find(&st->c->leases->tombs, st->l, st->key->hash, st->now);
}

struct standing
fill_look(struct act *st)
{
	struct standing old = { .item = NULL };

	old.item = shard_find(st->s, st->l, st->key, st->now, &old.at,
	    &old.why);
	old.visible = old.item != NULL;
	if (UNLIKELY(old.item == NULL && found_stands(old.why)))
		old.item = slot_item(old.at.bucket, old.at.slot);
	return old;
}

/* F1 */
static bool
token_is_good(struct act *st, uint64_t seq) REQUIRES(st->s->lock)
{
	const struct store *store = st->c->store;

	return seq <= store_seq(store) &&
	    seq >= atomic_load_explicit(&store->clocks.oldest_token,
		       memory_order_relaxed);
}

/* F5 */
static bool
is_newer(const struct act *st, const struct item *standing,
    const struct store_spec *spec, uint64_t seq) REQUIRES(st->s->lock)
{
	if (standing == NULL || has_fault(st, FAULT_SKIP_F5))
		return false;
	if (item_stored(standing) > seq)
		return true;
	return spec->versioned && standing->word & ITEM_VERSION &&
	    !(standing->word & ITEM_STALE) &&
	    !item_is_overdue(standing, st->now) &&
	    spec->version < item_version(standing);
}

/* F3 */
static bool
tag_has_died(const struct act *st, const struct item *it, uint64_t seq)
    REQUIRES(st->s->lock)
{
	const struct clocks *clocks = &st->c->store->clocks;

	for (unsigned i = 0; i < item_tags(it); i++)
		if (clocks_tag(clocks, item_tag(it, i)) > seq)
			return !has_fault(st, FAULT_SKIP_F3);
	return false;
}

static enum result
refuse_by_floor(struct act *st, uint64_t floor, struct stored *out)
    REQUIRES(st->s->lock)
{
	out->versioned = true;
	out->version = floor;
	COUNT(st->l->counters, versioned_refused);
	return RESULT_REFUSED;
}

/* F4 */
static enum result
judge_by_key(struct act *st, const struct store_spec *spec, uint64_t seq,
    struct stored *out) REQUIRES(st->s->lock)
{
	const struct tomb *tomb = find_tomb(st);
	uint64_t clock = clocks_key(&st->c->store->clocks, st->key->hash);

	if (has_fault(st, FAULT_SKIP_F4))
		return RESULT_STORED;
	if (tomb != NULL && !spec->versioned &&
	    !st->c->leases->config->lax_sets) {
		COUNT(st->l->counters, fill_refused_floor);
		return refuse_by_floor(st, tomb->floor, out);
	}
	if (tomb != NULL && spec->versioned) {
		if (spec->version < tomb->floor) {
			COUNT(st->l->counters, fill_refused_floor);
			return refuse_by_floor(st, tomb->floor, out);
		}
		clock = tomb->base;
	}
	if (clock <= seq)
		return RESULT_STORED;
	COUNT(st->l->counters, fill_refused_clock);
	return RESULT_REFUSED;
}

enum result
fill_judge(struct act *st, const struct store_spec *spec, const struct item *it,
    const struct standing *old, uint64_t seq, struct stored *out)
{
	struct counters *c = st->l->counters;

	if (!token_is_good(st, seq)) {
		COUNT(c, fill_refused_token);
		return RESULT_NOT_FOUND;
	}
	if (is_newer(st, old->item, spec, seq)) {
		COUNT(c, fill_refused_newer);
		return RESULT_EXISTS;
	}
	if (atomic_load(&st->c->store->flush_clock) > seq &&
	    !has_fault(st, FAULT_SKIP_F2)) {
		COUNT(c, fill_refused_flush);
		return RESULT_REFUSED;
	}
	if (tag_has_died(st, it, seq)) {
		COUNT(c, fill_refused_tag);
		return RESULT_REFUSED;
	}
	return judge_by_key(st, spec, seq, out);
}

/*
 * A store of one who missed under a rule with `guard`.  Versions need none.
 */
static bool
guard_speaks_against(struct act *st, const struct store_spec *spec)
    REQUIRES(st->s->lock)
{
	const struct store *store = st->c->store;

	return spec->guarded &&
	    (clocks_key(&store->clocks, st->key->hash) > spec->guard ||
		atomic_load(&store->flush_clock) > spec->guard);
}

enum result
fill_judge_plain(struct act *st, const struct store_spec *spec,
    const struct standing *old, struct stored *out)
{
	const struct tomb *tomb = find_tomb(st);
	uint64_t least = 0;

	if (UNLIKELY(!spec->versioned && guard_speaks_against(st, spec))) {
		COUNT(st->l->counters, guard_refused);
		out->by_guard = true;
		return RESULT_REFUSED;
	}
	if (!spec->versioned)
		return tomb == NULL || st->c->leases->config->lax_sets ?
		    RESULT_STORED :
		    refuse_by_floor(st, tomb->floor, out);
	if (tomb != NULL)
		least = tomb->floor;
	if (old->item != NULL && old->item->word & ITEM_VERSION &&
	    item_version(old->item) > least)
		least = item_version(old->item);
	if (spec->version >= least)
		return RESULT_STORED;
	/* What it was refused for must outlive the value that said so. */
	fill_set_usual_floor(st, old->item, least);
	return refuse_by_floor(st, least, out);
}

void
fill_move_base(struct act *st, uint64_t seq)
{
	struct tomb *tomb = find_tomb(st);

	if (tomb != NULL)
		tomb->base = seq;
}

void
fill_set_floor(struct act *st, const struct item *old, uint64_t version,
    rel_time until)
{
	if (has_fault(st, FAULT_NO_FLOOR))
		return;
	if (old != NULL)
		clocks_move_key(&st->c->store->clocks, st->key->hash,
		    item_stored(old));
	tombs_raise(&st->c->leases->tombs, st->l, st->key->hash, version, until,
	    st->now);
}

void
fill_set_usual_floor(struct act *st, const struct item *old, uint64_t version)
{
	fill_set_floor(st, old, version,
	    st->now + st->c->leases->config->tombstone_ttl);
}

void
fill_raise_floor(struct act *st, uint64_t version)
{
	struct tomb *tomb = find_tomb(st);

	if (tomb != NULL && tomb->floor < version)
		tomb->floor = version;
}

uint64_t
fill_move_clock(struct act *st)
{
	uint64_t seq = store_next_seq(st->c->store);

	clocks_move_key(&st->c->store->clocks, st->key->hash, seq);
	return seq;
}

uint64_t
fill_invalidate(struct act *st)
{
	uint64_t seq;

	if (has_fault(st, FAULT_KEEP_TOKENS))
		return store_next_seq(st->c->store);
	seq = fill_move_clock(st);
	fill_move_base(st, seq);
	return seq;
}

/* A fill raises a floor that is there; a write of its own leaves one. */
static void
note_version(struct act *st, const struct store_spec *spec,
    const struct item *it, bool fill) REQUIRES(st->s->lock)
{
	if (!spec->versioned)
		fill_move_base(st, item_stored(it));
	else if (!fill)
		fill_set_usual_floor(st, NULL, spec->version);
	else
		fill_raise_floor(st, spec->version);
}

void
fill_stored(struct act *st, const struct store_spec *spec, struct item *it,
    struct lease *lease, uint64_t token)
{
	bool own = lease_is(lease, token);

	note_version(st, spec, it, token != 0);
	if (token != 0 && !own)
		COUNT(st->l->counters, fill_late);
	if (lease != NULL)
		lease_answer(st, lease, it, own ? LEASE_FILLED : LEASE_REVOKED);
}
