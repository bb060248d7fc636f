/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sweep.c - the background walk over the table.
 */
#include "config.h"

#include "store/sweep.h"

#include <string.h>

#include "base/check.h"
#include "base/hash.h"
#include "store/arena.h"

enum { AT_ONCE = 32 /* buckets under the lock */, MOVE_MAX = 16 * 1024 };

void
sweep_start(struct sweep *w, struct store *st, rel_time now, bool compact)
{
	uint64_t flush_clock = atomic_load(&st->flush_clock);

	CHECK(!w->running);
	w->running = true;
	w->shard = 0;
	w->bucket = 0;
	w->target = now;
	w->compact = compact;
	w->moved = 0;
	w->all = flush_clock != w->flush_clock;
	w->flush_clock = flush_clock;
	if (w->all)
		expire_everything(&w->due);
	else
		expire_passed(&w->due, w->swept, now);
}

/* True when the item was removed: the chain may have changed. */
static bool
look_at(struct sweep *w, struct shard *s, struct store_local *l,
    struct place at, struct item *it, rel_time now)
{
	s->counted[SHARD_COUNTER_crawler_items_checked]++;
	shard_class(s, it)->event[CLASS_CRAWLER_CHECKED]++;
	if (item_is_expired(it, now) || store_is_flushed(s->store, it)) {
		s->counted[SHARD_COUNTER_crawler_reclaimed]++;
		shard_count_dead(s, it, CLASS_CRAWLER_RECLAIMED);
		/* the bucket's index leads to the bucket */
		shard_remove(s, l, w->bucket, at, it);
		return true;
	}
	if (it->exptime != 0)
		slot_set_position(at, expire_position(it->exptime, now));
	return false;
}

/* Copies an item into a fuller region, unless a reader refers to it. */
static void
move_if_thin(struct sweep *w, struct store_local *l, struct place at,
    struct item *it)
{
	size_t size = item_size(it);
	struct item *copy;

	if (size > MOVE_MAX || !arena_is_thin(it, size) ||
	    atomic_load_explicit(&it->refs, memory_order_acquire) >= 0x200)
		return;
	copy = arena_alloc(size);
	if (copy == NULL)
		return;
	memcpy((void *)copy, it, size);
	table_replace(at, copy, slot_position(at.bucket, at.slot));
	l->credit -= (int64_t)arena_true_size(size);
	if (item_unref(it))
		store_doom(l, it);
	w->moved++;
}

static void
sweep_bucket(struct sweep *w, struct shard *s, struct store_local *l,
    rel_time now)
{
	struct bucket *b = table_bucket(&s->table, w->bucket);

	while (b != NULL) {
		bool again = false;

		for (int k = 0; k < TABLE_SLOTS && !again; k++) {
			struct item *it = slot_item(b, k);
			struct place at = { b, k };

			if (it == NULL)
				continue;
			if (expire_is_due(&w->due, slot_position(b, k)) &&
			    look_at(w, s, l, at, it, now))
				again = true;
			else if (w->compact)
				move_if_thin(w, l, at, it);
		}
		/* A removal may have freed this bucket: begin again. */
		b = again ? table_bucket(&s->table, w->bucket) : table_next(b);
	}
}

static bool
has_work(const struct sweep *w, const struct shard *s)
{
	return s->table.items > 0 && (w->all || w->compact || s->timed > 0);
}

bool
sweep_step(struct sweep *w, struct store_local *l, rel_time now,
    uint32_t buckets)
{
	struct store *st = l->store;

	while (w->shard < st->shards && buckets > 0) {
		struct shard *s = &st->shard[w->shard];
		bool done;

		shard_lock(s);
		for (int i = 0; i < AT_ONCE && has_work(w, s) &&
		    w->bucket < table_buckets(&s->table); i++) {
			sweep_bucket(w, s, l, now);
			w->bucket++;
			buckets -= buckets > 0;
		}
		done = !has_work(w, s) ||
		    w->bucket >= table_buckets(&s->table);
		shard_unlock(s, l);
		if (done) {
			w->shard++;
			w->bucket = 0;
		}
	}
	if (w->shard < st->shards)
		return false;
	w->running = false;
	w->swept = w->target;
	w->passes++;
	return true;
}
