/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * table.c - the hash table of one shard: finding, inserting, removing.
 *
 * Which bits of a hash do what: the lowest 32 choose the group, bits 40 to 50
 * are the tag, the highest 8 choose the shard.
 */
#include "config.h"

#include "store/table.h"

#include <string.h>

#include "base/check.h"
#include "store/table_bucket.h"
#include "store/table_slots.h"

static inline uint64_t
tag_of(uint64_t hash)
{
	return hash >> 40 & ((1 << TAG_BITS) - 1);
}

static uint64_t
pack(uint64_t tag, expire_code position, const struct item *it)
{
	uint64_t address = (uint64_t)(uintptr_t)it >> SLOT_ALIGN;

	CHECK((address & ~SLOT_ADDRESS) == 0);
	return tag << SLOT_TAG | (uint64_t)position << SLOT_POSITION | address;
}

struct bucket *
table_next(struct bucket *b)
{
	if (LIKELY(!is_chained(b)))
		return NULL;
	return (struct bucket *)(uintptr_t)load(&b->slot[CHAIN_SLOT]);
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

/* Buckets and groups. */

struct bucket *
table_bucket(struct table *t, uint32_t index)
{
	return bucket_at(t, index);
}

uint32_t
table_groups(const struct table *t)
{
	uint32_t buckets = table_buckets(t);
	unsigned shift = 31 - (unsigned)__builtin_clz(buckets) - GROUP_BITS;
	uint32_t groups = (uint32_t)1 << shift;

	/* those that are two already */
	return buckets >> shift == 2 * TABLE_GROUP - 1 ?
	    groups + (buckets & (groups - 1)) :
	    groups;
}

static inline struct bucket_group
group_of(const struct table *t, uint64_t hash)
{
	return group_in(table_buckets(t), (uint32_t)hash);
}

struct bucket_group
table_group(const struct table *t, uint64_t hash)
{
	return group_of(t, hash);
}

/* Finding. */

static inline struct item *
find_in(struct bucket *b, uint64_t tag, const struct key *key, struct place *at)
{
	for (unsigned m = slots_tagged(b, tag); m != 0; m &= m - 1) {
		int i = __builtin_ctz(m);
		struct item *it = item_in(load(&b->slot[i]));

		if (LIKELY(it != NULL) && LIKELY(item_has_key(it, key))) {
			*at = (struct place){ b, i };
			return it;
		}
	}
	return NULL;
}

/* The item is not in its own bucket, which told to look elsewhere. */
static struct item *
find_away(struct table *t, const struct key *key, struct place *at)
{
	uint64_t tag = tag_of(key->hash);
	struct bucket_group g = group_of(t, key->hash);
	unsigned home = home_of(tag, &g);
	struct bucket *b = bucket_of(t, &g, other_of(home, turn_of(tag), &g));
	struct item *it = find_in(b, tag, key, at);

	if (it != NULL ||
	    !(load(&bucket_of(t, &g, home)->notes) & NOTE_IN_CHAIN))
		return it;
	b = table_next(bucket_of(t, &g, 0));
	for (; b != NULL && it == NULL; b = table_next(b))
		it = find_in(b, tag, key, at);
	return it;
}

struct item *
table_find(struct table *t, const struct key *key, struct place *at)
{
	uint64_t tag = tag_of(key->hash);
	struct bucket_group g = group_of(t, key->hash);
	struct bucket *b = bucket_of(t, &g, home_of(tag, &g));
	struct item *it = find_in(b, tag, key, at);

	if (LIKELY(it != NULL) ||
	    LIKELY(!(load(&b->notes) & note_turn(turn_of(tag)))))
		return it;
	return find_away(t, key, at);
}

struct place
table_locate(struct table *t, uint64_t hash, const struct item *it)
{
	struct bucket_group g = group_of(t, hash);

	for (unsigned n = 0; n < g.buckets; n++)
		for (struct bucket *b = bucket_of(t, &g, n); b != NULL;
		     b = table_next(b))
			for (int i = 0; i < TABLE_SLOTS; i++)
				if (slot_item(b, i) == it)
					return (struct place){ b, i };
	CHECK(!"item is in its table");
	return (struct place){ NULL, 0 };
}

void
table_prefetch(struct table *t, uint64_t hash)
{
	struct bucket_group g = group_of(t, hash);

	__builtin_prefetch(bucket_of(t, &g, home_of(tag_of(hash), &g)), 0, 3);
}

void
table_prefetch_item(struct table *t, uint64_t hash)
{
	uint64_t tag = tag_of(hash);
	struct bucket_group g = group_of(t, hash);
	unsigned home = home_of(tag, &g);
	struct bucket *b = bucket_of(t, &g, home);
	unsigned m = slots_tagged(b, tag);

	if (m == 0 && load(&b->notes) & note_turn(turn_of(tag)))
		__builtin_prefetch(
		    bucket_of(t, &g, other_of(home, turn_of(tag), &g)), 0, 3);
	for (; m != 0; m &= m - 1)
		__builtin_prefetch(item_in(load(&b->slot[__builtin_ctz(m)])), 0,
		    3);
}

/* Inserting. */

static inline int
free_slot(const struct bucket *b)
{
	unsigned m = slots_free(b);

	return m != 0 ? __builtin_ctz(m) : -1;
}

static inline struct bucket *
home_bucket(struct table *t, const struct bucket_group *g, uint64_t word)
{
	return bucket_of(t, g, home_of(word >> SLOT_TAG, g));
}

/* Frees a slot of a full bucket: an item that belongs there goes away. */
static bool
make_way(struct table *t, const struct bucket_group *g, unsigned n,
    struct place *at)
{
	struct bucket *b = bucket_of(t, g, n);

	for (unsigned m = slots_of(b, g, n); m != 0; m &= m - 1) {
		int i = __builtin_ctz(m);
		uint64_t word = load(&b->slot[i]);
		unsigned turn = turn_of(word >> SLOT_TAG);
		struct bucket *other = bucket_of(t, g, other_of(n, turn, g));
		int slot = free_slot(other);

		if (slot < 0)
			continue;
		set_slot(other, slot, word, slot_level(b, i));
		add_note(b, note_turn(turn));
		*at = (struct place){ b, i };
		return true;
	}
	return false;
}

static struct bucket *
last_of_chain(struct bucket *b)
{
	struct bucket *next;

	while ((next = table_next(b)) != NULL)
		b = next;
	return b;
}

/* Notes in an item's own bucket that the item is in the chain. */
static void
note_chained(struct table *t, const struct bucket_group *g, uint64_t word)
{
	add_note(home_bucket(t, g, word),
	    NOTE_IN_CHAIN | note_turn(turn_of(word >> SLOT_TAG)));
}

/* Moves an item out of the slot that is needed for the chain's address. */
static bool
vacate(struct table *t, const struct bucket_group *g, struct bucket *b,
    struct bucket *next)
{
	uint64_t word = load(&b->slot[CHAIN_SLOT]);
	uint8_t level = slot_level(b, CHAIN_SLOT);
	int slot;

	if (word == 0)
		return false;
	clear_slot(b, CHAIN_SLOT);
	slot = free_slot(b);
	if (slot < CHAIN_SLOT) {
		set_slot(b, slot, word, level);
		return false;
	}
	set_slot(next, 0, word, level);
	note_chained(t, g, word);
	return true;
}

/* A free slot at the end of the group's chain. */
static bool
extend_chain(struct table *t, const struct bucket_group *g, struct place *at)
{
	struct bucket *first = bucket_of(t, g, 0);
	struct bucket *last = last_of_chain(first), *next;

	*at = (struct place){ last, last == first ? -1 : free_slot(last) };
	if (at->slot >= 0)
		return true;
	next = table_chain_alloc(t);
	if (next == NULL)
		return false;
	*at = (struct place){ next, vacate(t, g, last, next) ? 1 : 0 };
	store(&last->slot[CHAIN_SLOT], (uint64_t)(uintptr_t)next);
	add_note(last, NOTE_CHAINED);
	return true;
}

/* Makes room for an item whose own bucket is full. */
static bool
find_room(struct table *t, const struct bucket_group *g, uint64_t word,
    struct place *at)
{
	unsigned turn = turn_of(word >> SLOT_TAG);
	unsigned home = home_of(word >> SLOT_TAG, g);
	unsigned other = other_of(home, turn, g);
	struct bucket *b = bucket_of(t, g, home);

	*at = (struct place){ bucket_of(t, g, other), 0 };
	at->slot = free_slot(at->bucket);
	if (at->slot < 0 && make_way(t, g, home, at))
		return true;
	if (at->slot >= 0 || make_way(t, g, other, at)) {
		add_note(b, note_turn(turn));
		return true;
	}
	if (!extend_chain(t, g, at))
		return false;
	note_chained(t, g, word);
	return true;
}

bool
table_insert(struct table *t, uint64_t hash, struct item *it,
    expire_code position, uint8_t level)
{
	uint64_t word = pack(tag_of(hash), position, it);
	struct bucket_group g = group_of(t, hash);
	struct place at = { home_bucket(t, &g, word), 0 };

	at.slot = free_slot(at.bucket);
	if (UNLIKELY(at.slot < 0) && !find_room(t, &g, word, &at))
		return false;
	set_slot(at.bucket, at.slot, word, level);
	t->items++;
	return true;
}

void
table_replace(struct place at, struct item *it, expire_code position)
{
	uint64_t tag = slot_word(at.bucket, at.slot) >> SLOT_TAG;

	store(&at.bucket->slot[at.slot], pack(tag, position, it));
}

/* Removing. */

static void
move_slot(struct place to, struct place from)
{
	set_slot(to.bucket, to.slot, load(&from.bucket->slot[from.slot]),
	    slot_level(from.bucket, from.slot));
	clear_slot(from.bucket, from.slot);
}

/* What of bucket n is in the chain, as notes, and where the last of it is. */
static uint64_t
find_chained(struct table *t, const struct bucket_group *g, unsigned n,
    struct place *at)
{
	struct bucket *b = table_next(bucket_of(t, g, 0));
	uint64_t notes = 0;

	for (; b != NULL; b = table_next(b))
		for (unsigned m = slots_of(b, g, n); m != 0; m &= m - 1) {
			*at = (struct place){ b, __builtin_ctz(m) };
			notes |= NOTE_IN_CHAIN |
			    note_turn(
				turn_of(slot_word(b, at->slot) >> SLOT_TAG));
		}
	return notes;
}

/* An item of bucket n that was away, at that turn, is not any more. */
static void
note_again(struct table *t, const struct bucket_group *g, unsigned n,
    unsigned turn)
{
	struct bucket *b = bucket_of(t, g, n);
	uint64_t notes = load(&b->notes), away = 0;
	struct place at;

	if (slots_of(bucket_of(t, g, other_of(n, turn, g)), g, n) != 0)
		away = note_turn(turn);
	if (UNLIKELY(notes & NOTE_IN_CHAIN))
		away |= find_chained(t, g, n, &at);
	store(&b->notes, (notes & ~NOTE_IN_CHAIN & ~note_turn(turn)) | away);
}

/* Fills a hole in the chain with its last item.  True when that ends it. */
static bool
close_chain(struct table *t, const struct bucket_group *g, struct place hole)
{
	struct bucket *before = bucket_of(t, g, 0), *last = table_next(before);
	int i = CHAIN_SLOT;

	for (; is_chained(last); last = table_next(last))
		before = last;
	while (i >= 0 && load(&last->slot[i]) == 0)
		i--;
	if (i >= 0 && (last != hole.bucket || i > hole.slot))
		move_slot(hole, (struct place){ last, i });
	if (load(&last->slot[0]) != 0)
		return false;
	store(&before->slot[CHAIN_SLOT], 0);
	store(&before->notes, load(&before->notes) & ~NOTE_CHAINED);
	table_chain_free(t, last);
	return before == bucket_of(t, g, 0);
}

/* Where an item of bucket n is that is away. */
static struct place
find_stray(struct table *t, const struct bucket_group *g, unsigned n,
    unsigned *where)
{
	uint64_t notes = load(&bucket_of(t, g, n)->notes);
	unsigned turn = (unsigned)__builtin_ctzll(notes >> NOTE_AWAY);
	struct place at;
	unsigned m;

	if (UNLIKELY(notes & NOTE_IN_CHAIN)) {
		CHECK(find_chained(t, g, n, &at) != 0);
		return at;
	}
	*where = other_of(n, turn, g);
	at.bucket = bucket_of(t, g, *where);
	m = slots_of(at.bucket, g, n);
	CHECK(m != 0);
	at.slot = __builtin_ctz(m);
	return at;
}

/* A slot of bucket n is free: brings an item home, and so on from there. */
static void
fill_gap(struct table *t, const struct bucket_group *g, unsigned n, int slot)
{
	struct bucket *b;

	while (load(&(b = bucket_of(t, g, n))->notes) & AWAY) {
		bool chained = load(&b->notes) & NOTE_IN_CHAIN, ended = false;
		unsigned where = 0;
		struct place from = find_stray(t, g, n, &where);
		unsigned turn = turn_of(
		    slot_word(from.bucket, from.slot) >> SLOT_TAG);

		move_slot((struct place){ b, slot }, from);
		if (chained)
			ended = close_chain(t, g, from);
		note_again(t, g, n, turn);
		if (chained && !ended)
			return;
		n = where;
		slot = ended ? CHAIN_SLOT : from.slot;
	}
}

void
table_remove(struct table *t, uint64_t hash, struct place at)
{
	uint64_t tag = slot_word(at.bucket, at.slot) >> SLOT_TAG;
	struct bucket_group g = group_of(t, hash);
	unsigned turn = turn_of(tag), home = home_of(tag, &g);
	unsigned other = other_of(home, turn, &g);
	struct bucket *b = bucket_of(t, &g, home);
	bool ended;

	clear_slot(at.bucket, at.slot);
	t->items--;
	if (LIKELY(at.bucket == b)) {
		if (UNLIKELY(load(&b->notes) & AWAY))
			fill_gap(t, &g, home, at.slot);
		return;
	}
	if (at.bucket == bucket_of(t, &g, other)) {
		note_again(t, &g, home, turn);
		fill_gap(t, &g, other, at.slot);
		return;
	}
	ended = close_chain(t, &g, at);
	note_again(t, &g, home, turn);
	if (ended)
		fill_gap(t, &g, 0, CHAIN_SLOT);
}
