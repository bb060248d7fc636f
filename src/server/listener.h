/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * listener.h - the sockets that clients connect to, and who accepts.
 *
 * Sockets come from -l, -p and -s, or from the service manager.  One thread
 * accepts, counts clients against the limit, and hands each connection to a
 * worker, in turn.
 *
 * Layer: server.
 */
#ifndef SERVER_LISTENER_H
#define SERVER_LISTENER_H

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "cache/lease_config.h"
#include "server/conn.h"

struct server;

struct listen_address {
	const char *host; /* NULL: all addresses */
	int port;         /* -1: any */
	enum listen_mode mode;
	uint32_t wait_ms; /* of LISTEN_LEASE: how long requests may wait */
};

struct listener_config {
	const struct listen_address *address;
	size_t addresses;      /* 0: loopback only */
	int port;              /* of the default addresses; -1 any, 0 none */
	const char *unix_path; /* NULL: TCP */
	mode_t unix_mask;
	int backlog;
};

enum { LISTENERS_MAX = 256 };

struct listening {
	struct listener *owner;
	struct event *event;
	int fd;
	enum transport transport;
	bool inherited; /* the service manager's: it goes on listening */
	enum listen_mode mode;
	uint32_t wait_ms;
};

struct listener {
	struct server *server;
	struct listener_config config;
	struct event_base *base;
	struct event *resume; /* timer that tries to accept again */
	struct listening sock[LISTENERS_MAX];
	int count;
	unsigned next_worker;
	bool paused;
	bool out_of_fds;    /* said so already */
	bool unix_bound;    /* the socket file is ours to remove */
	uint64_t paused_at; /* microseconds */
};

/* Opens all sockets; false with a line logged. */
bool listener_open(struct listener *ln,
    const struct listener_config *config) MUST_USE;

/* Begins to accept in that event loop; false when out of memory. */
bool listener_start(struct listener *ln, struct server *server,
    struct event_base *base) MUST_USE;

/* Stops accepting: clients are refused from now on. */
void listener_stop(struct listener *ln);

/* Closes the sockets, removes the socket file; no thread uses them now. */
void listener_close(struct listener *ln);

/* The socket with that descriptor, or NULL. */
const struct listening *listener_of(const struct listener *ln, int fd);

/*
 * Puts "<address>:<port>", or the path of a Unix socket, into `out`; that of
 * the other end if `peer`.
 */
void listener_name(int fd, bool peer, char *out, size_t room);

#endif
