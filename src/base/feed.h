/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * feed.h - lines published to subscribers (`watch`).
 *
 * A publisher first asks feed_wanted(), one relaxed load, so that a server
 * without watchers pays nothing.  Each subscriber has a ring; what does not
 * fit is counted, and the subscriber is told `skipped=N` when it catches up.
 * The ring's filling wakes the subscriber once, by a call that must only post
 * a message.
 *
 * One lock (LOCK_FEED, the highest rank) guards subscribers and rings.
 *
 * Layer: base.
 */
#ifndef BASE_FEED_H
#define BASE_FEED_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/lock.h"

enum {
	FEED_SUBSCRIBERS = 20,
	FEED_LINE = 2048,              /* bytes of a line at the most */
	FEED_RING_MIN = 2 * FEED_LINE, /* of a subscriber's ring at the least */
};

struct subscriber {
	uint32_t mask;
	char *ring;
	size_t size, at, used; /* bytes: capacity, first unread, unread */
	uint64_t skipped;
	bool woken; /* wake() was called and nothing taken since */
	void (*wake)(void *arg);
	void *arg;
};

struct feed {
	_Atomic uint32_t wanted; /* union of all masks */
	struct lock lock;

	/* guarded by lock */
	struct subscriber *subscriber[FEED_SUBSCRIBERS];
	int count;
	uint64_t sequence, written, sent, skipped;
};

struct feed_stats {
	uint64_t written, sent, skipped, subscribers;
};

void feed_init(struct feed *f);
void feed_destroy(struct feed *f); /* no subscriber is left */

/*
 * A subscriber with a ring of `size` bytes (FEED_RING_MIN or more) for the
 * classes in `mask`; wake() is called under the feed's lock, from any thread.
 * NULL when there are FEED_SUBSCRIBERS already; *out_of_memory tells the other
 * reason.
 */
struct subscriber *feed_subscribe(struct feed *f, uint32_t mask, size_t size,
    void (*wake)(void *), void *arg, bool *out_of_memory) MUST_USE;
void feed_unsubscribe(struct feed *f, struct subscriber *s);

/* Moves up to `room` bytes of whole unread data to `out`; returns how many. */
size_t feed_take(struct feed *f, struct subscriber *s, char *out, size_t room);

static inline bool
feed_wanted(const struct feed *f, uint32_t mask)
{
	return UNLIKELY(
	    atomic_load_explicit(&f->wanted, memory_order_relaxed) & mask);
}

/*
 * Publishes `ts=… gid=… type=<type> ` and the formatted rest as one line to
 * all subscribers of `mask`.  May be called under a shard's lock.
 */
void feed_publish(struct feed *f, uint32_t mask, const char *type,
    const char *fmt, ...) PRINTF_LIKE(4, 5);

struct feed_stats feed_stats(struct feed *f);

#endif
