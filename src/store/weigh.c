/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * weigh.c - what an item is worth, as a level of one byte.
 */
#include "config.h"

#include "store/weigh.h"

#include <stdbool.h>

#include "base/check.h"

/* A way to weigh: worth = hits term / size^slope. */
struct way {
	uint8_t hits[WEIGH_HITS_MAX + 1]; /* logarithm of the term, in 1/16 */
	uint8_t slope;                    /* in 1/64 */
	bool slow;                        /* sinks at 1/100 of the pace */
};

static const struct way ways[WEIGH_WAYS] = {
	/* (hits + 2) / size^0.8 */
	[WEIGH_SAFE] = { { 0, 0, 7, 12, 16, 20, 23, 26, 28, 30, 32, 34, 36, 38,
			     39, 40 },
	    51, false },
	/* hits^0.8 / size^1.15 */
	[WEIGH_SMALL] = { { 0, 0, 13, 20, 26, 30, 33, 36, 38, 41, 43, 44, 46,
			      47, 49, 50 },
	    74, false },
	[WEIGH_LASTING] = { { 0, 0, 13, 20, 26, 30, 33, 36, 38, 41, 43, 44, 46,
				47, 49, 50 },
	    74, true },
	/* hits^0.5 / size^0.3 */
	[WEIGH_RECENT] = { { 0, 0, 8, 13, 16, 19, 21, 22, 24, 25, 27, 28, 29,
			       30, 30, 31 },
	    19, false },
};

unsigned
weigh_log(uint64_t x)
{
	static const uint8_t part[16] = { 0, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12,
		13, 14, 15, 15 };
	unsigned top = 63 - (unsigned)__builtin_clzll(x);

	return top * 16 +
	    part[(top >= 4 ? x >> (top - 4) : x << (4 - top)) & 15];
}

uint8_t
weigh(enum weigh_way way, unsigned hits, unsigned log_size, unsigned log_mean,
    int cost)
{
	const struct way *w = &ways[way];
	int size = w->slope * ((int)log_size - (int)log_mean) / 64;
	int level;

	DCHECK(hits >= 1 && hits <= WEIGH_HITS_MAX);
	level = WEIGH_MIDDLE + (w->hits[hits] - size) * WEIGH_DOUBLING / 16 +
	    cost;
	return (uint8_t)(level < 1 ? 1 : level > UINT8_MAX ? UINT8_MAX : level);
}

/*
 * Worth w of which f is taken: log2(1 - f / w) levels, in 1/65536.  Far above
 * the floor it is in proportion to f / w, and halves every 8 levels.
 */
static uint32_t
loss_of(bool slow, unsigned above)
{
	static const uint32_t all[32] = { UINT32_MAX >> 1, 1882621, 1390392,
		1115289, 928804, 790665, 682935, 596046, 524288, 463980, 412610,
		368385, 329985, 296408, 266875, 240770, 217599, 196958, 178512,
		161984, 147138, 133777, 121728, 110845, 101002, 92086, 84002,
		76664, 69997, 63935, 58418, 53394 };
	static const uint32_t hundredth[8] = { 7564, 6936, 6360, 5833, 5348,
		4905, 4498, 4124 };

	if (slow)
		return hundredth[above % 8] >> above / 8;
	if (above < 32)
		return all[above];
	return all[24 + above % 8] >> (above - 24) / 8;
}

uint8_t
weigh_sunken(enum weigh_way way, uint8_t level, unsigned floor, uint32_t dice)
{
	uint32_t loss;

	DCHECK(level >= floor);
	loss = (loss_of(ways[way].slow, level - floor) + (dice & 0xffff)) >> 16;
	return (uint8_t)(loss < level ? level - loss : 0);
}

float
weigh_sinks(enum weigh_way way, size_t items)
{
	/* one of 64 items goes while a hand takes the floor from all others */
	float rate = ways[way].slow ? 0.64f : 64;

	return rate < (float)(items + 1) ? rate / (float)(items + 1) : 1;
}

float
weigh_worth(uint8_t level)
{
	static const float part[WEIGH_DOUBLING] = { 1, 1.0905f, 1.1892f,
		1.2968f, 1.4142f, 1.5422f, 1.6818f, 1.8340f };

	return part[level % WEIGH_DOUBLING] *
	    (float)((uint64_t)1 << level / WEIGH_DOUBLING);
}
