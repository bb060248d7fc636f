/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * play_lease.c - reads, and what becomes of leases and tags.
 */
#include "config.h"

#include <string.h>

#include "play.h"

static void
compare_hits(struct play *p, const struct hit *hit, const struct hit *want)
{
	SAME(p, hit->why == want->why);
	SAME(p, hit->absent == want->absent);
	SAME(p, hit->value_len == want->value_len);
	SAME(p, hit->client_flags == want->client_flags);
	SAME(p, hit->cas == want->cas);
	SAME(p, hit->exptime == want->exptime);
	SAME(p, hit->accessed == want->accessed);
	SAME(p, hit->fetched == want->fetched);
	SAME(p, hit->binary_key == want->binary_key);
	SAME(p, hit->negative == want->negative);
	SAME(p, hit->versioned == want->versioned);
	SAME(p, hit->version == want->version);
	SAME(p, hit->won == want->won);
	SAME(p, hit->stale == want->stale);
	SAME(p, hit->taken == want->taken);
	SAME(p, hit->floored == want->floored);
	SAME(p, hit->floor == want->floor);
}

static void
compare_values(struct play *p, const struct hit *hit, const struct known *k)
{
	SAME(p,
	    (hit->pinned != NULL) ==
		(hit->value != NULL && hit->value_len > CACHE_COPY_MAX));
	if (hit->value != NULL && hit->value_len == k->len)
		SAME(p, memcmp(hit->value, k->value, k->len) == 0);
}

/* What the holder of a lease, and who has to do without, are told of it. */
static void
compare_leases(struct play *p, struct known *k, const struct lead_spec *lead,
    const struct hit *hit)
{
	bool fresh = !hit->absent && !hit->stale;

	if (hit->won) {
		SAME(p, hit->token > p->last_token);
		SAME(p, hit->lease_left == lead->lease_ms);
		p->last_token = hit->token;
		model_grant(&p->model, k, hit->token, lead->lease_ms);
		return;
	}
	SAME(p, hit->token == 0);
	if (fresh || !hit->taken)
		return;
	SAME(p, hit->lease_left == k->until - p->model.now_ms);
	SAME(p, hit->backoff == (k->spared ? hit->lease_left : 0));
}

static struct lead_spec
any_lead(struct play *p, const struct known *k)
{
	struct lead_spec lead = {
		.lead = play_pick(p, 2) == 0,
		.versioned = play_pick(p, 6) == 0,
		.version = play_version(p, k),
		.lease_ms = 1 + (uint32_t)rng_any(&p->rng, 16),
	};

	lead.aware = lead.lead || lead.versioned || play_pick(p, 2);
	return lead;
}

void
play_read(struct play *p)
{
	struct rig *r = &p->rig;
	unsigned i = (unsigned)play_pick(p, MODEL_KEYS);
	struct known *k = &p->model.known[i];
	struct lead_spec lead = any_lead(p, k);
	struct read_spec spec = {
		.want_value = play_pick(p, 4) != 0,
		.peek = play_pick(p, 5) == 0,
		.touch = play_pick(p, 6) == 0,
		.exptime = play_exptime(p),
		.meta = play_pick(p, 2) == 0,
		.recache_until = play_pick(p, 2) ?
		    play_now(p) + (rel_time)play_pick(p, 99) :
		    0,
		.recache_first = play_pick(p, 2) == 0,
	};
	struct key key = play_key(i);
	struct hit hit, want;
	enum result res;

	p->step = "read";
	if (spec.meta)
		spec.lead = &lead;
	key.binary = play_pick(p, 4) == 0;
	res = cache_read(&r->cache, &r->local, &key, &spec, play_now(p),
	    r->x.scratch, &hit);
	SAME(p, res == model_read(&p->model, i, &spec, &want));
	if (want.absent)
		want.binary_key = key.binary;
	compare_hits(p, &hit, &want);
	if (!want.absent && res == RESULT_HIT && spec.want_value)
		compare_values(p, &hit, k);
	if (spec.lead != NULL)
		compare_leases(p, k, &lead, &hit);
	if (hit.pinned != NULL)
		store_item_release(&r->local, hit.pinned);
}

/* Somebody with a token, of whatever age. */
static bool
is_holder(const struct play *p, const struct known *k, uint64_t token)
{
	return k->leased && model_is_led(&p->model, k) && k->token == token;
}

void
play_give_up(struct play *p)
{
	unsigned i = (unsigned)play_pick(p, MODEL_KEYS);
	struct known *k = &p->model.known[i];
	uint64_t token = play_token(p, k);
	uint32_t ms = play_pick(p, 3) ? 0 : (uint32_t)rng_any(&p->rng, 16);
	struct key key = play_key(i);
	bool was_live = is_holder(p, k, token);

	p->step = "give up";
	SAME(p,
	    cache_give_up(&p->rig.cache, &p->rig.local, &key, token, ms,
		play_now(p)) == was_live);
	if (!was_live)
		return;
	k->leased = false;
	k->spared = ms > 0;
	k->until = p->model.now_ms + ms;
}

void
play_renew(struct play *p)
{
	unsigned i = (unsigned)play_pick(p, MODEL_KEYS);
	struct known *k = &p->model.known[i];
	uint64_t token = play_token(p, k);
	uint32_t ms = 1 + (uint32_t)rng_any(&p->rng, 16);
	uint64_t last = k->granted + p->rig.lease.lease_max;
	struct key key = play_key(i);
	bool was_live = is_holder(p, k, token);
	struct hit hit;

	p->step = "renew";
	SAME(p,
	    cache_renew(&p->rig.cache, &p->rig.local, &key, token, ms,
		play_now(p), &hit) == was_live);
	if (!was_live)
		return;
	k->until = p->model.now_ms + ms;
	if (k->until > last)
		k->until = last;
	SAME(p, hit.won && hit.absent && hit.token == token);
	SAME(p, hit.lease_left == k->until - p->model.now_ms);
}

void
play_tag(struct play *p)
{
	unsigned t = (unsigned)play_pick(p, MODEL_TAGS);

	p->step = "tag";
	cache_invalidate_tag(&p->rig.cache, &"abcd"[t], 1);
	p->model.tag[t] = ++p->model.event;
}
