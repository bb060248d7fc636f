/* SPDX-License-Identifier: BSD-3-Clause */
/* load_draw.c - which key is next, and its name. */
#include "config.h"

#include "load.h"

#include <math.h>
#include <string.h>

/* xoroshiro128+ (D. Blackman, S. Vigna). */
static uint64_t
next(struct draw *d)
{
	uint64_t a = d->state[0], b = d->state[1], sum = a + b;

	b ^= a;
	d->state[0] = (a << 24 | a >> 40) ^ b ^ (b << 16);
	d->state[1] = b << 37 | b >> 27;
	return sum;
}

uint64_t
draw_below(struct draw *d, uint64_t limit)
{
	return (uint64_t)((unsigned __int128)next(d) * limit >> 64);
}

/* Above 0, at most 1. */
static double
draw_unit(struct draw *d)
{
	return (double)((next(d) >> 11) + 1) / 9007199254740992.0;
}

double
draw_gap(struct draw *d, double rate)
{
	return -log(draw_unit(d)) * 1e9 / rate;
}

/*
 * Zipf by rejection-inversion (W. Hoermann, G. Derflinger, 1996): the area
 * under x^-s is drawn from and inverted, and the few points outside of the
 * distribution's steps are drawn again.
 */
static double
area(const struct zipf *z, double x)
{
	double lx = log(x), t = (1 - z->s) * lx;

	return (fabs(t) > 1e-8 ? expm1(t) / t : 1 + t / 2) * lx;
}

static double
area_inverse(const struct zipf *z, double y)
{
	double t = y * (1 - z->s);

	if (t < -1)
		t = -1;
	return exp((fabs(t) > 1e-8 ? log1p(t) / t : 1 - t / 2) * y);
}

static void
zipf_start(struct zipf *z, uint64_t keys, double s)
{
	z->s = s;
	z->n = (double)keys;
	if (s <= 0)
		return;
	z->low = area(z, 1.5) - 1;
	z->high = area(z, z->n + 0.5);
	z->cut = 2 - area_inverse(z, area(z, 2.5) - exp(-s * log(2)));
}

/* 0 is the most frequent. */
static uint64_t
zipf_rank(struct draw *d)
{
	const struct zipf *z = &d->zipf;

	for (;;) {
		double u = z->high + draw_unit(d) * (z->low - z->high);
		double x = area_inverse(z, u), k = floor(x + 0.5);

		if (k < 1)
			k = 1;
		else if (k > z->n)
			k = z->n;
		if (k - x <= z->cut ||
		    u >= area(z, k + 0.5) - exp(-z->s * log(k)))
			return (uint64_t)k - 1;
	}
}

void
draw_start(struct draw *d, uint64_t keys, double zipf)
{
	d->state[0] = 0x9e3779b97f4a7c15;
	d->state[1] = 0xbf58476d1ce4e5b9;
	d->keys = keys;
	zipf_start(&d->zipf, keys, zipf);
}

/*
 * Frequent keys are spread over those stored early and late: with a prime that
 * is larger than any number of keys, no two ranks become the same key.
 */
uint64_t
draw_key(struct draw *d)
{
	if (d->zipf.s <= 0)
		return draw_below(d, d->keys);
	return (
	    uint64_t)((unsigned __int128)zipf_rank(d) * 4294967291u % d->keys);
}

/* Eight hexadecimal digits at once, the lowest first. */
static void
hex(char *out, uint32_t v)
{
	uint64_t x = v, letters;

	x = (x << 16 | x) & 0x0000ffff0000ffff;
	x = (x << 8 | x) & 0x00ff00ff00ff00ff;
	x = (x << 4 | x) & 0x0f0f0f0f0f0f0f0f;
	letters = ((x + 0x0606060606060606) >> 4) & 0x0101010101010101;
	x += 0x3030303030303030 + letters * ('a' - '0' - 10);
	memcpy(out, &x, 8);
}

void
key_name(char *out, uint64_t key)
{
	memcpy(out, "bench:k:", 8);
	hex(out + 8, (uint32_t)(key >> 32));
	hex(out + 16, (uint32_t)key);
}
