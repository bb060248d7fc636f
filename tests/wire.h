/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * wire.h - a client and its session, without a socket.
 *
 * What a connection does (server/conn.c) is done here: input that was not
 * taken is offered again, large values go straight into their items, replies
 * are sent piece by piece.  Input is always offered in a block of its size, so
 * that a sanitizer sees a read behind it.
 */
#ifndef TESTS_WIRE_H
#define TESTS_WIRE_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/session.h"
#include "rig.h"

struct wire {
	struct rig *rig;
	struct session session;
	struct outbuf out;
	char *in; /* what the session has not taken yet */
	size_t in_len;

	/* all that was sent to the client */
	char *got;
	size_t len, room;
	bool closed; /* the session wishes to end */

	/* how it goes; 0 is the usual */
	size_t send_max;    /* most bytes sent at once; all */
	int budget;         /* requests in one turn; 1000 */
	bool copies_values; /* offers large values as input */
	size_t got_max;     /* a client who got more than that goes; endless */
	void (*between)(struct wire *w, void *arg); /* called before a send */
	void *arg;
};

void wire_open(struct wire *w, struct rig *r);

/* The client goes; what it was in the middle of is given back. */
void wire_close(struct wire *w);

/* The client sends n bytes, and reads all replies that are due. */
void wire_put(struct wire *w, const char *bytes, size_t n);

/* Nothing was sent; an event, or the outcome of a wait, may be due. */
void wire_wake(struct wire *w);

/*
 * Takes the mail of the rig's leases: sessions that wait find their outcome
 * when they are woken.
 */
void wire_collect(struct rig *r);

/* Ends the client's wait if its time is up; wire_wake() is due. */
void wire_end_due_wait(struct wire *w);

/* Forgets what was sent so far. */
void wire_forget(struct wire *w);

/*
 * The last thing that was sent which looks like a token, WIRE_TOKEN digits;
 * NULL when there is none.
 */
enum { WIRE_TOKEN = 19 };
const char *wire_last_token(const struct wire *w);

#endif
