/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * arena.h - where the memory of items and tables comes from.
 *
 * Callers pass the size again when they free, and ask beforehand what a size
 * really takes, because that is what counts against the memory limit.  The
 * build picks one implementation: jemalloc's, or plain malloc's in sanitizer
 * builds, which then see every item.
 *
 * Layer: store.
 */
#ifndef STORE_ARENA_H
#define STORE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

/* Memory of `size` bytes, aligned to 8 (to a cache line from `_lines`). */
void *arena_alloc(size_t size) MUST_USE;
void *arena_alloc_lines(size_t size) MUST_USE;
void arena_free(void *p, size_t size);
void arena_free_lines(void *p, size_t size);

/* The bytes that an allocation of `size` takes from the arena. */
size_t arena_true_size(size_t size);

/*
 * Resident bytes of the whole allocator, 0 when it can't tell.  Costs some
 * microseconds.
 */
size_t arena_resident(void);

/* Gives pages back that were unused for a while; with `all`, all unused. */
void arena_purge(bool all);

/*
 * The same for moving an item: from the fullest region there is, and back to
 * it at once, past what threads keep for their next allocations.
 */
void *arena_alloc_dense(size_t size) MUST_USE;
void arena_free_dense(void *p, size_t size);

/*
 * True when `p` lies in a region whose pages are so thinly used that moving
 * its item would free memory.
 */
bool arena_is_thin(const void *p, size_t size);

#endif
