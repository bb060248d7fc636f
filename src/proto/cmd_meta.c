/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cmd_meta.c - mg, md, me, mn.
 */
#include "config.h"

#include "base/base64.h"
#include "proto/command.h"
#include "proto/events.h"
#include "proto/meta.h"

/*
 * T, N and R act in the order of the request, so `t` shows the time to live as
 * it is at its place in the line.
 */
static void
read_spec(const struct meta *m, struct read_spec *spec)
{
	bool seen_t = false;

	*spec = (struct read_spec){
		.meta = true,
		.want_value = meta_has(m, 'v'),
		.peek = meta_has(m, 'u'),
		.touch = meta_has(m, 'T'),
		.exptime = m->T,
		.vivify = meta_has(m, 'N'),
		.vivify_exptime = m->N,
		.vivify_cas = m->E,
		.recache_until = meta_has(m, 'R') ? m->R : 0,
	};
	for (unsigned i = 0; i < m->flags; i++) {
		char letter = m->flag[i].p[0];

		if (letter == 'R' && !seen_t)
			spec->recache_first = true;
		if (letter == 'T')
			seen_t = true;
		if (letter == 'T' || letter == 'N')
			spec->vivify_exptime = letter == 'T' ? m->T : m->N;
	}
}

static void
put_flags(struct exec *x, struct outbuf *o, const struct meta *m,
    const struct hit *hit)
{
	rel_time exptime = hit->exptime;

	for (unsigned i = 0; i < m->flags; i++)
		switch (m->flag[i].p[0]) {
		case 'T':
			exptime = m->T;
			break;
		case 'N':
			exptime = hit->made ? m->N : exptime;
			break;
		case 's':
			OUT_LITERAL(o, " s");
			out_number(o, hit->value_len);
			break;
		case 't':
			meta_put_ttl(o, exptime, x->now);
			break;
		case 'c':
			OUT_LITERAL(o, " c");
			out_number(o, hit->cas);
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
		case 'O':
			meta_put_opaque(o, m->flag[i]);
			break;
		case 'k':
			meta_put_key(o, &m->key, hit->binary_key);
			break;
		}
	if (hit->taken)
		OUT_LITERAL(o, " Z");
	if (hit->stale)
		OUT_LITERAL(o, " X");
	if (hit->won)
		OUT_LITERAL(o, " W");
	OUT_LITERAL(o, "\r\n");
}

static void
put_hit(struct exec *x, struct request *req, const struct meta *m,
    const struct hit *hit)
{
	struct outbuf *o = req->out;
	/* An equal number (C) says that the client has this value. */
	bool value = meta_has(m, 'v') &&
	    !(meta_has(m, 'C') && m->C == hit->cas);

	if (value) {
		OUT_LITERAL(o, "VA ");
		out_number(o, hit->value_len);
	} else {
		OUT_LITERAL(o, "HD");
	}
	put_flags(x, o, m, hit);
	if (value && hit->pinned != NULL)
		out_item(o, hit->pinned, hit->value, hit->value_len);
	else if (value)
		out_add(o, hit->value, hit->value_len);
	else if (hit->pinned != NULL)
		store_item_release(x->local, hit->pinned);
	if (value)
		OUT_LITERAL(o, "\r\n");
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

enum step
cmd_mg(struct exec *x, struct request *req)
{
	struct read_spec spec;
	struct meta m;
	struct hit hit;
	const char *error;
	enum result res;

	if (meta_parse(&m, req, 2, x->now, &error) != META_GOOD)
		return meta_fail(req, error);
	read_spec(&m, &spec);
	res = cache_read(x->cache, x->local, &m.key, &spec, x->now, x->scratch,
	    &hit);
	event_get(x, req->s, &m.key, res, &hit);
	switch (res) {
	case RESULT_HIT:
		if (spec.touch) {
			COUNT(x->counters, cmd_touch);
			COUNT(x->counters, touch_hits);
		} else {
			COUNT(x->counters, cmd_get);
			COUNT(x->counters, get_hits);
		}
		put_hit(x, req, &m, &hit);
		break;
	case RESULT_BUSY:
		return meta_fail(req,
		    "SERVER_ERROR refcount overflow during fetch\r\n");
	default: /* a miss, also when there was no memory to vivify */
		COUNT(x->counters, cmd_get);
		COUNT(x->counters, get_misses);
		put_miss(req, &m);
		break;
	}
	return STEP_DONE;
}

static enum result
delete_as_told(struct exec *x, const struct meta *m, uint32_t *size)
{
	struct delete_spec spec = {
		.compare = meta_has(m, 'C'),
		.cas = m->C,
		.stale = meta_has(m, 'I'),
		.clear = meta_has(m, 'x'),
		.own_cas = m->E != 0,
		.new_cas = m->E,
		.touch = meta_has(m, 'T'),
		.exptime = m->T,
		.client_flags = m->F,
	};
	enum result res = cache_delete(x->cache, x->local, &m->key, &spec,
	    x->now, size);

	if (res == RESULT_NOT_FOUND || res == RESULT_EXISTS)
		COUNT(x->counters, delete_misses);
	else if (res == RESULT_DELETED && !spec.stale)
		COUNT(x->counters, delete_hits);
	if (res == RESULT_DELETED && !spec.stale)
		event_deleted(x, &m->key, "md", *size);
	return res;
}

enum step
cmd_md(struct exec *x, struct request *req)
{
	struct meta m;
	const char *error;
	uint32_t size;

	if (meta_parse(&m, req, 2, x->now, &error) != META_GOOD)
		return meta_fail(req, error);
	switch (delete_as_told(x, &m, &size)) {
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
