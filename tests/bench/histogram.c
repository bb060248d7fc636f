/* SPDX-License-Identifier: BSD-3-Clause */
/* histogram.c - see histogram.h. */
#include "config.h"

#include "histogram.h"

#include <math.h>

/*
 * Values below 256 have a slot each; above, the highest bit picks the row, and
 * the seven bits below it the slot.
 */
static unsigned
slot_of(uint64_t v)
{
	unsigned shift = 0;

	if (v >> (HISTOGRAM_BITS + 1) != 0)
		shift = 63 - HISTOGRAM_BITS - (unsigned)__builtin_clzll(v);
	return (shift << HISTOGRAM_BITS) + (unsigned)(v >> shift);
}

/* The highest value of a slot. */
static uint64_t
top_of(unsigned slot)
{
	unsigned shift = slot >> HISTOGRAM_BITS;

	if (shift > 0)
		shift--;
	return ((uint64_t)(slot - (shift << HISTOGRAM_BITS) + 1) << shift) - 1;
}

void
histogram_add(struct histogram *h, int64_t ns)
{
	if (ns < 0)
		ns = 0;
	h->slot[slot_of((uint64_t)ns)]++;
	h->total++;
	if (ns > h->max)
		h->max = ns;
}

int64_t
histogram_at(const struct histogram *h, double share)
{
	uint64_t wanted = (uint64_t)ceil(share * (double)h->total), seen = 0;

	for (unsigned i = 0; i < HISTOGRAM_SLOTS && h->total > 0; i++) {
		seen += h->slot[i];
		if (seen >= wanted && seen > 0) {
			int64_t top = (int64_t)top_of(i);

			return top < h->max ? top : h->max;
		}
	}
	return 0;
}
