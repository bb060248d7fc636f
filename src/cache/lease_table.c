/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lease_table.c - the leases of a shard, by key and by deadline.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/check.h"
#include "base/hash.h"
#include "cache/lease.h"

enum { BUCKETS_MIN = 16 };

static size_t
lease_size(const struct lease *lease)
{
	/* with its place in the heap */
	return sizeof(*lease) + lease->key_len + sizeof(struct heap_node *);
}

struct leases *
leases_new(const struct lease_config *config, struct store *store)
{
	struct leases *ls = aligned_alloc(CACHE_LINE,
	    (sizeof(*ls) + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE);
	size_t bytes = store->shards * sizeof(struct lease_shard);

	if (ls == NULL)
		return NULL;
	memset((void *)ls, 0, sizeof(*ls));
	ls->config = config;
	ls->feed = store->feed;
	ls->shards = store->shards;
	ls->shard = aligned_alloc(CACHE_LINE, bytes);
	ls->rule_counts = calloc(config->rules + 1, sizeof(*ls->rule_counts));
	hot_tags_init(&ls->hot_tags);
	if (!tombs_init(&ls->tombs, store, config->tombstones) ||
	    ls->shard == NULL || ls->rule_counts == NULL) {
		leases_free(ls);
		return NULL;
	}
	memset((void *)ls->shard, 0, bytes);
	for (unsigned i = 0; i < ls->shards; i++)
		atomic_store(&ls->shard[i].next, UINT64_MAX);
	CHECK(
	    getrandom(ls->secret, sizeof(ls->secret), 0) == sizeof(ls->secret));
	return ls;
}

static void
free_leases(struct lease_shard *ls)
{
	for (uint32_t i = 0; i < ls->buckets; i++)
		while (ls->bucket[i] != NULL) {
			struct lease *lease = ls->bucket[i];

			CHECK(lease->queue == NULL);
			ls->bucket[i] = lease->next;
			free(lease);
		}
	free(ls->bucket);
	heap_free(&ls->timers);
}

void
leases_free(struct leases *ls)
{
	for (unsigned i = 0; ls->shard != NULL && i < ls->shards; i++)
		free_leases(&ls->shard[i]);
	tombs_free(&ls->tombs);
	hot_tags_destroy(&ls->hot_tags);
	free(ls->rule_counts);
	free((void *)ls->shard);
	free((void *)ls);
}

/* The highest bits chose the shard. */
static struct lease **
bucket_of(struct lease_shard *ls, uint64_t hash)
{
	return &ls->bucket[(uint32_t)hash & (ls->buckets - 1)];
}

/* Room for one more; false for want of memory. */
static bool
grow(struct leases *all, struct lease_shard *ls)
{
	uint32_t buckets = ls->buckets == 0 ? BUCKETS_MIN : 2 * ls->buckets;
	struct lease_shard old = { .bucket = ls->bucket,
		.buckets = ls->buckets };
	struct lease **bucket;

	if (ls->count < ls->buckets)
		return true;
	bucket = calloc(buckets, sizeof(struct lease *));
	if (bucket == NULL)
		return ls->buckets > 0;
	leases_count_bytes(all,
	    (int64_t)((buckets - ls->buckets) * sizeof(struct lease *)));
	ls->bucket = bucket;
	ls->buckets = buckets;
	for (uint32_t i = 0; i < old.buckets; i++)
		while (old.bucket[i] != NULL) {
			struct lease *lease = old.bucket[i];
			struct lease **to = bucket_of(ls, lease->hash);

			old.bucket[i] = lease->next;
			lease->next = *to;
			*to = lease;
		}
	free(old.bucket);
	return true;
}

static void
note_next(struct lease_shard *ls)
{
	struct heap_node *first = heap_first(&ls->timers);

	atomic_store_explicit(&ls->next,
	    first != NULL ? first->key : UINT64_MAX, memory_order_relaxed);
}

bool
lease_table_add(struct act *st, struct lease *lease, uint64_t deadline)
{
	struct leases *all = st->c->leases;
	struct lease **bucket;

	if (!grow(all, st->ls) ||
	    !heap_add(&st->ls->timers, &lease->timer, deadline))
		return false;
	bucket = bucket_of(st->ls, lease->hash);
	lease->next = *bucket;
	*bucket = lease;
	st->ls->count++;
	note_next(st->ls);
	leases_count_bytes(all, (int64_t)lease_size(lease));
	return true;
}

void
lease_table_remove(struct act *st, struct lease *lease)
{
	struct lease **at = bucket_of(st->ls, lease->hash);

	CHECK(lease->queue == NULL);
	while (*at != lease)
		at = &(*at)->next;
	*at = lease->next;
	st->ls->count--;
	heap_remove(&st->ls->timers, &lease->timer);
	note_next(st->ls);
	leases_count_bytes(st->c->leases, -(int64_t)lease_size(lease));
	atomic_fetch_sub_explicit(&st->c->leases->records, 1,
	    memory_order_relaxed);
	free(lease);
}

void
lease_table_move(struct lease_shard *ls, struct lease *lease, uint64_t deadline)
{
	heap_move(&ls->timers, &lease->timer, deadline);
	note_next(ls);
}

struct key
lease_key(const struct lease *lease)
{
	return (struct key){ .data = lease->key,
		.len = lease->key_len,
		.hash = lease->hash };
}

static struct lease *
look_up(struct act *st) REQUIRES(st->s->lock)
{
	struct lease *lease;

	if (LIKELY(st->ls->count == 0))
		return NULL;
	for (lease = *bucket_of(st->ls, st->key->hash); lease != NULL;
	     lease = lease->next)
		if (lease->hash == st->key->hash &&
		    lease->key_len == st->key->len &&
		    memcmp(lease->key, st->key->data, st->key->len) == 0)
			return lease;
	return NULL;
}

struct lease *
lease_find(struct act *st)
{
	struct lease *lease = look_up(st);

	if (lease == NULL || lease->timer.key > st->l->now_ms)
		return lease;
	lease_end_overdue(st, lease);
	return look_up(st); /* it may have been handed over */
}

bool
lease_shows_stub(struct act *st)
{
	struct lease *lease;

	if (LIKELY(!st->c->leases->config->visible_stubs))
		return false;
	lease = lease_find(st);
	return lease != NULL && !lease->backoff;
}

struct lease *
lease_by_token(struct act *st, uint64_t token)
{
	struct lease *lease;

	if (st->ls->count == 0)
		return NULL;
	for (lease = *bucket_of(st->ls, st->key->hash); lease != NULL;
	     lease = lease->next)
		if (lease->token == token && !lease->backoff)
			return lease;
	return NULL;
}

uint64_t
leases_live(const struct leases *ls, struct store *store)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < ls->shards; i++) {
		lock_take(&store->shard[i].lock);
		sum += ls->shard[i].live;
		lock_drop(&store->shard[i].lock);
	}
	return sum;
}
