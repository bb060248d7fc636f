/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * siphash.h - a hash that only who has the key can compute.
 *
 * SipHash-2-4 (J.-P. Aumasson, D. J. Bernstein: "SipHash: a fast short-input
 * PRF", 2012).  For what a client must not be able to guess or to steer;
 * where a secret seed is enough, hash_key() is faster.
 *
 * Layer: base.
 */
#ifndef BASE_SIPHASH_H
#define BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

/* The same on every machine, whatever its byte order. */
uint64_t siphash24(const uint8_t key[16], const void *in, size_t n);

#endif
