/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cache_lease.h - how to read with leases, and the verbs of leases and tags.
 *
 * As cache.h: one call is one atomic step on one key.
 *
 * Layer: cache.
 */
#ifndef CACHE_CACHE_LEASE_H
#define CACHE_CACHE_LEASE_H

#include "cache/cache.h"

struct coalesce_rule;
struct mailbox;
struct waiter;

/* How a reader who knows of leases reads; or one for whom a rule knows. */
struct lead_spec {
	bool classic;    /* no meta request: md I does not speak to it */
	bool implicit;   /* a rule or a listener leads it: a miss is a miss */
	bool unasked;    /* the same if it waits: more input ends the wait */
	bool aware;      /* sees values in their grace, and negative ones */
	bool lead;       /* takes the lease on a miss (n, N) */
	bool want_stale; /* a rule's: sees values in their grace */
	bool versioned;  /* what is older than `version` counts as absent */
	uint64_t version;
	double early;      /* XFetch: beta times -ln(random); 0: none */
	uint32_t lease_ms; /* of the lease taken */
	int cfd;           /* of the connection, for `stats leases` */
	const struct coalesce_rule *rule;
	bool barred;     /* may not be granted one: its client has left */
	uint64_t handed; /* the token this reader was handed while waiting */
	struct waiter *waiter;   /* to park; NULL: it can't wait */
	struct mailbox *mailbox; /* of the waiter's thread */
};

/* Whether a value with this version, or known to be absent, does for a reader.
 */
static inline bool
lead_accepts(const struct lead_spec *lead, bool versioned, uint64_t version,
    bool negative)
{
	return (lead->aware || !negative) &&
	    (!lead->versioned || (versioned && version >= lead->version));
}

/* The length of a lease that was asked for with `ms` (0: none was named). */
uint32_t cache_lease_length(const struct cache *c, uint64_t ms);

/* Whether n is a token for that key, of whatever age. */
bool cache_is_token(const struct cache *c, const struct key *key, uint64_t n);

/* Prolongs a live lease.  False: this token's lease is over. */
bool cache_renew(struct cache *c, struct store_local *l, const struct key *key,
    uint64_t token, uint32_t ms, rel_time now, struct hit *hit);

/* A waiter takes the lease that came with a value which does not do for it. */
void cache_inherit(struct cache *c, struct store_local *l,
    const struct key *key, uint64_t token, uint32_t ms, int cfd, rel_time now);

/*
 * Ends a live lease, found by hash and token alone: given up, with a back-off
 * of that many ms (0: none), or because its connection ends.  False when it is
 * over already.
 */
bool cache_give_up(struct cache *c, struct store_local *l,
    const struct key *key, uint64_t token, uint32_t backoff_ms, rel_time now);
bool cache_abandon(struct cache *c, struct store_local *l, uint64_t hash,
    uint64_t token, rel_time now);
bool cache_holds(struct cache *c, struct store_local *l, uint64_t hash,
    uint64_t token, rel_time now);

/* Invalidates a tag, and with it all items that carry it. */
void cache_invalidate_tag(struct cache *c, const char *tag, size_t len);

/*
 * -o tag_prefix: a key's implicit tag, added to what an item of that key has.
 * False when it has none.
 */
bool cache_add_prefix_tag(const struct cache *c, const struct key *key,
    struct item_extra *extra);

/* The slot of a tag, for item_extra.tag. */
uint32_t cache_tag_slot(const struct cache *c, const char *tag, size_t len);

/* flush_all: now, or what is due. */
void cache_flush(struct cache *c, struct store_local *l, rel_time now);
void cache_flush_due(struct cache *c, struct store_local *l, rel_time now);

#endif
