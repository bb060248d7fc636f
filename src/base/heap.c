/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * heap.c - what is due first.
 *
 * The node at place i has a key not above those at 2i + 1 and 2i + 2.
 */
#include "config.h"

#include "base/heap.h"

#include <stdlib.h>

#include "base/check.h"

enum { ROOM_MIN = 64 };

static void
put(struct heap *h, size_t i, struct heap_node *n)
{
	h->node[i] = n;
	n->at = (uint32_t)(i + 1);
}

/* Moves a node from place `i` towards the top as far as it belongs. */
static size_t
rise(struct heap *h, size_t i, const struct heap_node *n)
{
	while (i > 0 && n->key < h->node[(i - 1) / 2]->key) {
		put(h, i, h->node[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	return i;
}

/* The same towards the bottom. */
static size_t
sink(struct heap *h, size_t i, const struct heap_node *n)
{
	for (;;) {
		size_t child = 2 * i + 1;

		if (child >= h->count)
			return i;
		if (child + 1 < h->count &&
		    h->node[child + 1]->key < h->node[child]->key)
			child++;
		if (n->key <= h->node[child]->key)
			return i;
		put(h, i, h->node[child]);
		i = child;
	}
}

/* Puts a node where it belongs, from a place `i` that is free. */
static void
settle(struct heap *h, size_t i, struct heap_node *n)
{
	put(h, sink(h, rise(h, i, n), n), n);
}

static bool
resize(struct heap *h, size_t room)
{
	struct heap_node **node = reallocarray(h->node, room, sizeof(*node));

	if (node == NULL)
		return false;
	h->node = node;
	h->room = room;
	return true;
}

bool
heap_add(struct heap *h, struct heap_node *n, uint64_t key)
{
	CHECK(n->at == 0);
	if (h->count == h->room &&
	    (h->count == UINT32_MAX ||
		!resize(h, h->room == 0 ? ROOM_MIN : 2 * h->room)))
		return false;
	n->key = key;
	settle(h, h->count++, n);
	return true;
}

void
heap_remove(struct heap *h, struct heap_node *n)
{
	size_t i = (size_t)n->at - 1;
	struct heap_node *last;

	CHECK(n->at != 0 && i < h->count && h->node[i] == n);
	last = h->node[--h->count];
	n->at = 0;
	if (last != n)
		settle(h, i, last);
	/*
	 * A quarter, not a half: adds and removes at the edge would go
	 * through realloc() each time.  A failure is harmless.
	 */
	if (h->room > ROOM_MIN && h->count < h->room / 4 &&
	    !resize(h, h->room / 2))
		return;
}

void
heap_move(struct heap *h, struct heap_node *n, uint64_t key)
{
	size_t i = (size_t)n->at - 1;

	CHECK(n->at != 0 && i < h->count && h->node[i] == n);
	n->key = key;
	settle(h, i, n);
}

void
heap_free(struct heap *h)
{
	free(h->node);
	*h = (struct heap){ .node = NULL };
}
