/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * session.c - one client's side of the protocol: bytes in, bytes out.
 *
 * The input is a line, and for storage requests a data block.  Whatever is
 * wrong with a request, the session knows how many bytes belong to it, so that
 * the next one begins where the client meant it to.
 */
#include "config.h"

#include "proto/session.h"

#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "proto/binary.h"
#include "proto/command.h"
#include "proto/dump.h"
#include "proto/lead.h"
#include "proto/pending.h"

enum { SHORTEST = 4, LEADING_BLANKS = 100 };

void
session_init(struct session *s, int cfd, void *conn)
{
	memset(s, 0, sizeof(*s));
	s->state = SESSION_COMMAND;
	s->fresh = true;
	s->cfd = cfd;
	s->conn = conn;
}

void
session_end(struct session *s, struct exec *x)
{
	if (s->state == SESSION_VALUE)
		pending_free(s->pending, x);
	else if (s->state == SESSION_DUMP)
		dump_free(s->dump);
	else if (s->state == SESSION_WATCH)
		feed_unsubscribe(x->env->feed, s->watcher);
	s->state = SESSION_COMMAND;
	lead_end(s, x);
}

void
session_end_wait(struct session *s, struct exec *x)
{
	lead_wake(s, x, WAIT_TIMEOUT);
}

double
exec_dice(struct exec *x)
{
	if (x->dice == 0)
		x->dice = 1;
	/* G. Marsaglia, Xorshift RNGs, 2003 */
	x->dice ^= x->dice << 13;
	x->dice ^= x->dice >> 7;
	x->dice ^= x->dice << 17;
	return (double)((x->dice >> 11) + 1) / (double)((uint64_t)1 << 53);
}

const char *
session_state_name(const struct session *s)
{
	switch (s->state) {
	case SESSION_VALUE:
		return "conn_nread";
	case SESSION_SWALLOW:
		return "conn_swallow";
	case SESSION_WATCH:
		return "conn_watch";
	case SESSION_DUMP:
		return "conn_mwrite";
	case SESSION_PARKED:
		return "conn_parked";
	default:
		return "conn_read";
	}
}

char *
session_target(struct session *s, size_t *room)
{
	struct pending *p = s->pending;

	if (s->state != SESSION_VALUE || p->filled == p->len)
		return NULL;
	*room = p->len - p->filled;
	return p->value + p->filled;
}

void
session_filled(struct session *s, size_t n)
{
	s->pending->filled += n;
	CHECK(s->pending->filled <= s->pending->len);
}

/* Runs a handler, and hides what it said if the client wants no reply. */
static enum step
run(struct exec *x, struct request *req)
{
	struct out_mark mark = out_mark(req->out);
	enum step step = req->command->run(x, req);

	if (step == STEP_DONE && req->command->flags & MAY_BE_SILENT &&
	    !req->loud) {
		struct token last = token_last(req->line, req->len);

		if (UNLIKELY(TOKEN_IS(last, "noreply")))
			out_rewind(req->out, mark, x->local);
	}
	return step;
}

static enum step
unknown_command(struct request *req)
{
	struct token last = token_last(req->line, req->len);

	if (last.len >= 5 && memcmp(last.p, "HTTP/", 5) == 0)
		return STEP_CLOSE;
	if (!TOKEN_IS(last, "noreply") || last.p == req->line)
		SAY(req, "ERROR\r\n");
	return STEP_DONE;
}

static enum step
run_line(struct exec *x, struct request *req)
{
	const char *blank = memchr(req->line, ' ', req->len);
	size_t n = blank != NULL ? (size_t)(blank - req->line) : req->len;

	req->command = command_find(req->line, n);
	if (req->command == NULL ||
	    (req->command->flags & TEST_ONLY && !x->env->debug_commands))
		return unknown_command(req);
	return run(x, req);
}

/* A line without an end: wait for it, unless it is too long already. */
static enum step
await_line(struct session *s, const char *in, size_t len)
{
	const char *at = in;
	struct token t;

	s->scanned = len;
	if (len <= SESSION_LINE_MAX)
		return STEP_INPUT;
	while (at < in + LEADING_BLANKS && *at == ' ')
		at++;
	t = token_next(&at, in + len);
	if (at < in + len && len <= SESSION_LONG_LINE_MAX) {
		const struct command *c = command_find(t.p, t.len);

		if (c != NULL && c->flags & LINE_LONG)
			return STEP_INPUT;
	}
	log_debug("line too long cfd=%d bytes=%zu", s->cfd, len);
	return STEP_CLOSE;
}

/* One request from the front of the input; *taken says how much it was. */
static enum step
one_request(struct session *s, struct exec *x, const char *in, size_t len,
    size_t *taken)
{
	struct request req = { .s = s, .out = s->out };
	const char *end = memchr(in + s->scanned, '\n', len - s->scanned);
	size_t with_end;
	enum step step;

	*taken = 0;
	if (end == NULL)
		return await_line(s, in, len);
	with_end = (size_t)(end + 1 - in);
	req.line = in;
	req.len = with_end - 1;
	if (req.len > 0 && in[req.len - 1] == '\r')
		req.len--;
	req.body = end + 1;
	req.body_len = len - with_end;
	if (with_end < SHORTEST) {
		SAY(&req, SAY_BAD_FORMAT);
		step = STEP_DONE;
	} else {
		step = run_line(x, &req);
	}
	if (step == STEP_INPUT || step == STEP_FLUSH || step == STEP_YIELD ||
	    step == STEP_PARK) {
		s->scanned = with_end - 1;
		return step;
	}
	s->scanned = 0;
	*taken = with_end + req.body_used;
	return step;
}

/* A large value and the end of its line. */
static enum step
value_input(struct session *s, struct exec *x, const char *in, size_t len,
    size_t *taken)
{
	struct pending *p = s->pending;
	struct request req = { .s = s, .out = s->out };
	size_t n = p->len - p->filled;

	*taken = 0;
	if (n > len)
		n = len;
	memcpy(p->value + p->filled, in, n);
	p->filled += n;
	*taken = n;
	if (p->filled < p->len || len - n < 2)
		return STEP_INPUT;
	req.line = p->line;
	req.len = p->line_len;
	req.body = in + n;
	req.body_len = len - n;
	run_line(x, &req);
	*taken += req.body_used;
	s->state = SESSION_COMMAND;
	pending_free(p, x);
	return STEP_DONE;
}

static enum step
swallow_input(struct session *s, size_t len, size_t *taken)
{
	*taken = s->swallow < len ? (size_t)s->swallow : len;
	s->swallow -= *taken;
	if (s->swallow > 0)
		return STEP_INPUT;
	s->state = SESSION_COMMAND;
	return STEP_DONE;
}

/* Whatever a watcher sends is read and dropped. */
static enum step
watcher_input(struct session *s, struct exec *x, size_t len, size_t *taken)
{
	struct outbuf *o = s->out;
	size_t room = OUT_SIZE - o->used;
	size_t n = feed_take(x->env->feed, s->watcher, o->buf + o->used, room);

	o->used += (uint32_t)n;
	*taken = len;
	return n == room ? STEP_FLUSH : STEP_INPUT;
}

static enum step
next(struct session *s, struct exec *x, const char *in, size_t len,
    size_t *taken)
{
	switch (s->state) {
	case SESSION_VALUE:
		return value_input(s, x, in, len, taken);
	case SESSION_SWALLOW:
		return swallow_input(s, len, taken);
	case SESSION_DUMP:
		*taken = 0;
		return dump_step(s, x);
	case SESSION_WATCH:
		return watcher_input(s, x, len, taken);
	default:
		break;
	}
	*taken = 0;
	if (len == 0)
		return STEP_INPUT;
	if (UNLIKELY(s->fresh)) {
		s->fresh = false;
		s->binary = x->env->detect_binary &&
		    (unsigned char)in[0] == BINARY_MAGIC;
	}
	if (UNLIKELY(s->binary))
		return binary_refuse(s, in, len, taken);
	return one_request(s, x, in, len, taken);
}

void
session_look(struct session *s, struct exec *x, const char *in, size_t len)
{
	if (s->state == SESSION_COMMAND && s->scanned == 0)
		s->ahead = (uint8_t)ahead_look(&x->ahead, x->cache, in, len);
}

void
session_load(struct exec *x)
{
	ahead_load(&x->ahead, x->cache);
}

size_t
session_feed(struct session *s, struct exec *x, const char *in, size_t len,
    enum session_wish *wish)
{
	size_t used = 0, taken;

	for (;;) {
		if (UNLIKELY(!out_has_room(s->out))) {
			*wish = WISH_FLUSH;
			return used;
		}
		if (UNLIKELY(x->budget <= 0) && used < len) {
			*wish = WISH_YIELD;
			return used;
		}
		if (x->looks_ahead && s->ahead == 0 && used > 0) {
			session_look(s, x, in + used, len - used);
			session_load(x);
		}
		switch (next(s, x, in + used, len - used, &taken)) {
		case STEP_DONE:
			x->budget--;
			s->ahead -= s->ahead > 0;
			used += taken;
			continue;
		case STEP_TAKEN:
			used += taken;
			continue;
		case STEP_INPUT:
			*wish = WISH_INPUT;
			break;
		case STEP_FLUSH:
			*wish = WISH_FLUSH;
			break;
		case STEP_YIELD:
			*wish = WISH_YIELD;
			break;
		case STEP_PARK:
			*wish = WISH_PARK;
			break;
		case STEP_CLOSE:
			*wish = WISH_CLOSE;
			break;
		}
		return used + taken;
	}
}
