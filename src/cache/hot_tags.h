/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hot_tags.h - which tags are invalidated most?
 *
 * A tag that is invalidated all the time costs misses not only to its own
 * items, but to those of every tag that shares its clock.  Tags have no
 * registry, so the most frequent ones are kept by Space-Saving (A. Metwally,
 * D. Agrawal, A. El Abbadi, Efficient Computation of Frequent and Top-k
 * Elements in Data Streams, ICDT 2005): a count is never too low, and too high
 * by at most `error`.
 *
 * Layer: cache.
 */
#ifndef CACHE_HOT_TAGS_H
#define CACHE_HOT_TAGS_H

#include <stddef.h>
#include <stdint.h>

#include "base/lock.h"

enum {
	HOT_TAGS = 16,
	HOT_TAG_MAX = 64, /* bytes of a name */
};

struct hot_tag {
	uint64_t count, error;
	size_t len;
	char name[HOT_TAG_MAX];
};

struct hot_tags {
	struct lock lock;
	struct hot_tag tag[HOT_TAGS]; /* guarded by lock; count 0: unused */
};

void hot_tags_init(struct hot_tags *h);
void hot_tags_destroy(struct hot_tags *h);

/* One invalidation of a tag; no shard is locked. */
void hot_tags_count(struct hot_tags *h, const char *name, size_t len);

/* Copies those that were counted, most frequent first; returns how many. */
size_t hot_tags_list(struct hot_tags *h, struct hot_tag out[HOT_TAGS]);

#endif
