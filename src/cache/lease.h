/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lease.h - who may load a missing value, and who waits for it.
 *
 * A lease says that somebody is loading the value of a key.  It decides only
 * who may start: whether what he brings is stored is decided by numbers (see
 * cache_fill.c), so a lease may lapse or be lost without harm.
 *
 * Who finds a lease on a key may wait for its end.  The waiters of one thread
 * behind one lease form a queue:
 *
 *	lease --> queue of thread 1 --> queue of thread 2        shard's lock
 *	             |                     |
 *	          waiter, waiter, ...   waiter, ...              their thread
 *
 * The list of waiters is their thread's alone.  The rest of the queue, among it
 * what became of the lease, is guarded by the lock of the key's shard.  So the
 * end of a lease costs a few steps a thread under the lock, and one mail a
 * thread after it, however many wait; each thread then answers its waiters at
 * its own pace, all of them from one item.
 *
 * When a lease ends without a value, the thread whose oldest willing waiter is
 * the oldest of all inherits it, and hands it to that waiter.
 *
 * Functions with a `struct act` are called under its shard's lock.
 *
 * Leases: R. Nishtala et al., Scaling Memcache at Facebook, NSDI 2013, 3.2.1.
 *
 * Layer: cache.
 */
#ifndef CACHE_LEASE_H
#define CACHE_LEASE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/heap.h"
#include "base/mailbox.h"
#include "cache/cache_lease.h"
#include "cache/hot_tags.h"
#include "cache/lease_config.h"
#include "cache/lease_token.h"
#include "cache/tombs.h"
#include "cache/wait.h"

enum {
	LEASE_TAKEN = 1,        /* stands for a token: somebody else has it */
	LEASE_FEED = 1 << 6,    /* class of `watch leases` */
	LEASE_ADDRESSES = 4096, /* counts of waiters by hashed address */
};

/* What is done, where, by whom, when: one request's step on one key. */
struct act {
	struct cache *c;
	struct store_local *l;
	struct shard *s;
	struct lease_shard *ls;
	const struct key *key;
	rel_time now;
};

/* How a lease can end. */
enum lease_end {
	LEASE_FILLED,
	LEASE_REFUSED,
	LEASE_LAPSED,
	LEASE_DISCONNECTED,
	LEASE_GIVEN_UP,
	LEASE_REVOKED,
};

struct lease {
	struct heap_node timer; /* key: its deadline in ms */
	struct lease *next;     /* of the bucket */
	uint64_t hash;
	uint64_t token;
	uint64_t granted;         /* ms */
	struct wait_queue *queue; /* of each thread that has waiters */
	struct wait_queue *heir;  /* handed to it, and not taken yet */
	uint32_t waiters;         /* in all queues */
	int cfd;                  /* its holder, as `stats conns` numbers; -1 */
	const struct coalesce_rule *rule; /* that opened it, or NULL */
	bool backoff; /* nobody may try until the deadline */
	uint8_t key_len;
	char key[];
};

/* Guarded by the lock of the shard of the same place. */
struct CACHE_ALIGNED lease_shard {
	struct lease **bucket;
	uint32_t buckets; /* a power of two, or 0 */
	uint32_t count;   /* leases and back-offs */
	uint32_t live;    /* leases */
	uint64_t arrivals;
	struct heap timers;
	_Atomic uint64_t next; /* ms: the first deadline; read without lock */
};

struct rule_counts {
	_Atomic uint64_t granted, wait_served, wait_timed_out, guard_refused;
};

struct leases {
	const struct lease_config *config;
	struct lease_shard *shard;
	unsigned shards;
	struct feed *feed;
	uint8_t secret[LEASE_SECRET_SIZE];
	struct tombs tombs;
	struct rule_counts *rule_counts;
	struct hot_tags hot_tags;
	_Atomic uint64_t bytes; /* of leases, queues, their tables */
	_Atomic bool ending;    /* the server ends: nobody inherits a lease */
	_Atomic uint32_t records;
	_Atomic uint32_t waiting, waiting_most;
	_Atomic uint32_t address[LEASE_ADDRESSES];
};

/*
 * Makes the cache's lease state; `config` and the store outlive it.  NULL when
 * out of memory.  leases_free(): no thread uses it, nobody waits.
 */
struct leases *leases_new(const struct lease_config *config,
    struct store *store) MUST_USE;
void leases_free(struct leases *ls);

/* Ends leases and back-offs whose time is over; any thread, no lock held. */
void leases_tick(struct cache *c, struct store_local *l, rel_time now);

/* After a flush of the store: ends all leases, with hand-over. */
void leases_flushed(struct cache *c, struct store_local *l, rel_time now);

/* Counts memory taken, or given back (below 0), that is bounded by leases. */
static inline void
leases_count_bytes(struct leases *ls, int64_t bytes)
{
	atomic_fetch_add_explicit(&ls->bytes, (uint64_t)bytes,
	    memory_order_relaxed);
}

/* Live leases and back-offs. */
uint64_t leases_live(const struct leases *ls, struct store *store);

/* The lease or back-off of the act's key whose time is not over, or NULL. */
struct lease *lease_find(struct act *st) REQUIRES(st->s->lock);

/* -o visible_stubs: whether the key, missing, shows as an empty item. */
bool lease_shows_stub(struct act *st) REQUIRES(st->s->lock);

/* Whether it is a live lease, and that token's. */
static inline bool
lease_is(const struct lease *lease, uint64_t token)
{
	return lease != NULL && !lease->backoff && lease->token == token;
}

/* The lease with that token, or NULL. */
struct lease *lease_by_token(struct act *st, uint64_t token)
    REQUIRES(st->s->lock);

/*
 * A new token for the act's key, with a lease of `ms` if there is room for a
 * record; `item` is what stands.
 */
uint64_t lease_grant(struct act *st, struct item *item, uint32_t ms, int cfd,
    const struct coalesce_rule *rule) REQUIRES(st->s->lock);

/* Ends a lease without a value: the oldest willing waiter gets a new one. */
void lease_finish(struct act *st, struct lease *lease, enum lease_end how)
    REQUIRES(st->s->lock);

/* A fill without a live lease of its own was refused: only told. */
void lease_note_refusal(struct act *st, uint64_t token) REQUIRES(st->s->lock);

/* The same with a back-off of `ms` instead of a new lease. */
void lease_back_off(struct act *st, struct lease *lease, uint32_t ms)
    REQUIRES(st->s->lock);

/*
 * Ends the lease of a key whose value `it` has been stored, linked; all waiters
 * get it.  `it` NULL: what was stored had expired, they get nothing.
 */
void lease_answer(struct act *st, struct lease *lease, struct item *it,
    enum lease_end how) REQUIRES(st->s->lock);

/* The length a lease gets that was asked for with `ms`. */
uint32_t lease_length(const struct leases *ls, uint64_t ms);

/* Moves the deadline; HD W for the holder. */
void lease_prolong(struct act *st, struct lease *lease, uint32_t ms)
    REQUIRES(st->s->lock);

/*
 * Links a waiter behind a live lease; false for want of memory, or because
 * there are too many.  The caller's
 * thread is the mailbox's.
 */
bool lease_park(struct act *st, struct lease *lease, struct waiter *w,
    struct mailbox *mailbox) REQUIRES(st->s->lock) MUST_USE;

/* Unlocks the act's shard, and posts the mail that became due meanwhile. */
void act_end(struct act *st) RELEASE(st->s->lock);

/* For lease_*.c. */
void lease_end_overdue(struct act *st, struct lease *lease)
    REQUIRES(st->s->lock);
bool lease_table_add(struct act *st, struct lease *lease, uint64_t deadline)
    REQUIRES(st->s->lock) MUST_USE;
void lease_table_remove(struct act *st, struct lease *lease)
    REQUIRES(st->s->lock);
void lease_table_move(struct lease_shard *ls, struct lease *lease,
    uint64_t deadline);
/* Whether a waiter is willing: then a thread has inherited the lease. */
bool wait_inherit(struct act *st, struct lease *lease, uint64_t token)
    REQUIRES(st->s->lock);
/* The queue of the oldest willing waiter whom not any value will do, or NULL.
 */
struct wait_queue *wait_needy(const struct lease *lease);
/* Tells all waiters, and parts them from the lease. */
void wait_dismiss(struct act *st, struct lease *lease,
    enum wait_outcome outcome, struct answer *answer, uint64_t until)
    REQUIRES(st->s->lock);
/* The key of a lease, hashed. */
struct key lease_key(const struct lease *lease);

static inline struct act
act_in_shard(struct cache *c, struct store_local *l, unsigned shard,
    rel_time now)
{
	return (struct act){ .c = c,
		.l = l,
		.now = now,
		.s = &c->store->shard[shard],
		.ls = &c->leases->shard[shard] };
}

static inline struct act
act_begin(struct cache *c, struct store_local *l, const struct key *key,
    rel_time now)
{
	struct act st = act_in_shard(c, l,
	    (unsigned)(key->hash >> c->store->shard_shift), now);

	st.key = key;
	return st;
}

#endif
