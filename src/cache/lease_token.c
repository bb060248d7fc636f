/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lease_token.c - the right to fill, as a number.
 */
#include "config.h"

#include "cache/lease_token.h"

#include <string.h>

#include "base/siphash.h"
#include "store/store.h"

enum { MAC_BITS = 18 };

#define TOKEN_BASE ((uint64_t)1 << 61)

static uint64_t
mac(const uint8_t secret[LEASE_SECRET_SIZE], const struct key *key,
    uint64_t seq)
{
	char text[KEY_MAX + sizeof(seq)];
	uint64_t bits;

	memcpy(text, &seq, sizeof(seq));
	memcpy(text + sizeof(seq), key->data, key->len);
	bits = siphash24(secret, text, sizeof(seq) + key->len) >>
	    (64 - MAC_BITS);
	/* Never 0, so that no token is a round number. */
	return bits != 0 ? bits : 1;
}

uint64_t
lease_token(const uint8_t secret[LEASE_SECRET_SIZE], const struct key *key,
    uint64_t seq)
{
	return TOKEN_BASE + (seq << MAC_BITS) + mac(secret, key, seq);
}

uint64_t
lease_token_seq(uint64_t token)
{
	return (token - TOKEN_BASE) >> MAC_BITS;
}

bool
lease_token_read(const uint8_t secret[LEASE_SECRET_SIZE], const struct key *key,
    uint64_t token, uint64_t *seq)
{
	uint64_t bits = token & (((uint64_t)1 << MAC_BITS) - 1);

	if (token < TOKEN_BASE || token >= 2 * TOKEN_BASE)
		return false;
	*seq = lease_token_seq(token);
	return bits == mac(secret, key, *seq);
}
