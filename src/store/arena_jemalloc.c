/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * arena_jemalloc.c - item memory from jemalloc.
 *
 * The process's malloc is jemalloc's too, on purpose: buffers and items then
 * share one set of free pages, and one figure tells what is resident.  Few
 * arenas keep items dense; pages that are free for a second go back.
 */
#include "config.h"

#include "store/arena.h"

#include <jemalloc/jemalloc.h>
#include <sys/mman.h>

#include "base/attr.h"
#include "base/pages.h"

enum {
	PAGE = 4096,
	WHOLE_PAGES = 14 * 1024 + 1, /* from here on jemalloc gives pages */
};

/* Read by jemalloc before main(). */
extern const char *malloc_conf;
const char *malloc_conf = "narenas:2,tcache_max:4096,dirty_decay_ms:1000,"

			  "muzzy_decay_ms:0,lg_tcache_nslots_mul:0,"
			  "metadata_thp:disabled";

const bool arena_is_real = true;

void *
arena_alloc(size_t size)
{
	return mallocx(size, 0);
}

/*
 * jemalloc as it is usually built adds a page to what takes whole pages, and
 * lets it begin anywhere in the first; but not to what is aligned to pages.
 */
static int
lines(size_t size)
{
	return MALLOCX_ALIGN(size < WHOLE_PAGES ? CACHE_LINE : PAGE);
}

void *
arena_alloc_lines(size_t size)
{
	return mallocx(size, lines(size));
}

void
arena_free(void *p, size_t size)
{
	sdallocx(p, size, 0);
}

void
arena_free_lines(void *p, size_t size)
{
	sdallocx(p, size, lines(size));
}

size_t
arena_true_size(size_t size)
{
	return nallocx(size, 0);
}

/*
 * jemalloc's sizes step by a fifth to a quarter.  The pages behind an item may
 * be resident from before: they go back.
 */
static size_t
pages_for(size_t size)
{
	return (size + PAGE - 1) & ~(size_t)(PAGE - 1);
}

/* Bytes of pages behind an item, while it can be told. */
static size_t
pages_behind(size_t size)
{
	return nallocx(size, MALLOCX_ALIGN(PAGE)) - pages_for(size);
}

void *
arena_alloc_item(size_t size)
{
	size_t behind;
	char *p;

	if (size < WHOLE_PAGES)
		return mallocx(size, 0);
	p = mallocx(size, MALLOCX_ALIGN(PAGE));
	behind = pages_behind(size);
	if (p != NULL && behind > 0)
		pages_give_back(p + pages_for(size),
		    p + pages_for(size) + behind);
	return p;
}

void
arena_free_item(void *p, size_t size)
{
	sdallocx(p, size, size < WHOLE_PAGES ? 0 : MALLOCX_ALIGN(PAGE));
}

size_t
arena_item_size(size_t size)
{
	return size < WHOLE_PAGES ? nallocx(size, 0) : pages_for(size);
}

void
arena_purge(bool all)
{
	/* 4096 is MALLCTL_ARENAS_ALL; a failure leaves it to the next time. */
	(void)mallctl(all ? "arena.4096.purge" : "arena.4096.decay", NULL, NULL,
	    NULL, 0);
}
