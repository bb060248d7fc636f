/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * counter.c - counters that cost a plain add.
 */
#include "config.h"

#include "base/counter.h"

#include <stdlib.h>
#include <string.h>

struct counters *
counters_new(struct counter_set *set)
{
	struct counters *c = aligned_alloc(CACHE_LINE, sizeof(*c));

	if (c == NULL)
		return NULL;
	memset(c, 0, sizeof(*c));
	c->next = atomic_load(&set->first);
	while (!atomic_compare_exchange_weak(&set->first, &c->next, c))
		;
	return c;
}

void
counters_free(struct counter_set *set)
{
	struct counters *c = atomic_exchange(&set->first, NULL);

	while (c != NULL) {
		struct counters *next = c->next;

		free(c);
		c = next;
	}
}

static uint64_t
raw_sum(const struct counter_set *set, int id)
{
	uint64_t sum = 0;

	for (struct counters *c = atomic_load(&set->first); c != NULL;
	     c = c->next)
		sum += atomic_load_explicit(&c->value[id],
		    memory_order_relaxed);
	return sum;
}

uint64_t
counter_sum(const struct counter_set *set, enum counter_id id)
{
	/* Read first: then the sum can't be below it. */
	uint64_t base = atomic_load(&set->base[id]);

	return raw_sum(set, id) - base;
}

void
counters_reset(struct counter_set *set)
{
	for (int id = 0; id < COUNTER_KEPT; id++)
		atomic_store(&set->base[id], raw_sum(set, id));
}
