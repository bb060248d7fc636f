/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * weigh.h - what an item is worth, as a level of one byte.
 *
 * Worth is what a hit saves, times how often the item was asked for, to its
 * size: Greedy-Dual-Size-Frequency (Cherkasova, HPL-98-69, 1998).  A level is
 * its logarithm, WEIGH_DOUBLING levels to a factor of two, so that one byte
 * holds a range of 2^32 with an error of 5 %.
 *
 * Levels sink while the item is not hit: Greedy-Dual takes from the worth of
 * all items what the victims were worth.  Where that is done is the caller's
 * business; weigh_sunken() tells how far.
 *
 * No one formula suits all workloads, so there are several ways to weigh; see
 * doc/eviction.md for what each is good at, and store/trial.h for the choice.
 *
 * Layer: store.
 */
#ifndef STORE_WEIGH_H
#define STORE_WEIGH_H

#include <stddef.h>
#include <stdint.h>

enum {
	WEIGH_DOUBLING = 8, /* levels to a factor of two */
	WEIGH_MIDDLE = 128, /* an item of mean size, hit once, at mean cost */
	WEIGH_HITS_MAX = 15,
	WEIGH_COST_MAX = 6 * WEIGH_DOUBLING, /* dearest: 64 times the mean */
};

enum weigh_way {
	WEIGH_SAFE,    /* sizes and hits count for less */
	WEIGH_SMALL,   /* sizes count for more */
	WEIGH_LASTING, /* so they do; what is worth much sinks slowly */
	WEIGH_RECENT,  /* not far from a plain LRU */
	WEIGH_WAYS,
};

/* log2(x) in 1/16; x > 0. */
unsigned weigh_log(uint64_t x);

/*
 * The level of an item that was asked for `hits` times (1 to WEIGH_HITS_MAX).
 * Size and mean size are as weigh_log() gives them; `cost` is in levels: the
 * logarithm of what a hit saves, 0 for the mean.
 */
uint8_t weigh(enum weigh_way way, unsigned hits, unsigned log_size,
    unsigned log_mean, int cost);

/*
 * The level to which one that stays sinks when those below `floor` go.
 * `dice` is random: less than a level is left to chance.
 */
uint8_t weigh_sunken(enum weigh_way way, uint8_t level, unsigned floor,
    uint32_t dice);

/*
 * The same where worth is not rounded: each victim takes this part of its own
 * worth from all `items` that stay.
 */
float weigh_sinks(enum weigh_way way, size_t items);
float weigh_worth(uint8_t level);

#endif
