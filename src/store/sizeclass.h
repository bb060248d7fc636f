/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sizeclass.h - memcached's slab classes, as a way of counting.
 *
 * There are no slabs here, but monitors draw items by class.  An item counts
 * in the class that memcached would put it in: by memcached's size of it, on
 * memcached's ladder (first 96 bytes, each a quarter larger, rounded up to 8,
 * the last 512 KiB).
 *
 * Layer: store.
 */
#ifndef STORE_SIZECLASS_H
#define STORE_SIZECLASS_H

#include <stddef.h>
#include <stdint.h>

enum {
	SIZECLASS_FIRST = 1,
	SIZECLASS_COUNT = 40, /* classes are 1 to 39 */
	SIZECLASS_LIMIT = 64, /* what memcached's commands take as a class */
	SIZECLASS_HEADER = 48,
};

/* What counts per class, in the order `stats slabs` prints it. */
enum class_event {
	CLASS_GET_HITS,
	CLASS_CMD_SET,
	CLASS_DELETE_HITS,
	CLASS_INCR_HITS,
	CLASS_DECR_HITS,
	CLASS_CAS_HITS,
	CLASS_CAS_BADVAL,
	CLASS_TOUCH_HITS,
	CLASS_EVICTED,
	CLASS_EVICTED_NONZERO,
	CLASS_OUT_OF_MEMORY,
	CLASS_RECLAIMED,
	CLASS_EXPIRED_UNFETCHED,
	CLASS_EVICTED_UNFETCHED,
	CLASS_EVICTED_ACTIVE,
	CLASS_CRAWLER_RECLAIMED,
	CLASS_CRAWLER_CHECKED,
	CLASS_EVENTS
};

struct sizeclass {
	uint64_t items;
	uint64_t bytes;        /* memcached's size of them */
	uint64_t evicted_time; /* seconds since the last one's last access */
	uint64_t most_items;   /* at any time; memcached keeps its pages */
	uint64_t event[CLASS_EVENTS];
};

/* memcached's size of an item with these parts, in bytes. */
size_t sizeclass_item_size(size_t key_len, size_t value_len,
    uint32_t client_flags);

/* The class for that size, and the largest size of a class. */
unsigned sizeclass_of(size_t size);
size_t sizeclass_chunk(unsigned class_id);

#endif
