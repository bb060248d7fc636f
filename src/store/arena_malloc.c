/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * arena_malloc.c - item memory from malloc, for sanitizer builds.
 */
#include "config.h"

#include "store/arena.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/attr.h"

void *
arena_alloc(size_t size)
{
	return malloc(size);
}

void *
arena_alloc_lines(size_t size)
{
	return aligned_alloc(CACHE_LINE, size);
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

void *
arena_alloc_dense(size_t size)
{
	return arena_alloc(size);
}

void
arena_free_dense(void *p, size_t size)
{
	arena_free(p, size);
}

size_t
arena_true_size(size_t size)
{
	return (size + 15) & ~(size_t)15;
}

size_t
arena_resident(void)
{
	return 0;
}

void
arena_purge(bool all)
{
	(void)all;
}

bool
arena_is_thin(const void *p, size_t size)
{
	(void)p;
	(void)size;
	return false;
}
