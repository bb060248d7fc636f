/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * wire.c - a client and its session, without a socket.
 */
#include "config.h"

#include "wire.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

enum { BUDGET = 1000 };

void
wire_open(struct wire *w, struct rig *r)
{
	memset((void *)w, 0, sizeof(*w));
	w->rig = r;
	w->out.buf = malloc(OUT_SIZE);
	CHECK(w->out.buf != NULL);
	session_init(&w->session, 7, r);
	w->session.out = &w->out;
}

void
wire_close(struct wire *w)
{
	session_end(&w->session, &w->rig->x);
	out_clear(&w->out, w->rig->x.local);
	free(w->out.buf);
	free(w->in);
	free(w->got);
}

void
wire_forget(struct wire *w)
{
	w->len = 0;
}

const char *
wire_last_token(const struct wire *w)
{
	size_t run = 0;

	for (size_t i = w->len; i-- > 0;) {
		run = w->got[i] >= '0' && w->got[i] <= '9' ? run + 1 : 0;
		if (run == WIRE_TOKEN && w->got[i] == '2')
			return w->got + i;
	}
	return NULL;
}

static void
receive(struct wire *w, const char *p, size_t n)
{
	if (w->len + n > w->room) {
		w->room = 2 * (w->len + n);
		w->got = realloc(w->got, w->room);
		CHECK(w->got != NULL);
	}
	memcpy(w->got + w->len, p, n);
	w->len += n;
}

/* One write: as much as the client takes at once. */
static void
send_some(struct wire *w)
{
	struct iovec iov[OUT_PIECES];
	size_t left = w->send_max ? w->send_max : SIZE_MAX, sent = 0;
	int n;

	if (w->between != NULL)
		w->between(w, w->arg);
	n = out_pieces(&w->out, iov);
	CHECK(n > 0 && n <= OUT_PIECES);
	for (int i = 0; i < n && sent < left; i++) {
		size_t m = iov[i].iov_len;

		if (m > left - sent)
			m = left - sent;
		receive(w, iov[i].iov_base, m);
		sent += m;
	}
	out_sent(&w->out, sent, w->rig->x.local);
	if (w->got_max != 0 && w->len > w->got_max)
		w->closed = true;
}

static void
flush(struct wire *w)
{
	while (!w->closed && !out_is_empty(&w->out))
		send_some(w);
}

/* Keeps `n` bytes as the input that is not taken, in a block of that size. */
static void
keep(struct wire *w, const char *p, size_t n)
{
	char *in = NULL;

	if (n > 0) {
		in = malloc(n);
		CHECK(in != NULL);
		memcpy(in, p, n);
	}
	free(w->in);
	w->in = in;
	w->in_len = n;
}

static void
serve(struct wire *w)
{
	struct exec *x = &w->rig->x;
	enum session_wish wish;

	x->budget = w->budget ? w->budget : BUDGET;
	if (session_is_parked(&w->session))
		return;
	while (!w->closed) {
		size_t used = session_feed(&w->session, x,
		    w->in != NULL ? w->in : "", w->in_len, &wish);

		CHECK(used <= w->in_len);
		if (used > 0)
			keep(w, w->in + used, w->in_len - used);
		switch (wish) {
		case WISH_INPUT:
			flush(w);
			return;
		case WISH_FLUSH:
			CHECK(!out_is_empty(&w->out));
			send_some(w);
			break;
		case WISH_PARK:
			CHECK(session_is_parked(&w->session));
			flush(w);
			return;
		case WISH_YIELD:
			CHECK(x->budget <= 0);
			x->budget = w->budget ? w->budget : BUDGET;
			break;
		case WISH_CLOSE:
			flush(w);
			w->closed = true;
			break;
		}
	}
}

/* Puts bytes into the value that is being read; returns how many. */
static size_t
fill_target(struct wire *w, const char *bytes, size_t n)
{
	size_t room;
	char *target;

	if (w->copies_values || w->in_len > 0)
		return 0;
	target = session_target(&w->session, &room);
	if (target == NULL)
		return 0;
	CHECK(room > 0);
	if (n > room)
		n = room;
	memcpy(target, bytes, n);
	session_filled(&w->session, n);
	return n;
}

void
wire_put(struct wire *w, const char *bytes, size_t n)
{
	size_t filled;

	if (w->closed)
		return;
	w->session.arrived = w->rig->x.now_ms;
	filled = fill_target(w, bytes, n);
	bytes += filled;
	n -= filled;
	if (n > 0) {
		char *all = malloc(w->in_len + n);

		CHECK(all != NULL);
		if (w->in_len > 0)
			memcpy(all, w->in, w->in_len);
		memcpy(all + w->in_len, bytes, n);
		free(w->in);
		w->in = all;
		w->in_len += n;
	}
	if (session_is_parked(&w->session) && w->session.parks_unasked)
		session_end_wait(&w->session, &w->rig->x);
	serve(w);
}

void
wire_wake(struct wire *w)
{
	serve(w);
}

/* The session finds the outcome when it is its turn. */
static void
note_outcome(void *ctx, struct waiter *waiter)
{
	(void)ctx;
	CHECK(waiter->outcome != WAIT_PENDING);
}

void
wire_collect(struct rig *r)
{
	rig_collect(r, note_outcome, NULL);
}

void
wire_end_due_wait(struct wire *w)
{
	struct waiter *waiter = w->session.waiter;

	if (session_is_parked(&w->session) &&
	    waiter->timer.key <= w->rig->x.now_ms)
		session_end_wait(&w->session, &w->rig->x);
}
