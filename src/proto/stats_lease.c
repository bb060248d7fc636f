/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stats_lease.c - stats leases, stats tags.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/uri.h"
#include "proto/stats.h"
#include "proto/text.h"

enum { SHOWN_MAX = 100 /* live leases in one report */ };

/* A copy of what is shown of a live lease. */
struct lease_note {
	char key[KEY_MAX];
	size_t key_len;
	uint64_t age, left; /* ms */
	uint32_t waiters;
	int cfd;
	bool backoff;
};

static void
note_lease(struct lease_note *note, const struct lease *lease, uint64_t now_ms)
{
	note->key_len = lease->key_len;
	memcpy(note->key, lease->key, lease->key_len);
	note->age = now_ms > lease->granted ? now_ms - lease->granted : 0;
	note->left = lease->timer.key > now_ms ? lease->timer.key - now_ms : 0;
	note->waiters = lease->waiters;
	note->cfd = lease->cfd;
	note->backoff = lease->backoff;
}

/* Copies up to n leases of a shard; returns how many. */
static size_t
note_shard(struct exec *x, unsigned i, struct lease_note *notes, size_t n)
{
	struct lease_shard *ls = &x->cache->leases->shard[i];
	struct shard *s = &x->cache->store->shard[i];
	size_t got = 0;

	shard_lock(s);
	for (uint32_t b = 0; ls->count > 0 && b < ls->buckets && got < n; b++)
		for (const struct lease *lease = ls->bucket[b];
		     lease != NULL && got < n; lease = lease->next)
			note_lease(&notes[got++], lease, x->now_ms);
	shard_unlock(s, x->local);
	return got;
}

static void
print_lease(struct text *text, size_t i, const struct lease_note *note)
{
	char name[32], key[3 * KEY_MAX], holder[16] = "-";

	snprintf(name, sizeof(name), "lease:%zu", i);
	if (note->cfd >= 0)
		snprintf(holder, sizeof(holder), "%d", note->cfd);
	text_stat(text, name,
	    "key=%.*s age_ms=%" PRIu64 " left_ms=%" PRIu64 " waiters=%" PRIu32
	    " holder=%s state=%s",
	    (int)uri_encode(key, note->key, note->key_len), key, note->age,
	    note->left, note->waiters, holder,
	    note->backoff ? "backoff" : "live");
}

static void
print_live(struct exec *x, struct text *text)
{
	struct lease_note *notes = calloc(SHOWN_MAX, sizeof(*notes));
	size_t n = 0;

	if (notes == NULL) {
		text->failed = true;
		return;
	}
	for (unsigned i = 0; i < x->cache->store->shards && n < SHOWN_MAX; i++)
		n += note_shard(x, i, notes + n, SHOWN_MAX - n);
	for (size_t i = 0; i < n; i++)
		print_lease(text, i, &notes[i]);
	free(notes);
}

static void
print_rule(struct text *text, const struct coalesce_rule *rule,
    const char *what, const _Atomic uint64_t *count)
{
	char name[3 * KEY_MAX + 64], prefix[3 * KEY_MAX];

	snprintf(name, sizeof(name), "rule:%.*s:%s",
	    rule->len == 0 ? 1 :
			     (int)uri_encode(prefix, rule->prefix, rule->len),
	    rule->len == 0 ? "*" : prefix, what);
	text_stat(text, name, "%" PRIu64, atomic_load(count));
}

static void
print_rules(struct exec *x, struct text *text)
{
	struct leases *ls = x->cache->leases;

	for (unsigned i = 0; i < ls->config->rules; i++) {
		const struct coalesce_rule *rule = &ls->config->rule[i];
		struct rule_counts *counts = &ls->rule_counts[i];

		print_rule(text, rule, "granted", &counts->granted);
		print_rule(text, rule, "wait_served", &counts->wait_served);
		print_rule(text, rule, "wait_timed_out",
		    &counts->wait_timed_out);
		print_rule(text, rule, "guard_refused", &counts->guard_refused);
	}
}

#define NUMBER(name, value) text_stat(text, name, "%" PRIu64, (uint64_t)(value))

void
stats_leases(struct exec *x, struct text *text)
{
	struct leases *ls = x->cache->leases;
	struct clocks *clocks = &x->cache->store->clocks;
	struct counter_set *set = x->env->counters;
	uint32_t waiting = atomic_load(&ls->waiting);

#define COUNTER(name, unit, sentence)                                          \
	NUMBER(#name, counter_sum(set, COUNTER_##name));
#include "base/lease_counter.def"
#undef COUNTER
	NUMBER("lease_live", leases_live(ls, x->cache->store));
	NUMBER("loads_saved",
	    counter_sum(set, COUNTER_wait_served) +
		counter_sum(set, COUNTER_stale_served));
	NUMBER("waiters", waiting);
	NUMBER("waiters_most", atomic_load(&ls->waiting_most));
	NUMBER("tombstones", tombs_count(&ls->tombs));
	NUMBER("lease_bytes", atomic_load(&ls->bytes));
	NUMBER("waiter_bytes",
	    waiting * (sizeof(struct waiter) + sizeof(struct heap_node *)));
	NUMBER("tombstone_bytes", tombs_bytes(&ls->tombs));
	NUMBER("clock_bytes", clocks_key_bytes(clocks));
	NUMBER("tag_clock_bytes", clocks_tag_bytes(clocks));
	print_rules(x, text);
	print_live(x, text);
	text_add(text, "END\r\n");
}

static void
print_hot_tags(struct exec *x, struct text *text)
{
	struct hot_tag hot[HOT_TAGS];
	size_t n = hot_tags_list(&x->cache->leases->hot_tags, hot);
	char name[32], tag[3 * HOT_TAG_MAX];

	for (size_t i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "hot:%zu", i);
		text_stat(text, name,
		    "tag=%.*s invalidations=%" PRIu64 " error=%" PRIu64
		    " slot=%" PRIu32,
		    (int)uri_encode(tag, hot[i].name, hot[i].len), tag,
		    hot[i].count, hot[i].error,
		    cache_tag_slot(x->cache, hot[i].name, hot[i].len));
	}
}

void
stats_tags(struct exec *x, struct text *text)
{
	struct clocks *clocks = &x->cache->store->clocks;
	struct store_sums *sums = malloc(sizeof(*sums));

	if (sums == NULL) {
		text->failed = true;
		return;
	}
	store_sum(x->cache->store, sums);
	NUMBER("tag_slots", clocks_tag_bytes(clocks) / sizeof(uint64_t));
	NUMBER("tag_clock_bytes", clocks_tag_bytes(clocks));
	NUMBER("tag_invalidations", atomic_load(&clocks->tags_moved));
	NUMBER("tagged_items", sums->tagged);
	NUMBER("tag_reclaimed", sums->tag_reclaimed);
	free(sums);
	print_hot_tags(x, text);
	text_add(text, "END\r\n");
}
