/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sizeclass.c - memcached's slab classes, as a way of counting.
 */
#include "config.h"

#include "store/sizeclass.h"

#include "base/attr.h"

static const uint32_t chunk[SIZECLASS_COUNT] = { 0, 96, 120, 152, 192, 240, 304,
	384, 480, 600, 752, 944, 1184, 1480, 1856, 2320, 2904, 3632, 4544, 5680,
	7104, 8880, 11104, 13880, 17352, 21696, 27120, 33904, 42384, 52984,
	66232, 82792, 103496, 129376, 161720, 202152, 252696, 315872, 394840,
	524288 };

size_t
sizeclass_item_size(size_t key_len, size_t value_len, uint32_t client_flags)
{
	return SIZECLASS_HEADER + 8 + key_len + 1 +
	    (client_flags != 0 ? 4 : 0) + value_len + 2;
}

/* Classes of sizes up to DIRECT, by the size in units of 8 bytes. */
enum { DIRECT = 2320 };
static const uint8_t direct[DIRECT / 8 + 1] = {
	[0 ... 12] = 1,
	[13 ... 15] = 2,
	[16 ... 19] = 3,
	[20 ... 24] = 4,
	[25 ... 30] = 5,
	[31 ... 38] = 6,
	[39 ... 48] = 7,
	[49 ... 60] = 8,
	[61 ... 75] = 9,
	[76 ... 94] = 10,
	[95 ... 118] = 11,
	[119 ... 148] = 12,
	[149 ... 185] = 13,
	[186 ... 232] = 14,
	[233 ... 290] = 15,
};

unsigned
sizeclass_of(size_t size)
{
	unsigned low = SIZECLASS_FIRST, high = SIZECLASS_COUNT - 1;

	if (LIKELY(size <= DIRECT))
		return direct[(size + 7) / 8];
	while (low < high) {
		unsigned mid = (low + high) / 2;

		if (chunk[mid] >= size)
			high = mid;
		else
			low = mid + 1;
	}
	return low;
}

size_t
sizeclass_chunk(unsigned class_id)
{
	return chunk[class_id];
}
