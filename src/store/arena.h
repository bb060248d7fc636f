/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * arena.h - where the memory of tables and large items comes from.
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

/* False where a sanitizer is to see every item. */
extern const bool arena_is_real;

/* Memory of `size` bytes, aligned to 8 (to a cache line from `_lines`). */
void *arena_alloc(size_t size) MUST_USE;
void *arena_alloc_lines(size_t size) MUST_USE;
void arena_free(void *p, size_t size);
void arena_free_lines(void *p, size_t size);

/* The bytes that an allocation of `size` takes from the arena. */
size_t arena_true_size(size_t size);

/*
 * The same for items, which take whole pages when they are large but none that
 * they don't fill.
 */
void *arena_alloc_item(size_t size) MUST_USE;
void arena_free_item(void *p, size_t size);
size_t arena_item_size(size_t size);

/* Gives pages back that were unused for a while; with `all`, all unused. */
void arena_purge(bool all);

#endif
