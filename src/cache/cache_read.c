/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cache_read.c - get, gat, mg, touch.
 */
#include "config.h"

#include <string.h>

#include "cache/cache.h"
#include "cache/lease.h"
#include "cache/retime.h"

void
cache_snapshot(const struct cache *c, const struct item *it, rel_time now,
    struct hit *hit)
{
	hit->why = FOUND;
	hit->value_len = item_value_len(it);
	hit->client_flags = item_client_flags(it);
	hit->cas = c->cas_enabled ? item_cas(it) : 0;
	hit->exptime = item_exptime(it);
	hit->accessed = item_accessed(it, now);
	hit->fetched = it->word & ITEM_FETCHED;
	hit->binary_key = it->word & ITEM_BINARY_KEY;
	if (UNLIKELY(it->word & (ITEM_NEGATIVE | ITEM_VERSION))) {
		hit->negative = it->word & ITEM_NEGATIVE;
		hit->versioned = it->word & ITEM_VERSION;
		hit->version = item_version(it);
	}
}

/* False when the value can't be pinned. */
static bool
take_value(struct item *it, char *buffer, struct hit *hit)
{
	hit->value = item_value(it);
	if (hit->value_len <= CACHE_COPY_MAX) {
		memcpy(buffer, hit->value, hit->value_len);
		hit->value = buffer;
		return true;
	}
	if (!item_ref(it))
		return false;
	hit->pinned = it;
	return true;
}

/* Hands an item to the reader, and notes that it was read. */
static enum result
serve(struct act *st, const struct read_spec *spec, struct place at,
    struct item *it, char *buffer, struct hit *hit) REQUIRES(st->s->lock)
{
	enum class_event event = CLASS_GET_HITS;

	cache_snapshot(st->c, it, st->now, hit);
	if (spec->want_value && !take_value(it, buffer, hit))
		return RESULT_BUSY;
	if (!spec->peek)
		shard_hit(st->s, at, it, st->now);
	if (spec->touch) {
		event = CLASS_TOUCH_HITS;
		/* What is in its grace stays expired. */
		if (!item_is_overdue(it, st->now))
			shard_touch(st->s, at, it, spec->exptime, st->now);
	}
	shard_class(st->s, it)->event[event]++;
	return RESULT_HIT;
}

/* What stands, as far as this reader may see it; *stale says how it stands. */
static struct item *
visible(const struct read_spec *spec, struct item *it, enum found why,
    bool *stale)
{
	const struct lead_spec *lead = spec->lead;

	if (it == NULL)
		return NULL;
	if (why == FOUND_GRACE && !lead->aware && !lead->want_stale)
		return NULL;
	if (!lead_accepts(lead, it->word & ITEM_VERSION, item_version(it),
		it->word & ITEM_NEGATIVE))
		return NULL;
	*stale = why == FOUND_GRACE || it->word & ITEM_STALE;
	return it;
}

/*
 * Whether a value is to be refreshed by this reader: because it expires within
 * the time of R, or as XFetch throws the dice (A. Vattani, F. Chierichetti,
 * K. Lowenstein, Optimal Probabilistic Cache Stampede Prevention, VLDB 2015).
 */
static bool
is_due(const struct act *st, const struct read_spec *spec,
    const struct item *it) REQUIRES(st->s->lock)
{
	const struct lead_spec *lead = spec->lead;
	rel_time exptime = item_exptime(it);

	if (spec->touch && !spec->recache_first &&
	    !item_is_overdue(it, st->now))
		exptime = spec->exptime;
	if (exptime == 0)
		return false;
	if (exptime < spec->recache_until)
		return true;
	return lead->early > 0 &&
	    (double)st->l->now_ms + lead->early * item_load_ms(it) >=
	    (double)exptime * 1000;
}

static void
win(struct act *st, const struct lead_spec *lead, struct item *it,
    struct hit *hit) REQUIRES(st->s->lock)
{
	hit->won = true;
	hit->lease_left = lead->lease_ms;
	hit->token = lease_grant(st, it, lead->lease_ms, lead->cfd, lead->rule);
}

/* A fresh value: a hit, and perhaps a lease to refresh it early. */
static enum result
read_fresh(struct act *st, const struct read_spec *spec, struct place at,
    struct item *it, char *buffer, struct hit *hit) REQUIRES(st->s->lock)
{
	bool due = is_due(st, spec, it);
	const struct lease *lease = NULL;
	enum result res = serve(st, spec, at, it, buffer, hit);

	if (res != RESULT_HIT)
		return res;
	if (it->word & ITEM_WON || due)
		lease = lease_find(st);
	if (lease != NULL) {
		hit->taken = !lease->backoff;
	} else if (due) {
		win(st, spec->lead, it, hit);
		COUNT(st->l->counters, early_refreshes);
	}
	if (hit->negative)
		COUNT(st->l->counters, negative_hits);
	return RESULT_HIT;
}

/*
 * Who loads what is missing or stale: this reader, or somebody for whom he
 * waits or not.  PARKED, or HIT with the answer in *hit.
 */
static enum result
seek_lease(struct act *st, const struct read_spec *spec, struct item *standing,
    const struct item *shown, struct hit *hit) REQUIRES(st->s->lock)
{
	const struct lead_spec *lead = spec->lead;
	struct lease *lease = lease_find(st);
	bool wants = lead->lead;

	/* memcached's readers win what md I marked, without asking for it. */
	if (shown != NULL && spec->meta)
		wants |= (!spec->peek && shown->word & ITEM_STALE) ||
		    (item_is_overdue(shown, st->now) &&
			is_due(st, spec, shown));

	if (lease == NULL) {
		hit->taken = lead->barred;
		if (wants && !lead->barred)
			win(st, lead, standing, hit);
		return RESULT_HIT;
	}
	hit->lease_left = lease->timer.key - st->l->now_ms;
	if (lead->handed != 0 && lease->token == lead->handed) {
		hit->won = true;
		hit->token = lease->token;
		return RESULT_HIT;
	}
	hit->taken = true;
	if (lease->backoff)
		hit->backoff = hit->lease_left;
	else if (shown == NULL && lead->waiter != NULL &&
	    lease_park(st, lease, lead->waiter, lead->mailbox))
		return RESULT_PARKED;
	return RESULT_HIT;
}

static void
show_floor(struct act *st, struct hit *hit) REQUIRES(st->s->lock)
{
	struct tomb *tomb = tombs_find(&st->c->leases->tombs, st->l,
	    st->key->hash, st->now);

	hit->floored = tomb != NULL;
	hit->floor = tomb != NULL ? tomb->floor : 0;
}

static enum result
read_led(struct act *st, const struct read_spec *spec, struct place at,
    char *buffer, struct hit *hit) REQUIRES(st->s->lock)
{
	struct item *standing = found_stands(hit->why) ?
	    slot_item(at.bucket, at.slot) :
	    NULL;
	enum found why = hit->why;
	bool stale = false;
	struct item *shown = visible(spec, standing, why, &stale);
	enum result res;

	if (shown != NULL && !stale)
		return read_fresh(st, spec, at, shown, buffer, hit);
	show_floor(st, hit);
	res = seek_lease(st, spec, standing, shown, hit);
	if (res == RESULT_PARKED)
		return res;
	if (shown != NULL) {
		hit->stale = true;
		if (hit->taken)
			COUNT(st->l->counters, stale_served);
		return serve(st, spec, at, shown, buffer, hit);
	}
	hit->why = why;
	hit->absent = true;
	hit->value = "";
	hit->accessed = st->now;
	hit->binary_key = st->key->binary;
	return spec->lead->lead && !spec->lead->implicit ? RESULT_HIT :
							   RESULT_MISS;
}

/* -o visible_stubs: a lease shows as the empty item that it is in memcached. */
static bool
show_stub(struct act *st, struct hit *hit) REQUIRES(st->s->lock)
{
	const struct lease *lease;

	if (!lease_shows_stub(st))
		return false;
	lease = lease_find(st);
	hit->why = FOUND;
	hit->absent = false;
	hit->taken = true;
	hit->value = "";
	hit->cas = lease->token;
	hit->accessed = st->now;
	return true;
}

/* Whether it is a hit for any reader, with nothing to decide. */
static bool
is_plain(const struct read_spec *spec, const struct item *it)
{
	const struct lead_spec *lead = spec->lead;

	if (it == NULL)
		return lead == NULL;
	return lead == NULL || lead->classic ||
	    (!(it->word & (ITEM_STALE | ITEM_WON)) && !lead->versioned &&
		lead->early == 0 && spec->recache_until == 0);
}

/*
 * Holds what stands if it has to be made anew for a touch: HIT.  BUSY when too
 * many do, MISS when there is no need.
 */
static enum result
hold_timeless(rel_time exptime, struct place at, enum found why,
    struct held *held)
{
	struct item *it = found_stands(why) ? slot_item(at.bucket, at.slot) :
					      NULL;

	if (it == NULL || !retime_needed(it, exptime))
		return RESULT_MISS;
	return held_take(held, it) ? RESULT_HIT : RESULT_BUSY;
}

/* One try; held->item is set when an item is to be made anew before another. */
static enum result
try_read(struct act *st, const struct read_spec *spec, char *buffer,
    struct hit *hit, struct held *held)
{
	enum result res = RESULT_MISS;
	struct place at;
	struct item *it;

	memset(hit, 0, sizeof(*hit));
	held->item = NULL;
	shard_lock(st->s);
	it = shard_find(st->s, st->l, st->key, st->now, &at, &hit->why);
	if (spec->touch)
		res = hold_timeless(spec->exptime, at, hit->why, held);
	if (UNLIKELY(res != RESULT_MISS)) {
		act_end(st);
		return res;
	}
	if (!is_plain(spec, it))
		res = read_led(st, spec, at, buffer, hit);
	else if (it != NULL)
		res = serve(st, spec, at, it, buffer, hit);
	if (UNLIKELY(st->c->leases->config->visible_stubs) &&
	    (res == RESULT_MISS || (hit->absent && !hit->won)) &&
	    show_stub(st, hit))
		res = RESULT_HIT;
	act_end(st);
	return res;
}

enum result
cache_read(struct cache *c, struct store_local *l, const struct key *key,
    const struct read_spec *spec, rel_time now, char *buffer, struct hit *hit)
{
	struct act st = act_begin(c, l, key, now);
	struct held held;

	for (;;) {
		enum result res = try_read(&st, spec, buffer, hit, &held);

		if (LIKELY(held.item == NULL))
			return res;
		if (!retime(&st, &held))
			return RESULT_NO_MEMORY;
	}
}

bool
cache_note(struct cache *c, struct store_local *l, const struct key *key,
    rel_time now, struct item_note *note)
{
	struct shard *s = store_shard(c->store, key->hash);
	enum found why;
	struct place at;
	struct item *it;

	shard_lock(s);
	it = shard_find(s, l, key, now, &at, &why);
	if (it == NULL && found_stands(why))
		it = slot_item(at.bucket, at.slot);
	if (it != NULL) {
		item_note_fill(note, it, now);
		if (!c->cas_enabled)
			note->cas = 0;
	}
	shard_unlock(s, l);
	return it != NULL;
}

static enum result
try_touch(struct act *st, rel_time exptime, struct held *held)
{
	enum result res = RESULT_NOT_FOUND;
	struct hit stub;
	enum found why;
	struct place at;
	struct item *it;

	held->item = NULL;
	shard_lock(st->s);
	it = shard_find(st->s, st->l, st->key, st->now, &at, &why);
	if (it != NULL &&
	    hold_timeless(exptime, at, why, held) != RESULT_MISS) {
		res = RESULT_BUSY;
	} else if (it != NULL) {
		shard_hit(st->s, at, it, st->now);
		shard_touch(st->s, at, it, exptime, st->now);
		shard_class(st->s, it)->event[CLASS_TOUCH_HITS]++;
		res = RESULT_TOUCHED;
	} else if (show_stub(st, &stub)) {
		res = RESULT_TOUCHED;
	}
	act_end(st);
	return res;
}

enum result
cache_touch(struct cache *c, struct store_local *l, const struct key *key,
    rel_time exptime, rel_time now)
{
	struct act st = act_begin(c, l, key, now);
	struct held held;

	for (;;) {
		enum result res = try_touch(&st, exptime, &held);

		if (held.item == NULL)
			return res;
		if (!retime(&st, &held))
			return RESULT_NO_MEMORY;
	}
}
