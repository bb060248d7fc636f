/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * heap.h - what is due first: a binary min-heap of nodes in their owners.
 *
 * A node knows its place, so that it can be taken out or moved in O(log n)
 * without a search.  The heap holds an array of pointers, nothing else; it
 * is all zeros when new.  Who owns the heap guards it and its nodes.
 *
 * Layer: base.
 */
#ifndef BASE_HEAP_H
#define BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

/* Zeros when new.  The fields are the heap's; others may read them. */
struct heap_node {
	uint64_t key; /* the least is first */
	uint32_t at;  /* 1 + its place; 0: in no heap */
};

struct heap {
	struct heap_node **node;
	size_t count, room;
};

/* Puts a node in that is in no heap.  False for want of memory: as before. */
bool heap_add(struct heap *h, struct heap_node *n, uint64_t key) MUST_USE;

/* Takes out a node that is in it. */
void heap_remove(struct heap *h, struct heap_node *n);

/* Gives a node that is in it another key. */
void heap_move(struct heap *h, struct heap_node *n, uint64_t key);

/* Gives back the array; the heap is as new, nodes in it are left as is. */
void heap_free(struct heap *h);

/* The node with the least key; NULL when there is none. */
static inline struct heap_node *
heap_first(const struct heap *h)
{
	return h->count == 0 ? NULL : h->node[0];
}

#endif
