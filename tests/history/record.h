/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * record.h - what clients sent and what they were answered, in order of time.
 *
 * drive writes it, check reads it.  A line each, times in ns and no two alike;
 * a connection's number is never used again:
 *
 *	> <time> <conn> <id> <request>[ | <value>]	about to be sent
 *	< <time> <conn> <id> <reply>[ | <value>]	has been read
 *	x <time> <conn>			the client is about to end this
 *connection
 *	? <time> <conn> <text>		nobody asked for this; or the server
 *left h <time> <conn> <id>		the reply is long overdue ! loads <key>
 *<n>		what must be true of the round:  n leases ! served <key>
 *... every waiter was given a value
 *	! misses <key> <n>		... n plain gets of it were misses
 *	@ <name> <n>			how the server is set up
 *	= <name> <n>			a line of `stats leases`
 *	.				a round has ended: all was answered
 *
 * Values as value.h describes them.  The keys of a round are its own, so a
 * round is judged by itself.
 */
#ifndef TESTS_HISTORY_RECORD_H
#define TESTS_HISTORY_RECORD_H

#include "value.h"

#include "map.h"

#define NEVER UINT64_MAX

enum { MAX_TAGS = 64, NO_KEY = -1, MS = 1000000 };

enum what {
	OP_OTHER, /* no effect that matters here: mn, touch, stats */
	OP_READ,
	OP_STORE,
	OP_JOIN, /* append, prepend */
	OP_COUNT,
	OP_DROP, /* delete, md, md I, md V */
	OP_TAG,
	OP_RENEW,
	OP_GIVE_UP,
	OP_FLUSH
};

enum outcome { OUT_LOST, OUT_DONE, OUT_REFUSED, OUT_UNSURE, OUT_ERROR };

/* A request and its reply.  Without a reply, recv is NEVER. */
struct op {
	enum what what;
	enum outcome outcome;
	bool plain;        /* a verb of memcached's, or mcrouter's */
	bool shows_marked; /* md I does not matter to it */
	char mode;         /* of ms, upper case */
	char code[12];
	unsigned conn;
	int key;
	uint64_t id, send, recv;
	uint64_t done; /* its effect was there, for sure; NEVER: none known */
	size_t asked, answered; /* lines */
	size_t before;          /* of the same connection, or NOTHING */

	/* the request */
	uint64_t letters; /* its flags, see has() */
	uint64_t token, version, wait, backoff;
	uint64_t lease; /* ms */
	int64_t exptime;
	uint64_t tags;
	uint64_t unique;

	/* the reply */
	bool won, stale, busy, absent;
	bool misplaced; /* it bears another request's mark */
	bool tells_version;
	uint64_t number, told;
};

enum how { SEEN_MISS, SEEN_FRESH, SEEN_PLAIN, SEEN_STALE, SEEN_ABSENT };

/* One key that one request read. */
struct seen {
	enum how how;
	int key;
	size_t op, line;
	uint64_t unique, cas;
	size_t piece, pieces; /* appended to it: pieces[piece ...] */
};

struct grant {
	size_t op;
	int key;
	uint64_t token, lease; /* ms */
};

/* The requests that a key was subject to, flushes and tags too, by send. */
struct list {
	size_t *op, n;
};

struct expectation {
	char what[12];
	int key;
	uint64_t n;
	size_t line;
};

struct history {
	/* a round: the lines, and what was read from them */
	char **line;
	struct op *op;
	struct seen *seen;
	struct grant *grant;
	struct expectation *expect;
	char (*key)[KEY_BYTES];
	char (*tag)[KEY_BYTES];
	uint64_t *piece;
	size_t lines, ops, seens, grants, expects, keys, tags, pieces;
	struct list *list; /* of each key */
	struct map by_id, by_unique, by_token, by_cas, closed;
	struct map last_of; /* connections: the last request so far */
	const char *wrong;  /* a line that is a violation by itself */
	size_t wrong_line;

	/* stays: how the server is set up, what it counted, what came before */
	uint64_t lax, evicts, tombstone_ttl, tag_prefix;
	uint64_t lease_default, lease_max; /* ms */
	uint64_t last_token;
	struct counted {
		char name[40];
		uint64_t n;
	} * count;
	size_t counts;
};

void history_start(struct history *h);
void history_end(struct history *h);
void history_next_round(struct history *h);

/* When the round is complete: lists the requests of each key. */
void history_complete(struct history *h);

/* Takes a line; false when it is not one. */
bool history_line(struct history *h, const char *line);

/* The number of a key; it is made known. */
int history_key(struct history *h, const char *name, size_t n);

/* Does the request have this flag? */
static inline bool
has(const struct op *op, char letter)
{
	return op->letters >> (letter & 31) >> (letter >= 'a' ? 32 : 0) & 1;
}

/* An item is known by its key and CAS number. */
static inline uint64_t
cas_mark(int key, uint64_t cas)
{
	return (cas + 1) * 0x2545f4914f6cdd1du ^ (uint64_t)(key + 1);
}

#endif
