/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stats.h - the reports of `stats` that go by size class, or are ours alone.
 *
 * Layer: proto.
 */
#ifndef PROTO_STATS_H
#define PROTO_STATS_H

#include "proto/request.h"

struct text;

void stats_items(struct exec *x, struct text *text);
void stats_slabs(struct exec *x, struct text *text);

void stats_leases(struct exec *x, struct text *text);
void stats_tags(struct exec *x, struct text *text);

/* These walk over all items: the reply is a dump. */
enum step stats_sizes(struct exec *x, struct request *req);
/* `stats cachedump <class> <limit>`; t[2] and t[3] are its words. */
enum step stats_cachedump(struct exec *x, struct request *req,
    const struct token *t, size_t n);

#endif
