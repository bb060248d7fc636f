/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_heap.c - what is due first.
 */
#include "config.h"

#include "base/heap.h"

#include <stdlib.h>

#include "rng.h"
#include "unit.h"

enum { NODES = 500, OPERATIONS = 100000, MANY = 10000 };

/* The library's, with a switch: heap.c finds this one first. */
static bool out_of_memory;

void *
reallocarray(void *p, size_t n, size_t size)
{
	return out_of_memory ? NULL : realloc(p, n * size);
}

/* Nodes by number, and what the heap should hold. */
struct world {
	struct heap heap;
	struct heap_node node[NODES];
	uint64_t key[NODES];
	bool in[NODES];
	size_t count;
};

static struct world *
world_new(void)
{
	struct world *w = calloc(1, sizeof(*w));

	REQUIRE(w != NULL);
	return w;
}

static void
world_free(struct world *w)
{
	heap_free(&w->heap);
	free(w);
}

static void
add(struct world *w, size_t i, uint64_t key)
{
	REQUIRE(heap_add(&w->heap, &w->node[i], key));
	w->key[i] = key;
	w->in[i] = true;
	w->count++;
}

static void
take_out(struct world *w, size_t i)
{
	heap_remove(&w->heap, &w->node[i]);
	w->in[i] = false;
	w->count--;
}

/* Each node is where it says, above none with a smaller key. */
static bool
is_sane(const struct world *w)
{
	const struct heap *h = &w->heap;

	for (size_t i = 0; i < h->count; i++) {
		const struct heap_node *n = h->node[i];

		if (n->at != i + 1 || n->key < h->node[(i - 1) / 2 * !!i]->key)
			return false;
	}
	for (size_t i = 0; i < NODES; i++)
		if (w->in[i] ? w->node[i].key != w->key[i] : w->node[i].at != 0)
			return false;
	return h->count == w->count && h->count <= h->room;
}

static uint64_t
least(const struct world *w)
{
	uint64_t key = UINT64_MAX;

	for (size_t i = 0; i < NODES; i++)
		if (w->in[i] && w->key[i] < key)
			key = w->key[i];
	return key;
}

static void
a_new_heap_has_no_first(void)
{
	struct heap h = { .node = NULL };

	CHECK(heap_first(&h) == NULL);
	heap_free(&h);
	CHECK(heap_first(&h) == NULL);
}

static void
nodes_come_out_by_key(void)
{
	struct rng r = rng_start("keys", 7);
	struct world *w = world_new();
	uint64_t last = 0;

	for (size_t i = 0; i < NODES; i++)
		add(w, i, rng_any(&r, 64));
	while (heap_first(&w->heap) != NULL) {
		struct heap_node *n = heap_first(&w->heap);

		REQUIRE(n->key == least(w) && n->key >= last);
		last = n->key;
		take_out(w, (size_t)(n - w->node));
	}
	CHECK_EQ(w->count, 0);
	CHECK(is_sane(w));
	world_free(w);
}

static void
equal_keys_come_out_all_the_same(void)
{
	struct world *w = world_new();

	for (size_t i = 0; i < NODES; i++)
		add(w, i, i % 3);
	while (heap_first(&w->heap) != NULL)
		take_out(w, (size_t)(heap_first(&w->heap) - w->node));
	CHECK_EQ(w->count, 0);
	world_free(w);
}

static void
any_node_can_be_added_moved_and_removed_at_any_time(void)
{
	struct rng r = rng_start("operations", 8);
	struct world *w = world_new();

	for (int o = 0; o < OPERATIONS; o++) {
		size_t i = rng_below(&r, NODES);
		/* few keys at times, so that some are equal */
		uint64_t key = rng_any(&r, o / 1000 % 2 == 0 ? 64 : 4);

		if (!w->in[i]) {
			add(w, i, key);
		} else if (rng_one_in(&r, 2)) {
			take_out(w, i);
		} else {
			w->key[i] = key;
			heap_move(&w->heap, &w->node[i], key);
		}
		if (w->count > 0)
			REQUIRE(heap_first(&w->heap)->key == least(w));
		if (o % 100 == 0)
			REQUIRE(is_sane(w));
	}
	CHECK(is_sane(w));
	world_free(w);
}

static void
memory_goes_back_when_few_are_left(void)
{
	struct heap_node *node = calloc(MANY, sizeof(*node));
	struct heap h = { .node = NULL };

	REQUIRE(node != NULL);
	for (size_t i = 0; i < MANY; i++)
		REQUIRE(heap_add(&h, &node[i], MANY - i));
	CHECK(h.room >= MANY);
	for (size_t i = 0; i < MANY; i++) {
		heap_remove(&h, &node[i]);
		REQUIRE(h.room <= 128 || h.room <= 4 * h.count + 4);
	}
	heap_free(&h);
	free(node);
}

static void
without_memory_a_heap_stays_as_it_is(void)
{
	struct world *w = world_new();
	size_t i = 0;

	out_of_memory = true;
	CHECK(!heap_add(&w->heap, &w->node[0], 1));
	CHECK(heap_first(&w->heap) == NULL);
	CHECK(is_sane(w));
	out_of_memory = false;

	do
		add(w, i++, 5);
	while (w->heap.count < w->heap.room);
	out_of_memory = true;
	CHECK(!heap_add(&w->heap, &w->node[i], 1));
	CHECK(is_sane(w));
	CHECK_EQ(heap_first(&w->heap)->key, 5);

	/* nor does it need any to shrink */
	while (i > 0)
		take_out(w, --i);
	CHECK(is_sane(w));
	out_of_memory = false;
	world_free(w);
}

UNIT("heap", TEST(a_new_heap_has_no_first), TEST(nodes_come_out_by_key),
    TEST(equal_keys_come_out_all_the_same),
    TEST(any_node_can_be_added_moved_and_removed_at_any_time),
    TEST(memory_goes_back_when_few_are_left),
    TEST(without_memory_a_heap_stays_as_it_is))
