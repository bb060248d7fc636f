/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_slab.c - memory of items, in regions of one size each.
 */
#include "config.h"

#include "store/slab.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "rng.h"

#include "unit.h"

enum { SLOTS = 3000, THREADS = 4 };

/* What a test holds: regions filled with a byte of their own. */
struct piece {
	unsigned char *p;
	size_t size;
	unsigned char fill;
};

struct holder {
	struct slab_cache cache;
	struct piece piece[SLOTS];
	struct rng rng;
	pthread_t thread;
	bool torn;
};

static void
take_piece(struct holder *h, struct piece *piece, size_t size)
{
	piece->p = slab_alloc(&h->cache, size);
	REQUIRE(piece->p != NULL);
	piece->size = size;
	piece->fill = (unsigned char)rng_next(&h->rng);
	memset(piece->p, piece->fill, size);
}

static void
give_piece(struct holder *h, struct piece *piece)
{
	if (piece->p == NULL)
		return;
	for (size_t i = 0; i < piece->size; i++)
		h->torn |= piece->p[i] != piece->fill;
	slab_free(&h->cache, piece->p, piece->size);
	piece->p = NULL;
}

static size_t
some_size(struct rng *r)
{
	return rng_one_in(r, 8) ? 1 + rng_below(r, SLAB_ITEM_MAX) :
				  1 + rng_below(r, 600);
}

static struct holder *
holder(struct slabs *all, uint64_t seed)
{
	struct holder *h = calloc(1, sizeof(*h));

	REQUIRE(h != NULL);
	slab_cache_init(&h->cache, all);
	h->rng.state = seed;
	return h;
}

static void
churn(struct holder *h, int rounds)
{
	for (int i = 0; i < rounds; i++) {
		struct piece *piece = &h->piece[rng_below(&h->rng, SLOTS)];

		give_piece(h, piece);
		if (rng_one_in(&h->rng, 3))
			continue;
		take_piece(h, piece, some_size(&h->rng));
	}
}

static void
give_all(struct holder *h)
{
	for (int i = 0; i < SLOTS; i++)
		give_piece(h, &h->piece[i]);
	slab_cache_empty(&h->cache);
}

/* All has come back. */
static void
end(struct slabs *all)
{
	CHECK_EQ(atomic_load(&all->bytes), 0);
	CHECK_EQ(slabs_free_bytes(all), 0);
	slab_pool_purge(&all->pool, INT64_MAX / 2);
	CHECK_EQ(atomic_load(&all->pool.dirty), 0);
	CHECK_EQ(slabs_bytes(all), 0);
	slabs_free(all);
}

/* All classes, fine or coarse: what an item wastes, and a slab's end. */
static void
check_classes(bool coarse, double worst_allowed)
{
	struct slabs *all = slabs_new(coarse);
	unsigned c = 0;
	double worst = 0;

	REQUIRE(all != NULL);
	for (size_t size = 1; size <= SLAB_ITEM_MAX; size++) {
		c = slab_class_of(all, size);
		REQUIRE(c < all->classes);
		REQUIRE(all->cls[c].size >= size);
		REQUIRE(all->cls[c].size == slab_region(all, size));
		REQUIRE(size <= SLAB_ITEM_MIN || all->cls[c - 1].size < size);
		REQUIRE(all->cls[c].size % SLAB_STEP == 0);
		if (size > 100 &&
		    (double)slab_region(all, size) / (double)size > worst)
			worst = (double)slab_region(all, size) / (double)size;
	}
	CHECK_EQ(c, all->classes - 1);
	CHECK(worst < worst_allowed);
	for (c = slab_class_of(all, SLAB_ITEM_MIN); c < all->classes; c++) {
		size_t bytes = (size_t)SLAB_UNIT << all->cls[c].order;

		REQUIRE(bytes / all->cls[c].size >= (coarse ? 8 : 16));
		REQUIRE(bytes % all->cls[c].size <= bytes / 64);
	}
	end(all);
}

static void
every_size_has_a_class_that_fits(void)
{
	check_classes(false, 1.067);
	check_classes(true, 1.129);
}

/* What coarse classes are for. */
static void
coarse_classes_leave_less_empty(void)
{
	int64_t bytes[2];

	for (int coarse = 0; coarse < 2; coarse++) {
		struct slabs *all = slabs_new(coarse);
		struct holder *h = holder(all, 9);

		for (unsigned c = 4; c < all->classes; c++)
			REQUIRE(
			    slab_fill(&h->cache, c, INT64_MAX) == SLAB_READY);
		bytes[coarse] = slabs_bytes(all);
		slab_cache_empty(&h->cache);
		free(h);
		end(all);
	}
	CHECK(bytes[true] * 5 < bytes[false] * 2);
}

static void
regions_lie_apart_and_are_aligned(void)
{
	struct slabs *all = slabs_new(false);
	struct holder *h = holder(all, 1);

	for (int i = 0; i < SLOTS; i++) {
		take_piece(h, &h->piece[i], some_size(&h->rng));
		REQUIRE((uintptr_t)h->piece[i].p % SLAB_STEP == 0);
	}
	give_all(h);
	CHECK(!h->torn);
	free(h);
	end(all);
}

static void
what_is_freed_is_found_again(void)
{
	struct slabs *all = slabs_new(false);
	struct holder *h = holder(all, 2);
	int64_t most;

	for (int i = 0; i < SLOTS; i++)
		take_piece(h, &h->piece[i], 140);
	most = slabs_bytes(all);
	CHECK(
	    most < SLOTS * 140 + 2 * SLAB_UNIT + slab_pool_headers(&all->pool));
	for (int round = 0; round < 20; round++)
		for (int i = round % 3; i < SLOTS; i += 3) {
			give_piece(h, &h->piece[i]);
			take_piece(h, &h->piece[i], 137 + i % 4);
		}
	CHECK_EQ(slabs_bytes(all), most);
	give_all(h);
	CHECK(!h->torn);
	free(h);
	end(all);
}

static void
freed_regions_begin_with_zeros(void)
{
	struct slabs *all = slabs_new(false);
	struct holder *h = holder(all, 3);
	static const char zeros[8];
	char *a, *b;

	take_piece(h, &h->piece[0], 140);
	take_piece(h, &h->piece[1], 140);
	a = (char *)h->piece[0].p;
	b = (char *)h->piece[1].p;
	give_piece(h, &h->piece[0]);
	CHECK(memcmp(a, zeros, 8) == 0);
	slab_cache_empty(&h->cache); /* b keeps the slab */
	CHECK(memcmp(a, zeros, 8) == 0);
	CHECK(slab_of(a) == slab_of(b));
	give_all(h);
	free(h);
	end(all);
}

static void
a_full_room_is_said(void)
{
	struct slabs *all = slabs_new(false);
	struct holder *h = holder(all, 4);
	unsigned c = slab_class_of(all, 1000), small = slab_class_of(all, 100);
	int64_t room;

	CHECK_EQ(slab_fill(&h->cache, c, 1000), SLAB_SHORT);
	CHECK(!slab_is_ready(&h->cache, c));
	CHECK_EQ(slabs_bytes(all), 0);
	CHECK_EQ(slab_fill(&h->cache, c, 1 << 20), SLAB_READY);
	CHECK(slab_is_ready(&h->cache, c));
	room = slabs_bytes(all);
	CHECK_EQ(slab_fill(&h->cache, c, 0), SLAB_READY);
	CHECK_EQ(slab_fill(&h->cache, small, room), SLAB_SHORT);
	slab_cache_empty(&h->cache);
	/* The empty slab has made room; its pages serve the next one. */
	CHECK(atomic_load(&all->pool.dirty) > 0);
	CHECK_EQ(slab_fill(&h->cache, small, room), SLAB_READY);
	slab_cache_empty(&h->cache);
	free(h);
	end(all);
}

static void
victims_are_the_emptiest_and_hand_out_nothing(void)
{
	struct slabs *all = slabs_new(false);
	struct holder *h = holder(all, 5);
	struct slab *thin, *victim, *other;
	struct slab_span span;
	int keep = 2;
	char *p;

	for (int i = 0; i < SLOTS; i++)
		take_piece(h, &h->piece[i], 140);
	slab_cache_empty(&h->cache);
	CHECK(slab_victim(all) == NULL);
	/* every second region goes, but of one slab all but two */
	thin = slab_of(h->piece[SLOTS / 2].p);
	for (int i = 0; i < SLOTS; i++)
		if (slab_of(h->piece[i].p) == thin ? keep-- <= 0 : i % 2)
			give_piece(h, &h->piece[i]);
	slab_cache_empty(&h->cache);
	victim = slab_victim(all);
	REQUIRE(victim == thin);

	span = slab_used(all, victim);
	CHECK_EQ(span.size, 140);
	CHECK(span.first < span.end &&
	    (size_t)(span.end - span.first) <= slab_bytes(victim));
	p = slab_take(all, victim);
	REQUIRE(p != NULL);
	CHECK(slab_of(p) != victim);
	slab_put(all, p);
	for (int i = 0; i < SLOTS; i++)
		if (h->piece[i].p == NULL) {
			take_piece(h, &h->piece[i], 140);
			REQUIRE(slab_of(h->piece[i].p) != victim);
		}
	/* it is not empty: it comes back, and is not tried again */
	CHECK(!slab_victim_done(all, victim));
	CHECK_EQ(victim->state, SLAB_USED);
	other = slab_victim(all);
	CHECK(other != victim);
	if (other != NULL)
		CHECK(!slab_victim_done(all, other));
	give_all(h);
	CHECK(!h->torn);
	free(h);
	end(all);
}

static void
a_victim_that_was_emptied_is_given_back(void)
{
	struct slabs *all = slabs_new(false);
	struct holder *h = holder(all, 6);
	struct slab *victim;
	int64_t before;

	for (int i = 0; i < SLOTS; i++)
		take_piece(h, &h->piece[i], 140);
	for (int i = 0; i < SLOTS; i += 2)
		give_piece(h, &h->piece[i]);
	slab_cache_empty(&h->cache);
	before = slabs_bytes(all);
	victim = slab_victim(all);
	REQUIRE(victim != NULL);
	for (int i = 0; i < SLOTS; i++)
		if (h->piece[i].p != NULL && slab_of(h->piece[i].p) == victim)
			give_piece(h, &h->piece[i]);
	slab_cache_empty(&h->cache);
	CHECK_EQ(slabs_bytes(all), before);
	CHECK(slab_victim_done(all, victim));
	CHECK_EQ(slabs_bytes(all), before - SLAB_UNIT);
	give_all(h);
	free(h);
	end(all);
}

/* Bytes of regions that the holder's cache keeps. */
static size_t
kept_by(const struct holder *h)
{
	size_t bytes = 0;

	for (unsigned i = 0; i < h->cache.slabs->classes; i++)
		bytes += (size_t)h->cache.kept[i].n *
		    h->cache.slabs->cls[i].size;
	return bytes;
}

static void
a_thread_keeps_little_of_many_sizes(void)
{
	struct slabs *all = slabs_new(false);
	struct holder *h = holder(all, 7);
	size_t most = 0;

	for (int i = 0; i < SLOTS; i++)
		take_piece(h, &h->piece[i],
		    1 + (size_t)i * (SLAB_ITEM_MAX - 1) / SLOTS);
	for (int i = 0; i < SLOTS; i++) {
		give_piece(h, &h->piece[i]);
		if (kept_by(h) > most)
			most = kept_by(h);
	}
	CHECK(most > SLAB_KEPT / 2 && most <= SLAB_KEPT);
	churn(h, 10000);
	CHECK(kept_by(h) <= SLAB_KEPT);
	CHECK_EQ(kept_by(h), h->cache.bytes);
	give_all(h);
	CHECK_EQ(h->cache.bytes, 0);
	free(h);
	end(all);
}

/* Runs of all orders from one chunk, freed in another order, make it whole. */
static void
runs_join_again(void)
{
	struct rng rng = rng_start("runs", 7);
	struct slab_pool pool;
	struct slab *run[200] = { NULL };

	slab_pool_init(&pool);
	for (int round = 0; round < 5000; round++) {
		struct slab **at = &run[rng_below(&rng, 200)];

		if (*at != NULL) {
			memset(slab_start(*at), round, slab_bytes(*at));
			slab_pool_give(&pool, *at);
			*at = NULL;
		} else {
			unsigned order = (unsigned)rng_below(&rng, 5);

			bool whole = order == 0 && rng_one_in(&rng, 2);

			*at = whole ? slab_pool_take_whole(&pool) :
				      slab_pool_take(&pool, order);
			REQUIRE(*at != NULL);
			REQUIRE(!whole || slab_bytes(*at) == SLAB_UNIT);
			REQUIRE((*at)->order == order);
			REQUIRE(slab_index(*at) % (1u << order) == 0);
			REQUIRE(slab_of(slab_start(*at) + slab_bytes(*at) -
				    1) == *at);
		}
		if (round % 50 == 0)
			slab_pool_purge(&pool, (int64_t)rng_any(&rng, 22));
	}
	for (int i = 0; i < 200; i++)
		if (run[i] != NULL)
			slab_pool_give(&pool, run[i]);
	slab_pool_purge(&pool, INT64_MAX / 2);
	CHECK_EQ(atomic_load(&pool.chunks), 0);
	slab_pool_destroy(&pool);
}

/* The first unit of a chunk is too short for some, and is left to others. */
static void
a_short_unit_is_left_to_others(void)
{
	enum { CHUNKS = 3, WHOLE = CHUNKS * (SLAB_UNITS - 1) };
	struct slab_pool pool;
	struct slab *run[CHUNKS * SLAB_UNITS];

	slab_pool_init(&pool);
	for (int i = 0; i < WHOLE; i++) {
		run[i] = slab_pool_take_whole(&pool);
		REQUIRE(run[i] != NULL);
		CHECK_EQ(slab_bytes(run[i]), SLAB_UNIT);
	}
	for (int i = WHOLE; i < CHUNKS * SLAB_UNITS; i++) {
		run[i] = slab_pool_take(&pool, 0);
		REQUIRE(run[i] != NULL);
		CHECK_EQ(slab_index(run[i]), 0);
	}
	CHECK_EQ(atomic_load(&pool.chunks), CHUNKS);
	for (int i = 0; i < CHUNKS * SLAB_UNITS; i++)
		slab_pool_give(&pool, run[i]);
	slab_pool_purge(&pool, INT64_MAX / 2);
	CHECK_EQ(atomic_load(&pool.chunks), 0);
	slab_pool_destroy(&pool);
}

/* The last chunk may stay half empty, which a huge page never is. */
static void
near_the_limit_chunks_have_small_pages(void)
{
	enum { CHUNKS = 12, BYTES = CHUNKS * SLAB_CHUNK };
	struct slab_pool pool;
	struct slab *run[CHUNKS];

	slab_pool_init(&pool);
	for (int i = 0; i < CHUNKS; i++) {
		slab_pool_expect(&pool, BYTES - i * SLAB_CHUNK, BYTES);
		run[i] = slab_pool_take(&pool, SLAB_ORDERS - 1);
		REQUIRE(run[i] != NULL);
	}
	CHECK(slab_chunk_of(run[CHUNKS - 3])->huge);
	CHECK(!slab_chunk_of(run[CHUNKS - 2])->huge);
	CHECK(!slab_chunk_of(run[CHUNKS - 1])->huge);
	for (int i = 0; i < CHUNKS; i++)
		slab_pool_give(&pool, run[i]);
	slab_pool_purge(&pool, INT64_MAX / 2);
	slab_pool_destroy(&pool);
}

static void
nothing_is_lost_in_a_long_churn(void)
{
	struct rng rng = rng_start("churn", 8);
	struct slabs *all = slabs_new(false);
	struct holder *h = holder(all, rng_next(&rng));

	churn(h, 300000);
	CHECK(!h->torn);
	give_all(h);
	free(h);
	end(all);
}

static void *
churn_thread(void *arg)
{
	churn(arg, 60000);
	return NULL;
}

/* Each frees what another one took. */
static void
threads_share_slabs(void)
{
	struct rng rng = rng_start("threads", 9);
	struct slabs *all = slabs_new(false);
	struct holder *h[THREADS];

	for (int i = 0; i < THREADS; i++)
		h[i] = holder(all, rng_next(&rng));
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < THREADS; i++)
			REQUIRE(pthread_create(&h[i]->thread, NULL,
				    churn_thread, h[i]) == 0);
		for (int i = 0; i < THREADS; i++)
			pthread_join(h[i]->thread, NULL);
		for (int k = 0; k < SLOTS; k++) {
			struct piece first = h[0]->piece[k];

			for (int i = 0; i + 1 < THREADS; i++)
				h[i]->piece[k] = h[i + 1]->piece[k];
			h[THREADS - 1]->piece[k] = first;
		}
	}
	for (int i = 0; i < THREADS; i++) {
		give_all(h[i]);
		CHECK(!h[i]->torn);
		free(h[i]);
	}
	end(all);
}

UNIT("slab", TEST(every_size_has_a_class_that_fits),
    TEST(coarse_classes_leave_less_empty),
    TEST(regions_lie_apart_and_are_aligned), TEST(what_is_freed_is_found_again),
    TEST(freed_regions_begin_with_zeros), TEST(a_full_room_is_said),
    TEST(victims_are_the_emptiest_and_hand_out_nothing),
    TEST(a_victim_that_was_emptied_is_given_back),
    TEST(a_thread_keeps_little_of_many_sizes), TEST(runs_join_again),
    TEST(a_short_unit_is_left_to_others),
    TEST(near_the_limit_chunks_have_small_pages),
    TEST(nothing_is_lost_in_a_long_churn), TEST(threads_share_slabs))
