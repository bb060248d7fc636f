/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lead.h - reads that may take a lease, or wait for somebody else's.
 *
 * A request that has to wait is not answered: its handler returns STEP_PARK,
 * and its line stays in the input.  When its wait is over the handler is called
 * again, and finds the outcome in the session.
 *
 * Layer: proto.
 */
#ifndef PROTO_LEAD_H
#define PROTO_LEAD_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/pending.h"
#include "proto/request.h"

/*
 * As cache_read() with spec->lead, but waits, if the request may, up to
 * `wait_ms` from the arrival of its line on.  PARKED: return STEP_PARK.
 * `lead` is spec->lead, which this function completes.
 */
enum result lead_read(struct exec *x, struct session *s, const struct key *key,
    const struct read_spec *spec, struct lead_spec *lead, uint32_t wait_ms,
    struct hit *hit);

/* The rule for a key of a client that knows nothing of leases, or NULL. */
const struct coalesce_rule *lead_rule(const struct exec *x,
    const struct key *key);

/* A stale value is for those who do not load it: a MISS for who does. */
enum result lead_shown(struct exec *x, struct hit *hit, enum result res);

/*
 * A rule leads a request that does not ask for leases; returns how long it may
 * wait, in ms.
 */
uint32_t lead_by_rule(const struct coalesce_rule *rule, struct lead_spec *lead,
    const struct request *req);

/*
 * What the item of a storage request has beside its value: what the request
 * says, what a token, a rule or the key's prefix adds.  In *extra, or NULL.
 */
const struct item_extra *lead_extra(const struct exec *x,
    const struct store_request *sr, struct item_extra *extra);

/* A store was refused by the guard of the key's rule: it has spoken. */
void lead_guarded(struct exec *x, struct session *s, const struct key *key);

/* The wait of a session ends with this outcome; its turn is next. */
void lead_wake(struct session *s, struct exec *x, enum wait_outcome outcome);

/* The session ends: its wait and its leases with it. */
void lead_end(struct session *s, struct exec *x);

#endif
