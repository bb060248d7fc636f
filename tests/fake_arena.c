/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fake_arena.c - store/arena.h as tests like it: it counts, and it can fail.
 */
#include "config.h"

#include "fake_arena.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/attr.h"
#include "base/check.h"
#include "store/arena.h"

enum { FRESH = 0xa5, STALE = 0xdd };

/* Stands in front of each block and keeps its alignment. */
struct head {
	size_t size;
	size_t align;
};

static _Atomic int64_t bytes, blocks, failures;
static _Atomic int64_t left = INT64_MAX; /* allocations before the failure */

static void *
alloc(size_t size, size_t align)
{
	struct head head = { size, align };
	char *p = NULL;

	if (atomic_load(&left) == INT64_MAX || atomic_fetch_sub(&left, 1) > 0)
		p = aligned_alloc(align,
		    (size + 2 * align - 1) / align * align);
	if (p == NULL) {
		atomic_fetch_add(&failures, 1);
		return NULL;
	}
	p += align;
	memcpy(p - sizeof(head), &head, sizeof(head));
	memset(p, FRESH, size);
	atomic_fetch_add(&bytes, (int64_t)arena_true_size(size));
	atomic_fetch_add(&blocks, 1);
	return p;
}

static void
release(char *p, size_t size, size_t align)
{
	struct head head;

	memcpy(&head, p - sizeof(head), sizeof(head));
	CHECK(head.size == size && head.align == align);
	atomic_fetch_sub(&bytes, (int64_t)arena_true_size(size));
	atomic_fetch_sub(&blocks, 1);
	memset(p - sizeof(head), STALE, size + sizeof(head));
	free(p - align);
}

const bool arena_is_real = false;

void *
arena_alloc(size_t size)
{
	return alloc(size, sizeof(struct head));
}

void *
arena_alloc_lines(size_t size)
{
	return alloc(size, CACHE_LINE);
}

void
arena_free(void *p, size_t size)
{
	release(p, size, sizeof(struct head));
}

void
arena_free_lines(void *p, size_t size)
{
	release(p, size, CACHE_LINE);
}

size_t
arena_true_size(size_t size)
{
	return (size + 15) & ~(size_t)15;
}

void *
arena_alloc_item(size_t size)
{
	return arena_alloc(size);
}

void
arena_free_item(void *p, size_t size)
{
	arena_free(p, size);
}

size_t
arena_item_size(size_t size)
{
	return arena_true_size(size);
}

void
arena_purge(bool all)
{
	(void)all;
}

int64_t
fake_arena_bytes(void)
{
	return atomic_load(&bytes);
}

int64_t
fake_arena_blocks(void)
{
	return atomic_load(&blocks);
}

void
fake_arena_fail_after(int64_t n)
{
	atomic_store(&left, n);
}

void
fake_arena_heal(void)
{
	atomic_store(&left, INT64_MAX);
}

int64_t
fake_arena_failures(void)
{
	return atomic_load(&failures);
}
