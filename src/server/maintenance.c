/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * maintenance.c - the thread that tidies up.
 */
#include "config.h"

#include "server/maintenance.h"

#include <string.h>

#include "base/log.h"
#include "cache/lease.h"
#include "store/arena.h"

enum {
	TICK_MS = 20,
	SWEEP_BUCKETS = 16 * 1024, /* a tick: 1 MiB of table */
	MEGABYTE = 1024 * 1024,
	COMPACT_WORK = 32 * 1024, /* a tick: some 4000 items */
	USELESS = 50, /* a pass that moved fewer than 1 in 50 items */
	PAUSE_MS = 2000,
	HELP = 4,       /* batches that each reservation of others pays */
	HELP_MUCH = 64, /* with a tenth of the limit too much in use */
	/* In percent of the limit: */
	COMPACT_ABOVE = 5,
	WITHHOLD_ABOVE = 6,
	WITHHOLD_MAX = 30,
	SLACK = 8 * MEGABYTE,
};

/* For a time, unless the waste grows. */
static void
take_break(struct maintenance *m, uint64_t ms, int64_t waste)
{
	m->pause_until = ms + PAUSE_MS;
	m->pause_waste = waste + SLACK / 2;
}

/*
 * Compaction goes on while pages are wasted, but a pass over the whole table
 * that found little to move is followed by a pause.
 */
static bool
may_compact(struct maintenance *m, int64_t waste, int64_t limit, uint64_t ms)
{
	struct store *st = m->local.store;

	if (waste <= limit / 100 * COMPACT_ABOVE + SLACK) {
		m->pass = 0;
		return false;
	}
	if (m->compacted >= m->pass) {
		struct store_sums *sums = &m->sums;

		store_sum(st, sums);
		if (m->pass != 0 &&
		    sums->moved - m->moved < sums->items / USELESS)
			take_break(m, ms, waste);
		m->moved = sums->moved;
		m->pass = sums->buckets + SWEEP_LOOK * sums->items;
		m->compacted = 0;
	}
	if (ms < m->pause_until && waste < m->pause_waste)
		return false;
	m->compacted += COMPACT_WORK;
	return true;
}

/*
 * Waste, resident memory that holds no item, leads to compaction; resident
 * memory above the limit to withholding part of the limit, in proportion, until
 * it is below; that part is given back step by step.
 */
static void
watch_memory(struct maintenance *m, uint64_t ms)
{
	struct store *st = m->local.store;
	int64_t limit = atomic_load(&st->limit);
	int64_t squeeze = atomic_load(&st->squeeze);
	int64_t percent = limit / 100;
	int64_t over, resident = (int64_t)arena_resident();

	if (resident == 0)
		return;
	arena_purge(resident > limit + SLACK);
	resident = (int64_t)arena_resident();
	atomic_store(&m->resident, (uint64_t)resident);
	resident -= (int64_t)m->resident_at_start;
	over = resident - limit - SLACK;
	if (over > WITHHOLD_ABOVE * percent) {
		squeeze += (over - WITHHOLD_ABOVE * percent) / 32;
		if (squeeze > WITHHOLD_MAX * percent)
			squeeze = WITHHOLD_MAX * percent;
	} else {
		squeeze -= squeeze / 32;
		if (squeeze < MEGABYTE)
			squeeze = 0;
	}
	atomic_store(&st->squeeze, squeeze);
	if (!may_compact(m, resident - atomic_load(&st->used), limit, ms))
		atomic_store(&st->compact, 0);
	else
		atomic_store(&st->compact,
		    HELP +
			(over <= 0 ? 0 :
				     (unsigned)(over * HELP_MUCH /
					 (10 * percent + 2 * SLACK))));
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct maintenance *m = arg;
	struct store *st = m->local.store;
	uint64_t ms = clock_ms();
	rel_time now = clock_rel(ms);

	(void)fd;
	(void)what;
	watch_memory(m, ms);
	m->local.now_ms = ms;
	cache_flush_due(m->cache, &m->local, now);
	clocks_tick(&st->clocks, now, store_seq(st));
	leases_tick(m->cache, &m->local, now);
	store_keep_house(&m->local, now, SWEEP_BUCKETS, COMPACT_WORK);
	store_settle(&m->local, now);
	store_local_done(&m->local);
}

static void
on_wake(evutil_socket_t fd, short what, void *arg)
{
	struct maintenance *m = arg;

	(void)fd;
	(void)what;
	if (mailbox_take(&m->mailbox) != NULL)
		event_base_loopbreak(m->base);
}

static void *
run(void *arg)
{
	struct maintenance *m = arg;

	event_base_dispatch(m->base);
	return NULL;
}

static bool
make_events(struct maintenance *m)
{
	struct timeval period = { 0, TICK_MS * 1000 };

	m->base = event_base_new();
	if (m->base == NULL)
		return false;
	m->wake = event_new(m->base, m->mailbox.wake_fd, EV_READ | EV_PERSIST,
	    on_wake, m);
	m->tick = event_new(m->base, -1, EV_PERSIST, on_tick, m);
	return m->wake != NULL && m->tick != NULL &&
	    event_add(m->wake, NULL) == 0 && event_add(m->tick, &period) == 0;
}

static void
free_events(struct maintenance *m)
{
	if (m->wake != NULL)
		event_free(m->wake);
	if (m->tick != NULL)
		event_free(m->tick);
	if (m->base != NULL)
		event_base_free(m->base);
	mailbox_close(&m->mailbox);
}

bool
maintenance_start(struct maintenance *m, struct cache *cache,
    struct counters *counters)
{
	memset((void *)m, 0, sizeof(*m));
	m->cache = cache;
	store_local_init(&m->local, cache->store, counters);
	m->resident_at_start = arena_resident();
	if (!mailbox_open(&m->mailbox)) {
		log_error("can't open an eventfd");
		return false;
	}
	if (!make_events(m) || pthread_create(&m->thread, NULL, run, m) != 0) {
		log_error("can't start the maintenance thread");
		free_events(m);
		return false;
	}
	m->started = true;
	return true;
}

void
maintenance_stop(struct maintenance *m)
{
	if (!m->started)
		return;
	mailbox_post(&m->mailbox, &m->stop);
	pthread_join(m->thread, NULL);
	store_local_done(&m->local);
	free_events(m);
	m->started = false;
}
