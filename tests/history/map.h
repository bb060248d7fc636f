/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * map.h - numbers to indexes; and arrays that grow.
 */
#ifndef TESTS_HISTORY_MAP_H
#define TESTS_HISTORY_MAP_H

#include <stddef.h>
#include <stdint.h>

#define NOTHING SIZE_MAX

/* Open addressing; key 0 is none. */
struct map {
	uint64_t *key;
	size_t *value;
	size_t slots, used;
};

/* The first value that a key is given stays. */
void map_put(struct map *m, uint64_t key, size_t value);

/* The last one does. */
void map_set(struct map *m, uint64_t key, size_t value);
size_t map_get(const struct map *m, uint64_t key);
void map_free(struct map *m);

/* Room for one more of n elements. */
void *array_grow(void *array, size_t n, size_t size);

/* The next element, all zero.  n counts what is in use. */
#define ARRAY_ADD(array, n)                                                    \
	((array) = array_grow((array), (n), sizeof(*(array))), &(array)[(n)++])

#endif
