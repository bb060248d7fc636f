/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dump.h - replies that are made from all items: lru_crawler metadump and
 * mgdump, stats cachedump, stats sizes.
 *
 * They are made in pieces, between which others are served, and no faster than
 * the client reads: a dump holds a place in the table, not a copy of it.
 *
 * Layer: proto.
 */
#ifndef PROTO_DUMP_H
#define PROTO_DUMP_H

#include "proto/request.h"

struct dump;

enum dump_form {
	DUMP_META,
	DUMP_MG,
	DUMP_ITEMS, /* stats cachedump */
	DUMP_SIZES, /* stats sizes: how many items there are of each */
};

struct dump_spec {
	enum dump_form form;
	uint64_t classes; /* bit n for class n */
	uint64_t limit;   /* of DUMP_ITEMS, lines; 0: as many as it may have */
};

/* Turns the session into a dump.  False when out of memory. */
bool dump_start(struct session *s, struct exec *x,
    const struct dump_spec *spec) MUST_USE;

/* Adds lines while there is room; at the end the session takes commands. */
enum step dump_step(struct session *s, struct exec *x);

void dump_free(struct dump *d);

#endif
