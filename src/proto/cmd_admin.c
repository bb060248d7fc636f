/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cmd_admin.c - what operators and clients' housekeeping send.
 */
#include "config.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/num.h"
#include "proto/command.h"

enum { MEGABYTE = 1024 * 1024, MEMLIMIT_MIN = 8, VERBOSITY_MAX = 2 };

/* As memcached: what is larger was meant as bytes. */
#define MEMLIMIT_MAX ((uint64_t)1000 * 1000 * 1000)

enum step
cmd_version(struct exec *x, struct request *req)
{
	(void)x;
	SAY(req, "VERSION " MEMCACHED_PROTOCOL_VERSION "\r\n");
	return STEP_DONE;
}

enum step
cmd_quit(struct exec *x, struct request *req)
{
	(void)x;
	(void)req;
	return STEP_CLOSE;
}

enum step
cmd_flush_all(struct exec *x, struct request *req)
{
	struct token t[TOKEN_MAX];
	size_t n = request_split(req, t);
	struct store *store = x->cache->store;
	int64_t delay = 0;

	COUNT(x->counters, cmd_flush);
	if (!x->env->flush_enabled) {
		SAY(req, "CLIENT_ERROR flush_all not allowed\r\n");
		return STEP_DONE;
	}
	request_strip_noreply(t, &n);
	if (n > 1 &&
	    !num_signed(t[1].p, t[1].len, INT32_MIN, UINT32_MAX, &delay)) {
		SAY(req, SAY_BAD_EXPTIME);
		return STEP_DONE;
	}
	if ((int32_t)delay <= 0) {
		cache_flush(x->cache, x->local, x->now);
	} else {
		rel_time at = clock_exptime((int32_t)delay, x->now);

		/*
		 * memcached's clock has the items of a second in one heap: it
		 * flushes from one second before the time on.
		 */
		store_flush_at(store, at > CLOCK_FIRST ? at - 1 : 0);
		if (store_flush_is_due(store, x->now))
			cache_flush_due(x->cache, x->local, x->now);
	}
	SAY(req, "OK\r\n");
	return STEP_DONE;
}

enum step
cmd_verbosity(struct exec *x, struct request *req)
{
	struct token t[TOKEN_MAX];
	size_t n = request_split(req, t);
	uint64_t level;

	(void)x;
	request_strip_noreply(t, &n);
	if (n < 2 || !num_loose(t[1].p, t[1].len, UINT32_MAX, &level)) {
		SAY(req, SAY_BAD_FORMAT);
		return STEP_DONE;
	}
	log_set_verbosity(level > VERBOSITY_MAX ? VERBOSITY_MAX : (int)level);
	SAY(req, "OK\r\n");
	return STEP_DONE;
}

enum step
cmd_cache_memlimit(struct exec *x, struct request *req)
{
	struct token t[TOKEN_MAX];
	size_t n = request_split(req, t);
	uint64_t megabytes;

	request_strip_noreply(t, &n);
	if (n < 2 || !num_loose(t[1].p, t[1].len, UINT32_MAX, &megabytes)) {
		SAY(req, "ERROR\r\n");
	} else if (megabytes < MEMLIMIT_MIN) {
		SAY(req,
		    "MEMLIMIT_TOO_SMALL cannot set maxbytes to less "
		    "than 8m\r\n");
	} else if (megabytes > MEMLIMIT_MAX) {
		SAY(req,
		    "MEMLIMIT_ADJUST_FAILED input value is megabytes "
		    "not bytes\r\n");
	} else {
		store_set_limit(x->cache->store, (size_t)megabytes * MEGABYTE);
		log_info("memory limit changed megabytes=%llu",
		    (unsigned long long)megabytes);
		SAY(req, "OK\r\n");
	}
	return STEP_DONE;
}

enum step
cmd_shutdown(struct exec *x, struct request *req)
{
	struct token t[TOKEN_MAX];
	size_t n = request_split(req, t);

	if (!x->env->shutdown_enabled) {
		SAY(req, "SERVER_ERROR: shutdown not enabled\r\n");
		return STEP_DONE;
	}
	request_strip_noreply(t, &n);
	if (n > 1 && !TOKEN_IS(t[1], "graceful")) {
		SAY(req, "CLIENT_ERROR invalid shutdown mode\r\n");
		return STEP_DONE;
	}
	x->env->shutdown(x->env->server, n > 1);
	return STEP_CLOSE;
}

enum step
cmd_refresh_certs(struct exec *x, struct request *req)
{
	(void)x;
	SAY(req, "Error TLS not enabled\r\n");
	return STEP_DONE;
}

enum step
cmd_debugtime(struct exec *x, struct request *req)
{
	struct token t[TOKEN_MAX];
	size_t n = request_split(req, t);
	int64_t seconds;

	(void)x;
	if (n > 1 && TOKEN_IS(t[1], "p")) {
		clock_pause(true);
	} else if (n > 1 && TOKEN_IS(t[1], "r")) {
		clock_pause(false);
	} else if (n > 1 &&
	    num_signed(t[1].p, t[1].len, INT32_MIN, INT32_MAX, &seconds)) {
		clock_move(seconds);
	} else {
		SAY(req, "ERROR\r\n");
		return STEP_DONE;
	}
	/* The rest of this batch already lives in the new time. */
	x->now_ms = x->local->now_ms = clock_ms();
	x->now = clock_rel(x->now_ms);
	SAY(req, "OK\r\n");
	return STEP_DONE;
}
