/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * worker.h - a thread with an event loop and its connections.
 *
 * The loop has two halves: libevent says which connections can be served and
 * puts them into a queue; then each in the queue has its turn.  So a worker
 * knows who else is waiting, and a busy client gives way only to others (-R).
 *
 * Layer: server.
 */
#ifndef SERVER_WORKER_H
#define SERVER_WORKER_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/lock.h"
#include "base/mailbox.h"
#include "proto/session.h"
#include "server/conn.h"

struct server;

enum {
	IN_SIZE = 32 * 1024, /* bytes of a read buffer */
	POOLED = 16,         /* unused buffers of each kind that are kept */
	WAKE_BATCH = 64,     /* waiters answered between two looks for others */
};

enum mail_kind {
	MAIL_SOCKET,           /* struct mail_socket: a new connection */
	MAIL_WATCHER,          /* conn.wake */
	MAIL_STOP,             /* close all connections and end */
	MAIL_DRAIN,            /* end when all connections are idle */
	MAIL_TICK,             /* a second has passed */
	MAIL_WAIT = WAIT_MAIL, /* struct wait_queue: a lease has ended */
};

struct mail_socket {
	struct mail mail;
	int fd, listen_fd;
	enum transport transport;
};

struct worker {
	struct server *server;
	pthread_t thread;
	struct mailbox mailbox;
	struct mail stop, drain, tick;

	/* the worker thread's alone */
	struct event_base *base;
	struct event wake;
	struct exec exec;
	struct store_local local;
	struct conn *ready, **ready_end;
	struct heap waits;  /* waiters by deadline */
	struct event alarm; /* at the first deadline, or the end of draining */
	uint64_t alarm_at;  /* ms; 0: not set */
	/* queues whose waiters get their turns */
	struct wait_queue *answered, **answered_end;
	char *in_pool[POOLED];
	struct outbuf *out_pool[POOLED];
	int in_pooled, out_pooled;
	bool stopping, draining;
	uint64_t drain_until; /* ms */

	struct lock lock;
	/* guarded by lock */
	struct conn *conns;
	size_t count;

	/* until what is kept for the next requests is given back */
	_Atomic unsigned ticks_to_rest;
	_Atomic bool tick_posted;

	/* read by `stats` */
	_Atomic uint64_t buffers, buffer_bytes, buffer_bytes_free;
};

/* False with a line logged when a resource is missing. */
bool worker_init(struct worker *w, struct server *server) MUST_USE;
bool worker_start(struct worker *w) MUST_USE;

/* Ends the thread; worker_stop() closes its connections first. */
void worker_stop(struct worker *w);
void worker_drain(struct worker *w);

/*
 * To be called once a second, by one thread: wakes the worker if it has
 * something to do then.  A timer of its own would cost each of its waits.
 */
void worker_tick(struct worker *w);
void worker_join(struct worker *w);
void worker_destroy(struct worker *w);

/* The worker's own calls. */
void worker_ready(struct worker *w, struct conn *c);
void worker_link(struct worker *w, struct conn *c);
void worker_unlink(struct worker *w, struct conn *c);
char *worker_take_in(struct worker *w);
void worker_give_in(struct worker *w, char *in);
struct outbuf *worker_take_out(struct worker *w);
void worker_give_out(struct worker *w, struct outbuf *out);

#endif
