/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * option.h - the command line: parse, print, report.
 *
 * Every option is one row of option.def; this module turns the rows into the
 * parser, the defaults, the range errors, the help text and the lines of
 * `stats settings`.  The words, limits, messages and exit statuses are
 * memcached's, so that a script written for it works unchanged.
 *
 * Only main.c includes this header: it copies what it finds here into the
 * small config structs of the modules, which know nothing of options.
 *
 * Layer: none (beside main.c).
 */
#ifndef OPTION_H
#define OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "cache/lease_config.h"

/* The level of memcached's protocol that `version` states on the wire. */
#define OPTION_WIRE_VERSION "1.6.45"

/* What main.c says when it meets these, with exit status 64, 67 and 64. */
#define OPTION_SAY_NEEDS_USER "must add '-u root' to start as root"
#define OPTION_SAY_NO_USER "can't find the user %s to switch to"

/* The exit statuses of <sysexits.h> that the command line can lead to. */
enum {
	OPTION_EXIT_BAD = 1,    /* most bad values */
	OPTION_EXIT_USAGE = 64, /* options that contradict each other */
	OPTION_EXIT_NO_USER = 67,
	OPTION_EXIT_OS = 71, /* an address that cannot be listened on */
};

enum option_outcome {
	OPTIONS_RUN,   /* start the server */
	OPTIONS_EXIT,  /* all said (-h, -V, -i): exit with status 0 */
	OPTIONS_ERROR, /* one line was printed: exit with ->exit_status */
};

enum option_protocol {
	PROTOCOL_AUTO, /* text; a binary client is told so and closed */
	PROTOCOL_ASCII,
};

/* One address of -l. */
struct listen_spec {
	char *host; /* NULL: every address (`*`); else a name or number */
	int port;   /* -1: ->port of the options; 0: any free one */
	enum listen_mode mode;
	uint32_t wait_ms; /* of LISTEN_LEASE: how long requests may wait */
};

struct options {
	int exit_status; /* after OPTIONS_ERROR */

	/* network */
	int port;                   /* 0: no TCP; -1: any free port */
	bool port_set;              /* -p was given */
	int udp_port;               /* as asked for; UDP is not served */
	char *unix_path;            /* NULL: none; else TCP is off */
	mode_t unix_mask;           /* access bits of the socket file: 0700 */
	struct listen_spec *listen; /* none given: loopback only */
	size_t n_listen;
	char *inter; /* what -l said, joined by commas; or NULL */
	int conn_limit;
	int backlog;
	enum option_protocol protocol;
	bool maxconns_fast; /* close what comes over the limit at once */
	int idle_timeout;   /* seconds; 0: never */

	/* memory */
	size_t memory_limit;  /* bytes */
	bool evictions;       /* false: an error instead (-M) */
	size_t item_size_max; /* bytes */
	bool lock_memory;
	bool cas_enabled;
	uint32_t shards; /* a power of two; 0: by the threads */

	/* process */
	bool daemonize;
	bool core_dumps;
	char *user;    /* NULL: stay who we are */
	char *pidfile; /* NULL: none */
	int verbosity; /* number of -v */
	int threads;
	int reqs_per_event;
	bool drop_privileges; /* asked for; there is no system call filter */

	/* commands */
	bool shutdown_enabled;
	bool flush_enabled;
	bool dump_enabled; /* cachedump, metadump, mgdump, detail */
	bool watch_enabled;
	bool detail_enabled; /* `stats detail` counts from the start */
	bool track_sizes;
	char prefix_delimiter;
	bool debug_commands; /* debugtime; for tests only */

	/* leases, versions, tags: whole, but owned by the fields below it */
	struct lease_config lease;
	struct coalesce_rule *coalesce; /* lease.rules of them, and prefixes */
	char *tag_key_prefix;

	/*
	 * Accepted and checked, but without effect: `stats settings` repeats
	 * them, nothing else reads them.
	 */
	double growth_factor;
	int chunk_size;
	int hashpower_init;
	int slab_automove;
	double slab_automove_ratio;
	int slab_automove_window;
	double slab_automove_freeratio;
	size_t slab_chunk_max;
	int lru_crawler_sleep;
	size_t lru_crawler_tocrawl;
	int tail_repair_time;
	int hot_lru_pct;
	int warm_lru_pct;
	double hot_max_factor;
	double warm_max_factor;
	int temporary_ttl;
	size_t watcher_logbuf_size; /* bytes */
	size_t worker_logbuf_size;  /* bytes */
	size_t read_buf_mem_limit;  /* bytes; 0: no limit */
};

/* What `stats settings` shows and commands can change at run time. */
struct option_live {
	size_t maxbytes;
	int verbosity;
	long oldest; /* seconds since start of the last flush_all; 0: none */
	bool detail; /* `stats detail` counts now */
};

typedef void option_stat(void *ctx, const char *name, const char *value);

/*
 * Reads the command line into `o`, which the caller gives back with
 * options_free() whatever the outcome.  Texts asked for go to `out`; one line
 * for an error, or one for each accepted option without effect, to `err`.
 * Like getopt_long() it may reorder argv.
 */
enum option_outcome options_parse(struct options *o, int argc, char **argv,
    FILE *out, FILE *err) __attribute__((warn_unused_result));

void options_free(struct options *o);

/* Calls `stat` for each line of `stats settings`, in memcached's order. */
void options_report(const struct options *o, const struct option_live *live,
    option_stat *stat, void *ctx);

#endif
