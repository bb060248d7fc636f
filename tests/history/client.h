/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * client.h - connections that put down all they send and receive.
 *
 * A request is recorded before it is sent, a reply after it was read, each
 * with a time that no other line has (record.h).
 */
#ifndef TESTS_HISTORY_CLIENT_H
#define TESTS_HISTORY_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { MAX_PORTS = 4, MAX_PENDING = 64, LINE_BYTES = 600 };

/* How a reply looks. */
enum shape { SHAPE_LINE, SHAPE_META, SHAPE_VALUES };

/* A request that is not answered yet. */
struct pending {
	uint64_t id, sent, wait; /* ns, ms */
	enum shape shape;
	int key;
	uint64_t lease; /* ms; 0: it asks for none */
	bool shows;     /* there is a value in the reply */
};

struct reply {
	char line[256];
	bool won;
	uint64_t token;
};

struct client {
	struct client_set *set;
	int fd;
	unsigned number; /* never used again */
	bool shut;       /* nothing more can be sent */
	char *out, *in;
	size_t out_n, in_n, out_room, in_room;
	struct pending pending[MAX_PENDING];
	size_t first, npending;
	uint64_t next; /* when it has something to do again, ns */
};

typedef void client_replied(void *arg, struct client *c,
    const struct pending *p, const struct reply *r);

struct client_set {
	struct client *client;
	size_t n;
	int port[MAX_PORTS]; /* one after the other */
	size_t nports;
	unsigned next_number;
	uint64_t last_time, next_id;
	FILE *record;
	client_replied *replied;
	void *arg;
	bool broken; /* it has come to an end: see the record */
};

/* A time that no other line has. */
uint64_t client_time(struct client_set *s);

void clients_open(struct client_set *s, size_t n);
void clients_close(struct client_set *s);

/* Sends what is due, and takes what comes within so many milliseconds. */
void clients_turn(struct client_set *s, int wait);

/* Nobody waits for a reply, or for the server to close. */
bool clients_idle(const struct client_set *s);

/* Records a request and puts it into the buffer: a line, without its end.
   Returns the request, whose other members may be set. */
struct pending *client_ask(struct client *c, enum shape shape,
    const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The same with a value. */
struct pending *client_store(struct client *c, enum shape shape,
    const char *data, size_t n, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

bool client_can_ask(const struct client *c);

enum leaving { LEAVE_CLOSE, LEAVE_RESET, LEAVE_SHUT };

/* Ends the connection, or one direction of it; and, but for LEAVE_SHUT, is
   another client at once. */
void client_leave(struct client *c, enum leaving how);

#endif
