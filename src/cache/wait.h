/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * wait.h - those who wait for the end of a lease; lease.h has the picture.
 *
 * Layer: cache.
 */
#ifndef CACHE_WAIT_H
#define CACHE_WAIT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/heap.h"
#include "base/mailbox.h"
#include "cache/cache.h"

struct lease;

enum { WAIT_MAIL = 100 /* kind of a queue's mail */ };

/* What waiters are told. */
enum wait_outcome {
	WAIT_PENDING,
	WAIT_VALUE,   /* answer->hit */
	WAIT_LEASE,   /* the lease is theirs: token */
	WAIT_OVER,    /* the lease is gone, there is no value */
	WAIT_BACKOFF, /* the same, and nobody may try for `ms` */
	WAIT_TIMEOUT, /* their time is up */
	WAIT_AGAIN,   /* ask again */
};

/* A value on its way to all waiters of a key: one reference on the item. */
struct answer {
	_Atomic uint32_t refs;
	struct hit hit;
};

/* One parked request.  Its thread's alone. */
struct waiter {
	struct heap_node timer; /* key: its deadline in ms */
	union {
		struct waiter *next; /* of the queue, oldest first */
		uint64_t hash;       /* WAIT_LEASE: of its key */
	};
	struct waiter *prev;
	struct wait_queue *queue; /* NULL: it left, or was handed the lease */
	void *owner;              /* whoever parked it */
	uint64_t token;    /* WAIT_LEASE: its; else the order of arrival */
	uint32_t lease_ms; /* the length it wants; 0: never handed one */
	uint32_t cfd : 23; /* of its connection, for `stats leases` */
	uint32_t outcome : 6;
	uint32_t fetched : 1; /* taken out of the queue, to be answered */
	uint32_t needs : 1;   /* not any value will do (mg V<n>) */
	uint32_t heir : 1; /* if the value won't do, the lease `token` is its */
};

struct wait_queue {
	struct mail mail; /* first: posted when the outcome is there */
	struct wait_queue *next_letter;
	struct mailbox *mailbox; /* its thread's */
	uint64_t hash;

	/* its thread's alone */
	struct waiter *first, *last;
	struct wait_queue *next_final; /* of those being answered */
	uint32_t out;                  /* waiters taken out, not done yet */
	bool final;                    /* collected: it has no lease any more */
	bool listed;                   /* its thread goes on with wait_next() */

	/* guarded by the shard's lock until it is final */
	bool posted;         /* the mail is on its way */
	uint8_t outcome;     /* for all */
	struct lease *lease; /* NULL: it has ended */
	struct wait_queue *next;
	uint64_t oldest; /* arrival of the oldest willing; 0 none */
	uint64_t needy;  /* the same of those with needs */
	bool will;       /* beside the value: the lease `token` for the needy */
	uint64_t token;  /* for the oldest willing, if it is the heir */
	uint64_t until;  /* ms: the end of WAIT_BACKOFF */
	struct answer *answer;
};

/* The waiters' side: their thread, no lock held. */

/* What a mail of a queue means. */
enum collected {
	COLLECTED_NOTHING,
	COLLECTED_HEIR,  /* *heir has the lease */
	COLLECTED_FINAL, /* its waiters are to be answered, by wait_next() */
};
enum collected wait_collect(struct cache *c, struct store_local *l,
    struct wait_queue *q, rel_time now, struct waiter **heir);

/*
 * The next waiter of a final queue, with its outcome, which the caller answers;
 * NULL when there is none: then wait_unlist() is due.
 */
struct waiter *wait_next(struct wait_queue *q);
void wait_unlist(struct cache *c, struct store_local *l, struct wait_queue *q);

/* The waiter leaves: its time is up, or its client is gone. */
void wait_leave(struct cache *c, struct store_local *l, struct waiter *w,
    rel_time now);

/* The value for a waiter whose outcome is WAIT_VALUE. */
static inline const struct hit *
wait_hit(const struct waiter *w)
{
	return &w->queue->answer->hit;
}

/* The waiter is done with: unlinks and frees it. */
void wait_done(struct cache *c, struct store_local *l, struct waiter *w,
    rel_time now);

#endif
