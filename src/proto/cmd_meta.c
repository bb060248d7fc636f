/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cmd_meta.c - mg, md, me, mn.
 */
#include "config.h"

#include <math.h>
#include <string.h>

#include "base/base64.h"
#include "base/num.h"
#include "proto/command.h"
#include "proto/events.h"
#include "proto/lead.h"
#include "proto/meta.h"

/*
 * T and R act in the order of the request, so `t` shows the time to live as it
 * is at its place in the line.
 */
static void
read_spec(const struct meta *m, const struct lead_spec *lead,
    struct read_spec *spec)
{
	bool seen_t = false;

	*spec = (struct read_spec){
		.meta = true,
		.want_value = meta_has(m, 'v'),
		.peek = meta_has(m, 'u'),
		.touch = meta_has(m, 'T'),
		.exptime = m->T,
		.recache_until = meta_has(m, 'R') ? m->R : 0,
		.lead = lead,
	};
	for (unsigned i = 0; i < m->flags; i++) {
		char letter = m->flag[i].p[0];

		if (letter == 'R' && !seen_t)
			spec->recache_first = true;
		if (letter == 'T')
			seen_t = true;
	}
}

/* The length of the lease that is asked for. */
static uint32_t
lease_ms(struct exec *x, const struct meta *m)
{
	uint64_t ms = m->n;

	if (meta_has(m, 'N'))
		/* 0, negative or an absolute time: as long as may be */
		ms = m->N > x->now && m->N - x->now <= CLOCK_MAX_DELTA ?
		    (uint64_t)(m->N - x->now) * 1000 :
		    UINT32_MAX;
	return cache_lease_length(x->cache, ms);
}

static void
lead_spec(struct exec *x, const struct meta *m, struct lead_spec *lead)
{
	*lead = (struct lead_spec){
		.lead = meta_has(m, 'n') || meta_has(m, 'N'),
		.versioned = m->V_told,
		.version = m->V,
		.lease_ms = lease_ms(x, m),
	};
	lead->aware = lead->lead || meta_has(m, 'w') || meta_has(m, 'e') ||
	    meta_has(m, 'V');
	if (m->e != 0)
		lead->early = -log(exec_dice(x)) * m->e / META_BETA;
}

/* ` t`: of a lease, when there is no value. */
static void
put_ttl(struct exec *x, struct outbuf *o, const struct hit *hit,
    rel_time exptime)
{
	if (!hit->absent) {
		meta_put_ttl(o, exptime, x->now);
		return;
	}
	OUT_LITERAL(o, " t");
	out_number(o, (hit->lease_left + 999) / 1000);
}

static void
put_cas(struct outbuf *o, const struct hit *hit)
{
	OUT_LITERAL(o, " c");
	/* Another's token is never shown. */
	out_number(o, hit->won ? hit->token : hit->absent ? 0 : hit->cas);
}

static void
put_version(struct outbuf *o, uint64_t version)
{
	OUT_LITERAL(o, " V");
	out_number(o, version);
}

/* What was not asked for, but has to be known. */
static void
put_state(struct outbuf *o, const struct hit *hit)
{
	if (hit->backoff != 0) {
		OUT_LITERAL(o, " d");
		out_number(o, hit->backoff);
	}
	if (hit->negative)
		OUT_LITERAL(o, " z");
	if (hit->taken)
		OUT_LITERAL(o, " Z");
	if (hit->stale)
		OUT_LITERAL(o, " X");
	if (hit->won)
		OUT_LITERAL(o, " W");
}

static void
put_flags(struct exec *x, struct outbuf *o, const struct meta *m,
    const struct hit *hit)
{
	rel_time exptime = hit->exptime;

	for (unsigned i = 0; i < m->flags; i++)
		switch (m->flag[i].p[0]) {
		case 'T':
			if (!hit->stale || exptime == 0 || exptime > x->now)
				exptime = m->T;
			break;
		case 's':
			OUT_LITERAL(o, " s");
			out_number(o, hit->value_len);
			break;
		case 't':
			put_ttl(x, o, hit, exptime);
			break;
		case 'c':
			put_cas(o, hit);
			break;
		case 'f':
			OUT_LITERAL(o, " f");
			out_number(o, hit->client_flags);
			break;
		case 'l':
			OUT_LITERAL(o, " l");
			out_number(o, clock_since(hit->accessed, x->now));
			break;
		case 'h':
			out_add(o, hit->fetched ? " h1" : " h0", 3);
			break;
		case 'V':
			if (hit->versioned)
				put_version(o, hit->version);
			else if (hit->absent && hit->floored)
				put_version(o, hit->floor);
			break;
		case 'O':
			meta_put_opaque(o, m->flag[i]);
			break;
		case 'k':
			meta_put_key(o, &m->key, hit->binary_key);
			break;
		}
	put_state(o, hit);
	OUT_LITERAL(o, "\r\n");
}

static void
put_hit(struct exec *x, struct request *req, const struct meta *m,
    const struct hit *hit)
{
	struct outbuf *o = req->out;
	/* An equal number (C) says that the client has this value. */
	bool value = meta_has(m, 'v') &&
	    !(meta_has(m, 'C') && m->C == hit->cas && !hit->absent);

	if (value) {
		OUT_LITERAL(o, "VA ");
		out_number(o, hit->value_len);
	} else {
		OUT_LITERAL(o, "HD");
	}
	put_flags(x, o, m, hit);
	if (value)
		put_data(o, hit);
	else if (hit->pinned != NULL)
		store_item_release(x->local, hit->pinned);
}

static void
put_miss(struct request *req, const struct meta *m)
{
	if (meta_has(m, 'q'))
		return;
	SAY(req, "EN");
	meta_put_echo(req->out, m);
	SAY(req, "\r\n");
}

static void
count_get(struct exec *x, bool found, bool touched)
{
	if (found && touched) {
		COUNT(x->counters, cmd_touch);
		COUNT(x->counters, touch_hits);
		return;
	}
	COUNT(x->counters, cmd_get);
	if (found)
		COUNT(x->counters, get_hits);
	else
		COUNT(x->counters, get_misses);
}

/* C with n or N: the holder prolongs his lease, if it is live. */
static bool
renew(struct exec *x, struct request *req, struct meta *m)
{
	struct hit hit;

	if (!meta_has(m, 'C') || !(meta_has(m, 'n') || meta_has(m, 'N')) ||
	    !cache_is_token(x->cache, &m->key, m->C))
		return false;
	if (cache_renew(x->cache, x->local, &m->key, m->C, lease_ms(x, m),
		x->now, &hit)) {
		SAY(req, "HD");
		put_flags(x, req->out, m, &hit);
		return true;
	}
	/* Else as if the request had none of these. */
	meta_drop(m, "CnNw");
	return false;
}

/* A request without n or N is led by the rule of its key, if there is one. */
static void
follow_rule(struct exec *x, const struct request *req, struct meta *m,
    struct lead_spec *lead)
{
	const struct coalesce_rule *rule = lead_rule(x, &m->key);
	uint32_t wait_ms;

	if (rule == NULL || lead->lead)
		return;
	wait_ms = lead_by_rule(rule, lead, req);
	if (meta_has(m, 'w'))
		lead->unasked = false;
	else
		m->w = wait_ms;
}

enum step
cmd_mg(struct exec *x, struct request *req)
{
	struct lead_spec lead;
	struct read_spec spec;
	struct meta m;
	struct hit hit;
	const char *error;
	enum result res;

	if (meta_parse(&m, req, 2, x->now, &error) != META_GOOD)
		return meta_fail(req, error);
	if (UNLIKELY(meta_has(&m, 'C')) && renew(x, req, &m))
		return STEP_DONE;
	lead_spec(x, &m, &lead);
	if (UNLIKELY(x->cache->leases->config->rules > 0))
		follow_rule(x, req, &m, &lead);
	read_spec(&m, &lead, &spec);
	res = lead_read(x, req->s, &m.key, &spec, &lead, m.w, &hit);
	if (res == RESULT_PARKED)
		return STEP_PARK;
	if (lead.implicit)
		res = lead_shown(x, &hit, res);
	event_get(x, req->s, &m.key, hit.absent ? RESULT_MISS : res, &hit);
	switch (res) {
	case RESULT_HIT:
		count_get(x, !hit.absent, spec.touch);
		put_hit(x, req, &m, &hit);
		break;
	case RESULT_BUSY:
		return meta_fail(req, SAY_REFS);
	case RESULT_NO_MEMORY:
		return meta_fail(req, SAY_NO_TOUCH);
	default:
		count_get(x, false, false);
		put_miss(req, &m);
		break;
	}
	return STEP_DONE;
}

#define BAD_COMBINATION "CLIENT_ERROR invalid flag\r\n"

/* What the letters of md may not be together with, or NULL. */
static const char *
combination_fault(const struct meta *m)
{
	bool clash = false;

	if (meta_has(m, 'd') && !meta_has(m, 'U'))
		clash = true;
	if (meta_has(m, 'U'))
		clash |= !meta_has(m, 'C') || meta_has(m, 'I') ||
		    meta_has(m, 'x') || meta_has(m, 'V');
	if (meta_has(m, 'A'))
		clash |= meta_has(m, 'V') || meta_has(m, 'I') ||
		    meta_has(m, 'C') || meta_has(m, 'U');
	return clash ? BAD_COMBINATION : NULL;
}

/* How long nothing below V is valid: T, else as long as usual. */
static const char *
floor_until(struct exec *x, const struct meta *m, rel_time *until)
{
	const struct lease_config *config = x->cache->leases->config;
	uint64_t seconds = config->tombstone_ttl;

	for (unsigned i = 0; i < m->flags; i++)
		if (m->flag[i].p[0] == 'T' &&
		    (!num_strict(m->flag[i].p + 1, m->flag[i].len - 1,
			 config->tombstone_max, &seconds) ||
			seconds == 0))
			return META_BAD_TOKEN;
	*until = x->now + (rel_time)seconds;
	return NULL;
}

static enum result
delete_as_told(struct exec *x, const struct meta *m, uint32_t *size,
    const char **error)
{
	struct delete_spec spec = {
		.compare = meta_has(m, 'C'),
		.cas = m->C,
		.stale = meta_has(m, 'I'),
		.clear = meta_has(m, 'x'),
		.own_cas = m->E != 0,
		.new_cas = m->E,
		.touch = meta_has(m, 'T') && !meta_has(m, 'V'),
		.exptime = m->T,
		.client_flags = m->F,
		.versioned = meta_has(m, 'V'),
		.version = m->V,
	};
	enum result res;

	if (spec.versioned &&
	    (*error = floor_until(x, m, &spec.floor_until)) != NULL)
		return RESULT_REFUSED;
	res = cache_delete(x->cache, x->local, &m->key, &spec, x->now, size);
	if (res == RESULT_NOT_FOUND || res == RESULT_EXISTS)
		COUNT(x->counters, delete_misses);
	else if (res == RESULT_DELETED && !spec.stale)
		COUNT(x->counters, delete_hits);
	if (res == RESULT_DELETED && !spec.stale)
		event_deleted(x, &m->key, "md", *size);
	return res;
}

/* Which of the things that md can do it does. */
static enum result
run_md(struct exec *x, const struct meta *m, const char **error)
{
	uint32_t size;

	if (meta_has(m, 'A')) {
		cache_invalidate_tag(x->cache, m->key.data, m->key.len);
		return RESULT_DELETED;
	}
	if (meta_has(m, 'U'))
		return cache_give_up(x->cache, x->local, &m->key, m->C, m->d,
			   x->now) ?
		    RESULT_DELETED :
		    RESULT_NOT_FOUND;
	return delete_as_told(x, m, &size, error);
}

enum step
cmd_md(struct exec *x, struct request *req)
{
	struct meta m;
	const char *error = NULL;
	enum result res;

	if (meta_parse(&m, req, 2, x->now, &error) != META_GOOD)
		return meta_fail(req, error);
	error = combination_fault(&m);
	if (error == NULL && meta_has(&m, 'A') && m.key.len > META_TAG_MAX)
		error = META_BAD_TOKEN;
	if (error != NULL)
		return meta_fail(req, error);
	res = run_md(x, &m, &error);
	if (error != NULL)
		return meta_fail(req, error);
	switch (res) {
	case RESULT_DELETED:
		if (meta_has(&m, 'q'))
			return STEP_DONE;
		SAY(req, "HD");
		break;
	case RESULT_EXISTS:
		SAY(req, "EX");
		break;
	case RESULT_NOT_FOUND:
		SAY(req, "NF");
		break;
	default:
		return meta_fail(req, "SERVER_ERROR out of memory\r\n");
	}
	meta_put_echo(req->out, &m);
	SAY(req, "\r\n");
	return STEP_DONE;
}

static void
put_field(struct outbuf *o, const char *name, uint64_t v)
{
	out_add(o, name, strlen(name));
	out_number(o, v);
}

/* What memcached's items don't have. */
static void
put_more(struct outbuf *o, const struct item_note *note)
{
	if (note->versioned)
		put_field(o, " version=", note->version);
	put_field(o, " birth=", note->birth);
	put_field(o, " stored=", note->stored);
	if (note->grace != 0)
		put_field(o, " grace=", note->grace);
	if (note->tags != 0)
		put_field(o, " tags=", note->tags);
	if (note->negative)
		OUT_LITERAL(o, " negative=yes");
}

static void
put_note(struct outbuf *o, const struct key *key, const struct item_note *note,
    rel_time now)
{
	OUT_LITERAL(o, "ME ");
	if (note->binary)
		o->used += (uint32_t)base64_encode(o->buf + o->used, key->data,
		    key->len);
	else
		out_add(o, key->data, key->len);
	OUT_LITERAL(o, " exp=");
	if (note->exptime == 0)
		OUT_LITERAL(o, "-1");
	else
		out_number(o, note->exptime > now ? note->exptime - now : 0);
	OUT_LITERAL(o, " la=");
	out_number(o, clock_since(note->accessed, now));
	OUT_LITERAL(o, " cas=");
	out_number(o, note->cas);
	OUT_LITERAL(o, " fetch=");
	out_add(o, note->fetched ? "yes" : "no", note->fetched ? 3 : 2);
	OUT_LITERAL(o, " cls=");
	out_number(o, note->class_id);
	OUT_LITERAL(o, " size=");
	out_number(o, note->size);
	put_more(o, note);
	OUT_LITERAL(o, "\r\n");
}

enum step
cmd_me(struct exec *x, struct request *req)
{
	struct outbuf *o = req->out;
	struct item_note note;
	struct meta m;
	const char *error;

	if (meta_parse(&m, req, 2, x->now, &error) != META_GOOD)
		return meta_fail(req, error);
	COUNT(x->counters, cmd_meta);
	if (!cache_note(x->cache, x->local, &m.key, x->now, &note)) {
		SAY(req, "EN\r\n");
		return STEP_DONE;
	}
	put_note(o, &m.key, &note, x->now);
	return STEP_DONE;
}

enum step
cmd_mn(struct exec *x, struct request *req)
{
	(void)x;
	SAY(req, "MN\r\n");
	return STEP_DONE;
}
