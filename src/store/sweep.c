/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sweep.c - the walk over a shard that gives memory back.
 */
#include "config.h"

#include "store/sweep.h"

#include "base/check.h"
#include "store/store.h"

enum {
	TAGS_PAUSE = 4, /* times what the last pass took */
	LATE = 5,       /* s that a batch may be behind, at most */
};

bool
sweep_awaits_tags(const struct shard *s)
{
	return s->tagged > 0 &&
	    s->sweep.tag_clock !=
	    atomic_load_explicit(&s->store->clocks.last_tag,
		memory_order_relaxed);
}

/*
 * Whether time has gone on.  A caller whose batch began in the second before
 * must not set the wheel back; but a clock that was set back by more counts.
 */
static bool
is_behind(const struct sweep *w, rel_time now)
{
	int32_t since = (int32_t)(now - w->swept);

	return since > 0 || since < -LATE;
}

/*
 * Begins a pass when there is something to look for.  Where tags die all the
 * time, the passes for them, which touch every item, keep their distance.
 */
static void
begin(struct shard *s, rel_time now)
{
	struct sweep *w = &s->sweep;
	uint64_t flush_clock = atomic_load(&s->store->flush_clock);
	bool tags = now >= w->tags_at && sweep_awaits_tags(s);

	w->tag_target = w->tag_clock;
	if (tags)
		w->tag_target = atomic_load(&s->store->clocks.last_tag);
	if (tags || flush_clock != w->flush_clock ||
	    (int32_t)(now - w->aged) >= ITEM_AGING)
		expire_everything(&w->due);
	else if (is_behind(w, now) && s->timed > 0)
		expire_passed(&w->due, w->swept, now);
	else
		return;
	w->running = true;
	w->whole = expire_is_due(&w->due, 0);
	w->began = now;
	w->group = 0;
	w->target = now;
	w->flush_target = flush_clock;
}

/* True when the item was removed. */
static bool
look_at(struct shard *s, struct store_local *l, struct place at,
    struct item *it, rel_time now) REQUIRES(s->lock)
{
	s->counted[SHARD_COUNTER_crawler_items_checked]++;
	shard_class(s, it)->event[CLASS_CRAWLER_CHECKED]++;
	if (shard_is_dead(s, it, now)) {
		s->counted[SHARD_COUNTER_crawler_reclaimed]++;
		if (!item_is_expired(it, now) &&
		    !store_is_flushed(s->store, it))
			s->tag_reclaimed++;
		shard_count_dead(s, it, CLASS_CRAWLER_RECLAIMED);
		shard_note_loss(s, it);
		/* as a hash, the group's number leads there */
		shard_remove(s, l, s->sweep.group, at, it);
		return true;
	}
	item_grow_old(it, now);
	if (item_exptime(it) != 0)
		slot_set_position(at, expire_position(item_end(it), now));
	return false;
}

/* True when an item was removed; of a chained bucket no more than one. */
static bool
sweep_bucket(struct shard *s, struct store_local *l, struct bucket *b,
    bool chained, rel_time now) REQUIRES(s->lock)
{
	bool removed = false;

	for (int k = 0; k < TABLE_SLOTS && !(removed && chained); k++) {
		struct item *it = slot_item(b, k);

		if (it != NULL &&
		    expire_is_due(&s->sweep.due, slot_position(b, k)))
			removed |= look_at(s, l, (struct place){ b, k }, it,
			    now);
	}
	return removed;
}

/* Returns how many buckets the group has. */
static uint32_t
sweep_group(struct shard *s, struct store_local *l, rel_time now)
    REQUIRES(s->lock)
{
	struct bucket_group g = table_group(&s->table, s->sweep.group);
	bool again;

	/* A removal moves others, and may free the bucket of a chain. */
	do {
		again = false;
		for (unsigned n = 0; n < g.buckets; n++) {
			struct bucket *b = table_group_bucket(&s->table, &g, n);

			again |= sweep_bucket(s, l, b, false, now);
			while ((b = table_next(b)) != NULL)
				if (sweep_bucket(s, l, b, true, now)) {
					again = true;
					break;
				}
		}
	} while (again);
	return g.buckets;
}

bool
sweep_dead(struct shard *s, struct store_local *l, rel_time now,
    uint32_t buckets) UNCHECKED_LOCKING
{
	struct sweep *w = &s->sweep;

	if (!w->running)
		begin(s, now);
	if (!w->running)
		return true;
	for (uint32_t done = 0;
	     done < buckets && w->group < table_groups(&s->table); w->group++)
		done += sweep_group(s, l, now);
	if (w->group < table_groups(&s->table))
		return false;
	w->running = false;
	w->swept = w->target;
	w->flush_clock = w->flush_target;
	if (w->tag_clock != w->tag_target)
		w->tags_at = now + 1 + TAGS_PAUSE * (now - w->began);
	w->tag_clock = w->tag_target;
	if (w->whole)
		w->aged = w->began;
	w->passes++;
	return !is_behind(w, now);
}
