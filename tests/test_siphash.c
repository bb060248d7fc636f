/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_siphash.c - SipHash-2-4 gives the outputs its authors published.
 */
#include "config.h"

#include "base/siphash.h"

#include <stdlib.h>
#include <string.h>

#include "rng.h"
#include "unit.h"

enum { LONGEST = 40 };

static const uint8_t key[16] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13,
	14, 15 };

/* vectors_sip64 of the reference code: of "", 00, 00 01, 00 01 02, ... */
static const uint64_t published[] = {
	0x726fdb47dd0e0e31,
	0x74f839c593dc67fd,
	0x0d6c8009d9a94f5a,
	0x85676696d7fb7e2d,
	0xcf2794e0277187b7,
	0x18765564cd99a68d,
	0xcbc9466e58fee3ce,
	0xab0200f58b01d137,
	0x93f5f5799a932462,
	0x9e0082df0ba9e4b0,
	0x7a5dbbc594ddb9f3,
	0xf4b32f46226bada7,
	0x751e8fbc860ee5fb,
	0x14ea5627c0843d90,
	0xf723ca908e7af2ee,
	0xa129ca6149be45e5, /* the one in the paper */
	0x3f2acc7f57c29bdb,
	0x699ae9f52cbe4794,
};

static void
the_outputs_are_the_published_ones(void)
{
	uint8_t in[sizeof(published) / sizeof(published[0])];

	for (size_t n = 0; n < sizeof(in); n++) {
		in[n] = (uint8_t)n;
		unit_note("%zu bytes", n);
		CHECK(siphash24(key, in, n) == published[n]);
	}
	unit_note("%s", "");
}

/* A sanitizer sees a read behind the input. */
static void
only_the_input_is_read_at_every_length_and_alignment(void)
{
	struct rng r = rng_start("inputs", 6);

	for (size_t n = 1; n <= LONGEST; n++)
		for (size_t shift = 0; shift < 8; shift++) {
			char *block = malloc(n + shift), *copy = malloc(n);

			REQUIRE(block != NULL && copy != NULL);
			rng_fill(&r, block, n + shift);
			memcpy(copy, block + shift, n);
			CHECK(siphash24(key, block + shift, n) ==
			    siphash24(key, copy, n));
			free(block);
			free(copy);
		}
}

static void
every_bit_of_key_and_input_matters(void)
{
	uint8_t other_key[16], in[24] = { 0 };
	uint64_t h = siphash24(key, in, sizeof(in));

	for (unsigned bit = 0; bit < 8 * sizeof(key); bit++) {
		memcpy(other_key, key, sizeof(key));
		other_key[bit / 8] ^= (uint8_t)(1 << bit % 8);
		CHECK(siphash24(other_key, in, sizeof(in)) != h);
	}
	for (unsigned bit = 0; bit < 8 * sizeof(in); bit++) {
		in[bit / 8] ^= (uint8_t)(1 << bit % 8);
		CHECK(siphash24(key, in, sizeof(in)) != h);
		in[bit / 8] = 0;
	}
	for (size_t n = 0; n < sizeof(in); n++)
		CHECK(siphash24(key, in, n) != h);
}

UNIT("siphash", TEST(the_outputs_are_the_published_ones),
    TEST(only_the_input_is_read_at_every_length_and_alignment),
    TEST(every_bit_of_key_and_input_matters))
