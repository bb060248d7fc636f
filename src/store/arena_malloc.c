/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * arena_malloc.c - memory from malloc, for sanitizer builds.
 */
#include "config.h"

#include "store/arena.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/attr.h"

const bool arena_is_real = false;

void *
arena_alloc(size_t size)
{
	return malloc(size);
}

void *
arena_alloc_lines(size_t size)
{
	return aligned_alloc(CACHE_LINE,
	    (size + CACHE_LINE - 1) & ~(size_t)(CACHE_LINE - 1));
}

void
arena_free(void *p, size_t size)
{
	(void)size;
	free(p);
}

void
arena_free_lines(void *p, size_t size)
{
	(void)size;
	free(p);
}

size_t
arena_true_size(size_t size)
{
	return (size + 15) & ~(size_t)15;
}

void *
arena_alloc_item(size_t size)
{
	return malloc(size);
}

void
arena_free_item(void *p, size_t size)
{
	(void)size;
	free(p);
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
