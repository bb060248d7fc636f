/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lease_wait.c - those who wait for the end of a lease.
 */
#include "config.h"

#include <stdlib.h>

#include "base/check.h"
#include "cache/lease.h"

/* Under the lock: the queue's thread is to look at it. */
static void
notify(struct store_local *l, struct wait_queue *q)
{
	if (q->posted)
		return;
	q->posted = true;
	q->next_letter = l->letters;
	l->letters = q;
}

void
act_end(struct act *st)
{
	struct store_local *l = st->l;

	shard_unlock(st->s, l);
	while (UNLIKELY(l->letters != NULL)) {
		struct wait_queue *q = l->letters;

		/* Its thread may free it as soon as the mail is posted. */
		l->letters = q->next_letter;
		mailbox_post(q->mailbox, &q->mail);
	}
}

/* The thread's queue behind a lease, made if need be. */
static struct wait_queue *
queue_of(struct act *st, struct lease *lease, struct mailbox *mailbox)
    REQUIRES(st->s->lock)
{
	struct wait_queue *q = lease->queue;

	while (q != NULL && q->mailbox != mailbox)
		q = q->next;
	if (q != NULL)
		return q;
	q = calloc(1, sizeof(*q));
	if (q == NULL)
		return NULL;
	q->mail.kind = WAIT_MAIL;
	q->mailbox = mailbox;
	q->hash = lease->hash;
	q->lease = lease;
	q->next = lease->queue;
	lease->queue = q;
	leases_count_bytes(st->c->leases, sizeof(*q));
	return q;
}

bool
lease_park(struct act *st, struct lease *lease, struct waiter *w,
    struct mailbox *mailbox)
{
	uint32_t most = st->c->leases->config->waiters_per_key;
	struct wait_queue *q;

	if (most != 0 && lease->waiters >= most) {
		COUNT(st->l->counters, wait_refused_cap);
		return false;
	}
	q = queue_of(st, lease, mailbox);
	if (q == NULL)
		return false;
	w->queue = q;
	w->token = ++st->ls->arrivals;
	w->prev = q->last;
	w->next = NULL;
	*(q->last != NULL ? &q->last->next : &q->first) = w;
	q->last = w;
	if (w->lease_ms != 0 && q->oldest == 0)
		q->oldest = w->token;
	if (w->lease_ms != 0 && w->needs && q->needy == 0)
		q->needy = w->token;
	lease->waiters++;
	return true;
}

bool
wait_inherit(struct act *st, struct lease *lease, uint64_t token)
{
	struct wait_queue *heir = NULL;

	for (struct wait_queue *q = lease->queue; q != NULL; q = q->next)
		if (q->oldest != 0 &&
		    (heir == NULL || q->oldest < heir->oldest))
			heir = q;
	lease->heir = heir;
	if (heir == NULL)
		return false;
	heir->token = token;
	notify(st->l, heir);
	return true;
}

struct wait_queue *
wait_needy(const struct lease *lease)
{
	struct wait_queue *heir = NULL;

	for (struct wait_queue *q = lease->queue; q != NULL; q = q->next)
		if (q->needy != 0 && (heir == NULL || q->needy < heir->needy))
			heir = q;
	return heir;
}

void
wait_dismiss(struct act *st, struct lease *lease, enum wait_outcome outcome,
    struct answer *answer, uint64_t until)
{
	struct wait_queue *q = lease->queue, *next;
	uint32_t queues = 0;

	for (; q != NULL; q = next) {
		next = q->next;
		q->next = NULL;
		q->lease = NULL;
		q->outcome = (uint8_t)outcome;
		q->answer = answer;
		q->until = until;
		queues++;
		if (outcome != WAIT_PENDING)
			notify(st->l, q);
	}
	if (answer != NULL)
		atomic_store(&answer->refs, queues);
	lease->queue = lease->heir = NULL;
	lease->waiters = 0;
}

/* Parts an empty queue from its lease. */
static void
detach(struct wait_queue *q)
{
	struct wait_queue **at = &q->lease->queue;

	while (*at != q)
		at = &(*at)->next;
	*at = q->next;
	q->lease = NULL;
}

static void
unlink_waiter(struct wait_queue *q, struct waiter *w)
{
	*(w->prev != NULL ? &w->prev->next : &q->first) = w->next;
	*(w->next != NULL ? &w->next->prev : &q->last) = w->prev;
}

/* The arrival of the next who takes a lease, 0 none. */
static uint64_t
next_willing(const struct waiter *w, bool needs)
{
	while (w != NULL && (w->lease_ms == 0 || (needs && !w->needs)))
		w = w->next;
	return w != NULL ? w->token : 0;
}

/* The same under the lock, while the lease is there. */
static void
take_out(struct wait_queue *q, struct waiter *w)
{
	struct waiter *next = w->next;

	unlink_waiter(q, w);
	q->lease->waiters--;
	if (q->oldest == w->token)
		q->oldest = next_willing(next, false);
	if (q->needy == w->token)
		q->needy = next_willing(next, true);
}

static void
free_queue(struct cache *c, struct store_local *l, struct wait_queue *q)
{
	struct answer *a = q->answer;

	if (a != NULL && atomic_fetch_sub(&a->refs, 1) == 1) {
		store_item_release(l, a->hit.pinned);
		free(a);
	}
	leases_count_bytes(c->leases, -(int64_t)sizeof(*q));
	free(q);
}

/* Hands the lease that the queue inherited to its oldest willing waiter. */
static struct waiter *
bequeath(struct act *st, struct wait_queue *q) REQUIRES(st->s->lock)
{
	struct lease *lease = q->lease;
	struct waiter *w = q->first;

	while (w->token != q->oldest)
		w = w->next;
	take_out(q, w);
	w->queue = NULL;
	w->outcome = WAIT_LEASE;
	w->hash = q->hash;
	w->token = q->token;
	lease->heir = NULL;
	lease->cfd = (int)w->cfd;
	lease->granted = st->l->now_ms;
	lease_table_move(st->ls, lease, st->l->now_ms + w->lease_ms);
	return w;
}

enum collected
wait_collect(struct cache *c, struct store_local *l, struct wait_queue *q,
    rel_time now, struct waiter **heir)
{
	struct key key = { .hash = q->hash };
	struct act st = act_begin(c, l, &key, now);
	enum collected found = COLLECTED_NOTHING;
	bool is_empty;

	shard_lock(st.s);
	q->posted = false;
	if (q->lease == NULL) {
		q->final = true;
		found = COLLECTED_FINAL;
	} else if (q->lease->heir == q) {
		*heir = bequeath(&st, q);
		found = COLLECTED_HEIR;
	}
	is_empty = q->first == NULL && q->out == 0;
	if (is_empty && q->lease != NULL)
		detach(q);
	act_end(&st);
	if (!is_empty) {
		q->listed = q->final;
		return found;
	}
	free_queue(c, l, q);
	return found == COLLECTED_FINAL ? COLLECTED_NOTHING : found;
}

struct waiter *
wait_next(struct wait_queue *q)
{
	struct waiter *w = q->first;

	while (w != NULL && q->will && w->token != q->needy)
		w = w->next;
	if (w == NULL)
		return NULL;
	unlink_waiter(q, w);
	q->out++;
	w->fetched = true;
	w->outcome = q->outcome;
	if (q->will) {
		q->will = false;
		w->heir = true;
		w->token = q->token;
	}
	return w;
}

void
wait_leave(struct cache *c, struct store_local *l, struct waiter *w,
    rel_time now)
{
	struct wait_queue *q = w->queue;
	struct key key = { .hash = q->hash };
	struct act st = act_begin(c, l, &key, now);
	bool is_done, was_heir;

	w->queue = NULL;
	if (q->final) {
		unlink_waiter(q, w);
		if (q->will && w->token == q->needy) {
			q->will = false;
			cache_abandon(c, l, q->hash, q->token, now);
		}
		return; /* whoever answers the rest frees it */
	}
	shard_lock(st.s);
	if (q->lease == NULL) {
		unlink_waiter(q, w);
	} else {
		take_out(q, w);
		/* An heir who leaves makes way for the oldest of all. */
		if (q->lease->heir == q &&
		    !wait_inherit(&st, q->lease, q->token)) {
			key = lease_key(q->lease);
			lease_finish(&st, q->lease, LEASE_DISCONNECTED);
		}
	}
	is_done = q->first == NULL && !q->posted;
	if (is_done && q->lease != NULL)
		detach(q);
	was_heir = q->will && w->token == q->needy;
	if (was_heir)
		q->will = false;
	act_end(&st);
	if (was_heir)
		cache_abandon(c, l, key.hash, q->token, now);
	if (is_done)
		free_queue(c, l, q);
}

void
wait_done(struct cache *c, struct store_local *l, struct waiter *w,
    rel_time now)
{
	struct wait_queue *q = w->queue;

	if (q != NULL && !w->fetched) {
		wait_leave(c, l, w, now);
	} else if (q != NULL) {
		q->out--;
		if (!q->listed && q->first == NULL && q->out == 0)
			free_queue(c, l, q);
	}
	free(w);
}

void
wait_unlist(struct cache *c, struct store_local *l, struct wait_queue *q)
{
	q->listed = false;
	if (q->first == NULL && q->out == 0)
		free_queue(c, l, q);
}
