/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * server.c - the whole server: cache, workers, listeners.
 */
#include "config.h"

#include "server/server.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/hash.h"
#include "base/log.h"
#include "proto/command.h"
#include "server/systemd.h"
#include "store/arena.h"

enum {
	SIGNALS = 4,
	SHARDS_MIN = 16,
	SHARDS_MAX = 256,
	PER_THREAD = 4,
	/* Of the limit, for each shard: an empty table takes 1/16 of it. */
	PER_SHARD = 256 * 1024,
};

static const int signals[SIGNALS] = { SIGINT, SIGTERM, SIGUSR1, SIGHUP };

/* What `stats` asks of this layer. */

static void
gauges(void *server, struct server_gauges *out)
{
	struct server *sv = server;

	memset(out, 0, sizeof(*out));
	out->max_connections = (uint64_t)sv->config.conn_limit;
	out->curr_connections = (uint64_t)atomic_load(&sv->connections);
	out->connection_structures = out->curr_connections;
	/* listeners, one epoll and one eventfd a thread, the standard three */
	out->reserved_fds = (uint64_t)(sv->listener.count +
	    2 * (sv->config.threads + 2) + 3);
	out->threads = (uint64_t)sv->config.threads;
	out->resident = atomic_load(&sv->maintenance.resident);
	out->accepting = atomic_load(&sv->accepting);
	out->idle_timeout = sv->config.idle_timeout > 0;
	for (int i = 0; i < sv->config.threads; i++) {
		struct worker *w = &sv->worker[i];

		out->buffers += atomic_load(&w->buffers);
		out->buffer_bytes += atomic_load(&w->buffer_bytes);
		out->buffer_bytes_free += atomic_load(&w->buffer_bytes_free);
	}
}

static void
report_settings(void *server, stat_printer *print, void *ctx)
{
	struct server *sv = server;

	struct settings_live live = {
		.memory_limit = (size_t)atomic_load(&sv->cache.store->limit),
		.detail = atomic_load(&sv->prefixes.on),
		.flushed = atomic_load(&sv->cache.store->flushed),
	};

	sv->config.report_settings(sv->config.settings, &live, print, ctx);
}

static void
report_address(int fd, bool peer, enum transport transport, stat_printer *print,
    void *ctx)
{
	char name[32], value[192], address[128];

	/* A client of a Unix socket has no name of its own. */
	listener_name(fd, peer && transport == TRANSPORT_TCP, address,
	    sizeof(address));
	snprintf(value, sizeof(value), "%s:%s",
	    transport == TRANSPORT_TCP ? "tcp" : "unix", address);
	snprintf(name, sizeof(name), "%d:addr", fd);
	print(ctx, name, value);
	if (!peer)
		return;
	listener_name(fd, false, address, sizeof(address));
	snprintf(value, sizeof(value), "%s:%s",
	    transport == TRANSPORT_TCP ? "tcp" : "unix", address);
	snprintf(name, sizeof(name), "%d:listen_addr", fd);
	print(ctx, name, value);
}

static void
report_conn(struct conn *c, stat_printer *print, void *ctx)
{
	struct session shown = {
		.state = atomic_load(&c->shown_state),
	};
	char name[32], value[16];

	report_address(c->fd, true, (enum transport)c->transport, print, ctx);
	snprintf(name, sizeof(name), "%d:state", c->fd);
	print(ctx, name, session_state_name(&shown));
	snprintf(name, sizeof(name), "%d:secs_since_last_cmd", c->fd);
	snprintf(value, sizeof(value), "%u",
	    clock_rel(clock_ms()) - atomic_load(&c->last_request));
	print(ctx, name, value);
}

static void
report_conns(void *server, stat_printer *print, void *ctx)
{
	struct server *sv = server;
	char name[32];

	for (int i = 0; i < sv->listener.count; i++) {
		struct listening *s = &sv->listener.sock[i];

		report_address(s->fd, false, s->transport, print, ctx);
		snprintf(name, sizeof(name), "%d:state", s->fd);
		print(ctx, name, "conn_listening");
	}
	for (int i = 0; i < sv->config.threads; i++) {
		struct worker *w = &sv->worker[i];

		lock_take(&w->lock);
		for (struct conn *c = w->conns; c != NULL; c = c->next)
			report_conn(c, print, ctx);
		lock_drop(&w->lock);
	}
}

static void
shutdown_from_command(void *server, bool graceful)
{
	(void)server;
	/* The accepting thread has the handler. */
	raise(graceful ? SIGUSR1 : SIGINT);
}

/* Start. */

static void
fill_env(struct server *sv)
{
	const struct server_config *c = &sv->config;

	sv->env = (struct proto_env){
		.cache = &sv->cache,
		.counters = &sv->counter_set,
		.feed = &sv->feed,
		.prefixes = &sv->prefixes,
		.libevent_version = event_get_version(),
		.watch_buffer = c->watch_buffer < FEED_RING_MIN ?
		    FEED_RING_MIN :
		    c->watch_buffer,
		.shutdown_enabled = c->shutdown_enabled,
		.flush_enabled = c->flush_enabled,
		.dump_enabled = c->dump_enabled,
		.watch_enabled = c->watch_enabled,
		.track_sizes = c->track_sizes,
		.debug_commands = c->debug_commands,
		.detect_binary = c->detect_binary,
		.server = sv,
		.gauges = gauges,
		.report_settings = report_settings,
		.report_conns = report_conns,
		.shutdown = shutdown_from_command,
		.wake_watcher = conn_wake,
		.crawler_off = &sv->crawler_off,
	};
}

/* So many that two workers seldom meet. */
static unsigned
shards_for(const struct server_config *config)
{
	unsigned n = SHARDS_MIN;

	if (config->shards > 0)
		return config->shards;
	while (n < SHARDS_MAX && n < (unsigned)config->threads * PER_THREAD &&
	    config->memory_limit / PER_SHARD >= 2 * (size_t)n)
		n *= 2;
	return n;
}

static bool
make_cache(struct server *sv)
{
	struct store_config config = {
		.limit = sv->config.memory_limit,
		.shards = shards_for(&sv->config),
		.evict = sv->config.evict,
		.slabs = arena_is_real,
		.feed = &sv->feed,
		.clock_slots = sv->config.lease.clock_slots,
		.tag_slots = sv->config.lease.tag_slots,
		.token_max = sv->config.lease.token_max,
		.keep_dead_tags = sv->config.lease.fault == FAULT_DEAD_TAG,
	};

	sv->cache.item_max = sv->config.item_max;
	sv->cache.cas_enabled = sv->config.cas_enabled;
	sv->cache.store = store_new(&config);
	if (sv->cache.store == NULL)
		return false;
	sv->cache.leases = leases_new(&sv->config.lease, sv->cache.store);
	return sv->cache.leases != NULL;
}

struct server *
server_new(const struct server_config *config)
{
	struct server *sv = aligned_alloc(CACHE_LINE,
	    (sizeof(*sv) + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE);

	if (sv == NULL)
		goto fail;
	memset((void *)sv, 0, sizeof(*sv));
	hash_start();
	command_start();
	sv->config = *config;
	feed_init(&sv->feed);
	prefix_init(&sv->prefixes, config->prefix_delimiter,
	    config->detail_enabled);
	fill_env(sv);
	sv->counters = counters_new(&sv->counter_set);
	sv->worker = calloc((size_t)config->threads, sizeof(*sv->worker));
	if (sv->counters == NULL || sv->worker == NULL || !make_cache(sv))
		goto fail;
	for (; sv->workers < config->threads; sv->workers++)
		if (!worker_init(&sv->worker[sv->workers], sv))
			goto fail;
	return sv;
fail:
	log_error("can't start: out of memory");
	if (sv != NULL)
		server_free(sv);
	return NULL;
}

/* How many sockets the service manager passed; -1 with a line logged. */
static int
inherited_sockets(struct listener *ln)
{
	int n = systemd_sockets();

	if (n < 0)
		log_error("LISTEN_PID and LISTEN_FDS make no sense");
	for (int i = 0; i < n && ln->count < LISTENERS_MAX; i++) {
		int fd = SYSTEMD_FIRST + i;
		bool local;

		if (!systemd_listens(fd, &local)) {
			log_error("inherited descriptor %d is no listening "
				  "stream socket",
			    fd);
			return -1;
		}
		evutil_make_socket_nonblocking(fd);
		ln->sock[ln->count++] = (struct listening){
			.owner = ln,
			.fd = fd,
			.transport = local ? TRANSPORT_LOCAL : TRANSPORT_TCP,
			.inherited = true,
		};
	}
	if (n > 0)
		log_info("listening on %d inherited sockets", n);
	return n;
}

/* Keeps back the signals that the server acts on, or lets them through. */
static void
hold_signals(bool hold)
{
	sigset_t set;

	sigemptyset(&set);
	for (int i = 0; i < SIGNALS; i++)
		sigaddset(&set, signals[i]);
	pthread_sigmask(hold ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
}

bool
server_listen(struct server *sv)
{
	int inherited;

	/* Who sees the port or the pid file may already end the server. */
	hold_signals(true);
	inherited = inherited_sockets(&sv->listener);
	if (inherited != 0)
		return inherited > 0;
	return listener_open(&sv->listener, &sv->config.listener);
}

/* Running. */

struct running {
	struct server *sv;
	struct event_base *base;
	struct event *signal[SIGNALS], *second;
	bool graceful;
};

static void
on_signal(evutil_socket_t number, short what, void *arg)
{
	struct running *r = arg;

	(void)what;
	if (number == SIGHUP) {
		log_info("SIGHUP: nothing to reload");
		return;
	}
	log_info("stopping signal=%d", (int)number);
	r->graceful = number == SIGUSR1;
	event_base_loopbreak(r->base);
}

static bool
watch_signals(struct running *r)
{
	for (int i = 0; i < SIGNALS; i++) {
		r->signal[i] = evsignal_new(r->base, signals[i], on_signal, r);
		if (r->signal[i] == NULL || event_add(r->signal[i], NULL) != 0)
			return false;
	}
	hold_signals(false);
	return true;
}

static void
on_second(evutil_socket_t fd, short what, void *arg)
{
	struct server *sv = arg;

	(void)fd;
	(void)what;
	for (int i = 0; i < sv->config.threads; i++)
		worker_tick(&sv->worker[i]);
}

static bool
tick_workers(struct running *r)
{
	struct timeval second = { 1, 0 };

	r->second = event_new(r->base, -1, EV_PERSIST, on_second, r->sv);
	return r->second != NULL && event_add(r->second, &second) == 0;
}

static void
block_signals(void)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
}

static int
start_workers(struct server *sv)
{
	int started = 0;

	while (
	    started < sv->config.threads && worker_start(&sv->worker[started]))
		started++;
	return started;
}

static void
stop_workers(struct server *sv, int started, bool graceful)
{
	/* Those who wait are answered, not handed what others let go. */
	atomic_store(&sv->cache.leases->ending, true);
	for (int i = 0; i < started; i++) {
		if (graceful)
			worker_drain(&sv->worker[i]);
		else
			worker_stop(&sv->worker[i]);
	}
	for (int i = 0; i < started; i++)
		worker_join(&sv->worker[i]);
}

bool
server_run(struct server *sv)
{
	struct running r = { .sv = sv, .base = event_base_new() };
	struct counters *counters;
	bool good = false;
	int started = 0;

	signal(SIGPIPE, SIG_IGN);
	if (r.base == NULL || !watch_signals(&r) || !tick_workers(&r) ||
	    !listener_start(&sv->listener, sv, r.base)) {
		log_error("can't start: out of memory");
		goto stop;
	}
	started = start_workers(sv);
	counters = counters_new(&sv->counter_set);
	if (started < sv->config.threads || counters == NULL ||
	    !maintenance_start(&sv->maintenance, &sv->cache, counters))
		goto stop;
	systemd_tell("READY=1");
	if (sv->config.on_ready != NULL)
		sv->config.on_ready(sv->config.settings);
	good = event_base_dispatch(r.base) >= 0;
	systemd_tell("STOPPING=1");
stop:
	listener_stop(&sv->listener);
	stop_workers(sv, started, r.graceful);
	/* A second signal must not kill what is about to end anyway. */
	block_signals();
	listener_close(&sv->listener);
	maintenance_stop(&sv->maintenance);
	for (int i = 0; i < SIGNALS; i++)
		if (r.signal[i] != NULL)
			event_free(r.signal[i]);
	if (r.second != NULL)
		event_free(r.second);
	if (r.base != NULL)
		event_base_free(r.base);
	return good;
}

void
server_free(struct server *sv)
{
	listener_close(&sv->listener);
	for (int i = 0; i < sv->workers; i++)
		worker_destroy(&sv->worker[i]);
	free(sv->worker);
	if (sv->cache.leases != NULL)
		leases_free(sv->cache.leases);
	if (sv->cache.store != NULL)
		store_free(sv->cache.store);
	counters_free(&sv->counter_set);
	prefix_destroy(&sv->prefixes);
	feed_destroy(&sv->feed);
	free(sv);
}
