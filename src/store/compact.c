/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * compact.c - moving items out of thin slabs.
 */
#include "config.h"

#include "store/compact.h"

#include <string.h>

#include "base/hash.h"

/* Enough for the header, all fields that a word may promise, and the key. */
enum {
	PEEK = 448,
	VICTIMS = 8, /* tried in one call */
};

bool
compact_is_due(const struct store *st, enum compact_part part)
{
	return st->slabs != NULL &&
	    slabs_free_bytes(st->slabs) >
	    atomic_load_explicit(&st->limit, memory_order_relaxed) / part;
}

/*
 * Reads what may be changing: a region that is being filled by another thread,
 * or freed.  What comes of it is a guess, and is only used to find the item, if
 * it is one, under its lock.
 */
__attribute__((no_sanitize("thread"))) static void
peek(char *to, const char *region, size_t n)
{
	const volatile uint32_t *from = (const volatile uint32_t *)region;

	for (; n >= sizeof(*from); n -= sizeof(*from), from++) {
		uint32_t word = *from;

		memcpy(to, &word, sizeof(word));
		to += sizeof(word);
	}
}

/* The key that seems to be in a region; false: there is no linked item. */
static bool
guess_key(const struct item *it, size_t n, struct key *key)
{
	const char *end = (const char *)it + n;

	if (!(it->word & ITEM_LINKED))
		return false;
	key->data = item_key(it);
	key->len = item_key_len(it);
	if (key->len == 0 || key->len > KEY_MAX || key->data > end ||
	    key->len > (size_t)(end - key->data))
		return false;
	key->hash = hash_key(key->data, key->len);
	return true;
}

/* What is being emptied, and how. */
struct job {
	struct store_local *l;
	struct slab *victim;
	uint32_t size; /* of its regions */
	bool evict;    /* else items are moved */
	rel_time now;
};

/*
 * Nobody has read it, and since it came as many items were stored as there are:
 * it is near its end, whatever the policy.
 */
static bool
is_old(const struct shard *s, const struct item *it) REQUIRES(s->lock)
{
	return !(it->word & ITEM_FETCHED) &&
	    store_seq(s->store) - item_stored(it) >
	    s->table.items * s->store->shards;
}

/* False if the item is not there, or held. */
static bool
move(struct job *j, struct shard *s, const struct key *key, char *from,
    char *to) REQUIRES(s->lock)
{
	struct place at;
	struct item *it = table_find(&s->table, key, &at);

	if ((char *)it != from || item_is_held(it))
		return false;
	if (j->evict && !is_old(s, it))
		return false;
	if (j->evict) {
		shard_evict_at(s, j->l, key->hash, at, j->now);
		return true;
	}
	memcpy(to, from, item_size(it));
	table_replace(at, (struct item *)to, slot_position(at.bucket, at.slot));
	return true;
}

/* What is in one region of the victim, if anything, goes. */
static void
clear_region(struct job *j, char *region)
{
	_Alignas(struct item) char seen[PEEK];
	size_t n = j->size < PEEK ? j->size : PEEK;
	struct slabs *slabs = j->l->store->slabs;
	char *to = NULL;
	struct shard *s;
	struct key key;
	bool moved;

	peek(seen, region, n);
	if (!guess_key((const struct item *)seen, n, &key))
		return;
	if (!j->evict && (to = slab_take(slabs, j->victim)) == NULL)
		return;
	s = store_shard(j->l->store, key.hash);
	shard_lock(s);
	moved = move(j, s, &key, region, to);
	shard_unlock(s, j->l);
	if (j->evict)
		return;
	slab_put(slabs, moved ? region : to);
	if (moved)
		atomic_fetch_add_explicit(&j->l->store->moved, 1,
		    memory_order_relaxed);
}

static bool
clear(struct job *j)
{
	struct slabs *slabs = j->l->store->slabs;
	struct slab_span span;

	if (j->victim == NULL)
		return false;
	/* What this thread has cached must not be what is left in it. */
	slab_cache_empty_class(&j->l->slabs, j->victim->cls);
	span = slab_used(slabs, j->victim);
	j->size = span.size;
	for (char *p = span.first; p < span.end; p += span.size)
		clear_region(j, p);
	slab_cache_empty_class(&j->l->slabs, j->victim->cls);
	return slab_victim_done(slabs, j->victim);
}

bool
compact(struct store_local *l)
{
	struct job j = { .l = l };

	/* What readers and threads hold stays, and with it its slab. */
	for (int n = 0; n < VICTIMS; n++) {
		j.victim = slab_victim(l->store->slabs);
		if (j.victim == NULL)
			return false;
		if (clear(&j))
			return true;
	}
	return false;
}

bool
compact_rare(struct store_local *l, rel_time now)
{
	struct job j = { .l = l, .evict = true, .now = now };

	j.victim = slab_victim_rare(l->store->slabs);
	return clear(&j);
}
