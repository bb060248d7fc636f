/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hot_tags.c - which tags are invalidated most?
 */
#include "config.h"

#include "cache/hot_tags.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"

void
hot_tags_init(struct hot_tags *h)
{
	memset(h->tag, 0, sizeof(h->tag));
	lock_init(&h->lock, LOCK_HOT_TAGS);
}

void
hot_tags_destroy(struct hot_tags *h)
{
	lock_destroy(&h->lock);
}

/* The tag's place, else the least frequent one's. */
static struct hot_tag *
place_of(struct hot_tags *h, const char *name, size_t len)
{
	struct hot_tag *least = h->tag;

	for (int i = 0; i < HOT_TAGS; i++) {
		struct hot_tag *t = &h->tag[i];

		if (t->len == len && memcmp(t->name, name, len) == 0)
			return t;
		if (t->count < least->count)
			least = t;
	}
	least->error = least->count;
	least->len = len;
	memcpy(least->name, name, len);
	return least;
}

void
hot_tags_count(struct hot_tags *h, const char *name, size_t len)
{
	CHECK(len > 0 && len <= HOT_TAG_MAX);
	lock_take(&h->lock);
	place_of(h, name, len)->count++;
	lock_drop(&h->lock);
}

static int
by_count(const void *a, const void *b)
{
	const struct hot_tag *x = a, *y = b;

	return (x->count < y->count) - (x->count > y->count);
}

size_t
hot_tags_list(struct hot_tags *h, struct hot_tag out[HOT_TAGS])
{
	size_t n = 0;

	lock_take(&h->lock);
	for (int i = 0; i < HOT_TAGS; i++)
		if (h->tag[i].count > 0)
			out[n++] = h->tag[i];
	lock_drop(&h->lock);
	qsort(out, n, sizeof(*out), by_count);
	return n;
}
