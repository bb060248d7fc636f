/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rng.h - random numbers that can be had again.
 *
 * A test that draws at random begins with rng_start(): its seed is printed,
 * and TEST_SEED in the environment puts another in its place.
 */
#ifndef TESTS_RNG_H
#define TESTS_RNG_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

struct rng {
	uint64_t state;
};

static inline struct rng
rng_start(const char *what, uint64_t seed)
{
	const char *other = getenv("TEST_SEED");

	if (other != NULL)
		seed = strtoull(other, NULL, 0);
	printf("# %s: seed %" PRIu64 "\n", what, seed);
	return (struct rng){ seed };
}

/* 64 random bits (S. Vigna's splitmix64). */
static inline uint64_t
rng_next(struct rng *r)
{
	uint64_t z = r->state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/* A number below n; 0 for 0. */
static inline uint64_t
rng_below(struct rng *r, uint64_t n)
{
	return n > 0 ? rng_next(r) % n : 0;
}

static inline bool
rng_one_in(struct rng *r, uint64_t n)
{
	return rng_below(r, n) == 0;
}

/* A number of up to `bits` bits; every length is as likely. */
static inline uint64_t
rng_any(struct rng *r, unsigned bits)
{
	uint64_t n = rng_below(r, bits + 1);

	return n == 0 ? 0 : rng_next(r) >> (64 - n);
}

static inline void
rng_fill(struct rng *r, void *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		((unsigned char *)p)[i] = (unsigned char)rng_next(r);
}

/* n bytes of a seed's own, to be freed; a NUL stands behind them. */
static inline char *
rng_bytes(size_t n, uint64_t seed)
{
	struct rng r = { seed };
	char *p = malloc(n + 1);

	if (p == NULL)
		abort();
	rng_fill(&r, p, n);
	p[n] = '\0';
	return p;
}

#endif
