/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * command.h - the table of commands.
 *
 * command.def has a row a command; everything that names a command is expanded
 * from it: this table, its lookup, the manual.
 *
 * Layer: proto.
 */
#ifndef PROTO_COMMAND_H
#define PROTO_COMMAND_H

#include <stddef.h>

#include "base/attr.h"
#include "proto/request.h"

enum command_flag {
	LINE_LONG = 1 << 0,
	MAY_BE_SILENT = 1 << 1,
	TAKES_DATA = 1 << 2,
	TEST_ONLY = 1 << 3,
};

struct command {
	const char *name;
	size_t len;
	unsigned flags;
	enum step (*run)(struct exec *x, struct request *req);
};

/* Builds the lookup.  Called once, before any session is fed. */
void command_start(void);

/* The command with that name, or NULL. */
const struct command *command_find(const char *name, size_t len);

/* The handlers: they answer into req->out, and never see a lock. */
enum step cmd_get(struct exec *x, struct request *req);
enum step cmd_gat(struct exec *x, struct request *req);
enum step cmd_store(struct exec *x, struct request *req);
enum step cmd_delete(struct exec *x, struct request *req);
enum step cmd_incr(struct exec *x, struct request *req);
enum step cmd_touch(struct exec *x, struct request *req);
enum step cmd_mg(struct exec *x, struct request *req);
enum step cmd_ms(struct exec *x, struct request *req);
enum step cmd_md(struct exec *x, struct request *req);
enum step cmd_ma(struct exec *x, struct request *req);
enum step cmd_me(struct exec *x, struct request *req);
enum step cmd_mn(struct exec *x, struct request *req);
enum step cmd_version(struct exec *x, struct request *req);
enum step cmd_stats(struct exec *x, struct request *req);
enum step cmd_quit(struct exec *x, struct request *req);
enum step cmd_flush_all(struct exec *x, struct request *req);
enum step cmd_verbosity(struct exec *x, struct request *req);
enum step cmd_cache_memlimit(struct exec *x, struct request *req);
enum step cmd_shutdown(struct exec *x, struct request *req);
enum step cmd_lru_crawler(struct exec *x, struct request *req);
enum step cmd_lease_get(struct exec *x, struct request *req);
enum step cmd_lease_set(struct exec *x, struct request *req);
enum step cmd_watch(struct exec *x, struct request *req);
enum step cmd_slabs(struct exec *x, struct request *req);
enum step cmd_lru(struct exec *x, struct request *req);
enum step cmd_refresh_certs(struct exec *x, struct request *req);
enum step cmd_debugtime(struct exec *x, struct request *req);

#endif
