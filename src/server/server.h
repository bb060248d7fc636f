/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * server.h - the whole server: cache, workers, listeners.
 *
 * Layer: server.
 */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/counter.h"
#include "base/feed.h"
#include "cache/cache.h"
#include "cache/lease_config.h"
#include "proto/prefix.h"
#include "proto/session.h"
#include "server/listener.h"
#include "server/maintenance.h"
#include "server/worker.h"

/* Settings that commands change while the server runs. */
struct settings_live {
	size_t memory_limit; /* bytes */
	bool detail;
	rel_time flushed; /* when flush_all last took effect; 0 never */
};

struct server_config {
	struct listener_config listener;
	int threads;
	int conn_limit;
	bool maxconns_fast;
	int requests_per_turn;
	int idle_timeout; /* seconds, 0 never */

	size_t memory_limit; /* bytes */
	bool evict;
	size_t item_max; /* bytes, as memcached counts them */
	bool cas_enabled;
	unsigned shards; /* a power of two from 2 to 256; 0: by the threads */

	bool shutdown_enabled, flush_enabled, dump_enabled, watch_enabled;
	bool track_sizes, debug_commands, detect_binary;
	bool detail_enabled;
	char prefix_delimiter;
	size_t watch_buffer; /* bytes */
	struct lease_config lease;

	/* `stats settings`, printed by whoever knows the options */
	void *settings;
	void (*report_settings)(void *settings,
	    const struct settings_live *live, stat_printer *print, void *ctx);

	/* called once, with `settings`, when clients are served; may be NULL */
	void (*on_ready)(void *settings);
};

struct server {
	struct server_config config;
	struct counter_set counter_set;
	struct counters *counters; /* of the accepting thread */
	struct feed feed;
	struct prefix_table prefixes;
	struct cache cache;
	struct proto_env env;
	struct listener listener;
	struct worker *worker;
	int workers; /* that are initialized */
	struct maintenance maintenance;
	_Atomic int connections;
	_Atomic bool accepting;
	_Atomic bool crawler_off;
};

/* NULL with a line logged when memory or descriptors are short. */
struct server *server_new(const struct server_config *config) MUST_USE;

/* Opens the sockets; false with a line logged. */
bool server_listen(struct server *sv) MUST_USE;

/*
 * Starts the threads and accepts connections until a signal or a command ends
 * it.  True when it ended as told.
 */
bool server_run(struct server *sv) MUST_USE;

void server_free(struct server *sv);

#endif
