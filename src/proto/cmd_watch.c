/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cmd_watch.c - watch: a connection becomes a stream of events.
 */
#include "config.h"

#include "proto/command.h"

static const struct {
	const char *name;
	uint32_t mask;
} classes[] = {
	{ "fetchers", FEED_FETCHERS },
	{ "mutations", FEED_MUTATIONS },
	{ "evictions", FEED_EVICTIONS },
	{ "connevents", FEED_CONNEVENTS },
	{ "deletions", FEED_DELETIONS },
	{ "sysevents", FEED_SYSEVENTS },
	{ "leases", FEED_LEASES },
	/* memcached's proxy has these; nothing here ever publishes them */
	{ "rawcmds", 0 },
	{ "proxyreqs", 0 },
	{ "proxyevents", 0 },
	{ "proxyuser", 0 },
};

static bool
add_class(struct token t, uint32_t *mask)
{
	for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
		if (strlen(classes[i].name) == t.len &&
		    memcmp(classes[i].name, t.p, t.len) == 0) {
			*mask |= classes[i].mask;
			return true;
		}
	return false;
}

static enum step
subscribe(struct exec *x, struct request *req, uint32_t mask)
{
	bool out_of_memory;
	struct subscriber *watcher = feed_subscribe(x->env->feed, mask,
	    x->env->watch_buffer, x->env->wake_watcher, req->s->conn,
	    &out_of_memory);

	if (watcher != NULL) {
		req->s->watcher = watcher;
		req->s->state = SESSION_WATCH;
		SAY(req, "OK\r\n");
	} else if (out_of_memory) {
		SAY(req, "WATCHER_FAILED failed to add log watcher\r\n");
	} else {
		SAY(req, "WATCHER_TOO_MANY log watcher limit reached\r\n");
	}
	return STEP_DONE;
}

enum step
cmd_watch(struct exec *x, struct request *req)
{
	struct token t[TOKEN_MAX];
	size_t n = request_split(req, t);
	uint32_t mask = n == 1 ? FEED_FETCHERS : 0;

	if (!x->env->watch_enabled) {
		SAY(req, "CLIENT_ERROR watch commands not allowed\r\n");
		return STEP_DONE;
	}
	if (!out_is_empty(req->out)) {
		SAY(req,
		    "ERROR cannot pipeline other commands before "
		    "watch\r\n");
		return STEP_DONE;
	}
	for (size_t i = 1; i < n; i++)
		if (!add_class(t[i], &mask)) {
			SAY(req, "ERROR\r\n");
			return STEP_DONE;
		}
	return subscribe(x, req, mask);
}
