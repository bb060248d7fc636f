/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hash.c - the hash of a key.
 */
#include "config.h"

#include "base/hash.h"

#include <sys/random.h>

#include "base/check.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

static uint64_t seed;

void
hash_start(void)
{
	CHECK(getrandom(&seed, sizeof(seed), 0) == sizeof(seed));
}

uint64_t
hash_key(const char *key, size_t len)
{
	return XXH3_64bits_withSeed(key, len, seed);
}
