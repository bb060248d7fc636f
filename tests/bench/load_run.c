/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * load_run.c - when a request is sent.
 *
 * Closed loop: a connection sends its next batch when the last one is answered.
 * Open loop: requests are due at random moments (Poisson) at a given rate, each
 * on a random connection, answered or not, and its time counts from when it was
 * due.  The probe is a connection of its own that asks for one key at fixed
 * moments, beside either of them.
 *
 * An open loop and a probe keep their CPU busy, so as to be on time.  If the
 * generator was nevertheless away for STALL_NS, it was not for the server: the
 * sockets do not block.  What was outstanding or due then is not timed, and is
 * counted as disturbed.
 */
#include "config.h"

#include "load.h"

#include "histogram.h"
#include "proc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { EVENTS = 256, FILL_REQUESTS = 50, FILL_BYTES = 65536 };

#define MS 1000000ll
#define STALL_NS MS
#define SILENCE_NS (120000 * MS)

struct run {
	const struct load *load;
	struct wire wire, probe_wire;
	struct draw draw, probe_draw;
	struct conn *conns, probe;
	int epoll;

	bool filling, closed, open, probing; /* what is sent now */
	uint64_t fill_next;
	unsigned fill_batch;
	double due, probe_due; /* of the next request; ns */
	int64_t now, heard;    /* of this step; of the last reply */
};

/* ---- requests --------------------------------------------------------------
 */

static void
add_request(struct run *r, struct conn *c, int64_t due)
{
	const struct load *l = r->load;

	if (l->mode == MODE_SET ||
	    (l->mode == MODE_MIXED && draw_below(&r->draw, 11) == 0))
		conn_set(c, draw_key(&r->draw), due);
	else
		conn_get(c, &r->draw, l->keys_per_get, due);
}

static void
send_batch(struct run *r, struct conn *c)
{
	const struct load *l = r->load;

	if (r->filling)
		for (unsigned i = 0;
		     i < r->fill_batch && r->fill_next < l->keys; i++)
			conn_set(c, r->fill_next++, 0);
	else
		for (unsigned i = 0; i < l->pipeline; i++)
			add_request(r, c, 0);
	if (!conn_idle(c))
		conn_flush(c);
}

static void
send_due(struct run *r)
{
	const struct load *l = r->load;

	while (r->open && r->due <= (double)r->now) {
		struct conn *c = &r->conns[draw_below(&r->draw, l->conns)];

		add_request(r, c, (int64_t)r->due);
		conn_flush(c);
		r->due += draw_gap(&r->draw, l->rate);
	}
	while (r->probing && r->probe_due <= (double)r->now) {
		conn_get(&r->probe, &r->probe_draw, 1, (int64_t)r->probe_due);
		conn_flush(&r->probe);
		r->probe_due += l->probe_us * 1e3;
	}
}

/* ---- one step, many steps
 * ----------------------------------------------------- */

static void
look_at_clock(struct run *r)
{
	int64_t now = now_ns();

	/* (A machine that was stopped has not been waiting for a reply.) */
	if (now - r->now > SILENCE_NS / 4)
		r->heard = now;
	if ((r->open || r->probing) && now - r->now > STALL_NS)
		r->wire.undisturbed = r->probe_wire.undisturbed = now;
	r->now = r->wire.now = r->probe_wire.now = now;
}

static void
step(struct run *r)
{
	struct epoll_event events[EVENTS];
	int n = epoll_wait(r->epoll, events, EVENTS,
	    r->open || r->probing ? 0 : 1000);

	look_at_clock(r);
	if (n > 0)
		r->heard = r->now;
	else if (r->now - r->heard > SILENCE_NS) {
		fprintf(stderr, "bench: no reply\n");
		exit(EXIT_FAILURE);
	}
	for (int i = 0; i < n; i++) {
		struct conn *c = events[i].data.ptr;

		conn_ready(c, events[i].events);
		if ((r->closed || r->filling) && conn_idle(c) && c != &r->probe)
			send_batch(r, c);
	}
	send_due(r);
}

/* Until all is answered; nothing more is sent. */
static void
drain(struct run *r)
{
	r->closed = r->open = r->probing = false;
	for (unsigned i = 0; i < r->load->conns; i++)
		while (!conn_idle(&r->conns[i]))
			step(r);
	while (!conn_idle(&r->probe))
		step(r);
}

static void
begin(struct run *r)
{
	r->now = r->heard = now_ns();
	r->due = r->probe_due = (double)r->now;
	if (!r->open)
		for (unsigned i = 0; i < r->load->conns; i++)
			send_batch(r, &r->conns[i]);
}

/* ---- phases
 * ------------------------------------------------------------------ */

/* Adds to the result, with sign -1 at the start and +1 at the end. */
static void
account(const struct run *r, struct result *res, int sign)
{
	res->done += (uint64_t)sign * r->wire.done;
	res->missed += (uint64_t)sign * r->wire.missed;
	res->cpu += sign * proc_cpu(r->load->pid);
	res->waited += sign * proc_waited(r->load->pid);
	res->own_cpu += sign * proc_cpu(getpid());
	res->seconds += sign * ((double)now_ns() / 1e9);
}

static void
fill(struct run *r)
{
	const struct load *l = r->load;

	r->filling = true;
	r->fill_next = l->first;
	r->fill_batch = (unsigned)(FILL_BYTES / (l->value + 64));
	if (r->fill_batch > FILL_REQUESTS)
		r->fill_batch = FILL_REQUESTS;
	if (r->fill_batch == 0)
		r->fill_batch = 1;
	begin(r);
	while (r->fill_next < l->keys)
		step(r);
	r->filling = false;
}

static void
work(struct run *r, struct result *res, struct histogram *times)
{
	const struct load *l = r->load;
	int64_t until;

	r->open = l->rate > 0;
	r->closed = !r->open;
	begin(r);
	until = r->now + (int64_t)(l->warm_up * 1e9);
	while (r->now < until)
		step(r);
	r->wire.times = r->probing ? NULL : times;
	r->wire.disturbed = 0;
	account(r, res, -1);
	until = now_ns() + (int64_t)(l->seconds * 1e9);
	while (r->now < until &&
	    (l->ops == 0 || r->wire.done + res->done < l->ops))
		step(r);
	account(r, res, 1);
}

static void
start_probe(struct run *r, struct histogram *times)
{
	draw_start(&r->probe_draw, 1, 0);
	if (r->load->probe_us == 0)
		return;
	r->now = r->heard = now_ns();
	conn_open(&r->probe, &r->probe_wire);
	conn_set(&r->probe, 0, 0);
	conn_flush(&r->probe);
	while (!conn_idle(&r->probe))
		step(r);
	r->probe_wire.times = times;
	r->probing = true;
}

static void
report(const struct run *r, struct result *res, const struct histogram *times)
{
	res->timed = times->total;
	res->disturbed = r->wire.disturbed + r->probe_wire.disturbed;
	res->p50 = histogram_at(times, 0.5);
	res->p99 = histogram_at(times, 0.99);
	res->p999 = histogram_at(times, 0.999);
	res->max = times->max;
}

static void
start(struct run *r, const struct load *l)
{
	r->load = l;
	r->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (r->epoll < 0)
		die("epoll_create1");
	draw_start(&r->draw, l->keys, l->zipf);
	wire_start(&r->wire, l, r->epoll);
	wire_start(&r->probe_wire, l, r->epoll);
	r->conns = calloc(l->conns, sizeof(*r->conns));
	if (r->conns == NULL)
		die("calloc");
	for (unsigned i = 0; i < l->conns; i++)
		conn_open(&r->conns[i], &r->wire);
}

void
load_run(const struct load *l, struct result *res)
{
	struct histogram *times = calloc(1, sizeof(*times));
	struct run r = { 0 };

	if (times == NULL)
		die("calloc");
	memset(res, 0, sizeof(*res));
	start(&r, l);
	start_probe(&r, times);
	if (l->mode == MODE_FILL)
		account(&r, res, -1);
	if (l->fill || l->mode == MODE_FILL) {
		fill(&r);
		for (unsigned i = 0; i < l->conns; i++)
			while (!conn_idle(&r.conns[i]))
				step(&r);
	}
	if (l->mode == MODE_FILL)
		account(&r, res, 1);
	else
		work(&r, res, times);
	drain(&r);
	report(&r, res, times);
	for (unsigned i = 0; i < l->conns; i++)
		conn_close(&r.conns[i]);
	if (l->probe_us > 0)
		conn_close(&r.probe);
	wire_stop(&r.wire);
	wire_stop(&r.probe_wire);
	close(r.epoll);
	free(r.conns);
	free(times);
}
