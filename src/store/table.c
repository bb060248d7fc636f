/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * table.c - the hash table of one shard.
 *
 * Which bits of a hash do what: the lowest 32 choose the bucket, bits 40 to 50
 * are the tag, the highest 8 choose the shard.
 */
#include "config.h"

#include "store/table.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/hash.h"
#include "store/arena.h"

enum {
	CHAIN_SLOT = TABLE_SLOTS - 1,
	SEGMENT_BYTES = TABLE_SEGMENT * (int)sizeof(struct bucket),
	/* A split whenever there are more than 9 items to 2 buckets. */
	FULL_ITEMS = 9,
	FULL_BUCKETS = 2,
};

#define CHAINED ((uint64_t)1 << 56)

static inline uint64_t
load(const _Atomic uint64_t *word)
{
	return atomic_load_explicit(word, memory_order_relaxed);
}

static inline void
store(_Atomic uint64_t *word, uint64_t v)
{
	atomic_store_explicit(word, v, memory_order_relaxed);
}

static inline uint64_t
tag_of(uint64_t hash)
{
	return hash >> 40 & 0x7ff;
}

static uint64_t
pack(uint64_t tag, expire_code position, const struct item *it)
{
	uint64_t address = (uint64_t)(uintptr_t)it >> SLOT_ALIGN;

	DCHECK((address & ~SLOT_ADDRESS) == 0);
	return tag << SLOT_TAG | (uint64_t)position << SLOT_POSITION | address;
}

static inline bool
is_chained(const struct bucket *b)
{
	return load(&b->notes) >> 56 != 0;
}

struct bucket *
table_next(struct bucket *b)
{
	if (!is_chained(b))
		return NULL;
	return (struct bucket *)(uintptr_t)load(&b->slot[CHAIN_SLOT]);
}

static inline int
usable_slots(const struct bucket *b)
{
	return is_chained(b) ? CHAIN_SLOT : TABLE_SLOTS;
}

void
slot_set_position(struct place at, expire_code position)
{
	uint64_t w = slot_word(at.bucket, at.slot);

	w &= ~((uint64_t)0xff << SLOT_POSITION);
	store(&at.bucket->slot[at.slot],
	    w | (uint64_t)position << SLOT_POSITION);
}

void
slot_set_level(struct place at, uint8_t level)
{
	uint64_t n = load(&at.bucket->notes);

	n &= ~((uint64_t)0xff << 8 * at.slot);
	store(&at.bucket->notes, n | (uint64_t)level << 8 * at.slot);
}

/* Buckets and segments. */

static inline unsigned
directory_of(uint32_t segment)
{
	return segment == 0 ? 0 : 32 - (unsigned)__builtin_clz(segment);
}

static inline uint32_t
directory_first(unsigned k)
{
	return k == 0 ? 0 : (uint32_t)1 << (k - 1);
}

static inline uint32_t
directory_size(unsigned k)
{
	return k == 0 ? 1 : (uint32_t)1 << (k - 1);
}

struct bucket *
table_bucket(struct table *t, uint32_t index)
{
	uint32_t segment = index / TABLE_SEGMENT;
	unsigned k = directory_of(segment);
	struct bucket **d = atomic_load_explicit(&t->directory[k],
	    memory_order_relaxed);

	return &d[segment - directory_first(k)][index % TABLE_SEGMENT];
}

static inline uint32_t
index_of(const struct table *t, uint64_t hash)
{
	uint32_t high_mask = t->low_mask * 2 + 1;
	uint32_t i = (uint32_t)hash & high_mask;

	return i < table_buckets(t) ? i : i & t->low_mask;
}

static bool
add_segment(struct table *t, uint32_t segment)
{
	unsigned k = directory_of(segment);
	struct bucket **d = atomic_load(&t->directory[k]);
	struct bucket *b;

	if (d == NULL) {
		size_t bytes = directory_size(k) * sizeof(*d);

		d = arena_alloc(bytes);
		if (d == NULL)
			return false;
		memset(d, 0, bytes);
		t->bytes += arena_true_size(bytes);
		atomic_store(&t->directory[k], d);
	}
	if (d[segment - directory_first(k)] != NULL)
		return true; /* left by a split that failed later on */
	b = arena_alloc_lines(SEGMENT_BYTES);
	if (b == NULL)
		return false;
	memset((void *)b, 0, SEGMENT_BYTES);
	t->bytes += arena_true_size(SEGMENT_BYTES);
	d[segment - directory_first(k)] = b;
	return true;
}

bool
table_init(struct table *t)
{
	memset((void *)t, 0, sizeof(*t));
	t->low_mask = TABLE_SEGMENT - 1;
	if (!add_segment(t, 0)) {
		table_free(t);
		return false;
	}
	atomic_store(&t->buckets, TABLE_SEGMENT);
	return true;
}

void
table_free(struct table *t)
{
	CHECK(t->items == 0 && t->chained == 0);
	for (unsigned k = 0; k < TABLE_DIRECTORIES; k++) {
		struct bucket **d = atomic_load(&t->directory[k]);

		if (d == NULL)
			continue;
		for (uint32_t i = 0; i < directory_size(k); i++)
			if (d[i] != NULL)
				arena_free_lines(d[i], SEGMENT_BYTES);
		arena_free(d, directory_size(k) * sizeof(*d));
		atomic_store(&t->directory[k], NULL);
	}
}

/* Chains. */

static struct bucket *
chain_alloc(struct table *t)
{
	struct bucket *b = arena_alloc_lines(sizeof(*b));

	if (b == NULL)
		return NULL;
	memset((void *)b, 0, sizeof(*b));
	t->chained++;
	t->bytes += arena_true_size(sizeof(*b));
	return b;
}

static void
chain_free(struct table *t, struct bucket *b)
{
	t->chained--;
	t->bytes -= arena_true_size(sizeof(*b));
	arena_free_lines(b, sizeof(*b));
}

/* Turns the last slot of a full bucket into the address of a next one. */
static void
chain_add(struct bucket *b, struct bucket *next)
{
	uint64_t last = load(&b->notes) >> 8 * CHAIN_SLOT & 0xff;

	store(&next->slot[0], load(&b->slot[CHAIN_SLOT]));
	store(&next->notes, last);
	store(&b->slot[CHAIN_SLOT], (uint64_t)(uintptr_t)next);
	store(&b->notes, (load(&b->notes) & 0x0000ffffffffffff) | CHAINED);
}

static bool
is_empty(const struct bucket *b)
{
	for (int i = 0; i < TABLE_SLOTS; i++)
		if (load(&b->slot[i]) != 0)
			return false;
	return true;
}

/* Frees the empty buckets at the end of a chain. */
static void
chain_trim(struct table *t, struct bucket *head)
{
	while (is_chained(head)) {
		struct bucket *b = head, *last = table_next(head);

		while (is_chained(last)) {
			b = last;
			last = table_next(last);
		}
		if (!is_empty(last))
			return;
		store(&b->slot[CHAIN_SLOT], 0);
		store(&b->notes, load(&b->notes) & 0x0000ffffffffffff);
		chain_free(t, last);
	}
}

/* Finding. */

struct item *
table_find(struct table *t, const struct key *key, struct place *at)
{
	uint64_t tag = tag_of(key->hash);
	struct bucket *b = table_bucket(t, index_of(t, key->hash));

	for (; b != NULL; b = table_next(b)) {
		int n = usable_slots(b);

		for (int i = 0; i < n; i++) {
			uint64_t w = load(&b->slot[i]);
			struct item *it;

			if (w >> SLOT_TAG != tag || (w & SLOT_ADDRESS) == 0)
				continue;
			it = (struct item *)(uintptr_t)((w & SLOT_ADDRESS)
			    << SLOT_ALIGN);
			if (item_has_key(it, key)) {
				*at = (struct place){ b, i };
				return it;
			}
		}
	}
	return NULL;
}

struct place
table_locate(struct table *t, uint64_t hash, const struct item *it)
{
	struct bucket *b = table_bucket(t, index_of(t, hash));

	for (; b != NULL; b = table_next(b))
		for (int i = 0; i < usable_slots(b); i++)
			if (slot_item(b, i) == it)
				return (struct place){ b, i };
	CHECK(!"item is in its table");
	return (struct place){ NULL, 0 };
}

void
table_prefetch(struct table *t, uint64_t hash)
{
	/* low_mask may be out of date: then the wrong line is loaded. */
	uint32_t n = table_buckets(t);
	uint32_t low = (UINT32_MAX >> __builtin_clz(n)) >> 1;
	uint32_t i = (uint32_t)hash & (low * 2 + 1);

	__builtin_prefetch(table_bucket(t, i < n ? i : i & low), 0, 3);
}

void
table_prefetch_item(struct table *t, uint64_t hash)
{
	uint32_t n = table_buckets(t);
	uint32_t low = (UINT32_MAX >> __builtin_clz(n)) >> 1;
	uint32_t index = (uint32_t)hash & (low * 2 + 1);
	struct bucket *b = table_bucket(t, index < n ? index : index & low);
	uint64_t tag = tag_of(hash);

	for (int i = 0; i < TABLE_SLOTS; i++) {
		uint64_t w = load(&b->slot[i]);

		if (w >> SLOT_TAG == tag)
			__builtin_prefetch(
			    (void *)(uintptr_t)((w & SLOT_ADDRESS)
				<< SLOT_ALIGN),
			    0, 3);
	}
}

/* Changing. */

/* A free slot in the chain, or its last bucket in at->bucket with slot -1. */
static void
find_free(struct bucket *b, struct place *at)
{
	for (;; b = table_next(b)) {
		int n = usable_slots(b);

		at->bucket = b;
		for (at->slot = 0; at->slot < n; at->slot++)
			if (load(&b->slot[at->slot]) == 0)
				return;
		if (!is_chained(b)) {
			at->slot = -1;
			return;
		}
	}
}

static bool
put(struct table *t, struct bucket *head, uint64_t word, uint8_t level)
{
	struct place at;

	find_free(head, &at);
	if (at.slot < 0) {
		struct bucket *next = chain_alloc(t);

		if (next == NULL)
			return false;
		chain_add(at.bucket, next);
		at = (struct place){ next, 1 };
	}
	store(&at.bucket->slot[at.slot], word);
	slot_set_level(at, level);
	return true;
}

bool
table_insert(struct table *t, uint64_t hash, struct item *it,
    expire_code position, uint8_t level)
{
	struct bucket *head = table_bucket(t, index_of(t, hash));

	if (!put(t, head, pack(tag_of(hash), position, it), level))
		return false;
	t->items++;
	return true;
}

void
table_replace(struct place at, struct item *it, expire_code position)
{
	uint64_t tag = slot_word(at.bucket, at.slot) >> SLOT_TAG;

	store(&at.bucket->slot[at.slot], pack(tag, position, it));
}

void
table_remove(struct table *t, uint64_t hash, struct place at)
{
	struct bucket *head = table_bucket(t, index_of(t, hash));

	store(&at.bucket->slot[at.slot], 0);
	slot_set_level(at, 0);
	t->items--;
	if (is_chained(head))
		chain_trim(t, head);
}

/* Growing. */

static uint64_t
hash_of(struct item *it)
{
	return hash_key(item_key(it), item_key_len(it));
}

/* How many items of a chain will move when it is split; touches them. */
static size_t
count_movers(struct bucket *b, uint32_t bit)
{
	size_t n = 0;

	for (; b != NULL; b = table_next(b))
		for (int i = 0; i < usable_slots(b); i++) {
			struct item *it = slot_item(b, i);

			if (it != NULL && hash_of(it) & bit)
				n++;
		}
	return n;
}

/* Chains empty buckets to `to` until it can take `items`. */
static bool
make_room(struct table *t, struct bucket *to, size_t items)
{
	size_t room = TABLE_SLOTS;

	for (struct bucket *b = to; room < items; room += CHAIN_SLOT) {
		struct bucket *next = chain_alloc(t);

		if (next == NULL) {
			chain_trim(t, to);
			return false;
		}
		store(&b->slot[CHAIN_SLOT], (uint64_t)(uintptr_t)next);
		store(&b->notes, CHAINED);
		b = next;
	}
	return true;
}

static void
move_half(struct table *t, struct bucket *from, struct bucket *to, uint32_t bit)
{
	for (struct bucket *b = from; b != NULL; b = table_next(b))
		for (int i = 0; i < usable_slots(b); i++) {
			struct item *it = slot_item(b, i);
			struct place at = { b, i };

			if (it == NULL || !(hash_of(it) & bit))
				continue;
			CHECK(put(t, to, slot_word(b, i), slot_level(b, i)));
			store(&b->slot[i], 0);
			slot_set_level(at, 0);
		}
}

/* Moves items from the tail of a chain into free slots further up. */
static void
close_gaps(struct table *t, struct bucket *head)
{
	struct bucket *b = head;

	while (b != NULL && is_chained(b)) {
		struct bucket *next = table_next(b);
		int free_slot = 0, used = 0;

		while (free_slot < CHAIN_SLOT && load(&b->slot[free_slot]))
			free_slot++;
		if (free_slot == CHAIN_SLOT) {
			b = next;
			continue;
		}
		while (used < usable_slots(next) && !slot_item(next, used))
			used++;
		if (used == usable_slots(next)) {
			if (is_chained(next)) {
				b = next;
				continue;
			}
			break;
		}
		store(&b->slot[free_slot], slot_word(next, used));
		slot_set_level((struct place){ b, free_slot },
		    slot_level(next, used));
		store(&next->slot[used], 0);
		slot_set_level((struct place){ next, used }, 0);
	}
	chain_trim(t, head);
}

static bool
split(struct table *t)
{
	uint32_t index = table_buckets(t);
	uint32_t bit = t->low_mask + 1;
	struct bucket *from = table_bucket(t, index - bit), *to;

	if (index % TABLE_SEGMENT == 0 &&
	    !add_segment(t, index / TABLE_SEGMENT))
		return false;
	to = table_bucket(t, index);
	/* Moving must not fail half way, so its memory is there beforehand. */
	if (is_chained(from) && !make_room(t, to, count_movers(from, bit)))
		return false;
	move_half(t, from, to, bit);
	close_gaps(t, from);
	chain_trim(t, to);
	/* release: pairs with the load in table_prefetch() */
	atomic_store_explicit(&t->buckets, index + 1, memory_order_release);
	if (index == t->low_mask * 2 + 1)
		t->low_mask = t->low_mask * 2 + 1;
	return true;
}

void
table_grow(struct table *t)
{
	uint32_t n = table_buckets(t);

	if (t->items * FULL_BUCKETS <= (size_t)n * FULL_ITEMS ||
	    n == UINT32_MAX)
		return;
	t->growth_failed = !split(t);
}
