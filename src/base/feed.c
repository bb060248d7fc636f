/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * feed.c - lines published to subscribers (`watch`).
 */
#include "config.h"

#include "base/feed.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "base/check.h"

void
feed_init(struct feed *f)
{
	memset(f, 0, sizeof(*f));
	lock_init(&f->lock, LOCK_FEED);
}

void
feed_destroy(struct feed *f)
{
	CHECK(f->count == 0);
	lock_destroy(&f->lock);
}

static void
union_of_masks(struct feed *f)
{
	uint32_t wanted = 0;

	for (int i = 0; i < f->count; i++)
		wanted |= f->subscriber[i]->mask;
	atomic_store_explicit(&f->wanted, wanted, memory_order_relaxed);
}

static void
subscriber_free(struct subscriber *s)
{
	free(s->ring);
	free(s);
}

/* False when there are as many as there may be. */
static bool
add(struct feed *f, struct subscriber *s)
{
	bool room;

	lock_take(&f->lock);
	room = f->count < FEED_SUBSCRIBERS;
	if (room) {
		f->subscriber[f->count++] = s;
		union_of_masks(f);
	}
	lock_drop(&f->lock);
	return room;
}

struct subscriber *
feed_subscribe(struct feed *f, uint32_t mask, size_t size, void (*wake)(void *),
    void *arg, bool *out_of_memory)
{
	struct subscriber *s = calloc(1, sizeof(*s));

	CHECK(size >= FEED_RING_MIN);
	*out_of_memory = true;
	if (s == NULL)
		return NULL;
	s->mask = mask;
	s->ring = malloc(size);
	s->size = size;
	s->wake = wake;
	s->arg = arg;
	*out_of_memory = s->ring == NULL;
	if (s->ring != NULL && add(f, s))
		return s;
	subscriber_free(s);
	return NULL;
}

void
feed_unsubscribe(struct feed *f, struct subscriber *s)
{
	lock_take(&f->lock);
	for (int i = 0; i < f->count; i++)
		if (f->subscriber[i] == s) {
			f->subscriber[i] = f->subscriber[--f->count];
			break;
		}
	union_of_masks(f);
	lock_drop(&f->lock);
	subscriber_free(s);
}

static void
ring_put(struct subscriber *s, const char *line, size_t n)
{
	size_t to = (s->at + s->used) % s->size;
	size_t first = s->size - to < n ? s->size - to : n;

	memcpy(s->ring + to, line, first);
	memcpy(s->ring, line + first, n - first);
	s->used += n;
}

static void
offer(struct feed *f, struct subscriber *s, const char *line, size_t n)
{
	char note[48];
	size_t m = 0;

	if (s->skipped > 0)
		m = (size_t)snprintf(note, sizeof(note),
		    "skipped=%" PRIu64 "\n", s->skipped);
	if (s->size - s->used < n + m) {
		s->skipped++;
		f->skipped++;
		return;
	}
	ring_put(s, note, m);
	s->skipped = 0;
	ring_put(s, line, n);
	f->sent++;
	if (!s->woken) {
		s->woken = true;
		s->wake(s->arg);
	}
}

size_t
feed_take(struct feed *f, struct subscriber *s, char *out, size_t room)
{
	size_t n, first;

	lock_take(&f->lock);
	n = s->used < room ? s->used : room;
	first = s->size - s->at < n ? s->size - s->at : n;
	memcpy(out, s->ring + s->at, first);
	memcpy(out + first, s->ring, n - first);
	s->at = (s->at + n) % s->size;
	s->used -= n;
	if (s->used == 0)
		s->woken = false;
	lock_drop(&f->lock);
	return n;
}

void
feed_publish(struct feed *f, uint32_t mask, const char *type, const char *fmt,
    ...)
{
	char line[FEED_LINE];
	struct timeval tv;
	va_list ap;
	int n, m;

	gettimeofday(&tv, NULL);
	lock_take(&f->lock);
	n = snprintf(line, sizeof(line),
	    "ts=%lld.%06lld gid=%" PRIu64 " type=%s ", (long long)tv.tv_sec,
	    (long long)tv.tv_usec, ++f->sequence, type);
	va_start(ap, fmt);
	m = vsnprintf(line + n, sizeof(line) - (size_t)n - 1, fmt, ap);
	va_end(ap);
	CHECK(m >= 0 && (size_t)(n + m) < sizeof(line) - 1);
	line[n + m] = '\n';
	f->written++;
	for (int i = 0; i < f->count; i++)
		if (f->subscriber[i]->mask & mask)
			offer(f, f->subscriber[i], line, (size_t)(n + m) + 1);
	lock_drop(&f->lock);
}

struct feed_stats
feed_stats(struct feed *f)
{
	struct feed_stats st;

	lock_take(&f->lock);
	st.written = f->written;
	st.sent = f->sent;
	st.skipped = f->skipped;
	st.subscribers = (uint64_t)f->count;
	lock_drop(&f->lock);
	return st;
}
