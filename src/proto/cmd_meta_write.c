/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cmd_meta_write.c - ms, ma.
 */
#include "config.h"

#include "base/num.h"
#include "proto/command.h"
#include "proto/events.h"
#include "proto/meta.h"
#include "proto/pending.h"
#include "proto/tally.h"

enum { LENGTH = 2, FLAGS_AT = 3 };

/* False when the mode's letter is none. */
static bool
store_spec(const struct meta *m, struct store_spec *spec)
{
	*spec = (struct store_spec){
		.compare = meta_has(m, 'C'),
		.cas = m->C,
		.stale_if_older = meta_has(m, 'I'),
		.own_cas = m->E != 0,
		.new_cas = m->E,
		.vivify = meta_has(m, 'N'),
		.vivify_exptime = m->N,
		.versioned = meta_has(m, 'V'),
		.version = m->V,
	};
	switch (m->mode) {
	case META_NO_MODE:
	case 'S':
		spec->mode = STORE_SET;
		return true;
	case 'E':
		spec->mode = STORE_ADD;
		return true;
	case 'R':
		spec->mode = STORE_REPLACE;
		return true;
	case 'A':
	case 'P':
		spec->mode = m->mode == 'A' ? STORE_APPEND : STORE_PREPEND;
		spec->compare = m->C != 0;
		spec->stale_if_older = false;
		return true;
	default:
		return false;
	}
}

static void
put_stored(struct outbuf *o, const struct meta *m, uint64_t bytes,
    const struct stored *done)
{
	for (unsigned i = 0; i < m->flags; i++)
		switch (m->flag[i].p[0]) {
		case 'O':
			meta_put_opaque(o, m->flag[i]);
			break;
		case 'k':
			meta_put_key(o, &m->key, m->key.binary);
			break;
		case 'c':
			OUT_LITERAL(o, " c");
			out_number(o, done->cas);
			break;
		case 's':
			OUT_LITERAL(o, " s");
			out_number(o,
			    done->value_len != 0 ? done->value_len : bytes);
			break;
		}
	if (done->versioned) {
		OUT_LITERAL(o, " V");
		out_number(o, done->version);
	}
	OUT_LITERAL(o, "\r\n");
}

static enum step
answer_store(struct request *req, const struct meta *m, enum result res,
    uint64_t bytes, const struct stored *done)
{
	switch (res) {
	case RESULT_STORED:
		if (meta_has(m, 'q'))
			return STEP_DONE;
		SAY(req, "HD");
		break;
	case RESULT_EXISTS:
		SAY(req, "EX");
		break;
	case RESULT_NOT_FOUND:
		SAY(req, "NF");
		break;
	case RESULT_TOO_LARGE:
		return meta_fail(req, SAY_TOO_LARGE);
	case RESULT_NO_MEMORY:
	case RESULT_BUSY:
		return meta_fail(req, SAY_NO_MEMORY);
	default:
		SAY(req, "NS");
		break;
	}
	put_stored(req->out, m, bytes, done);
	return STEP_DONE;
}

/* The length stands before the flags; without it the data can't be skipped. */
static bool
data_length(const struct request *req, uint64_t *bytes)
{
	struct token t[TOKEN_MAX];

	return request_split(req, t) > LENGTH &&
	    num_strict(t[LENGTH].p, t[LENGTH].len, BYTES_MAX, bytes);
}

/* What the new item has beside its value. */
static void
item_extra(struct exec *x, const struct meta *m, struct item_extra *extra)
{
	struct token tag;
	size_t at = 0;

	*extra = (struct item_extra){
		.versioned = meta_has(m, 'V'),
		.version = m->V,
		.negative = meta_has(m, 'z'),
		.grace = m->T != 0 ? m->H : 0,
	};
	while (meta_tag(m, &at, &tag))
		extra->tag[extra->tags++] = cache_tag_slot(x->cache, tag.p,
		    tag.len);
}

enum step
cmd_ms(struct exec *x, struct request *req)
{
	struct store_request sr = { .drops_on_failure = true };
	struct item_extra extra;
	struct stored done;
	struct meta m;
	const char *error;
	enum meta_fault fault;
	enum result res;
	enum step step;

	if (!data_length(req, &sr.bytes))
		return meta_fail(req, SAY_BAD_FORMAT);
	fault = meta_parse(&m, req, FLAGS_AT, x->now, &error);
	if (fault == META_GOOD && !store_spec(&m, &sr.spec)) {
		fault = META_FAULT;
		error = "CLIENT_ERROR invalid mode for ms M token\r\n";
	}
	if (fault == META_GOOD && meta_has(&m, 'z') && sr.bytes > 0) {
		fault = META_FAULT;
		error = "CLIENT_ERROR invalid flag\r\n";
	}
	if (fault != META_GOOD) {
		meta_fail(req, error);
		return fault == META_FAULT ? body_swallow(req, sr.bytes) :
					     STEP_DONE;
	}
	sr.key = m.key;
	sr.client_flags = m.F;
	sr.exptime = m.T;
	item_extra(x, &m, &extra);
	sr.extra = &extra;
	if (body_store(x, req, &sr, &step, &res, &done) != BODY_STORED)
		return step;
	event_store(x, req, &sr, res, &done);
	tally_cas(x, &sr.spec, res);
	return answer_store(req, &m, res, sr.bytes, &done);
}

/* False when the mode's letter is none. */
static bool
arith_spec(const struct meta *m, struct arith_spec *spec)
{
	*spec = (struct arith_spec){
		.decrement = m->mode == 'D' || m->mode == '-',
		.delta = m->D,
		.compare = m->C != 0,
		.cas = m->C,
		.own_cas = m->E != 0,
		.new_cas = m->E,
		.touch = meta_has(m, 'T'),
		.exptime = m->T,
		.vivify = meta_has(m, 'N'),
		.initial = m->J,
	};
	for (unsigned i = 0; i < m->flags; i++) {
		char letter = m->flag[i].p[0];

		if (letter == 'T' || letter == 'N')
			spec->vivify_exptime = letter == 'T' ? m->T : m->N;
	}
	return m->mode == META_NO_MODE || m->mode == 'I' || m->mode == '+' ||
	    m->mode == 'D' || m->mode == '-';
}

static void
put_number(struct exec *x, struct outbuf *o, const struct meta *m,
    const struct arith_done *done)
{
	char digits[NUM_MAX];
	size_t n = num_print(digits, done->number);
	rel_time exptime = done->exptime;

	if (meta_has(m, 'v')) {
		OUT_LITERAL(o, "VA ");
		out_number(o, n);
	} else {
		OUT_LITERAL(o, "HD");
	}
	for (unsigned i = 0; i < m->flags; i++)
		switch (m->flag[i].p[0]) {
		case 'T':
			exptime = m->T;
			break;
		case 'N':
			exptime = done->made ? m->N : exptime;
			break;
		case 't':
			meta_put_ttl(o, exptime, x->now);
			break;
		case 'c':
			OUT_LITERAL(o, " c");
			out_number(o, done->cas);
			break;
		case 'O':
			meta_put_opaque(o, m->flag[i]);
			break;
		case 'k':
			meta_put_key(o, &m->key, m->key.binary);
			break;
		}
	OUT_LITERAL(o, "\r\n");
	if (meta_has(m, 'v')) {
		out_add(o, digits, n);
		OUT_LITERAL(o, "\r\n");
	}
}

enum step
cmd_ma(struct exec *x, struct request *req)
{
	struct arith_done done;
	struct arith_spec spec;
	struct meta m;
	const char *error;
	enum result res;

	switch (meta_parse(&m, req, 2, x->now, &error)) {
	case META_GOOD:
		break;
	case META_SHORT:
		return meta_fail(req, error);
	default:
		return meta_fail(req,
		    "CLIENT_ERROR invalid or duplicate flag\r\n");
	}
	if (!arith_spec(&m, &spec))
		return meta_fail(req,
		    "CLIENT_ERROR invalid mode for ma M token\r\n");
	res = cache_arith(x->cache, x->local, &m.key, &spec, x->now, &done);
	if (!done.made)
		tally_arith(x, spec.decrement, res);
	switch (res) {
	case RESULT_STORED:
		if (!meta_has(&m, 'q'))
			put_number(x, req->out, &m, &done);
		return STEP_DONE;
	case RESULT_NOT_A_NUMBER:
		return meta_fail(req,
		    "CLIENT_ERROR cannot increment or "
		    "decrement non-numeric value\r\n");
	case RESULT_NO_MEMORY:
		return meta_fail(req, "SERVER_ERROR out of memory\r\n");
	default:
		out_add(req->out,
		    res == RESULT_EXISTS      ? "EX" :
			res == RESULT_REFUSED ? "NS" :
						"NF",
		    2);
		break;
	}
	meta_put_echo(req->out, &m);
	SAY(req, "\r\n");
	return STEP_DONE;
}
