/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cmd_lease.c - lease-get and lease-set, as mcrouter speaks them.
 */
#include "config.h"

#include "base/num.h"
#include "proto/command.h"
#include "proto/events.h"
#include "proto/lead.h"
#include "proto/pending.h"

enum { KEY = 1, TOKEN, FLAGS, EXPTIME, BYTES };

static void
put_answer(struct outbuf *o, const struct key *key, struct hit *hit)
{
	bool fresh = !hit->absent && !hit->stale;

	if (fresh)
		OUT_LITERAL(o, "VALUE ");
	else
		OUT_LITERAL(o, "LVALUE ");
	out_add(o, key->data, key->len);
	if (!fresh) {
		OUT_LITERAL(o, " ");
		out_number(o, hit->won ? hit->token : LEASE_TAKEN);
	}
	OUT_LITERAL(o, " ");
	out_number(o, hit->client_flags);
	OUT_LITERAL(o, " ");
	out_number(o, hit->value_len);
	OUT_LITERAL(o, "\r\n");
	put_data(o, hit);
}

/* Reads one key; what it answers, a miss too, is never nothing. */
static enum result
one_key(struct exec *x, struct request *req, const struct key *key, bool alone)
{
	struct lead_spec lead = {
		.aware = true,
		.lead = true,
		.lease_ms = cache_lease_length(x->cache, 0),
	};
	struct read_spec spec = { .want_value = true,
		.meta = true,
		.lead = &lead };
	struct hit hit;
	enum result res = lead_read(x, req->s, key, &spec, &lead,
	    alone ? req->s->wait_ms : 0, &hit);

	if (res == RESULT_PARKED || res == RESULT_BUSY)
		return res;
	event_get(x, req->s, key, hit.absent ? RESULT_MISS : res, &hit);
	COUNT(x->counters, cmd_get);
	if (hit.absent)
		COUNT(x->counters, get_misses);
	else
		COUNT(x->counters, get_hits);
	put_answer(req->out, key, &hit);
	return res;
}

enum step
cmd_lease_get(struct exec *x, struct request *req)
{
	struct session *s = req->s;
	const char *at = req->line + req->command->len;
	const char *end = req->line + req->len;
	struct token t = token_next(&at, end);
	struct key key;
	bool alone;

	if (t.len == 0 || !tokens_are_keys(t.p, end)) {
		SAY(req, SAY_BAD_FORMAT);
		return STEP_DONE;
	}
	alone = token_next(&at, end).len == 0;
	at = s->resume != 0 ? req->line + s->resume : t.p;
	while (request_key(&key, token_next(&at, end))) {
		enum result res = RESULT_PARKED;

		s->resume = (size_t)(key.data - req->line);
		if (!out_has_room(req->out))
			return STEP_FLUSH;
		if (x->budget-- <= 0)
			return STEP_YIELD;
		res = one_key(x, req, &key, alone);
		if (res == RESULT_PARKED)
			return STEP_PARK;
		if (res == RESULT_BUSY) {
			s->resume = 0;
			SAY(req, SAY_REFS);
			return STEP_DONE;
		}
	}
	s->resume = 0;
	SAY(req, "END\r\n");
	return STEP_DONE;
}

/* A negative exptime stores nothing: the holder gives the lease up. */
static enum step
give_up(struct exec *x, struct request *req, const struct store_request *sr)
{
	if (cache_give_up(x->cache, x->local, &sr->key, sr->spec.cas, 0,
		x->now))
		SAY(req, "STORED\r\n");
	else
		SAY(req, "NOT_STORED\r\n");
	return body_swallow(req, sr->bytes);
}

static bool
parse(struct exec *x, const struct token *t, struct store_request *sr,
    bool *negative)
{
	uint64_t flags;

	*negative = t[EXPTIME].p[0] == '-';
	if (!request_key(&sr->key, t[KEY]) ||
	    !num_strict(t[TOKEN].p, t[TOKEN].len, UINT64_MAX, &sr->spec.cas) ||
	    !num_strict(t[FLAGS].p, t[FLAGS].len, UINT64_MAX, &flags) ||
	    !request_exptime(t[EXPTIME], x->now, &sr->exptime))
		return false;
	sr->client_flags = (uint32_t)flags;
	return true;
}

enum step
cmd_lease_set(struct exec *x, struct request *req)
{
	struct store_request sr = { .spec = { .mode = STORE_SET,
					.compare = true } };
	struct token t[TOKEN_MAX];
	size_t n = request_split(req, t);
	struct stored done;
	bool negative;
	enum result res;
	enum step step;

	if (!body_length(req, t, n, BYTES, &sr.bytes))
		return STEP_DONE;
	if (!parse(x, t, &sr, &negative)) {
		SAY(req, SAY_BAD_FORMAT);
		return body_swallow(req, sr.bytes);
	}
	if (negative)
		return give_up(x, req, &sr);
	if (!cache_is_token(x->cache, &sr.key, sr.spec.cas)) {
		SAY(req, "NOT_STORED\r\n");
		return body_swallow(req, sr.bytes);
	}
	if (body_store(x, req, &sr, &step, &res, &done) != BODY_STORED)
		return step;
	event_store(x, req, &sr, res, &done);
	if (res == RESULT_NO_MEMORY)
		SAY(req, SAY_NO_MEMORY);
	else if (res == RESULT_STORED)
		SAY(req, "STORED\r\n");
	else
		SAY(req, "NOT_STORED\r\n");
	return STEP_DONE;
}
