/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lock.c - mutexes with a rank.
 */
#include "config.h"

#include "base/lock.h"

#include "base/check.h"

/* Bit n is set while this thread holds a lock of rank n. */
static _Thread_local unsigned held;

void
lock_init(struct lock *l, enum lock_rank rank)
{
	pthread_mutexattr_t attr;

	/* Locks are held for nanoseconds: to spin a little beats to sleep. */
	CHECK(pthread_mutexattr_init(&attr) == 0 &&
	    pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ADAPTIVE_NP) == 0 &&
	    pthread_mutex_init(&l->mutex, &attr) == 0);
	pthread_mutexattr_destroy(&attr);
	l->rank = rank;
}

void
lock_destroy(struct lock *l)
{
	CHECK(pthread_mutex_destroy(&l->mutex) == 0);
}

void
lock_order_enter(enum lock_rank rank)
{
	CHECK(held >> rank == 0);
	held |= 1u << rank;
}

void
lock_order_leave(enum lock_rank rank)
{
	CHECK(held & 1u << rank);
	held &= ~(1u << rank);
}
