/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cmd_compat.c - commands that tune what does not exist here.
 *
 * memcached's slab mover and LRU lists have knobs that scripts turn.  They get
 * the answers they expect, with the same checks of their words.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "proto/command.h"
#include "proto/dump.h"

enum { SLEEP_MAX = 1000000, WINDOW_MIN = 3, WINDOW_MAX = 1800 };

static bool
is_real(struct token t, double *v)
{
	char text[32], *end;

	if (t.len == 0 || t.len >= sizeof(text))
		return false;
	memcpy(text, t.p, t.len);
	text[t.len] = '\0';
	*v = strtod(text, &end);
	return *end == '\0';
}

static enum step
slabs_reassign(struct request *req, const struct token *t)
{
	int64_t from, to;

	if (!num_signed(t[2].p, t[2].len, INT32_MIN, INT32_MAX, &from) ||
	    !num_signed(t[3].p, t[3].len, INT32_MIN, INT32_MAX, &to))
		SAY(req, SAY_BAD_FORMAT);
	else if (from == to)
		SAY(req, "SAME src and dst class are identical\r\n");
	else if (from >= SIZECLASS_LIMIT || to < 0 || to >= SIZECLASS_LIMIT)
		SAY(req, "BADCLASS invalid src or dst class id\r\n");
	else
		SAY(req, "NOSPARE source class has no spare pages\r\n");
	return STEP_DONE;
}

static enum step
slabs_automove(struct request *req, const struct token *t, size_t n)
{
	uint64_t level;
	double ratio;

	if (n == 4 &&
	    (TOKEN_IS(t[2], "ratio") || TOKEN_IS(t[2], "freeratio"))) {
		if (is_real(t[3], &ratio))
			SAY(req, "OK\r\n");
		else
			SAY(req, SAY_BAD_FORMAT);
	} else if (n == 4 && TOKEN_IS(t[2], "window")) {
		if (!num_loose(t[3].p, t[3].len, UINT32_MAX, &level))
			SAY(req, SAY_BAD_FORMAT);
		else if (level < WINDOW_MIN || level > WINDOW_MAX)
			SAY(req,
			    "CLIENT_ERROR automove window too low or "
			    "too high\r\n");
		else
			SAY(req, "OK\r\n");
	} else if (!num_loose(t[2].p, t[2].len, UINT32_MAX, &level)) {
		SAY(req, SAY_BAD_FORMAT);
	} else if (level > 2) {
		SAY(req, "ERROR\r\n");
	} else {
		SAY(req, "OK\r\n");
	}
	return STEP_DONE;
}

enum step
cmd_slabs(struct exec *x, struct request *req)
{
	struct token t[TOKEN_MAX];
	size_t n = request_split(req, t);

	(void)x;
	request_strip_noreply(t, &n);
	if (n == 4 && TOKEN_IS(t[1], "reassign"))
		return slabs_reassign(req, t);
	if (n >= 3 && TOKEN_IS(t[1], "automove"))
		return slabs_automove(req, t, n);
	SAY(req, "ERROR\r\n");
	return STEP_DONE;
}

static enum step
lru_tune(struct request *req, const struct token *t)
{
	uint64_t hot, warm;
	double hot_factor, warm_factor;

	if (!num_loose(t[2].p, t[2].len, UINT32_MAX, &hot) ||
	    !num_loose(t[3].p, t[3].len, UINT32_MAX, &warm) ||
	    !is_real(t[4], &hot_factor) || !is_real(t[5], &warm_factor))
		SAY(req, "ERROR\r\n");
	else if (hot + warm > 80)
		SAY(req, "ERROR hot and warm pcts must not exceed 80\r\n");
	else if (hot_factor <= 0 || warm_factor <= 0)
		SAY(req,
		    "ERROR hot/warm age factors must be greater than "
		    "0\r\n");
	else
		SAY(req, "OK\r\n");
	return STEP_DONE;
}

enum step
cmd_lru(struct exec *x, struct request *req)
{
	struct token t[TOKEN_MAX];
	size_t n = request_split(req, t);
	int64_t ttl;
	bool good = false;

	(void)x;
	request_strip_noreply(t, &n);
	if (n >= 6 && TOKEN_IS(t[1], "tune"))
		return lru_tune(req, t);
	if (n >= 3 && TOKEN_IS(t[1], "mode"))
		good = TOKEN_IS(t[2], "flat") || TOKEN_IS(t[2], "segmented");
	else if (n >= 3 && TOKEN_IS(t[1], "temp_ttl"))
		good = num_signed(t[2].p, t[2].len, INT32_MIN, INT32_MAX, &ttl);
	if (good)
		SAY(req, "OK\r\n");
	else
		SAY(req, "ERROR\r\n");
	return STEP_DONE;
}

/* A list of class ids, or `all` or `hash`; 0 when one is no class. */
static uint64_t
class_set(struct token t)
{
	const char *at = t.p, *end = t.p + t.len;
	uint64_t set = 0, id;

	if (TOKEN_IS(t, "all") || TOKEN_IS(t, "hash"))
		return UINT64_MAX;
	while (at < end) {
		const char *comma = memchr(at, ',', (size_t)(end - at));
		const char *to = comma != NULL ? comma : end;

		if (!num_strict(at, (size_t)(to - at), SIZECLASS_LIMIT - 1,
			&id) ||
		    id < SIZECLASS_FIRST)
			return 0;
		set |= (uint64_t)1 << id;
		at = to + 1;
	}
	return set;
}

static enum step
crawl(struct exec *x, struct request *req, struct token classes)
{
	if (atomic_load(x->env->crawler_off))
		SAY(req, "CLIENT_ERROR lru crawler disabled\r\n");
	else if (class_set(classes) == 0)
		SAY(req, "BADCLASS invalid class id\r\n");
	else
		SAY(req, "OK\r\n");
	return STEP_DONE;
}

static enum step
list(struct exec *x, struct request *req, enum dump_form form,
    struct token classes)
{
	struct dump_spec spec = { .form = form, .classes = class_set(classes) };

	req->loud = true;
	if (atomic_load(x->env->crawler_off)) {
		SAY(req, "CLIENT_ERROR lru crawler disabled\r\n");
	} else if (!x->env->dump_enabled) {
		if (form == DUMP_META)
			SAY(req, "ERROR metadump not allowed\r\n");
		else
			SAY(req, "ERROR key dump not allowed\r\n");
	} else if (!out_is_empty(req->out)) {
		if (form == DUMP_META)
			SAY(req,
			    "ERROR cannot pipeline other commands "
			    "before metadump\r\n");
		else
			SAY(req,
			    "ERROR cannot pipeline other commands "
			    "before mgdump\r\n");
	} else if (spec.classes == 0) {
		SAY(req, "BADCLASS invalid class id\r\n");
	} else if (!dump_start(req->s, x, &spec)) {
		SAY(req, "SERVER_ERROR out of memory\r\n");
	} else {
		SAY(req, "OK\r\n");
	}
	return STEP_DONE;
}

static enum step
crawler_number(struct request *req, struct token word, struct token number)
{
	uint64_t v;

	if (!num_loose(number.p, number.len, UINT32_MAX, &v))
		SAY(req, SAY_BAD_FORMAT);
	else if (TOKEN_IS(word, "sleep") && v > SLEEP_MAX)
		SAY(req, "CLIENT_ERROR sleep must be one second or less\r\n");
	else
		SAY(req, "OK\r\n");
	return STEP_DONE;
}

/* The sweep goes on in any case: without it expired items would stay. */
static enum step
crawler_switch(struct exec *x, struct request *req, bool off)
{
	bool was_off = atomic_exchange(x->env->crawler_off, off);

	if (!off && !was_off)
		SAY(req, "ERROR failed to start lru crawler thread\r\n");
	else
		SAY(req, "OK\r\n");
	return STEP_DONE;
}

enum step
cmd_lru_crawler(struct exec *x, struct request *req)
{
	struct token t[TOKEN_MAX];
	size_t n = request_split(req, t);

	request_strip_noreply(t, &n);
	if (n == 3 && TOKEN_IS(t[1], "metadump"))
		return list(x, req, DUMP_META, t[2]);
	if (n == 3 && TOKEN_IS(t[1], "mgdump"))
		return list(x, req, DUMP_MG, t[2]);
	if (n == 3 && TOKEN_IS(t[1], "crawl"))
		return crawl(x, req, t[2]);
	if (n == 3 && (TOKEN_IS(t[1], "sleep") || TOKEN_IS(t[1], "tocrawl")))
		return crawler_number(req, t[1], t[2]);
	if (n == 2 && (TOKEN_IS(t[1], "enable") || TOKEN_IS(t[1], "disable")))
		return crawler_switch(x, req, TOKEN_IS(t[1], "disable"));
	SAY(req, "ERROR\r\n");
	return STEP_DONE;
}
