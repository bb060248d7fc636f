/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lease_conn.h - the sockets of lease.c: one per server and thread.
 *
 * One request at a time is under way, so a reply can only belong to the last
 * one; a connection on which that is in doubt is closed.  Nothing here is for
 * users of lease.h.
 */
#ifndef CONTRIB_C_LEASE_CONN_H
#define CONTRIB_C_LEASE_CONN_H

#include <libmemcached/memcached.h>
#include <stdbool.h>
#include <stddef.h>

enum {
	LEASE_SPARE_MS = 1000,    /* after a failure, nothing for so long */
	LEASE_RECHECK_MS = 60000, /* a server without leases is asked again */
	LEASE_LINE_BYTES = 2048
};

/* What came of a request. */
enum lease_reply {
	LEASE_REPLY_LINE,  /* lease_conn.line */
	LEASE_REPLY_PLAIN, /* not sent: the server knows no leases */
	LEASE_REPLY_LOST   /* no connection, or no reply in time */
};

/* One request: a line with its CR LF, and a value behind it for a store. */
struct lease_request {
	char text[LEASE_LINE_BYTES];
	size_t length;
	const void *value;
	size_t value_length;
	bool once;         /* not sent again when the connection was lost */
	long long wait_ms; /* that the reply may take longer */
};

struct lease_conn {
	struct lease_conn *next;
	char *name;
	in_port_t port;
	int fd;                 /* -1: closed */
	long long plain_until;  /* the server knows no leases */
	long long failed_until; /* it could not be reached */

	/* received: the line, and what came behind it */
	char *line;
	size_t start, end;
	char in[4096];
};

/* Milliseconds of a clock that only goes forward. */
long long lease_now_ms(void);

/* The one in a list for a server, made if needed; NULL: no memory. */
struct lease_conn *lease_conn_find(struct lease_conn **list,
    const memcached_instance_st *server);

/* Closes all, and frees them. */
void lease_conn_free_all(struct lease_conn **list);

/* Connects if there is no connection, as far as can be told. */
enum lease_reply lease_conn_ready(memcached_st *memc, struct lease_conn *c);

/*
 * Sends a request and reads the line of its reply.  Sends it once more when an
 * old connection turns out to be lost.
 */
enum lease_reply lease_conn_ask(memcached_st *memc, struct lease_conn *c,
    const struct lease_request *r);

/*
 * Reads the n bytes and CR LF behind the line; the caller frees them.  NULL,
 * and the connection is closed, when they do not come.
 */
char *lease_conn_value(memcached_st *memc, struct lease_conn *c, size_t n);

void lease_conn_close(struct lease_conn *c);

#endif
