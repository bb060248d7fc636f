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
#include <pthread.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/check.h"

enum { PAGE = 4096 };

/* Read by jemalloc before main(). */
extern const char *malloc_conf;
const char *malloc_conf = "narenas:2,tcache_max:4096,dirty_decay_ms:1000,"
			  "muzzy_decay_ms:0,lg_tcache_nslots_mul:0,"
			  "metadata_thp:disabled";

void *
arena_alloc(size_t size)
{
	return mallocx(size, 0);
}

/* From a page on jemalloc begins at any line: then one page more is touched. */
static int
lines_flags(size_t size)
{
	return size < PAGE ? MALLOCX_ALIGN(CACHE_LINE) : MALLOCX_ALIGN(PAGE);
}

void *
arena_alloc_lines(size_t size)
{
	return mallocx(size, lines_flags(size));
}

void
arena_free(void *p, size_t size)
{
	sdallocx(p, size, 0);
}

void
arena_free_lines(void *p, size_t size)
{
	sdallocx(p, size, lines_flags(size));
}

void *
arena_alloc_dense(size_t size)
{
	return mallocx(size, MALLOCX_TCACHE_NONE);
}

void
arena_free_dense(void *p, size_t size)
{
	sdallocx(p, size, MALLOCX_TCACHE_NONE);
}

size_t
arena_true_size(size_t size)
{
	return nallocx(size, 0);
}

size_t
arena_resident(void)
{
	uint64_t epoch = 1;
	size_t resident = 0, n = sizeof(resident);

	if (mallctl("epoch", NULL, NULL, &epoch, sizeof(epoch)) != 0 ||
	    mallctl("stats.resident", &resident, &n, NULL, 0) != 0)
		return 0;
	return resident;
}

void
arena_purge(bool all)
{
	/* 4096 is MALLCTL_ARENAS_ALL; a failure leaves it to the next time. */
	(void)mallctl(all ? "arena.4096.purge" : "arena.4096.decay", NULL, NULL,
	    NULL, 0);
}

/* The control's number, looked up by name once; length 0: not there. */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static size_t query[3], query_len;

static void
find_query(void)
{
	size_t n = sizeof(query) / sizeof(query[0]);

	if (mallctlnametomib("experimental.utilization.query", query, &n) == 0)
		query_len = n;
}

bool
arena_is_thin(const void *p, size_t size)
{
	/* The reply of this control, as jemalloc's ctl.c lays it out. */
	struct {
		void *current_slab;
		size_t free_regions, regions, slab_size;
		size_t bin_free, bin_regions;
	} use;
	size_t n = sizeof(use);

	(void)size;
	pthread_once(&once, find_query);
	if (query_len == 0 ||
	    mallctlbymib(query, query_len, &use, &n, &p, sizeof(p)) != 0 ||
	    n != sizeof(use))
		return false;
	/* Emptier than its peers by an eighth, and not being filled now. */
	return use.regions > 1 && use.free_regions > use.regions / 8 &&
	    use.free_regions * use.bin_regions >= use.bin_free * use.regions &&
	    ((uintptr_t)p < (uintptr_t)use.current_slab ||
		(uintptr_t)p >= (uintptr_t)use.current_slab + use.slab_size);
}
