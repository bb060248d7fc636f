/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pending.c - how the value of a storage request gets into an item.
 */
#include "config.h"

#include "proto/pending.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/num.h"
#include "proto/claims.h"
#include "proto/events.h"
#include "proto/lead.h"

enum { CRLF = 2 };

static bool
ends_well(const char *p)
{
	return p[0] == '\r' && p[1] == '\n';
}

bool
body_length(struct request *req, const struct token *t, size_t n, size_t at,
    uint64_t *bytes)
{
	if (n > at && num_strict(t[at].p, t[at].len, BYTES_MAX, bytes))
		return true;
	req->loud = true;
	SAY(req, SAY_BAD_FORMAT);
	return false;
}

enum step
body_swallow(struct request *req, uint64_t bytes)
{
	uint64_t all = bytes + CRLF;

	req->body_used = all < req->body_len ? (size_t)all : req->body_len;
	if (all > req->body_used) {
		req->s->state = SESSION_SWALLOW;
		req->s->swallow = all - req->body_used;
	}
	return STEP_DONE;
}

static enum step
refuse(struct exec *x, struct request *req, const struct store_request *sr,
    enum result why)
{
	if (why == RESULT_TOO_LARGE) {
		SAY(req, SAY_TOO_LARGE);
		COUNT(x->counters, store_too_large);
	} else {
		SAY(req, SAY_NO_MEMORY);
		COUNT(x->counters, store_no_memory);
	}
	event_store(x, req, sr, why, NULL);
	/* Its lease is of no use any more. */
	if (sr->spec.compare)
		cache_give_up(x->cache, x->local, &sr->key, sr->spec.cas, 0,
		    x->now);
	if (sr->drops_on_failure)
		cache_drop(x->cache, x->local, &sr->key, x->now);
	return body_swallow(req, sr->bytes);
}

/* As memcached: it counts as a storage request all the same. */
static void
bad_chunk(struct exec *x, struct request *req, const struct store_request *sr)
{
	COUNT(x->counters, cmd_set);
	cache_count(x->cache, &sr->key, (size_t)sr->bytes, sr->client_flags,
	    CLASS_CMD_SET);
	SAY(req, SAY_BAD_CHUNK);
}

/* Starts reading a large value straight into its item. */
static enum step
begin(struct request *req, const struct store_request *sr, struct item *it)
{
	struct pending *p = malloc(sizeof(*p) + req->len);

	if (p == NULL)
		return STEP_CLOSE;
	p->item = it;
	p->value = item_value(it);
	p->len = (size_t)sr->bytes;
	p->filled = req->body_len < p->len ? req->body_len : p->len;
	p->line_len = req->len;
	memcpy(p->line, req->line, req->len);
	memcpy(p->value, req->body, p->filled);
	req->body_used = p->filled;
	req->s->pending = p;
	req->s->state = SESSION_VALUE;
	return STEP_TAKEN;
}

void
pending_free(struct pending *p, struct exec *x)
{
	if (p->item != NULL)
		store_item_release(x->local, p->item);
	free(p);
}

/* The item with its whole value; NULL when that is not to be had (now). */
static struct item *
collect(struct exec *x, struct request *req, const struct store_request *sr,
    enum step *step)
{
	struct item_extra extra;
	struct item_spec spec = {
		.key = sr->key,
		.value_len = (uint32_t)sr->bytes,
		.client_flags = sr->client_flags,
		.own_cas = sr->spec.own_cas,
		.timed = cache_times_later(&sr->spec),
		.exptime = sr->exptime,
		.extra = lead_extra(x, sr, &extra),
	};
	size_t n = (size_t)sr->bytes;
	struct item *it;
	enum result why = RESULT_TOO_LARGE;
	bool whole;

	if (!cache_fits(x->cache, sr->key.len, sr->bytes, sr->client_flags)) {
		*step = refuse(x, req, sr, why);
		return NULL;
	}
	whole = req->body_len >= n + CRLF;
	if (!whole && n <= SESSION_SMALL_VALUE) {
		*step = STEP_INPUT;
		return NULL;
	}
	if (whole && !ends_well(req->body + n)) {
		bad_chunk(x, req, sr);
		*step = body_swallow(req, n);
		return NULL;
	}
	it = cache_prepare(x->cache, x->local, &spec, x->now, &why);
	if (it == NULL) {
		*step = refuse(x, req, sr, why);
		return NULL;
	}
	if (!whole) {
		*step = begin(req, sr, it);
		if (*step == STEP_CLOSE)
			store_item_release(x->local, it);
		return NULL;
	}
	memcpy(item_value(it), req->body, n);
	req->body_used = n + CRLF;
	return it;
}

/* The item of a value that was read in pieces. */
static struct item *
complete(struct exec *x, struct request *req, const struct store_request *sr,
    struct pending *p)
{
	struct item *it = p->item;

	CHECK(p->filled == p->len && req->body_len >= CRLF);
	req->body_used = CRLF;
	if (!ends_well(req->body)) {
		bad_chunk(x, req, sr);
		return NULL;
	}
	p->item = NULL;
	return it;
}

/* Not what is made of a standing value, nor an older one in its place. */
static bool
ends_lease(const struct store_spec *spec)
{
	return spec->mode != STORE_APPEND && spec->mode != STORE_PREPEND &&
	    !spec->stale_if_older;
}

enum body
body_store(struct exec *x, struct request *req, const struct store_request *sr,
    enum step *step, enum result *res, struct stored *done)
{
	struct pending *p = req->s->state == SESSION_VALUE ? req->s->pending :
							     NULL;
	struct store_spec spec = sr->spec;
	struct item *it;

	*step = STEP_DONE;
	it = p != NULL ? complete(x, req, sr, p) : collect(x, req, sr, step);
	if (it == NULL)
		return *step == STEP_DONE ? BODY_ANSWERED : BODY_AWAITED;
	COUNT(x->counters, cmd_set);
	spec.guard = claims_guard(req->s, sr->key.hash);
	spec.guarded = spec.guard != 0;
	spec.guard--;
	*res = cache_store(x->cache, x->local, &sr->key, it, &spec, x->now,
	    done);
	if (*res == RESULT_STORED && ends_lease(&spec))
		claims_forget(req->s, sr->key.hash);
	if (UNLIKELY(done->by_guard))
		lead_guarded(x, req->s, &sr->key);
	if (*res == RESULT_TOO_LARGE)
		COUNT(x->counters, store_too_large);
	if (*res == RESULT_NO_MEMORY)
		COUNT(x->counters, store_no_memory);
	return BODY_STORED;
}
