/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * conn.h - one client's connection: a socket and a session.
 *
 * A connection belongs to one worker for life, and only that thread touches
 * it.  It gets turns: in a turn it reads once, answers what came, and writes
 * once; some connections have their turns together, so that what all of them
 * need can be loaded at once.  Buffers are lent by the worker for as long as
 * bytes are in them; an idle connection holds none.
 *
 * A client that does not read is not read from: a connection with unsent
 * output only waits until it can be written to.  One whose request is parked
 * behind a lease is not read from either, but it is seen when the client goes.
 *
 * Layer: server.
 */
#ifndef SERVER_CONN_H
#define SERVER_CONN_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/mailbox.h"
#include "proto/session.h"

struct worker;

enum transport { TRANSPORT_LOCAL, TRANSPORT_TCP };

enum close_reason {
	CLOSE_NORMAL,
	CLOSE_ERROR,
	CLOSE_IDLE,
	CLOSE_SHUTDOWN,
};

struct conn {
	struct worker *w;
	struct event event;
	struct conn *next, *prev; /* of the worker; its lock guards them */
	struct conn *next_ready;
	struct session session;
	struct mail wake; /* posted when a watcher has news */
	char *in;
	uint32_t in_at, in_len, in_size; /* unread bytes of `in` */
	int fd;
	int listen_fd;     /* where it came from, for `stats conns` */
	uint8_t transport; /* enum transport */
	bool is_ready;     /* in the worker's queue of turns */
	bool waits_to_write;
	bool more;    /* in this turn: the socket may have more to read */
	bool blocked; /* in this turn: output has to wait */
	bool hungry;  /* the session has taken all it can */
	bool closing; /* close once all is sent */
	bool gone;    /* closed; freed when its mail is taken */
	bool edges;   /* parked, with input unread: only news are events */
	bool hung_up; /* ... and the client has closed its side */

	/* written by the worker, read by `stats conns` */
	_Atomic uint8_t shown_state;
	_Atomic rel_time last_request;
	_Atomic bool mail_posted;
};

/* Takes over the socket; false when out of memory (it is closed then). */
bool conn_open(struct worker *w, int fd, int listen_fd,
    enum transport transport);

/*
 * One turn, in two halves: reads what has come, and looks ahead at it; then,
 * after session_load(), answers.  False when it is over with the first, and c
 * may be freed.
 */
bool conn_begin_turn(struct conn *c) MUST_USE;
void conn_end_turn(struct conn *c);

void conn_close(struct conn *c, enum close_reason reason);

/* A watcher's mail was taken: frees a conn that is gone, else gives a turn. */
void conn_mail(struct conn *c);

/* Wakes the connection of a watcher; any thread, the feed's lock held. */
void conn_wake(void *conn);

/* Whether nothing is half done: no partial request, no unsent reply. */
bool conn_is_idle(const struct conn *c);

#endif
