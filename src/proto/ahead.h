/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ahead.h - loading what the next requests will need, before they are handled.
 *
 * Where items are many, a request waits for memory twice: for its bucket, then
 * for its item.  So a worker first looks through what has come, of all
 * connections that have a turn, starts to load the buckets of the keys it
 * meets, then the items, and only then handles the requests: it waits once for
 * all of them.
 *
 * This reads no more of a request than where its key is.  Whatever it takes
 * for a key is only ever prefetched.
 *
 * Layer: proto.
 */
#ifndef PROTO_AHEAD_H
#define PROTO_AHEAD_H

#include <stddef.h>
#include <stdint.h>

struct cache;

enum {
	AHEAD_MAX = 32,            /* requests looked ahead at a time, of all */
	AHEAD_BYTES = 1024 * 1024, /* of items and tables; below, no use */
};

/* Keys whose buckets are being loaded. */
struct ahead {
	unsigned n;
	uint64_t hash[AHEAD_MAX];
};

/*
 * Notes the keys of the first whole requests of the input, and starts to load
 * their buckets; returns of how many requests.
 */
unsigned ahead_look(struct ahead *a, struct cache *c, const char *in,
    size_t len);

/* Starts to load the items of the keys noted, and forgets them. */
void ahead_load(struct ahead *a, struct cache *c);

#endif
