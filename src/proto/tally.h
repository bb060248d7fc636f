/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tally.h - what classic and meta requests count alike.
 *
 * Layer: proto.
 */
#ifndef PROTO_TALLY_H
#define PROTO_TALLY_H

#include <stdbool.h>

#include "cache/cache.h"
#include "proto/session.h"

/* cas_hits, cas_badval, cas_misses: of set and replace with a number. */
void tally_cas(struct exec *x, const struct store_spec *spec, enum result res);

/* incr_hits, incr_misses and those of decr. */
void tally_arith(struct exec *x, bool decrement, enum result res);

#endif
