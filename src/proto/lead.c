/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lead.c - reads that may take a lease, or wait for somebody else's.
 */
#include "config.h"

#include "proto/lead.h"

#include <stdlib.h>
#include <string.h>

#include "cache/lease.h"
#include "proto/claims.h"

/* The counts of one rule. */
static struct rule_counts *
counts_of(const struct exec *x, const struct coalesce_rule *rule)
{
	struct leases *ls = x->cache->leases;

	return &ls->rule_counts[rule - ls->config->rule];
}

static void
count_rule(_Atomic uint64_t *count)
{
	atomic_fetch_add_explicit(count, 1, memory_order_relaxed);
}

/* Places in the counts of those who wait: of all, and by address. */

static bool
take_place(_Atomic uint32_t *count, uint32_t limit)
{
	if (atomic_fetch_add_explicit(count, 1, memory_order_relaxed) < limit)
		return true;
	atomic_fetch_sub_explicit(count, 1, memory_order_relaxed);
	return false;
}

static bool
take_places(const struct exec *x, const struct session *s)
{
	struct leases *ls = x->cache->leases;
	uint32_t of_address = ls->config->waiters_per_address;
	uint32_t waiting;

	if (!take_place(&ls->waiting, ls->config->waiters))
		return false;
	if (!take_place(&ls->address[s->address],
		of_address != 0 ? of_address : UINT32_MAX)) {
		atomic_fetch_sub(&ls->waiting, 1);
		return false;
	}
	waiting = atomic_load_explicit(&ls->waiting, memory_order_relaxed);
	if (waiting >
	    atomic_load_explicit(&ls->waiting_most, memory_order_relaxed))
		atomic_store_explicit(&ls->waiting_most, waiting,
		    memory_order_relaxed);
	return true;
}

static void
give_places(const struct exec *x, const struct session *s)
{
	struct leases *ls = x->cache->leases;

	atomic_fetch_sub_explicit(&ls->waiting, 1, memory_order_relaxed);
	atomic_fetch_sub_explicit(&ls->address[s->address], 1,
	    memory_order_relaxed);
}

/* The session waits no longer. */
static void
end_wait(struct session *s, struct exec *x)
{
	struct waiter *w = s->waiter;

	s->waiter = NULL;
	if (w->timer.at != 0)
		heap_remove(x->waits, &w->timer);
	wait_done(x->cache, x->local, w, x->now);
	give_places(x, s);
}

/* Whether the request may be parked; counts why not. */
static bool
may_park(struct session *s, struct exec *x)
{
	if (x->waits == NULL || x->draining || s->mode == LISTEN_PROXY)
		return false;
	if (claims_any(s, x)) {
		COUNT(x->counters, wait_refused_holder);
		return false;
	}
	if (take_places(x, s))
		return true;
	COUNT(x->counters, wait_refused_cap);
	return false;
}

/*
 * Reads again, and parks if the lease is still somebody else's.  False when it
 * may not: then there is nothing new in *res and *hit.
 */
static bool
park(struct exec *x, struct session *s, const struct key *key,
    const struct read_spec *spec, struct lead_spec *lead, uint64_t deadline,
    enum result *res, struct hit *hit)
{
	struct waiter *w;

	if (!may_park(s, x))
		return false;
	w = calloc(1, sizeof(*w));
	if (w == NULL || !heap_add(x->waits, &w->timer, deadline)) {
		free(w);
		give_places(x, s);
		return false;
	}
	w->owner = s->conn;
	w->lease_ms = lead->lead ? lead->lease_ms : 0;
	w->cfd = (uint32_t)s->cfd & 0x7fffff;
	w->needs = lead->versioned;
	lead->waiter = w;
	lead->mailbox = x->mailbox;
	*res = cache_read(x->cache, x->local, key, spec, x->now, x->scratch,
	    hit);
	lead->waiter = NULL;
	if (*res == RESULT_PARKED) {
		s->waiter = w;
		s->parks_unasked = lead->unasked;
		COUNT(x->counters, wait_parked);
		return true;
	}
	heap_remove(x->waits, &w->timer);
	free(w);
	give_places(x, s);
	return true;
}

/* The value that ended the wait; AGAIN when it is not good enough. */
static enum result
take_value(struct exec *x, const struct waiter *w, const struct read_spec *spec,
    struct hit *hit)
{
	*hit = *wait_hit(w);
	if (!lead_accepts(spec->lead, hit->versioned, hit->version,
		hit->negative))
		return RESULT_MISS;
	if (!spec->want_value) {
		hit->pinned = NULL;
	} else if (hit->value_len <= CACHE_COPY_MAX) {
		memcpy(x->scratch, hit->value, hit->value_len);
		hit->value = x->scratch;
		hit->pinned = NULL;
	} else if (!item_ref(hit->pinned)) {
		return RESULT_BUSY;
	}
	return RESULT_HIT;
}

/* The lease for which the request waited is its own now. */
static void
inherit(struct exec *x, struct session *s, const struct key *key,
    struct lead_spec *lead, uint64_t token)
{
	lead->handed = token;
	claims_add(s, x, (struct claim){ .hash = key->hash, .token = token });
	COUNT(x->counters, wait_handed);
}

/* A value came; who it does not do for may have a lease with it. */
static void
after_value(struct exec *x, struct session *s, const struct key *key,
    struct lead_spec *lead, bool answered)
{
	const struct waiter *w = s->waiter;

	if (answered)
		COUNT(x->counters, wait_served);
	if (w->heir && answered) {
		cache_abandon(x->cache, x->local, key->hash, w->token, x->now);
	} else if (w->heir) {
		cache_inherit(x->cache, x->local, key, w->token, w->lease_ms,
		    s->cfd, x->now);
		inherit(x, s, key, lead, w->token);
	} else if (!answered) {
		COUNT(x->counters, wait_repeated);
	}
}

/*
 * What the end of the wait gave.  True when that answers the request; else it
 * is read once more, in *lead as the outcome demands, and *wait says whether it
 * may wait again.
 */
static bool
resume(struct exec *x, struct session *s, const struct key *key,
    const struct read_spec *spec, struct lead_spec *lead, bool *wait,
    enum result *res, struct hit *hit)
{
	struct waiter *w = s->waiter;
	enum wait_outcome outcome = w->outcome;
	bool answered = false;

	*wait = false;
	switch (outcome) {
	case WAIT_VALUE:
		/* A touch has to be done where the item stands. */
		*res = spec->touch ? RESULT_MISS : take_value(x, w, spec, hit);
		answered = *res != RESULT_MISS;
		*wait = !answered;
		after_value(x, s, key, lead, answered);
		break;
	case WAIT_LEASE:
		inherit(x, s, key, lead, w->token);
		*wait = true;
		break;
	case WAIT_AGAIN:
		*wait = true;
		COUNT(x->counters, wait_repeated);
		break;
	default:
		/* What it waited for has not come: it is not to load itself. */
		lead->barred = true;
		COUNT(x->counters, wait_timed_out);
		break;
	}
	if (lead->rule != NULL && (answered || !*wait))
		count_rule(answered ?
			&counts_of(x, lead->rule)->wait_served :
			&counts_of(x, lead->rule)->wait_timed_out);
	end_wait(s, x);
	return answered;
}

/* What the connection has to remember of a read. */
static void
note(struct exec *x, struct session *s, const struct key *key,
    const struct lead_spec *lead, uint64_t before, const struct hit *hit)
{
	struct claim claim = { .hash = key->hash };

	if (s->mode == LISTEN_PROXY)
		return;
	if (hit->won && hit->token != lead->handed)
		claim.token = hit->token;
	if (lead->rule != NULL && lead->rule->guard &&
	    (hit->absent || hit->won))
		claim.guard = before + 1;
	if (claim.token != 0 || claim.guard != 0)
		claims_add(s, x, claim);
}

enum result
lead_read(struct exec *x, struct session *s, const struct key *key,
    const struct read_spec *spec, struct lead_spec *lead, uint32_t wait_ms,
    struct hit *hit)
{
	uint64_t deadline = s->arrived + wait_ms;
	uint64_t before = store_seq(x->cache->store);
	bool wait = true;
	enum result res;

	lead->cfd = s->cfd;
	if (UNLIKELY(s->waiter != NULL) &&
	    resume(x, s, key, spec, lead, &wait, &res, hit))
		return res;
	res = cache_read(x->cache, x->local, key, spec, x->now, x->scratch,
	    hit);
	if (UNLIKELY(hit->absent && hit->taken && hit->backoff == 0 && wait &&
		deadline > x->now_ms) &&
	    park(x, s, key, spec, lead, deadline, &res, hit) &&
	    res == RESULT_PARKED)
		return res;
	note(x, s, key, lead, before, hit);
	return res;
}

const struct coalesce_rule *
lead_rule(const struct exec *x, const struct key *key)
{
	const struct lease_config *config = x->cache->leases->config;

	for (unsigned i = 0; i < config->rules; i++) {
		const struct coalesce_rule *rule = &config->rule[i];

		if (rule->len <= key->len &&
		    memcmp(rule->prefix, key->data, rule->len) == 0)
			return rule;
	}
	return NULL;
}

enum result
lead_shown(struct exec *x, struct hit *hit, enum result res)
{
	if (res != RESULT_HIT || !hit->stale || !hit->won)
		return res;
	if (hit->pinned != NULL)
		store_item_release(x->local, hit->pinned);
	hit->absent = true;
	return RESULT_MISS;
}

uint32_t
lead_by_rule(const struct coalesce_rule *rule, struct lead_spec *lead,
    const struct request *req)
{
	lead->lead = lead->implicit = lead->unasked = true;
	lead->rule = rule;
	lead->lease_ms = rule->lease_ms;
	lead->want_stale = rule->stale > 0;
	/* It did not ask to wait: not with more requests behind it. */
	return req->body_len == 0 ? rule->wait_ms : 0;
}

const struct item_extra *
lead_extra(const struct exec *x, const struct store_request *sr,
    struct item_extra *extra)
{
	const struct lease_config *config = x->cache->leases->config;
	const struct coalesce_rule *rule;
	bool any = sr->extra != NULL;

	if (LIKELY(!sr->spec.compare && config->rules == 0 &&
		config->tag_prefix == '\0'))
		return sr->extra;
	if (any)
		*extra = *sr->extra;
	else
		memset(extra, 0, sizeof(*extra));
	if (UNLIKELY(sr->spec.compare &&
		cache_is_token(x->cache, &sr->key, sr->spec.cas)))
		any = extra->born = true;
	rule = lead_rule(x, &sr->key);
	if (rule != NULL && rule->stale > 0 && extra->grace == 0 &&
	    sr->exptime != 0) {
		extra->grace = rule->stale;
		any = true;
	}
	any |= cache_add_prefix_tag(x->cache, &sr->key, extra);
	return any ? extra : NULL;
}

void
lead_guarded(struct exec *x, struct session *s, const struct key *key)
{
	const struct coalesce_rule *rule = lead_rule(x, key);

	claims_unguard(s, key->hash);
	if (rule != NULL)
		count_rule(&counts_of(x, rule)->guard_refused);
}

void
lead_wake(struct session *s, struct exec *x, enum wait_outcome outcome)
{
	struct waiter *w = s->waiter;

	if (w->queue != NULL && !w->fetched)
		wait_leave(x->cache, x->local, w, x->now);
	if (w->timer.at != 0)
		heap_remove(x->waits, &w->timer);
	if (w->outcome == WAIT_LEASE)
		cache_abandon(x->cache, x->local, w->hash, w->token, x->now);
	w->outcome = outcome & 0x3f;
}

void
lead_end(struct session *s, struct exec *x)
{
	struct waiter *w = s->waiter;

	if (w != NULL) {
		if (w->outcome == WAIT_LEASE)
			cache_abandon(x->cache, x->local, w->hash, w->token,
			    x->now);
		else if (w->heir)
			cache_abandon(x->cache, x->local, w->queue->hash,
			    w->token, x->now);
		COUNT(x->counters, wait_gone);
		end_wait(s, x);
	}
	claims_end(s, x);
}
