/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * claims.h - the leases that a connection was granted and has not filled.
 *
 * They end with the connection, and while it has one it never waits for
 * another: two clients that each hold what the other waits for would stand
 * still.  A lease may end behind the connection's back; its claim is then dead,
 * and dropped when somebody looks.
 *
 * Under a rule with `guard` a claim also remembers what number the server's
 * counter had when the key was missed.
 *
 * Layer: proto.
 */
#ifndef PROTO_CLAIMS_H
#define PROTO_CLAIMS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

struct exec;
struct session;

/* One for each key; found by its hash. */
struct claim {
	uint64_t hash;
	uint64_t token; /* 0: no lease, only a guard */
	uint64_t guard; /* 1 + the number of the last miss; 0 none */
};

/* An open-addressed table; a place without token and guard is free. */
struct claims {
	uint32_t count, room; /* room: a power of two */
	bool more;            /* there were too many to note */
	uint32_t unnoted;     /* so many since the last look for dead ones */
	struct claim claim[];
};

enum { CLAIMS_MAX = 16384 /* of a connection; what is more ends by time */ };

/* Notes a lease, a guard, or both. */
void claims_add(struct session *s, struct exec *x, struct claim claim);

/* 1 + the number of the last miss of a key under a rule with guard; 0 none. */
uint64_t claims_guard(const struct session *s, uint64_t hash);

/* The guard has spoken: it does so once for each miss. */
void claims_unguard(struct session *s, uint64_t hash);

/* Forgets what there is of a key: the connection has stored it. */
void claims_forget(struct session *s, uint64_t hash);

/* Whether a lease of the connection may be live. */
bool claims_any(struct session *s, struct exec *x);

/* Ends all leases of the connection. */
void claims_end(struct session *s, struct exec *x);

#endif
