/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cmd_store.c - set, add, replace, append, prepend, cas.
 */
#include "config.h"

#include "base/num.h"
#include "cache/cache_lease.h"
#include "proto/command.h"
#include "proto/events.h"
#include "proto/pending.h"
#include "proto/prefix.h"
#include "proto/tally.h"

enum { KEY = 1, FLAGS, EXPTIME, BYTES, CAS };

/* What the command's first letters say. */
static void
set_mode(const struct request *req, struct store_request *sr)
{
	const char *name = req->command->name;

	sr->spec.mode = STORE_SET;
	if (name[0] == 'c') {
		sr->spec.compare = true;
	} else if (name[0] == 'a') {
		sr->spec.mode = name[1] == 'd' ? STORE_ADD : STORE_APPEND;
	} else if (name[0] == 'r') {
		sr->spec.mode = STORE_REPLACE;
	} else if (name[0] == 'p') {
		sr->spec.mode = STORE_PREPEND;
	} else {
		sr->drops_on_failure = true;
	}
}

/* False when the request is wrong and its data has to be swallowed. */
static bool
parse(struct exec *x, const struct token *t, size_t n, struct store_request *sr)
{
	uint64_t flags;

	if (!request_key(&sr->key, t[KEY]) ||
	    !num_loose(t[FLAGS].p, t[FLAGS].len, UINT64_MAX, &flags) ||
	    !request_exptime(t[EXPTIME], x->now, &sr->exptime))
		return false;
	sr->client_flags = (uint32_t)flags;
	if (!sr->spec.compare)
		return true;
	return n > CAS &&
	    num_loose(t[CAS].p, t[CAS].len, UINT64_MAX, &sr->spec.cas);
}

static void
answer(struct request *req, enum result res)
{
	switch (res) {
	case RESULT_STORED:
		SAY(req, "STORED\r\n");
		break;
	case RESULT_EXISTS:
		SAY(req, "EXISTS\r\n");
		break;
	case RESULT_NOT_FOUND:
		SAY(req, "NOT_FOUND\r\n");
		break;
	case RESULT_TOO_LARGE:
		SAY(req, SAY_TOO_LARGE);
		break;
	case RESULT_NO_MEMORY:
	case RESULT_BUSY:
		SAY(req, SAY_NO_MEMORY);
		break;
	default:
		SAY(req, "NOT_STORED\r\n");
		break;
	}
}

enum step
cmd_store(struct exec *x, struct request *req)
{
	struct store_request sr = { .spec.mode = STORE_SET };
	struct token t[TOKEN_MAX];
	size_t n = request_split(req, t);
	struct stored done;
	enum result res;
	enum step step;

	if (!body_length(req, t, n, BYTES, &sr.bytes))
		return STEP_DONE;
	set_mode(req, &sr);
	request_strip_noreply(t, &n);
	if (!parse(x, t, n, &sr)) {
		SAY(req, SAY_BAD_FORMAT);
		return body_swallow(req, sr.bytes);
	}
	if (body_store(x, req, &sr, &step, &res, &done) != BODY_STORED)
		return step;
	/* Clients that fill by cas know no NOT_STORED of it. */
	if (sr.spec.compare && res == RESULT_REFUSED &&
	    cache_is_token(x->cache, &sr.key, sr.spec.cas))
		res = RESULT_EXISTS;
	event_store(x, req, &sr, res, &done);
	prefix_count(x->env->prefixes, &sr.key, PREFIX_SET);
	tally_cas(x, &sr.spec, res);
	answer(req, res);
	return STEP_DONE;
}
