/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * histogram.h - how often each length of time was seen, in ns, to one in 128.
 *
 * Log-linear: 128 steps from each power of two to the next, so that all values
 * of 63 bits fit, and a percentile is at most 0.8 % too high, never too low.
 */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stdint.h>

enum { HISTOGRAM_BITS = 7, HISTOGRAM_SLOTS = (64 - HISTOGRAM_BITS) << 7 };

struct histogram {
	uint64_t slot[HISTOGRAM_SLOTS], total;
	int64_t max;
};

void histogram_add(struct histogram *h, int64_t ns);

/* The length that the given share (0.999) of all do not exceed; 0 if none. */
int64_t histogram_at(const struct histogram *h, double share);

#endif
