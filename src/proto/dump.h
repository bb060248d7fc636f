/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dump.h - lru_crawler metadump and mgdump: listing all keys.
 *
 * The listing is produced as the client reads it: it holds a place in the
 * table, not a copy of it.
 *
 * Layer: proto.
 */
#ifndef PROTO_DUMP_H
#define PROTO_DUMP_H

#include "proto/request.h"

struct dump;

enum dump_form { DUMP_META, DUMP_MG };

/*
 * Turns the session into a listing of the classes in the set (bit n for class
 * n).  False when out of memory.
 */
bool dump_start(struct session *s, enum dump_form form,
    uint64_t classes) MUST_USE;

/* Adds lines while there is room; at the end the session takes commands. */
enum step dump_step(struct session *s, struct exec *x);

void dump_free(struct dump *d);

#endif
