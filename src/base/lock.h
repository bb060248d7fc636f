/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lock.h - mutexes with a rank.
 *
 * The order of all locks of the server is `enum lock_rank`: a thread takes
 * locks in rising rank, and never two of one rank.  A debug build aborts on
 * the first acquire that breaks the order; doc/locking.md says what each lock
 * guards.
 *
 * Layer: base.
 */
#ifndef BASE_LOCK_H
#define BASE_LOCK_H

#include <pthread.h>

#include "base/attr.h"

enum lock_rank {
	LOCK_SERVER = 1, /* connection lists of a worker, live options */
	LOCK_HOT_TAGS,   /* the tags invalidated most */
	LOCK_CLOCKS,     /* samples of the counter, by which tokens age */
	LOCK_SHARD,      /* one shard: table, items, eviction, counts */
	LOCK_SLABS,      /* slabs of one class */
	LOCK_SLAB_POOL,  /* units that no slab has */
	LOCK_PREFIX,     /* counters of `stats detail` */
	LOCK_FEED,       /* subscribers of `watch` and their buffers */
};

struct CAPABILITY("mutex") lock {
	pthread_mutex_t mutex;
	enum lock_rank rank;
};

/* Makes a lock of that rank; lock_destroy() undoes it.  Neither fails. */
void lock_init(struct lock *l, enum lock_rank rank);
void lock_destroy(struct lock *l);

/* Debug build: aborts when the calling thread may not take a `rank` now. */
void lock_order_enter(enum lock_rank rank);
void lock_order_leave(enum lock_rank rank);

static inline void
lock_take(struct lock *l) ACQUIRE(*l) UNCHECKED_LOCKING
{
#ifdef LEASECACHED_DEBUG
	lock_order_enter(l->rank);
#endif
	pthread_mutex_lock(&l->mutex);
}

static inline void
lock_drop(struct lock *l) RELEASE(*l) UNCHECKED_LOCKING
{
	pthread_mutex_unlock(&l->mutex);
#ifdef LEASECACHED_DEBUG
	lock_order_leave(l->rank);
#endif
}

#endif
