/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * maintenance.c - the thread that tidies up.
 */
#include "config.h"

#include "server/maintenance.h"

#include <string.h>

#include "base/log.h"
#include "store/arena.h"

enum {
	TICK_MS = 20,
	SWEEP_BUCKETS = 16 * 1024, /* a tick: 1 MiB of table */
	MEGABYTE = 1024 * 1024,
	/* Resident memory above the account, in percent of the limit: */
	COMPACT_ABOVE = 3,
	WITHHOLD_ABOVE = 6,
	WITHHOLD_MAX = 30,
	SLACK = 8 * MEGABYTE,
};

/*
 * Resident memory above what the limit allows leads to compaction first; then
 * part of the limit is withheld, in proportion, and given back step by step.
 */
static void
watch_memory(struct maintenance *m)
{
	struct store *st = m->local.store;
	int64_t limit = atomic_load(&st->limit);
	int64_t squeeze = atomic_load(&st->squeeze);
	int64_t percent = limit / 100;
	int64_t over, resident = (int64_t)arena_resident();

	if (resident == 0)
		return;
	arena_purge(resident > limit);
	resident = (int64_t)arena_resident();
	atomic_store(&m->resident, (uint64_t)resident);
	over = resident - (int64_t)m->resident_at_start - limit - SLACK;
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
	atomic_store(&st->compact, over + squeeze > COMPACT_ABOVE * percent);
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct maintenance *m = arg;
	struct store *st = m->local.store;
	rel_time now = clock_rel(clock_ms());

	(void)fd;
	(void)what;
	watch_memory(m);
	store_flush_due(st, now);
	store_keep_house(&m->local, now, SWEEP_BUCKETS);
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
	m->wake = event_new(m->base, m->mailbox.wake_fd,
	    EV_READ | EV_PERSIST, on_wake, m);
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
maintenance_start(struct maintenance *m, struct store *store,
    struct counters *counters)
{
	memset((void *)m, 0, sizeof(*m));
	store_local_init(&m->local, store, counters);
	m->resident_at_start = arena_resident();
	if (!mailbox_open(&m->mailbox)) {
		log_error("can't open an eventfd");
		return false;
	}
	if (!make_events(m) ||
	    pthread_create(&m->thread, NULL, run, m) != 0) {
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
