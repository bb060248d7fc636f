/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sizeclass.c - memcached's slab classes, as a way of counting.
 */
#include "config.h"

#include "store/sizeclass.h"

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

unsigned
sizeclass_of(size_t size)
{
	unsigned low = SIZECLASS_FIRST, high = SIZECLASS_COUNT - 1;

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
