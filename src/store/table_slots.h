/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * table_slots.h - questions about all slots of a bucket at once.
 *
 * For table*.c alone.
 *
 * Layer: store.
 */
#ifndef STORE_TABLE_SLOTS_H
#define STORE_TABLE_SLOTS_H

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "store/table_bucket.h"

/* Whole vectors would be races in the eyes of the thread sanitizer. */
#if defined(__SSE2__) && !defined(__SANITIZE_THREAD__)
#define TABLE_VECTORS 1
#endif
#ifdef __has_feature
#if __has_feature(thread_sanitizer)
#undef TABLE_VECTORS
#endif
#endif

/*
 * Three questions about all slots of a bucket: a bit for each is the answer.
 * Tags are in the upper halves of the words, so four go into a vector.
 */
#ifdef TABLE_VECTORS
static inline __m128i
halves(const struct bucket *b, int i, bool upper)
{
	const __m128 *p = (const __m128 *)(const void *)b + i;

	return _mm_castps_si128(upper ? _mm_shuffle_ps(p[0], p[1], 0xdd) :
					_mm_shuffle_ps(p[0], p[1], 0x88));
}

static inline __m128i
four_tags(const struct bucket *b, int i)
{
	return _mm_srli_epi32(halves(b, i, true), SLOT_TAG - 32);
}

static inline unsigned
bits(__m128i low, __m128i high)
{
	low = _mm_packs_epi32(low, high);
	return (unsigned)_mm_movemask_epi8(_mm_packs_epi16(low, low));
}

/* Those with that tag, free ones as tag 0; the lock need not be held. */
static inline unsigned
slots_tagged(const struct bucket *b, uint64_t tag)
{
	__m128i want = _mm_set1_epi32((int)tag);

	return usable(b) &
	    bits(_mm_cmpeq_epi32(four_tags(b, 0), want),
		_mm_cmpeq_epi32(four_tags(b, 2), want));
}

static inline unsigned
slots_free(const struct bucket *b)
{
	__m128i zero = _mm_setzero_si128();
	__m128i low = _mm_or_si128(halves(b, 0, true), halves(b, 0, false));
	__m128i high = _mm_or_si128(halves(b, 2, true), halves(b, 2, false));

	return usable(b) &
	    bits(_mm_cmpeq_epi32(low, zero), _mm_cmpeq_epi32(high, zero));
}

/* Those with an item that belongs to bucket n. */
static inline unsigned
slots_of(const struct bucket *b, const struct bucket_group *g, unsigned n)
{
	__m128i size = _mm_set1_epi32((int)g->buckets);
	__m128i want = _mm_set1_epi32((int)n);
	__m128i low = _mm_madd_epi16(four_tags(b, 0), size);
	__m128i high = _mm_madd_epi16(four_tags(b, 2), size);
	unsigned m;

	low = _mm_cmpeq_epi32(_mm_srli_epi32(low, TAG_BITS), want);
	high = _mm_cmpeq_epi32(_mm_srli_epi32(high, TAG_BITS), want);
	m = usable(b) & bits(low, high);
	return n == 0 ? m & ~slots_free(b) : m;
}
#else
static inline unsigned
slots_tagged(const struct bucket *b, uint64_t tag)
{
	unsigned m = 0;

	for (unsigned i = 0; i < TABLE_SLOTS; i++)
		m |= (unsigned)(load(&b->slot[i]) >> SLOT_TAG == tag) << i;
	return usable(b) & m;
}

static inline unsigned
slots_free(const struct bucket *b)
{
	unsigned m = 0;

	for (unsigned i = 0; i < TABLE_SLOTS; i++)
		m |= (unsigned)(load(&b->slot[i]) == 0) << i;
	return usable(b) & m;
}

static inline unsigned
slots_of(const struct bucket *b, const struct bucket_group *g, unsigned n)
{
	unsigned m = 0;

	for (unsigned i = 0; i < TABLE_SLOTS; i++) {
		uint64_t word = load(&b->slot[i]);

		if (word != 0 && home_of(word >> SLOT_TAG, g) == n)
			m |= 1U << i;
	}
	return usable(b) & m;
}
#endif

#endif
