/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cmd_get.c - get, gets, gat, gats.
 *
 * The keys of a request are looked up a few at a time: first their buckets are
 * prefetched, then their items, so that a multi-get waits for memory once a
 * batch and not once a key.  When the output is full the request stops after a
 * key and goes on where it was once the client has read.
 */
#include "config.h"

#include "proto/command.h"
#include "proto/events.h"
#include "proto/lead.h"
#include "proto/prefix.h"

enum { BATCH = 16 };

struct retrieval {
	struct read_spec spec;
	bool with_cas;
	bool leases;    /* -l mode[lease]: misses of gets take a lease */
	bool one_key;   /* only then it may wait */
	size_t keys_at; /* offset of the first key in the line */
};

static void
put_value(struct outbuf *o, const struct key *key, struct hit *hit,
    bool with_cas)
{
	OUT_LITERAL(o, "VALUE ");
	out_add(o, key->data, key->len);
	OUT_LITERAL(o, " ");
	out_number(o, hit->client_flags);
	OUT_LITERAL(o, " ");
	out_number(o, hit->value_len);
	if (with_cas) {
		OUT_LITERAL(o, " ");
		out_number(o, hit->cas);
	}
	OUT_LITERAL(o, "\r\n");
	put_data(o, hit);
}

static void
count(struct exec *x, const struct retrieval *r, enum result res,
    const struct hit *hit)
{
	struct counters *c = x->counters;

	if (r->spec.touch) {
		COUNT(c, cmd_touch);
		if (res == RESULT_HIT)
			COUNT(c, touch_hits);
		else
			COUNT(c, touch_misses);
		return;
	}
	COUNT(c, cmd_get);
	if (res == RESULT_HIT) {
		COUNT(c, get_hits);
		return;
	}
	COUNT(c, get_misses);
	if (hit->why == FOUND_EXPIRED)
		COUNT(c, get_expired);
	else if (hit->why == FOUND_FLUSHED)
		COUNT(c, get_flushed);
}

/* A miss on a listener for leases: the token as the CAS number of nothing. */
static void
put_lease(struct outbuf *o, const struct key *key, const struct hit *hit)
{
	OUT_LITERAL(o, "VALUE ");
	out_add(o, key->data, key->len);
	OUT_LITERAL(o, " 0 0 ");
	out_number(o, hit->won ? hit->token : LEASE_TAKEN);
	OUT_LITERAL(o, "\r\n\r\n");
}

/*
 * Reads a key for a client that does not ask for leases: if the listener gives
 * them out, or a rule is there for the key, and the request is for it alone.
 */
static enum result
read_key(struct exec *x, struct request *req, const struct retrieval *r,
    const struct key *key, struct hit *hit)
{
	struct read_spec spec = r->spec;
	struct lead_spec lead = { .classic = true,
		.implicit = true,
		.lead = true };
	const struct coalesce_rule *rule = NULL;
	uint32_t wait_ms;

	if (r->leases) {
		lead.lease_ms = cache_lease_length(x->cache, 0);
		wait_ms = r->one_key ? req->s->wait_ms : 0;
	} else if (r->one_key && (rule = lead_rule(x, key)) != NULL) {
		wait_ms = lead_by_rule(rule, &lead, req);
	} else {
		return cache_read(x->cache, x->local, key, &spec, x->now,
		    x->scratch, hit);
	}
	spec.lead = &lead;
	return lead_read(x, req->s, key, &spec, &lead, wait_ms, hit);
}

static enum result
one_key(struct exec *x, struct request *req, const struct retrieval *r,
    const struct key *key)
{
	struct hit hit;
	enum result res;

	if (LIKELY(!r->leases && x->cache->leases->config->rules == 0))
		res = cache_read(x->cache, x->local, key, &r->spec, x->now,
		    x->scratch, &hit);
	else
		res = read_key(x, req, r, key, &hit);
	if (res == RESULT_PARKED)
		return res;
	res = lead_shown(x, &hit, res);
	count(x, r, res, &hit);
	event_get(x, req->s, key, res, &hit);
	prefix_count(x->env->prefixes, key,
	    res == RESULT_HIT ? PREFIX_HIT : PREFIX_GET);
	if (res == RESULT_HIT)
		put_value(req->out, key, &hit, r->with_cas);
	else if (r->leases && res == RESULT_MISS)
		put_lease(req->out, key, &hit);
	return res;
}

static enum step
fail(struct session *s, struct request *req, enum result res)
{
	s->resume = 0;
	if (res == RESULT_BUSY)
		SAY(req, SAY_REFS);
	else
		SAY(req, SAY_NO_TOUCH);
	return STEP_DONE;
}

/* Whether there is exactly one key. */
static bool
is_one_key(const struct request *req, size_t at)
{
	const char *p = req->line + at, *end = req->line + req->len;

	return token_next(&p, end).len > 0 && token_next(&p, end).len == 0;
}

/* Reads up to BATCH keys and starts to load what they need. */
static int
next_keys(struct exec *x, const char **at, const char *end,
    struct key key[BATCH])
{
	int n = 0;

	while (n < BATCH && request_key(&key[n], token_next(at, end))) {
		/* The first, too, once there is a second. */
		if (n == 1)
			cache_prefetch(x->cache, key[0].hash);
		if (n > 0)
			cache_prefetch(x->cache, key[n].hash);
		n++;
	}
	for (int i = 0; n > 1 && i < n; i++)
		cache_prefetch_item(x->cache, key[i].hash);
	return n;
}

/* The request goes on with this key when it is called again. */
static enum step
stop_at(struct session *s, const struct request *req, const struct key *key,
    enum step why)
{
	s->resume = (size_t)(key->data - req->line);
	return why;
}

static enum step
retrieve(struct exec *x, struct request *req, struct retrieval *r)
{
	const char *at = req->line + r->keys_at, *end = req->line + req->len;
	struct session *s = req->s;
	struct key key[BATCH];
	enum result res;
	int n;

	r->leases = r->with_cas && s->mode == LISTEN_LEASE;
	if (UNLIKELY(r->leases || x->cache->leases->config->rules > 0))
		r->one_key = is_one_key(req, r->keys_at);
	if (s->resume != 0)
		at = req->line + s->resume;
	else if (!tokens_are_keys(req->line + r->keys_at,
		     req->line + req->len)) {
		SAY(req, SAY_BAD_FORMAT);
		return STEP_DONE;
	}
	while ((n = next_keys(x, &at, end, key)) > 0) {
		if (x->budget-- <= 0)
			return stop_at(s, req, &key[0], STEP_YIELD);
		for (int i = 0; i < n; i++) {
			if (!out_has_room(req->out))
				return stop_at(s, req, &key[i], STEP_FLUSH);
			res = one_key(x, req, r, &key[i]);
			if (UNLIKELY(res == RESULT_PARKED)) {
				s->resume = 0;
				return STEP_PARK;
			}
			if (res == RESULT_BUSY || res == RESULT_NO_MEMORY)
				return fail(s, req, res);
		}
	}
	if (!out_has_room(req->out)) {
		s->resume = req->len;
		return STEP_FLUSH;
	}
	s->resume = 0;
	SAY(req, "END\r\n");
	return STEP_DONE;
}

enum step
cmd_get(struct exec *x, struct request *req)
{
	struct retrieval r = {
		.spec.want_value = true,
		.with_cas = req->command->len == sizeof("gets") - 1,
		.keys_at = req->command->len,
	};

	return retrieve(x, req, &r);
}

enum step
cmd_gat(struct exec *x, struct request *req)
{
	struct retrieval r = {
		.spec = { .want_value = true, .touch = true },
		.with_cas = req->command->len == sizeof("gats") - 1,
	};
	const char *at = req->line + req->command->len;
	const char *end = req->line + req->len;
	struct token exptime = token_next(&at, end);

	r.keys_at = (size_t)(at - req->line);
	if (token_next(&at, end).len == 0) {
		SAY(req, SAY_BAD_FORMAT);
		return STEP_DONE;
	}
	if (!request_exptime(exptime, x->now, &r.spec.exptime)) {
		SAY(req, SAY_BAD_EXPTIME);
		return STEP_DONE;
	}
	return retrieve(x, req, &r);
}
