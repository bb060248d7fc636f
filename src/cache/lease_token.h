/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lease_token.h - the right to fill, as a number.
 *
 *	63 62 61 60                   18 17       0
 *	 0  0  1  seq of the grant, 43    mac, 18
 *
 * A token is checked without a table: the mac is 18 bits of SipHash-2-4 over
 * key and seq, keyed with a secret that is new at each start.  It keeps out
 * mistakes (another key, another server, another life of this one); it gives
 * an attacker nothing that `set` would not.  Tokens of one process rise with
 * their grants, so that they also serve as fencing numbers, and none is as low
 * as a CAS number of the server's own.
 *
 * Layer: cache.
 */
#ifndef CACHE_LEASE_TOKEN_H
#define CACHE_LEASE_TOKEN_H

#include <stdbool.h>
#include <stdint.h>

#include "store/item.h"

enum { LEASE_SECRET_SIZE = 16 };

uint64_t lease_token(const uint8_t secret[LEASE_SECRET_SIZE],
    const struct key *key, uint64_t seq);

/* The number of the grant that a token was made for. */
uint64_t lease_token_seq(uint64_t token);

/* Whether the token was made for this key; *seq is its grant's number. */
bool lease_token_read(const uint8_t secret[LEASE_SECRET_SIZE],
    const struct key *key, uint64_t token, uint64_t *seq);

#endif
