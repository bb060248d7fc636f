/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lease.c - the life of a lease: grant, renewal, end, hand-over.
 */
#include "config.h"

#include "cache/lease.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/feed.h"
#include "base/uri.h"

static const struct {
	int counter;
	const char *event;
} ends[] = {
	[LEASE_FILLED] = { COUNTER_lease_filled, "lease_fill" },
	[LEASE_REFUSED] = { COUNTER_lease_refused, "lease_refuse" },
	[LEASE_LAPSED] = { COUNTER_lease_lapsed, "lease_lapse" },
	[LEASE_DISCONNECTED] = { COUNTER_lease_lapsed, "lease_lapse" },
	[LEASE_GIVEN_UP] = { COUNTER_lease_given_up, "lease_give_up" },
	[LEASE_REVOKED] = { COUNTER_lease_revoked, "lease_revoke" },
};

static void
publish(struct act *st, const char *event, uint64_t token, uint32_t waiters,
    int cfd) REQUIRES(st->s->lock)
{
	struct feed *feed = st->c->leases->feed;
	char name[3 * KEY_MAX];

	if (feed == NULL || !feed_wanted(feed, LEASE_FEED))
		return;
	feed_publish(feed, LEASE_FEED, event,
	    "key=%.*s token=%" PRIu64 " waiters=%" PRIu32 " cfd=%d",
	    (int)uri_encode(name, st->key->data, st->key->len), name, token,
	    waiters, cfd);
}

uint32_t
lease_length(const struct leases *ls, uint64_t ms)
{
	return ms < ls->config->lease_max ? (uint32_t)ms :
					    ls->config->lease_max;
}

/* A record for the step's key, or NULL. */
static struct lease *
new_record(struct act *st) REQUIRES(st->s->lock)
{
	struct leases *ls = st->c->leases;
	struct lease *lease = NULL;

	if (atomic_fetch_add_explicit(&ls->records, 1, memory_order_relaxed) <
	    ls->config->leases)
		lease = calloc(1, sizeof(*lease) + st->key->len);
	if (lease == NULL) {
		atomic_fetch_sub_explicit(&ls->records, 1,
		    memory_order_relaxed);
		return NULL;
	}
	lease->hash = st->key->hash;
	lease->key_len = (uint8_t)st->key->len;
	memcpy(lease->key, st->key->data, st->key->len);
	return lease;
}

static uint64_t
new_token(struct act *st) REQUIRES(st->s->lock)
{
	uint64_t seq;

	/* A floor whose time is over moves the key clock: before the grant. */
	tombs_find(&st->c->leases->tombs, st->l, st->key->hash, st->now);
	seq = store_next_seq(st->c->store);
	clocks_granted(&st->c->store->clocks, seq);
	return lease_token(st->c->leases->secret, st->key, seq);
}

uint64_t
lease_grant(struct act *st, struct item *item, uint32_t ms, int cfd,
    const struct coalesce_rule *rule)
{
	struct leases *ls = st->c->leases;
	uint64_t token = new_token(st);
	struct lease *lease = new_record(st);

	if (lease == NULL || !lease_table_add(st, lease, st->l->now_ms + ms)) {
		if (lease != NULL)
			atomic_fetch_sub_explicit(&ls->records, 1,
			    memory_order_relaxed);
		free(lease);
		COUNT(st->l->counters, lease_unrecorded);
		return token;
	}
	lease->token = token;
	lease->granted = st->l->now_ms;
	lease->cfd = cfd;
	lease->rule = rule;
	st->ls->live++;
	if (item != NULL)
		item->word |= ITEM_WON;
	if (rule != NULL)
		atomic_fetch_add_explicit(
		    &ls->rule_counts[rule - ls->config->rule].granted, 1,
		    memory_order_relaxed);
	COUNT(st->l->counters, lease_granted);
	publish(st, "lease_grant", token, 0, cfd);
	return token;
}

/* What stands under the key is not being refreshed any more. */
static void
clear_mark(struct act *st) REQUIRES(st->s->lock)
{
	struct place at;
	struct item *it = table_find(&st->s->table, st->key, &at);

	if (it != NULL)
		it->word &= ~(uint64_t)ITEM_WON;
}

static void
count_end(struct act *st, const struct lease *lease, enum lease_end how)
    REQUIRES(st->s->lock)
{
	counter_add(&st->l->counters->value[ends[how].counter], 1);
	if (how == LEASE_DISCONNECTED)
		COUNT(st->l->counters, lease_disconnected);
	publish(st, ends[how].event, lease->token, lease->waiters, lease->cfd);
}

static void
hand_over(struct act *st, struct lease *lease) REQUIRES(st->s->lock)
{
	uint64_t token = new_token(st);

	if (st->c->leases->config->fault == FAULT_SKIP_HAND_OVER) {
		wait_dismiss(st, lease, WAIT_PENDING, NULL, 0);
	} else if (!atomic_load(&st->c->leases->ending) &&
	    wait_inherit(st, lease, token)) {
		lease->token = token;
		lease->granted = st->l->now_ms;
		lease->cfd = -1;
		/* The heir's own length counts from when he takes it. */
		lease_table_move(st->ls, lease,
		    st->l->now_ms + st->c->leases->config->lease_default);
		COUNT(st->l->counters, lease_granted);
		COUNT(st->l->counters, lease_handed_over);
		publish(st, "lease_hand_over", token, lease->waiters, -1);
		return;
	}
	wait_dismiss(st, lease, WAIT_OVER, NULL, 0);
	clear_mark(st);
	st->ls->live--;
	lease_table_remove(st, lease);
}

void
lease_finish(struct act *st, struct lease *lease, enum lease_end how)
{
	if (lease->backoff)
		return; /* only time and stores end it */
	count_end(st, lease, how);
	hand_over(st, lease);
}

void
lease_note_refusal(struct act *st, uint64_t token)
{
	publish(st, "lease_refuse", token, 0, -1);
}

void
lease_back_off(struct act *st, struct lease *lease, uint32_t ms)
{
	uint64_t until = st->l->now_ms + ms;

	count_end(st, lease, LEASE_GIVEN_UP);
	COUNT(st->l->counters, backoffs);
	wait_dismiss(st, lease, WAIT_BACKOFF, NULL, until);
	st->ls->live--;
	lease->backoff = true;
	lease->cfd = -1;
	lease_table_move(st->ls, lease, until);
}

/* One reference on the item and a snapshot of it, for all waiters. */
static struct answer *
make_answer(struct act *st, struct item *it) REQUIRES(st->s->lock)
{
	struct answer *a = calloc(1, sizeof(*a));

	if (a == NULL || !item_ref(it)) {
		free(a);
		return NULL;
	}
	atomic_init(&a->refs, 1);
	cache_snapshot(st->c, it, st->now, &a->hit);
	a->hit.value = item_value(it);
	a->hit.pinned = it;
	return a;
}

/*
 * The value may not do for all: who is left gets a new lease at once, behind
 * which the others of his kind wait again.
 */
static void
will(struct act *st, struct lease *lease, struct wait_queue *q, struct item *it)
    REQUIRES(st->s->lock)
{
	q->will = true;
	q->token = lease->token = new_token(st);
	lease->granted = st->l->now_ms;
	lease->cfd = -1;
	lease_table_move(st->ls, lease,
	    st->l->now_ms + st->c->leases->config->lease_default);
	it->word |= ITEM_WON;
	st->ls->live++;
	COUNT(st->l->counters, lease_granted);
	COUNT(st->l->counters, lease_handed_over);
	publish(st, "lease_hand_over", lease->token, 0, -1);
}

void
lease_answer(struct act *st, struct lease *lease, struct item *it,
    enum lease_end how)
{
	struct wait_queue *needy = wait_needy(lease);
	struct answer *a = NULL;

	if (!lease->backoff) {
		/* Plain stores are how clients of a rule fill. */
		if (how == LEASE_REVOKED && lease->rule != NULL)
			how = LEASE_FILLED;
		count_end(st, lease, how);
		st->ls->live--;
	}
	if (lease->queue != NULL && it != NULL)
		a = make_answer(st, it);
	if (a != NULL)
		shard_hit(st->s, table_locate(&st->s->table, st->key->hash, it),
		    it, st->now);
	wait_dismiss(st, lease,
	    a != NULL      ? WAIT_VALUE :
		it != NULL ? WAIT_AGAIN :
			     WAIT_TIMEOUT,
	    a, 0);
	if (a != NULL && needy != NULL)
		will(st, lease, needy, it);
	else
		lease_table_remove(st, lease);
}

void
lease_prolong(struct act *st, struct lease *lease, uint32_t ms)
{
	uint64_t deadline = st->l->now_ms + ms;
	uint64_t last = lease->granted + st->c->leases->config->lease_max;

	lease_table_move(st->ls, lease, deadline < last ? deadline : last);
	COUNT(st->l->counters, lease_renewed);
}

/* The first lease of a shard whose time is over. */
static struct lease *
overdue(const struct lease_shard *ls, uint64_t now_ms)
{
	struct heap_node *first = heap_first(&ls->timers);

	return first != NULL && first->key <= now_ms ? (struct lease *)first :
						       NULL;
}

void
lease_end_overdue(struct act *st, struct lease *lease)
{
	const struct key *asked = st->key;
	struct key key = lease_key(lease);

	st->key = &key;
	if (!lease->backoff) {
		lease_finish(st, lease, LEASE_LAPSED);
	} else {
		clear_mark(st);
		lease_table_remove(st, lease);
	}
	st->key = asked;
}

void
leases_tick(struct cache *c, struct store_local *l, rel_time now)
{
	for (unsigned i = 0; i < c->leases->shards; i++) {
		struct act st = act_in_shard(c, l, i, now);
		struct lease *lease;

		if (atomic_load_explicit(&st.ls->next, memory_order_relaxed) >
		    l->now_ms)
			continue;
		shard_lock(st.s);
		while ((lease = overdue(st.ls, l->now_ms)) != NULL)
			lease_end_overdue(&st, lease);
		act_end(&st);
	}
	tombs_sweep(&c->leases->tombs, l, now);
}

/* Ends the leases of a bucket; those handed over stay in it. */
static void
revoke_bucket(struct act *st, struct lease *lease) REQUIRES(st->s->lock)
{
	while (lease != NULL) {
		struct lease *next = lease->next;
		struct key key = lease_key(lease);

		st->key = &key;
		/* What was granted since then is good. */
		if (lease_token_seq(lease->token) <
		    atomic_load(&st->c->store->flush_clock))
			lease_finish(st, lease, LEASE_REVOKED);
		st->key = NULL;
		lease = next;
	}
}

void
leases_flushed(struct cache *c, struct store_local *l, rel_time now)
{
	for (unsigned i = 0; i < c->leases->shards; i++) {
		struct act st = act_in_shard(c, l, i, now);

		shard_lock(st.s);
		for (uint32_t b = 0; st.ls->count > 0 && b < st.ls->buckets;
		     b++)
			revoke_bucket(&st, st.ls->bucket[b]);
		act_end(&st);
	}
}
