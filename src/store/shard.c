/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * shard.c - one lock and all that it guards.
 */
#include "config.h"

#include "store/shard.h"

#include <inttypes.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/uri.h"
#include "store/store.h"

enum { ACTIVE_SECONDS = 60, TRIAL_PART = 64 };

/* Some shards have a trial, as long as they take little of the memory. */
static bool
has_trial(const struct shard *s)
{
	size_t n = (size_t)(s - s->store->shard) + 1;

	return n <= TRIAL_SHARDS &&
	    n * sizeof(struct trial) * TRIAL_PART <=
	    (size_t)atomic_load(&s->store->limit);
}

bool
shard_init(struct shard *s, struct store *store)
{
	s->store = store;
	if (!table_init(&s->table,
		store->slabs != NULL ? &store->slabs->pool : NULL))
		return false;
	evict_init(&s->evict, &store->votes, has_trial(s));
	lock_init(&s->lock, LOCK_SHARD);
	return true;
}

void
shard_destroy(struct shard *s)
{
	table_free(&s->table);
	evict_free(&s->evict);
	lock_destroy(&s->lock);
}

void
shard_lock(struct shard *s) UNCHECKED_LOCKING
{
	lock_take(&s->lock);
}

void
shard_unlock(struct shard *s, struct store_local *l) UNCHECKED_LOCKING
{
	lock_drop(&s->lock);
	if (l->dead != NULL)
		store_bury(l);
}

struct sizeclass *
shard_class(struct shard *s, const struct item *it)
{
	size_t size = sizeclass_item_size(item_key_len(it), item_value_len(it),
	    it->word & ITEM_FLAGS);

	return &s->cls[sizeclass_of(size)];
}

static void
count_linked(struct shard *s, struct item *it, size_t size)
{
	struct sizeclass *c = shard_class(s, it);

	s->bytes += size;
	s->timed += item_exptime(it) != 0;
	s->tagged += (it->word & ITEM_TAGS) != 0;
	c->items++;
	if (c->items > c->most_items)
		c->most_items = c->items;
	c->bytes += sizeclass_item_size(item_key_len(it), item_value_len(it),
	    it->word & ITEM_FLAGS);
}

static void
count_unlinked(struct shard *s, struct item *it)
{
	struct sizeclass *c = shard_class(s, it);

	s->bytes -= store_item_cost(s->store, item_size(it));
	s->timed -= item_exptime(it) != 0;
	s->tagged -= (it->word & ITEM_TAGS) != 0;
	c->items--;
	c->bytes -= sizeclass_item_size(item_key_len(it), item_value_len(it),
	    it->word & ITEM_FLAGS);
}

/* Drops the table's reference; the last one queues the item to be freed. */
static void
let_go(struct store_local *l, struct item *it)
{
	it->word &= ~(uint64_t)ITEM_LINKED;
	if (item_unref(it))
		store_doom(l, it);
}

static void
number(struct shard *s, struct item *it, rel_time now)
{
	DCHECK(!(it->word & ITEM_LINKED));
	item_set_stored(it, store_next_seq(s->store));
	it->word |= ITEM_LINKED;
	item_set_accessed(it, now);
}

bool
shard_insert(struct shard *s, struct store_local *l, uint64_t hash,
    struct item *it, rel_time now)
{
	size_t size = store_item_cost(s->store, item_size(it));
	size_t table_bytes = s->table.bytes;
	uint8_t level = evict_enter(&s->evict,
	    &(struct evict_access){ it, hash, size, s->bytes, now });
	expire_code position = expire_position(item_end(it), now);

	if (!table_insert(&s->table, hash, it, position, level))
		return false;
	number(s, it, now);
	evict_added(&s->evict, level);
	count_linked(s, it, size);
	table_grow(&s->table);
	l->credit -= (int64_t)s->table.bytes - (int64_t)table_bytes;
	return true;
}

void
shard_replace(struct shard *s, struct store_local *l, struct place at,
    struct item *old, struct item *it, rel_time now)
{
	size_t size = store_item_cost(s->store, item_size(it));

	DCHECK(slot_item(at.bucket, at.slot) == old);
	evict_replace(&s->evict, at, old,
	    &(struct evict_access){ it, 0, size, s->bytes, now });
	count_unlinked(s, old);
	number(s, it, now);
	count_linked(s, it, size);
	table_replace(at, it, expire_position(item_end(it), now));
	let_go(l, old);
}

static void
unlink_item(struct shard *s, struct store_local *l, uint64_t hash,
    struct place at, struct item *it)
{
	size_t table_bytes = s->table.bytes;

	count_unlinked(s, it);
	table_remove(&s->table, hash, at);
	l->credit += (int64_t)table_bytes - (int64_t)s->table.bytes;
	let_go(l, it);
}

void
shard_remove(struct shard *s, struct store_local *l, uint64_t hash,
    struct place at, struct item *it)
{
	DCHECK(slot_item(at.bucket, at.slot) == it);
	evict_removed(&s->evict, at, it);
	unlink_item(s, l, hash, at, it);
}

bool
shard_shrink(struct shard *s, struct store_local *l, unsigned buckets)
{
	size_t table_bytes = s->table.bytes;
	uint32_t walk = s->sweep.running ? s->sweep.group : 0;

	while (buckets > 0 && table_shrink(&s->table, walk))
		buckets--;
	l->credit += (int64_t)table_bytes - (int64_t)s->table.bytes;
	return buckets == 0;
}

void
shard_count_dead(struct shard *s, const struct item *it, enum class_event how)
{
	struct sizeclass *c = shard_class(s, it);

	c->event[how]++;
	if (!(it->word & ITEM_FETCHED)) {
		s->counted[SHARD_COUNTER_expired_unfetched]++;
		c->event[CLASS_EXPIRED_UNFETCHED]++;
	}
}

static bool
has_dead_tag(const struct shard *s, const struct item *it)
{
	const struct clocks *clocks = &s->store->clocks;
	uint64_t birth = item_birth(it);

	for (unsigned i = 0; i < item_tags(it); i++)
		if (clocks_tag(clocks, item_tag(it, i)) > birth)
			return !s->store->keep_dead_tags;
	return false;
}

bool
shard_is_dead(const struct shard *s, const struct item *it, rel_time now)
{
	return item_is_expired(it, now) || store_is_flushed(s->store, it) ||
	    (it->word & ITEM_TAGS && has_dead_tag(s, it));
}

void
shard_note_loss(struct shard *s, const struct item *it)
{
	struct clocks *clocks = &s->store->clocks;

	if (UNLIKELY(clocks_token_before(clocks, item_stored(it))))
		clocks_move_key(clocks,
		    hash_key(item_key(it), item_key_len(it)), item_stored(it));
}

/* Why a standing item is not for everybody. */
static enum found
hidden(const struct item *it, rel_time now)
{
	if (item_is_overdue(it, now))
		return FOUND_GRACE;
	return it->word & ITEM_NEGATIVE ? FOUND_NEGATIVE : FOUND;
}

struct item *
shard_find(struct shard *s, struct store_local *l, const struct key *key,
    rel_time now, struct place *at, enum found *why)
{
	struct item *it = table_find(&s->table, key, at);

	*why = FOUND_NOTHING;
	if (it == NULL)
		return NULL;
	*why = FOUND;
	if (UNLIKELY(item_is_expired(it, now)))
		*why = FOUND_EXPIRED;
	else if (UNLIKELY(store_is_flushed(s->store, it)))
		*why = FOUND_FLUSHED;
	else if (UNLIKELY(it->word & ITEM_TAGS && has_dead_tag(s, it)))
		*why = FOUND_UNTAGGED;
	else if (UNLIKELY(it->word & (ITEM_GRACE | ITEM_NEGATIVE) &&
		     (*why = hidden(it, now)) != FOUND))
		return NULL;
	else
		return it;
	if (*why == FOUND_UNTAGGED)
		s->tag_reclaimed++;
	shard_note_loss(s, it);
	shard_remove(s, l, key->hash, *at, it);
	return NULL;
}

static void
lift(struct shard *s, struct place at, struct item *it, rel_time now)
{
	evict_hit(&s->evict, at,
	    &(struct evict_access){ it, 0,
		store_item_cost(s->store, item_size(it)), s->bytes, now });
}

void
shard_lift(struct shard *s, struct place at, struct item *it)
{
	lift(s, at, it, 0);
}

void
shard_hit(struct shard *s, struct place at, struct item *it, rel_time now)
{
	lift(s, at, it, now);
	it->word |= ITEM_FETCHED;
	item_set_accessed(it, now);
}

void
shard_touch(struct shard *s, struct place at, struct item *it, rel_time exptime,
    rel_time now)
{
	DCHECK(slot_item(at.bucket, at.slot) == it);
	s->timed -= item_exptime(it) != 0;
	s->timed += exptime != 0;
	item_set_exptime(it, exptime);
	slot_set_position(at, expire_position(item_end(it), now));
}

static void
publish_eviction(struct shard *s, const struct item *it, rel_time now)
{
	struct feed *feed = s->store->feed;
	char key[3 * KEY_MAX];

	if (feed == NULL || !feed_wanted(feed, STORE_FEED_EVICTIONS))
		return;
	feed_publish(feed, STORE_FEED_EVICTIONS, "eviction",
	    "key=%.*s fetch=%s ttl=%lld la=%u clsid=%u size=%u",
	    (int)uri_encode(key, item_key(it), item_key_len(it)), key,
	    it->word & ITEM_FETCHED ? "yes" : "no",
	    item_exptime(it) == 0 ? -1 : (long long)item_exptime(it) - now,
	    clock_since(item_accessed(it, now), now),
	    (unsigned)(shard_class(s, it) - s->cls), item_value_len(it));
}

static void
count_evicted(struct shard *s, const struct item *it, rel_time now)
{
	struct sizeclass *c = shard_class(s, it);
	rel_time idle = clock_since(item_accessed(it, now), now);

	s->counted[SHARD_COUNTER_evictions]++;
	c->event[CLASS_EVICTED]++;
	c->evicted_time = idle;
	if (item_exptime(it) != 0)
		c->event[CLASS_EVICTED_NONZERO]++;
	if (!(it->word & ITEM_FETCHED)) {
		s->counted[SHARD_COUNTER_evicted_unfetched]++;
		c->event[CLASS_EVICTED_UNFETCHED]++;
	} else if (idle < ACTIVE_SECONDS) {
		s->counted[SHARD_COUNTER_evicted_active]++;
		c->event[CLASS_EVICTED_ACTIVE]++;
	}
}

/* The next victim; accounts for what evicting takes itself. */
static enum evict_outcome
pick(struct shard *s, struct store_local *l, struct place *at)
{
	size_t before = s->evict.bytes;
	enum evict_outcome found = evict_pick(&s->evict, &s->table, s->bytes,
	    at);

	l->credit += (int64_t)before - (int64_t)s->evict.bytes;
	return found;
}

void
shard_evict_at(struct shard *s, struct store_local *l, uint64_t hash,
    struct place at, rel_time now)
{
	struct item *it = slot_item(at.bucket, at.slot);

	shard_note_loss(s, it);
	if (shard_is_dead(s, it, now)) {
		s->counted[SHARD_COUNTER_reclaimed]++;
		s->tag_reclaimed += it->word & ITEM_TAGS && has_dead_tag(s, it);
		shard_count_dead(s, it, CLASS_RECLAIMED);
		evict_removed(&s->evict, at, it);
	} else {
		count_evicted(s, it, now);
		publish_eviction(s, it, now);
		evict_lost(&s->evict, at, it, hash);
	}
	unlink_item(s, l, hash, at, it);
}

enum evict_outcome
shard_evict(struct shard *s, struct store_local *l, rel_time now)
{
	struct place at;
	enum evict_outcome found = pick(s, l, &at);
	struct item *it;

	if (found != EVICT_PICKED)
		return found;
	it = slot_item(at.bucket, at.slot);
	shard_evict_at(s, l, hash_key(item_key(it), item_key_len(it)), at, now);
	return EVICT_PICKED;
}
