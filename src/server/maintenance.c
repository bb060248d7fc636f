/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * maintenance.c - the thread that tidies up.
 */
#include "config.h"

#include "server/maintenance.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "cache/lease.h"
#include "store/arena.h"

enum {
	TICK_MS = 20,
	QUIET_TICKS = 25,
	QUIET_MS = 250,
	SWEEP_BUCKETS = 16 * 1024, /* a tick: 1 MiB of table */
	PURGE_PART = 16,           /* of the free slabs' pages, a tick */
	PURGE_MIN = 256 * 1024,
	SLACK = 4 * 1024 * 1024, /* buffers may come and go for nothing */
	WITHHOLD_PART = 3,       /* of the limit, at the most */
	WATCH_TICKS = 4,         /* between two looks, when quiet */
};

/* Private memory of the process, 0 when the system doesn't tell. */
static int64_t
resident(int fd)
{
	char text[128], *at = text;
	ssize_t n = fd < 0 ? -1 : pread(fd, text, sizeof(text) - 1, 0);
	long long pages;

	if (n <= 0)
		return 0;
	text[n] = '\0';
	/* The whole of it, what is in RAM, and what of that is shared. */
	(void)strtoll(at, &at, 10);
	pages = strtoll(at, &at, 10);
	return (int64_t)(pages - strtoll(at, NULL, 10)) * sysconf(_SC_PAGESIZE);
}

/*
 * Slabs, large items and tables are counted as they are taken.  What the
 * process holds beside them (buffers, leases, half-used pages of the allocator)
 * is seen here, and that much of the limit is withheld but for a few MiB; at
 * the most a third, lest a crowd of clients leave no cache.
 */
static void
watch_memory(struct maintenance *m)
{
	struct store *st = m->local.store;
	int64_t limit = atomic_load(&st->limit);
	int64_t is = resident(m->statm), other, dirty;

	if (is == 0 || st->slabs == NULL)
		return;
	dirty = atomic_load(&st->slabs->pool.dirty);
	if (is - m->resident_at_start > limit) {
		slab_pool_purge(&st->slabs->pool, dirty);
		arena_purge(true);
	} else {
		slab_pool_purge(&st->slabs->pool,
		    dirty / PURGE_PART + PURGE_MIN);
		arena_purge(false);
	}
	is = resident(m->statm);
	atomic_store(&m->resident, (uint64_t)is);
	other = is - m->resident_at_start - store_account(st) -
	    atomic_load(&st->slabs->pool.dirty);
	other = other > SLACK ? other - SLACK : 0;
	if (other > limit / WITHHOLD_PART)
		other = limit / WITHHOLD_PART;
	atomic_store(&st->squeeze, other);
}

/*
 * Asking the system and the allocator takes most of the time of a tick.  While
 * nothing is stored, now and then will do.
 */
static bool
must_watch(struct maintenance *m)
{
	if (m->quiet > 0 && ++m->unwatched < WATCH_TICKS)
		return false;
	m->unwatched = 0;
	return true;
}

/*
 * The next tick: soon, or less so when for some seconds nothing was stored or
 * invalidated and no lease is out, since to wake up for nothing costs more than
 * the tick.
 */
static void
set_tick(struct maintenance *m)
{
	struct timeval left = { 0, TICK_MS * 1000 };
	uint64_t seq = store_seq(m->local.store);

	m->quiet++;
	if (seq != m->seen_seq || atomic_load(&m->cache->leases->records) > 0)
		m->quiet = 0;
	m->seen_seq = seq;
	if (m->quiet > QUIET_TICKS)
		left.tv_usec = QUIET_MS * 1000;
	if (event_add(m->tick, &left) != 0)
		log_error("can't set a timer");
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
	if (must_watch(m))
		watch_memory(m);
	m->local.now_ms = ms;
	cache_flush_due(m->cache, &m->local, now);
	clocks_tick(&st->clocks, now, store_seq(st));
	leases_tick(m->cache, &m->local, now);
	store_keep_house(&m->local, now, SWEEP_BUCKETS);
	store_settle(&m->local, now);
	store_local_done(&m->local);
	set_tick(m);
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
	m->base = event_base_new();
	if (m->base == NULL)
		return false;
	m->wake = event_new(m->base, m->mailbox.wake_fd, EV_READ | EV_PERSIST,
	    on_wake, m);
	m->tick = evtimer_new(m->base, on_tick, m);
	if (m->wake == NULL || m->tick == NULL || event_add(m->wake, NULL) != 0)
		return false;
	set_tick(m);
	return true;
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
	if (m->statm >= 0)
		close(m->statm);
}

bool
maintenance_start(struct maintenance *m, struct cache *cache,
    struct counters *counters)
{
	memset((void *)m, 0, sizeof(*m));
	m->cache = cache;
	store_local_init(&m->local, cache->store, counters);
	m->statm = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	m->resident_at_start = resident(m->statm);
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
