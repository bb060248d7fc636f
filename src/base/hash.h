/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hash.h - the hash of a key.
 *
 * XXH3 with a seed drawn at start, so that a client can't choose keys that
 * share a bucket.  (Y. Collet, xxHash, https://xxhash.com)
 *
 * Layer: base.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/* Draws the seed.  Called once, before any key is hashed. */
void hash_start(void);

uint64_t hash_key(const char *key, size_t len);

#endif
