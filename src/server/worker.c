/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * worker.c - a thread with an event loop and its connections.
 */
#include "config.h"

#include "server/worker.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/log.h"
#include "server/server.h"

enum {
	DRAIN_MS = 5000,
	TOGETHER = 16, /* turns whose input is read before any is answered */
	TICKS_TO_REST = 2, /* so that a whole second has passed for nothing */
};

/* Queue of turns. */

void
worker_ready(struct worker *w, struct conn *c)
{
	if (c->is_ready)
		return;
	c->is_ready = true;
	c->next_ready = NULL;
	*w->ready_end = c;
	w->ready_end = &c->next_ready;
}

static void
set_time(struct worker *w)
{
	struct store *store = w->server->cache.store;

	w->exec.now_ms = w->local.now_ms = clock_ms();
	w->exec.now = clock_rel(w->exec.now_ms);
	clocks_tick(&store->clocks, w->exec.now, store_seq(store));
	if (store_flush_is_due(store, w->exec.now))
		cache_flush_due(&w->server->cache, &w->local, w->exec.now);
}

/* Waits. */

/* A waiter's outcome is there: its connection gets a turn. */
static void
wake(struct worker *w, struct waiter *waiter)
{
	if (waiter->timer.at != 0)
		heap_remove(&w->waits, &waiter->timer);
	worker_ready(w, waiter->owner);
}

/* What became of a lease behind which connections of this worker wait. */
static void
collect(struct worker *w, struct wait_queue *q)
{
	struct waiter *heir;

	switch (
	    wait_collect(&w->server->cache, &w->local, q, w->exec.now, &heir)) {
	case COLLECTED_NOTHING:
		break;
	case COLLECTED_HEIR:
		wake(w, heir);
		break;
	case COLLECTED_FINAL:
		q->next_final = NULL;
		*w->answered_end = q;
		w->answered_end = &q->next_final;
		break;
	}
}

/* A few waiters at a time, so that others are served meanwhile. */
static void
wake_some(struct worker *w)
{
	for (int n = 0; n < WAKE_BATCH && w->answered != NULL; n++) {
		struct wait_queue *q = w->answered;
		struct waiter *waiter = wait_next(q);

		if (waiter != NULL) {
			wake(w, waiter);
			continue;
		}
		w->answered = q->next_final;
		if (w->answered == NULL)
			w->answered_end = &w->answered;
		wait_unlist(&w->server->cache, &w->local, q);
	}
}

static void
end_due_waits(struct worker *w)
{
	struct heap_node *first;

	while ((first = heap_first(&w->waits)) != NULL &&
	    (first->key <= w->exec.now_ms || w->exec.draining)) {
		struct conn *c = ((struct waiter *)first)->owner;

		session_end_wait(&c->session, &w->exec);
		worker_ready(w, c);
	}
}

static void
set_alarm(struct worker *w)
{
	struct heap_node *first = heap_first(&w->waits);
	struct timeval left = { 0, 0 };
	uint64_t ms;

	if (first == NULL || first->key == w->alarm_at || w->draining)
		return;
	ms = first->key > w->exec.now_ms ? first->key - w->exec.now_ms : 0;
	left.tv_sec = (time_t)(ms / 1000);
	left.tv_usec = (suseconds_t)(ms % 1000 * 1000);
	if (event_add(&w->alarm, &left) == 0)
		w->alarm_at = first->key;
}

/* The alarm tells the end of draining: the waits end with its beginning. */
static void
set_end(struct worker *w)
{
	uint64_t now = clock_ms(), until = w->drain_until;
	uint64_t ms = until >= now ? until - now + 1 : 1;
	struct timeval left = { (time_t)(ms / 1000),
		(suseconds_t)(ms % 1000 * 1000) };

	if (event_add(&w->alarm, &left) != 0)
		w->stopping = true;
}

static void
on_alarm(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;

	(void)fd;
	(void)what;
	w->alarm_at = 0; /* run() ends what is due */
	/* libevent counts from when the thread woke: it may be early. */
	if (w->draining)
		set_end(w);
}

/* Gives those in the queue up to `last` their turns, some at a time. */
static bool
run_some_turns(struct worker *w, struct conn **last)
{
	struct conn *turn[TOGETHER];
	bool is_last = false;
	int n = 0;

	for (int i = 0; i < TOGETHER && w->ready != NULL && !is_last; i++) {
		struct conn *c = w->ready;

		is_last = &c->next_ready == last;
		w->ready = c->next_ready;
		if (w->ready == NULL)
			w->ready_end = &w->ready;
		c->is_ready = false;
		if (conn_begin_turn(c))
			turn[n++] = c;
	}
	session_load(&w->exec);
	for (int i = 0; i < n; i++)
		conn_end_turn(turn[i]);
	return !is_last && w->ready != NULL;
}

/* Only this thread writes it; worker_tick() reads it. */
static void
set_ticks_to_rest(struct worker *w, unsigned n)
{
	if (atomic_load_explicit(&w->ticks_to_rest, memory_order_relaxed) != n)
		atomic_store_explicit(&w->ticks_to_rest, n,
		    memory_order_relaxed);
}

/* Gives everybody who is in the queue now one turn. */
static void
run_turns(struct worker *w)
{
	struct conn **last = w->ready_end;

	if (w->ready != NULL)
		set_ticks_to_rest(w, TICKS_TO_REST);
	w->exec.looks_ahead = store_account(w->server->cache.store) >
	    AHEAD_BYTES;
	while (run_some_turns(w, last))
		;
}

/* Buffers. */

static void
count_buffers(struct worker *w, int made, size_t size)
{
	atomic_fetch_add(&w->buffers, (uint64_t)(int64_t)made);
	atomic_fetch_add(&w->buffer_bytes,
	    (uint64_t)((int64_t)made * (int64_t)size));
}

char *
worker_take_in(struct worker *w)
{
	char *in;

	if (w->in_pooled > 0) {
		atomic_fetch_sub(&w->buffer_bytes_free, IN_SIZE);
		return w->in_pool[--w->in_pooled];
	}
	in = malloc(IN_SIZE);
	if (in != NULL)
		count_buffers(w, 1, IN_SIZE);
	return in;
}

void
worker_give_in(struct worker *w, char *in)
{
	if (w->in_pooled < POOLED) {
		atomic_fetch_add(&w->buffer_bytes_free, IN_SIZE);
		w->in_pool[w->in_pooled++] = in;
		return;
	}
	free(in);
	count_buffers(w, -1, IN_SIZE);
}

struct outbuf *
worker_take_out(struct worker *w)
{
	struct outbuf *out;

	if (w->out_pooled > 0) {
		atomic_fetch_sub(&w->buffer_bytes_free, OUT_SIZE);
		return w->out_pool[--w->out_pooled];
	}
	out = calloc(1, sizeof(*out));
	if (out == NULL)
		return NULL;
	out->buf = malloc(OUT_SIZE);
	if (out->buf == NULL) {
		free(out);
		return NULL;
	}
	count_buffers(w, 1, OUT_SIZE);
	return out;
}

static void
free_out(struct worker *w, struct outbuf *out)
{
	free(out->buf);
	free(out);
	count_buffers(w, -1, OUT_SIZE);
}

void
worker_give_out(struct worker *w, struct outbuf *out)
{
	if (w->out_pooled < POOLED) {
		atomic_fetch_add(&w->buffer_bytes_free, OUT_SIZE);
		w->out_pool[w->out_pooled++] = out;
	} else {
		free_out(w, out);
	}
}

/* Connections. */

void
worker_link(struct worker *w, struct conn *c)
{
	lock_take(&w->lock);
	c->next = w->conns;
	c->prev = NULL;
	if (w->conns != NULL)
		w->conns->prev = c;
	w->conns = c;
	w->count++;
	lock_drop(&w->lock);
}

void
worker_unlink(struct worker *w, struct conn *c)
{
	lock_take(&w->lock);
	if (c->prev != NULL)
		c->prev->next = c->next;
	else
		w->conns = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	w->count--;
	lock_drop(&w->lock);
}

static void
close_all(struct worker *w, bool idle_only)
{
	struct conn *c = w->conns, *next;

	for (; c != NULL; c = next) {
		next = c->next;
		if (!idle_only || (conn_is_idle(c) && !c->is_ready))
			conn_close(c, CLOSE_SHUTDOWN);
	}
}

static void
kick_idle(struct worker *w, rel_time timeout)
{
	struct conn *c = w->conns, *next;

	for (; c != NULL; c = next) {
		next = c->next;
		if (clock_since(atomic_load(&c->last_request), w->exec.now) <=
			timeout ||
		    session_is_watching(&c->session) ||
		    session_is_parked(&c->session) || c->is_ready)
			continue;
		COUNT(w->exec.counters, idle_kicks);
		conn_close(c, CLOSE_IDLE);
	}
}

/* Closes who is idle; at the end of the time, everybody. */
static void
drain(struct worker *w)
{
	w->exec.draining = true;
	end_due_waits(w);
	close_all(w, true);
	if (w->conns == NULL || clock_ms() > w->drain_until)
		w->stopping = true;
}

static void
begin_to_drain(struct worker *w)
{
	w->draining = true;
	w->drain_until = clock_ms() + DRAIN_MS;
	drain(w);
	set_end(w);
}

/* Once a second, unless nobody was served for long and nobody can be idle. */
static void
tick(struct worker *w)
{
	unsigned left = atomic_load(&w->ticks_to_rest);
	int timeout = w->server->config.idle_timeout;

	atomic_store(&w->tick_posted, false);
	if (timeout > 0)
		kick_idle(w, (rel_time)timeout);
	if (left > 0)
		set_ticks_to_rest(w, left - 1);
	if (left == 1)
		store_local_rest(&w->local);
}

/* Mail and time. */

static void
open_socket(struct worker *w, struct mail_socket *m)
{
	if (w->stopping || w->draining) {
		close(m->fd);
		atomic_fetch_sub(&w->server->connections, 1);
	} else if (conn_open(w, m->fd, m->listen_fd, m->transport)) {
		/* The first request is mostly there already. */
		worker_ready(w, w->conns);
	}
	free(m);
}

static void
on_mail(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;
	struct mail *m = mailbox_take(&w->mailbox), *next;

	(void)fd;
	(void)what;
	set_time(w);
	for (; m != NULL; m = next) {
		next = m->next;
		switch (m->kind) {
		case MAIL_SOCKET:
			open_socket(w, (struct mail_socket *)m);
			break;
		case MAIL_WATCHER:
			conn_mail((struct conn *)((char *)m -
			    offsetof(struct conn, wake)));
			break;
		case MAIL_WAIT:
			collect(w, (struct wait_queue *)m);
			break;
		case MAIL_DRAIN:
			begin_to_drain(w);
			break;
		case MAIL_TICK:
			tick(w);
			break;
		default:
			w->stopping = true;
			break;
		}
	}
}

static void *
run(void *arg)
{
	struct worker *w = arg;

	while (!w->stopping) {
		bool busy = w->ready != NULL || w->answered != NULL;

		set_alarm(w);
		/* Alone, EVLOOP_NONBLOCK goes on while anything is active. */
		event_base_loop(w->base,
		    EVLOOP_ONCE | (busy ? EVLOOP_NONBLOCK : 0));
		set_time(w);
		end_due_waits(w);
		wake_some(w);
		run_turns(w);
		if (w->draining)
			drain(w);
	}
	/* Those who wait are answered: there is nothing to wait for. */
	w->exec.draining = true;
	end_due_waits(w);
	while (w->answered != NULL)
		wake_some(w);
	run_turns(w);
	close_all(w, false);
	while (w->ready != NULL)
		run_turns(w);
	return NULL;
}

/* Start and end. */

bool
worker_init(struct worker *w, struct server *server)
{
	w->server = server;
	w->ready_end = &w->ready;
	w->answered_end = &w->answered;
	w->stop.kind = MAIL_STOP;
	w->drain.kind = MAIL_DRAIN;
	w->tick.kind = MAIL_TICK;
	w->exec.env = &server->env;
	w->exec.cache = &server->cache;
	w->exec.local = &w->local;
	w->exec.waits = &w->waits;
	w->exec.mailbox = &w->mailbox;
	w->exec.dice = hash_key((const char *)&w, sizeof(w));
	lock_init(&w->lock, LOCK_SERVER);
	if (!mailbox_open(&w->mailbox)) {
		log_error("can't open an eventfd");
		return false;
	}
	w->exec.counters = counters_new(&server->counter_set);
	w->base = event_base_new();
	if (w->exec.counters == NULL || w->base == NULL) {
		log_error("can't start a worker: out of memory");
		return false;
	}
	store_local_init(&w->local, server->cache.store, w->exec.counters);
	set_time(w);
	event_assign(&w->wake, w->base, w->mailbox.wake_fd,
	    EV_READ | EV_PERSIST, on_mail, w);
	evtimer_assign(&w->alarm, w->base, on_alarm, w);
	return event_add(&w->wake, NULL) == 0;
}

bool
worker_start(struct worker *w)
{
	if (pthread_create(&w->thread, NULL, run, w) == 0)
		return true;
	log_error("can't start a worker thread");
	return false;
}

void
worker_stop(struct worker *w)
{
	mailbox_post(&w->mailbox, &w->stop);
}

void
worker_drain(struct worker *w)
{
	mailbox_post(&w->mailbox, &w->drain);
}

void
worker_tick(struct worker *w)
{
	if (w->server->config.idle_timeout == 0 &&
	    atomic_load_explicit(&w->ticks_to_rest, memory_order_relaxed) == 0)
		return;
	if (!atomic_exchange(&w->tick_posted, true))
		mailbox_post(&w->mailbox, &w->tick);
}

void
worker_join(struct worker *w)
{
	pthread_join(w->thread, NULL);
}

void
worker_destroy(struct worker *w)
{
	/* What was posted after the thread's last look. */
	w->stopping = true;
	on_mail(-1, 0, w);
	while (w->in_pooled > 0)
		free(w->in_pool[--w->in_pooled]);
	while (w->out_pooled > 0)
		free_out(w, w->out_pool[--w->out_pooled]);
	event_del(&w->wake);
	event_del(&w->alarm);
	heap_free(&w->waits);
	event_base_free(w->base);
	store_local_done(&w->local);
	mailbox_close(&w->mailbox);
	lock_destroy(&w->lock);
}
