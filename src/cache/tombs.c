/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tombs.c - tombstones: below which version is a key not valid?
 */
#include "config.h"

#include "cache/tombs.h"

#include <stdlib.h>

enum {
	WAYS = 4,
	SWEEP_SHARDS = 4, /* at a time */
};

bool
tombs_init(struct tombs *t, struct store *store, uint32_t records)
{
	size_t n;

	t->store = store;
	t->shards = store->shards;
	t->sets = 1;
	while ((uint64_t)t->sets * 2 * WAYS * t->shards <= records)
		t->sets *= 2;
	n = (size_t)t->shards * t->sets * WAYS;
	/* Untouched pages of it cost no memory. */
	t->tomb = calloc(n, sizeof(*t->tomb));
	t->count = calloc(t->shards, sizeof(*t->count));
	return t->tomb != NULL && t->count != NULL;
}

void
tombs_free(struct tombs *t)
{
	free(t->tomb);
	free((void *)t->count);
}

static unsigned
shard_of(const struct tombs *t, uint64_t hash)
{
	return (unsigned)(hash >> t->store->shard_shift);
}

/* The shard's bits are the highest, the tables' the lowest: between them. */
static struct tomb *
set_of(const struct tombs *t, uint64_t hash)
{
	size_t set = (size_t)(hash >> 24) & (t->sets - 1);

	return &t->tomb[((size_t)shard_of(t, hash) * t->sets + set) * WAYS];
}

static void
change_count(struct tombs *t, uint64_t hash, int by)
{
	_Atomic uint32_t *count = &t->count[shard_of(t, hash)];

	atomic_store_explicit(count,
	    atomic_load_explicit(count, memory_order_relaxed) + (uint32_t)by,
	    memory_order_relaxed);
}

static void
end(struct tombs *t, struct tomb *tomb)
{
	clocks_move_key(&t->store->clocks, tomb->hash,
	    store_next_seq(t->store));
	tomb->deadline = 0;
	change_count(t, tomb->hash, -1);
}

/* Ends it if its time is over. */
static bool
is_over(struct tombs *t, struct store_local *l, struct tomb *tomb, rel_time now)
{
	if (tomb->deadline == 0)
		return true;
	if (tomb->deadline > now)
		return false;
	end(t, tomb);
	COUNT(l->counters, tombstone_ended);
	return true;
}

struct tomb *
tombs_find(struct tombs *t, struct store_local *l, uint64_t hash, rel_time now)
{
	struct tomb *set;

	if (LIKELY(!tombs_any(t, hash)))
		return NULL;
	set = set_of(t, hash);
	for (int i = 0; i < WAYS; i++)
		if (set[i].deadline != 0 && set[i].hash == hash)
			return is_over(t, l, &set[i], now) ? NULL : &set[i];
	return NULL;
}

/* A free place; if need be the record that would end first makes room. */
static struct tomb *
make_room(struct tombs *t, struct store_local *l, uint64_t hash, rel_time now)
{
	struct tomb *set = set_of(t, hash), *first = set;

	for (int i = 0; i < WAYS; i++) {
		if (is_over(t, l, &set[i], now))
			return &set[i];
		if (set[i].deadline < first->deadline)
			first = &set[i];
	}
	end(t, first);
	COUNT(l->counters, tombstone_dropped);
	return first;
}

void
tombs_raise(struct tombs *t, struct store_local *l, uint64_t hash,
    uint64_t floor, rel_time deadline, rel_time now)
{
	struct tomb *tomb = tombs_find(t, l, hash, now);

	if (tomb == NULL) {
		tomb = make_room(t, l, hash, now);
		/* after the end of an older record, which moved the clock */
		*tomb = (struct tomb){ .hash = hash,
			.base = clocks_key(&t->store->clocks, hash) };
		change_count(t, hash, 1);
		COUNT(l->counters, tombstone_recorded);
	}
	if (tomb->floor < floor)
		tomb->floor = floor;
	if (tomb->deadline < deadline)
		tomb->deadline = deadline;
}

void
tombs_sweep(struct tombs *t, struct store_local *l, rel_time now)
{
	for (int n = 0; n < SWEEP_SHARDS; n++) {
		unsigned i = t->swept++ % t->shards;
		struct shard *s = &t->store->shard[i];
		struct tomb *tomb = &t->tomb[(size_t)i * t->sets * WAYS];

		if (atomic_load_explicit(&t->count[i], memory_order_relaxed) ==
		    0)
			continue;
		shard_lock(s);
		for (size_t k = 0; k < (size_t)t->sets * WAYS; k++)
			is_over(t, l, &tomb[k], now);
		shard_unlock(s, l);
	}
}

uint64_t
tombs_count(const struct tombs *t)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < t->shards; i++)
		sum += atomic_load(&t->count[i]);
	return sum;
}

size_t
tombs_bytes(const struct tombs *t)
{
	return (size_t)t->shards * t->sets * WAYS * sizeof(*t->tomb);
}
