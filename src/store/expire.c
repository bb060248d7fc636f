/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * expire.c - a timing wheel that costs one byte an item.
 */
#include "config.h"

#include "store/expire.h"

#include <string.h>

enum { POSITIONS = 63, LEVELS = 4, LEVEL_BITS = 4, NEAR = 60 };

static unsigned
level_for(rel_time delta)
{
	unsigned level = 0;

	/* Below NEAR units the position can't have been passed already. */
	while (
	    level < LEVELS - 1 && delta >= (rel_time)NEAR << LEVEL_BITS * level)
		level++;
	return level;
}

expire_code
expire_position(rel_time exptime, rel_time now)
{
	unsigned level;

	if (exptime == 0)
		return 0;
	if (exptime <= now)
		exptime = now + 1;
	level = level_for(exptime - now);
	return (expire_code)(1 + level * POSITIONS +
	    (exptime >> LEVEL_BITS * level) % POSITIONS);
}

void
expire_passed(struct expire_due *due, rel_time from, rel_time to)
{
	memset(due, 0, sizeof(*due));
	for (unsigned level = 0; level < LEVELS; level++) {
		rel_time at = from >> LEVEL_BITS * level;
		rel_time steps = (to >> LEVEL_BITS * level) - at;

		/* Time that ran backwards passes every position. */
		if (to < from || steps > POSITIONS)
			steps = POSITIONS;
		for (; steps > 0; steps--) {
			unsigned c = 1 + level * POSITIONS + ++at % POSITIONS;

			due->code[c >> 6] |= (uint64_t)1 << (c & 63);
		}
	}
}

void
expire_everything(struct expire_due *due)
{
	memset(due, 0xff, sizeof(*due));
}
