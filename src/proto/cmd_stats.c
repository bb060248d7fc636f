/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cmd_stats.c - stats and its sub-commands.
 *
 * The lines of plain `stats` stand in counter.def, in their order; a row that
 * is a GAUGE has its function here.
 */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/num.h"
#include "proto/command.h"
#include "proto/prefix.h"
#include "proto/stats.h"
#include "proto/text.h"

/* What one reply is made from, gathered once. */
struct picture {
	struct exec *x;
	struct text *text;
	struct store_sums sums;
	struct server_gauges server;
	struct feed_stats feed;
	struct rusage usage;
};

#define GAUGE_FUNCTION(name, fmt, value)                                       \
	static void gauge_##name(const struct picture *p)                      \
	{                                                                      \
		text_stat(p->text, #name, fmt, value);                         \
	}

#define U64(name, value) GAUGE_FUNCTION(name, "%" PRIu64, (uint64_t)(value))

U64(pid, getpid())
/* never 0: monitors divide by it */
U64(uptime, p->x->now - CLOCK_FIRST + 1)
U64(time, clock_unix(p->x->now))
GAUGE_FUNCTION(version, "%s", MEMCACHED_PROTOCOL_VERSION)
GAUGE_FUNCTION(libevent, "%s", p->x->env->libevent_version)
U64(pointer_size, 8 * sizeof(void *))
U64(max_connections, p->server.max_connections)
U64(curr_connections, p->server.curr_connections)
U64(connection_structures, p->server.connection_structures)
U64(read_buf_count, p->server.buffers)
U64(read_buf_bytes, p->server.buffer_bytes)
U64(read_buf_bytes_free, p->server.buffer_bytes_free)
U64(reserved_fds, p->server.reserved_fds)
U64(limit_maxbytes, atomic_load(&p->x->cache->store->limit))
U64(accepting_conns, p->server.accepting)
U64(threads, p->server.threads)
U64(hash_bytes, p->sums.table_bytes)
U64(lru_crawler_starts, p->sums.passes)
U64(log_worker_written, p->feed.written)
U64(log_watcher_skipped, p->feed.skipped)
U64(log_watcher_sent, p->feed.sent)
U64(log_watchers, p->feed.subscribers)
U64(bytes, p->sums.bytes)
U64(curr_items, p->sums.items)

static void
gauge_rusage_user(const struct picture *p)
{
	text_stat(p->text, "rusage_user", "%ld.%06ld",
	    (long)p->usage.ru_utime.tv_sec, (long)p->usage.ru_utime.tv_usec);
}

static void
gauge_rusage_system(const struct picture *p)
{
	text_stat(p->text, "rusage_system", "%ld.%06ld",
	    (long)p->usage.ru_stime.tv_sec, (long)p->usage.ru_stime.tv_usec);
}

static void
gauge_hash_power_level(const struct picture *p)
{
	unsigned level = 0;

	while ((uint64_t)2 << level <= p->sums.buckets)
		level++;
	text_stat(p->text, "hash_power_level", "%u", level);
}

static void
gauge_idle_kicks(const struct picture *p)
{
	if (p->server.idle_timeout)
		text_stat(p->text, "idle_kicks", "%" PRIu64,
		    counter_sum(p->x->env->counters, COUNTER_idle_kicks));
}

static void
general(struct exec *x, struct text *text)
{
	struct picture *p = malloc(sizeof(*p));

	if (p == NULL) {
		text->failed = true;
		return;
	}
	p->x = x;
	p->text = text;
	store_sum(x->cache->store, &p->sums);
	x->env->gauges(x->env->server, &p->server);
	p->feed = feed_stats(x->env->feed);
	getrusage(RUSAGE_SELF, &p->usage);
#define COUNTER(name, unit, sentence)                                          \
	text_stat(text, #name, "%" PRIu64,                                     \
	    counter_sum(x->env->counters, COUNTER_##name));
#define SHARD_COUNTER(name, unit, sentence)                                    \
	text_stat(text, #name, "%" PRIu64,                                     \
	    p->sums.counted[SHARD_COUNTER_##name]);
#define GAUGE(name, unit, sentence) gauge_##name(p);
#define FIXED(name, value, sentence) text_stat(text, #name, "%s", value);
#include "base/counter.def"
#undef COUNTER
#undef SHARD_COUNTER
#undef GAUGE
#undef FIXED
	free(p);
	text_add(text, "END\r\n");
}

static void
print_line(void *ctx, const char *name, const char *value)
{
	text_stat(ctx, name, "%s", value);
}

static void
settings(struct exec *x, struct text *text)
{
	x->env->report_settings(x->env->server, print_line, text);
	text_add(text, "END\r\n");
}

static void
conns(struct exec *x, struct text *text)
{
	x->env->report_conns(x->env->server, print_line, text);
	text_add(text, "END\r\n");
}

/* Where the memory is. */
static void
memory(struct store *st, const struct store_sums *sums, uint64_t resident,
    struct text *text)
{
	int64_t account = store_account(st);
	int64_t slabs = st->slabs != NULL ? slabs_bytes(st->slabs) : 0;
	int64_t spare = st->slabs != NULL ? slabs_free_bytes(st->slabs) : 0;
	double used = (double)(sums->bytes + sums->table_bytes);

	text_stat(text, "memory_limit", "%" PRId64, atomic_load(&st->limit));
	text_stat(text, "memory_reserved", "%" PRId64, account);
	text_stat(text, "memory_items", "%" PRIu64, sums->bytes);
	text_stat(text, "memory_tables", "%" PRIu64, sums->table_bytes);
	text_stat(text, "memory_slabs", "%" PRId64, slabs);
	text_stat(text, "memory_spare", "%" PRId64, spare);
	text_stat(text, "memory_withheld", "%" PRId64,
	    atomic_load(&st->squeeze));
	text_stat(text, "memory_resident", "%" PRIu64, resident);
	text_stat(text, "memory_fragmentation", "%.3f",
	    used > 0 ? (double)resident / used : 0);
	text_stat(text, "memory_overhead_per_item", "%.1f",
	    sums->items > 0 ?
		((double)account - (double)sums->bytes) / (double)sums->items :
		0);
	text_stat(text, "items_moved", "%" PRIu64, atomic_load(&st->moved));
}

/* What is ours alone: memcached's names are all in plain `stats`. */
static void
server(struct exec *x, struct text *text)
{
	struct store *st = x->cache->store;
	struct store_sums *sums = malloc(sizeof(*sums));
	struct server_gauges gauges;

	if (sums == NULL) {
		text->failed = true;
		return;
	}
	store_sum(st, sums);
	x->env->gauges(x->env->server, &gauges);
	text_stat(text, "program", "%s", PACKAGE_NAME);
	text_stat(text, "program_version", "%s", PACKAGE_VERSION);
	text_stat(text, "shards", "%u", st->shards);
	text_stat(text, "seq", "%" PRIu64, atomic_load(&st->seq));
	memory(st, sums, gauges.resident, text);
	free(sums);
	text_add(text, "END\r\n");
}

static void
reset(struct exec *x, struct text *text)
{
	counters_reset(x->env->counters);
	store_reset_counters(x->cache->store);
	prefix_clear(x->env->prefixes);
	text_add(text, "RESET\r\n");
}

static void
extstore(struct exec *x, struct text *text)
{
	(void)x;
	text_add(text, "END\r\n");
}

static enum step
detail(struct exec *x, struct request *req, const struct token *t, size_t n)
{
	struct prefix_table *prefixes = x->env->prefixes;
	size_t len;
	char *dump;

	if (!x->env->dump_enabled) {
		SAY(req, "CLIENT_ERROR stats detail not allowed\r\n");
	} else if (n > 2 && TOKEN_IS(t[2], "on")) {
		prefix_switch(prefixes, true);
		SAY(req, "OK\r\n");
	} else if (n > 2 && TOKEN_IS(t[2], "off")) {
		prefix_switch(prefixes, false);
		SAY(req, "OK\r\n");
	} else if (n > 2 && TOKEN_IS(t[2], "dump")) {
		dump = prefix_dump(prefixes, &len);
		if (dump == NULL)
			SAY(req, "SERVER_ERROR out of memory\r\n");
		else
			out_text(req->out, dump, len);
	} else {
		SAY(req, "CLIENT_ERROR usage: stats detail on|off|dump\r\n");
	}
	return STEP_DONE;
}

static const struct report {
	const char *name;
	void (*print)(struct exec *x, struct text *text);
} reports[] = {
	{ "settings", settings },
	{ "items", stats_items },
	{ "slabs", stats_slabs },
	{ "conns", conns },
	{ "server", server },
	{ "leases", stats_leases },
	{ "tags", stats_tags },
	{ "reset", reset },
	{ "extstore", extstore },
};

enum step
cmd_stats(struct exec *x, struct request *req)
{
	struct text text = { .p = NULL };
	struct token t[TOKEN_MAX];
	size_t n = request_split(req, t);

	if (n == 1) {
		general(x, &text);
		return text_send(&text, req);
	}
	if (TOKEN_IS(t[1], "detail"))
		return detail(x, req, t, n);
	if (TOKEN_IS(t[1], "sizes"))
		return stats_sizes(x, req);
	if (TOKEN_IS(t[1], "cachedump"))
		return stats_cachedump(x, req, t, n);
	for (size_t i = 0; i < sizeof(reports) / sizeof(reports[0]); i++)
		if (strlen(reports[i].name) == t[1].len &&
		    memcmp(reports[i].name, t[1].p, t[1].len) == 0) {
			reports[i].print(x, &text);
			return text_send(&text, req);
		}
	SAY(req, "ERROR\r\n");
	return STEP_DONE;
}
