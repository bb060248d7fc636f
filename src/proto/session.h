/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * session.h - one client's side of the protocol: bytes in, bytes out.
 *
 * No socket and no thread: the server, the unit tests and the fuzzers drive
 * the same calls.  session_feed() takes what input there is, answers all whole
 * requests in it, and says what it wishes next.  Input that it did not take
 * has to be offered again, with more behind it.
 *
 * Large values are not collected as input: while session_target() offers room,
 * bytes may be read straight into the item, and session_filled() says so.
 *
 * Layer: proto.
 */
#ifndef PROTO_SESSION_H
#define PROTO_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/clock.h"
#include "base/counter.h"
#include "base/feed.h"
#include "cache/cache.h"
#include "cache/lease.h"
#include "proto/ahead.h"
#include "proto/outbuf.h"

struct claims;
struct prefix_table;
struct pending;
struct dump;

enum {
	/* A line without its end may be this long, */
	SESSION_LINE_MAX = 2048,
	/* or this long if it asks for many keys. */
	SESSION_LONG_LINE_MAX = 64 * 1024 * 1024,
	/* Up to here a value is awaited in the input, not in the item. */
	SESSION_SMALL_VALUE = 8 * 1024,
};

enum session_wish {
	WISH_INPUT, /* more input */
	WISH_FLUSH, /* room in the output, then the same input again */
	WISH_YIELD, /* enough for one turn: the same input again, later */
	WISH_PARK,  /* nothing, until the wait is over: see lead.h */
	WISH_CLOSE, /* send what is there, then close */
};

/* Classes of `watch`; STORE_FEED_EVICTIONS is the store's. */
enum {
	FEED_FETCHERS = 1 << 0,
	FEED_MUTATIONS = 1 << 1,
	FEED_EVICTIONS = STORE_FEED_EVICTIONS,
	FEED_CONNEVENTS = 1 << 3,
	FEED_DELETIONS = 1 << 4,
	FEED_SYSEVENTS = 1 << 5,
	FEED_LEASES = LEASE_FEED,
};

/* What `stats` reports of things above this layer. */
struct server_gauges {
	uint64_t max_connections, curr_connections, connection_structures;
	uint64_t buffers, buffer_bytes, buffer_bytes_free;
	uint64_t reserved_fds, threads;
	uint64_t resident; /* bytes of the whole allocator */
	bool accepting, idle_timeout;
};

/* A report of another module, printed line by line. */
typedef void stat_printer(void *ctx, const char *name, const char *value);

/* What all sessions share; set at start, then read only. */
struct proto_env {
	struct cache *cache;
	struct counter_set *counters;
	struct feed *feed;
	struct prefix_table *prefixes;
	const char *libevent_version;
	size_t watch_buffer; /* bytes for one watcher */
	bool shutdown_enabled, flush_enabled, dump_enabled, watch_enabled;
	bool track_sizes, debug_commands;
	bool detect_binary; /* a first byte of 0x80 is the binary protocol */
	_Atomic bool *crawler_off; /* by lru_crawler disable */

	/* the server's side, called without any lock held */
	void *server;
	void (*gauges)(void *server, struct server_gauges *out);
	void (*report_settings)(void *server, stat_printer *print, void *ctx);
	void (*report_conns)(void *server, stat_printer *print, void *ctx);
	void (*shutdown)(void *server, bool graceful);
	void (*wake_watcher)(void *conn); /* under the feed's lock */
};

/* What one thread works with; the server sets the time for each batch. */
struct exec {
	const struct proto_env *env;
	struct cache *cache;
	struct store_local *local;
	struct counters *counters;
	rel_time now;
	uint64_t now_ms;
	int budget;              /* requests left in this turn */
	bool draining;           /* nobody may begin to wait */
	struct heap *waits;      /* waiters by deadline; NULL: nobody waits */
	struct mailbox *mailbox; /* of the thread */
	uint64_t dice;           /* state of exec_dice() */
	bool looks_ahead;        /* items are too many for the CPU's caches */
	struct ahead ahead;
	char scratch[CACHE_COPY_MAX];
};

/* A number in (0, 1]. */
double exec_dice(struct exec *x);

enum session_state {
	SESSION_COMMAND, /* a request line comes next */
	SESSION_VALUE,   /* bytes of a large value */
	SESSION_SWALLOW, /* bytes of a value that was refused */
	SESSION_DUMP,    /* listing keys */
	SESSION_WATCH,   /* a stream of events */
	SESSION_PARKED,  /* only shown: SESSION_COMMAND that waits */
};

struct session {
	uint8_t state;
	bool fresh;     /* nothing has come yet */
	bool binary;    /* it speaks the binary protocol */
	uint8_t ahead;  /* requests that were looked ahead at */
	int cfd;        /* descriptor, as `watch` shows it */
	size_t scanned; /* bytes searched for the end of the line */
	size_t resume;  /* where in its line a get goes on; 0: not yet */
	uint64_t swallow;
	struct outbuf *out; /* lent by the server while it feeds */
	union {
		struct pending *pending;
		struct dump *dump;
		struct subscriber *watcher;
	};
	void *conn; /* the server's, for wake_watcher() */

	uint64_t arrived;      /* ms: when the latest input came */
	struct waiter *waiter; /* of the request that is parked, or was */
	struct claims *claims; /* leases granted; NULL: none */
	uint32_t wait_ms;      /* by the listener's mode */
	uint16_t address;      /* of the client, hashed */
	uint8_t mode;          /* enum listen_mode */
	bool parks_unasked;    /* it did not ask to wait: input ends the wait */
};

void session_init(struct session *s, int cfd, void *conn);

/* Gives back what the session holds: a half-read item, a dump, a watcher. */
void session_end(struct session *s, struct exec *x);

/*
 * Handles `in`, of which `len` bytes are there, with replies to s->out; returns
 * how many bytes were taken.
 */
size_t session_feed(struct session *s, struct exec *x, const char *in,
    size_t len, enum session_wish *wish);

/*
 * What will be fed soon: starts to load what it needs.  Called for all sessions
 * that have input, then session_load() once, then they are fed.
 */
void session_look(struct session *s, struct exec *x, const char *in,
    size_t len);
void session_load(struct exec *x);

/* Room for the rest of a large value, NULL when none is being read. */
char *session_target(struct session *s, size_t *room);
void session_filled(struct session *s, size_t n);

/* Whether the session streams events and takes no more requests. */
static inline bool
session_is_watching(const struct session *s)
{
	return s->state == SESSION_WATCH;
}

/* Whether the session waits, and nothing has become of it yet. */
static inline bool
session_is_parked(const struct session *s)
{
	return s->waiter != NULL && s->waiter->outcome == WAIT_PENDING;
}

/* Ends the wait of a session as if its time were up; its turn is next. */
void session_end_wait(struct session *s, struct exec *x);

/* The name of the state, as `stats conns` shows it. */
const char *session_state_name(const struct session *s);

#endif
