/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * events.h - what watchers are told of requests.
 *
 * Each function costs one relaxed load when nobody watches.
 *
 * Layer: proto.
 */
#ifndef PROTO_EVENTS_H
#define PROTO_EVENTS_H

#include "proto/pending.h"
#include "proto/request.h"

void event_get(struct exec *x, const struct session *s, const struct key *key,
    enum result res, const struct hit *hit);
/* `done` is there when something was stored. */
void event_store(struct exec *x, const struct request *req,
    const struct store_request *sr, enum result res, const struct stored *done);
void event_deleted(struct exec *x, const struct key *key, const char *cmd,
    uint32_t size);

#endif
