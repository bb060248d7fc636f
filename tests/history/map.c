/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * map.c - numbers to indexes; and arrays that grow.
 */
#include "config.h"

#include "map.h"

#include <stdlib.h>
#include <string.h>

void *
array_grow(void *array, size_t n, size_t size)
{
	if ((n & (n - 1)) == 0) {
		array = realloc(array, size * (n == 0 ? 1 : 2 * n));
		if (array == NULL)
			abort();
	}
	memset((char *)array + n * size, 0, size);
	return array;
}

static size_t
slot_of(const struct map *m, uint64_t key)
{
	size_t i = (size_t)(key * 0x9e3779b97f4a7c15u >> 20);

	for (i &= m->slots - 1; m->key[i] != 0 && m->key[i] != key;)
		i = (i + 1) & (m->slots - 1);
	return i;
}

static void
grow(struct map *m)
{
	struct map bigger = { .slots = m->slots == 0 ? 64 : 2 * m->slots };

	bigger.key = calloc(bigger.slots, sizeof(*bigger.key));
	bigger.value = calloc(bigger.slots, sizeof(*bigger.value));
	if (bigger.key == NULL || bigger.value == NULL)
		abort();
	for (size_t i = 0; i < m->slots; i++) {
		if (m->key[i] != 0)
			map_set(&bigger, m->key[i], m->value[i]);
	}
	map_free(m);
	*m = bigger;
}

void
map_set(struct map *m, uint64_t key, size_t value)
{
	size_t i;

	if (key == 0)
		return;
	if (m->used * 2 >= m->slots)
		grow(m);
	i = slot_of(m, key);
	m->used += m->key[i] == 0;
	m->key[i] = key;
	m->value[i] = value;
}

void
map_put(struct map *m, uint64_t key, size_t value)
{
	if (map_get(m, key) == NOTHING)
		map_set(m, key, value);
}

size_t
map_get(const struct map *m, uint64_t key)
{
	size_t i;

	if (key == 0 || m->slots == 0)
		return NOTHING;
	i = slot_of(m, key);
	return m->key[i] == key ? m->value[i] : NOTHING;
}

void
map_free(struct map *m)
{
	free(m->key);
	free(m->value);
	memset(m, 0, sizeof(*m));
}
