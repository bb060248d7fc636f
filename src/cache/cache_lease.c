/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cache_lease.c - what verbs do to leases and tags themselves.
 */
#include "config.h"

#include <string.h>

#include "base/hash.h"
#include "cache/cache.h"
#include "cache/lease.h"

uint32_t
cache_lease_length(const struct cache *c, uint64_t ms)
{
	return lease_length(c->leases,
	    ms != 0 ? ms : c->leases->config->lease_default);
}

bool
cache_is_token(const struct cache *c, const struct key *key, uint64_t n)
{
	uint64_t seq;

	return lease_token_read(c->leases->secret, key, n, &seq);
}

bool
cache_renew(struct cache *c, struct store_local *l, const struct key *key,
    uint64_t token, uint32_t ms, rel_time now, struct hit *hit)
{
	struct act st = act_begin(c, l, key, now);
	struct lease *lease;

	memset(hit, 0, sizeof(*hit));
	shard_lock(st.s);
	lease = lease_find(&st);
	if (!lease_is(lease, token))
		lease = NULL;
	if (lease != NULL) {
		lease_prolong(&st, lease, ms);
		hit->absent = hit->won = true;
		hit->token = token;
		hit->lease_left = lease->timer.key - l->now_ms;
		hit->accessed = now;
		hit->binary_key = key->binary;
	}
	act_end(&st);
	return lease != NULL;
}

void
cache_inherit(struct cache *c, struct store_local *l, const struct key *key,
    uint64_t token, uint32_t ms, int cfd, rel_time now)
{
	struct act st = act_begin(c, l, key, now);
	struct lease *lease;

	shard_lock(st.s);
	lease = lease_find(&st);
	if (lease_is(lease, token)) {
		lease->cfd = cfd;
		lease->granted = l->now_ms;
		lease_table_move(st.ls, lease, l->now_ms + ms);
	}
	act_end(&st);
}

/* Like a token, a back-off holds for token_max at most: it takes a record. */
static uint32_t
backoff_length(const struct cache *c, uint32_t ms)
{
	uint64_t most = (uint64_t)c->leases->config->token_max * 1000;

	return ms < most ? ms : (uint32_t)most;
}

bool
cache_give_up(struct cache *c, struct store_local *l, const struct key *key,
    uint64_t token, uint32_t backoff_ms, rel_time now)
{
	struct act st = act_begin(c, l, key, now);
	struct lease *lease;

	shard_lock(st.s);
	lease = lease_find(&st);
	if (!lease_is(lease, token))
		lease = NULL;
	if (lease != NULL && backoff_ms > 0)
		lease_back_off(&st, lease, backoff_length(c, backoff_ms));
	else if (lease != NULL)
		lease_finish(&st, lease, LEASE_GIVEN_UP);
	act_end(&st);
	return lease != NULL;
}

bool
cache_abandon(struct cache *c, struct store_local *l, uint64_t hash,
    uint64_t token, rel_time now)
{
	struct key key = { .hash = hash };
	struct act st = act_begin(c, l, &key, now);
	struct lease *lease;

	shard_lock(st.s);
	lease = lease_by_token(&st, token);
	if (lease != NULL) {
		key = lease_key(lease);
		lease_finish(&st, lease, LEASE_DISCONNECTED);
	}
	act_end(&st);
	return lease != NULL;
}

bool
cache_holds(struct cache *c, struct store_local *l, uint64_t hash,
    uint64_t token, rel_time now)
{
	struct key key = { .hash = hash };
	struct act st = act_begin(c, l, &key, now);
	struct lease *lease;

	shard_lock(st.s);
	lease = lease_by_token(&st, token);
	if (lease != NULL && lease->timer.key <= l->now_ms) {
		lease_end_overdue(&st, lease);
		lease = NULL;
	}
	act_end(&st);
	return lease != NULL;
}

bool
cache_add_prefix_tag(const struct cache *c, const struct key *key,
    struct item_extra *extra)
{
	char end = c->leases->config->tag_prefix;
	const char *at;

	if (LIKELY(end == '\0'))
		return false;
	at = memchr(key->data, end, key->len);
	if (at == NULL || at == key->data)
		return false;
	extra->tag[extra->tags++] = cache_tag_slot(c, key->data,
	    (size_t)(at - key->data));
	return true;
}

uint32_t
cache_tag_slot(const struct cache *c, const char *tag, size_t len)
{
	return clocks_tag_slot(&c->store->clocks, hash_key(tag, len));
}

void
cache_invalidate_tag(struct cache *c, const char *tag, size_t len)
{
	/* The number first: whatever is granted later is above it. */
	uint64_t seq = store_next_seq(c->store);

	clocks_move_tag(&c->store->clocks, cache_tag_slot(c, tag, len), seq);
	hot_tags_count(&c->leases->hot_tags, tag, len);
}

void
cache_flush(struct cache *c, struct store_local *l, rel_time now)
{
	store_flush(c->store, now);
	leases_flushed(c, l, now);
}

void
cache_flush_due(struct cache *c, struct store_local *l, rel_time now)
{
	if (store_flush_due(c->store, now))
		leases_flushed(c, l, now);
}
