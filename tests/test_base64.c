/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_base64.c - binary keys of the meta commands.
 */
#include "config.h"

#include "base/base64.h"

#include <stdlib.h>
#include <string.h>

#include "rng.h"
#include "unit.h"

enum { LONGEST = 250 };

/* A block of exactly n bytes, so that a sanitizer sees a byte too many. */
static char *
exactly(size_t n)
{
	char *p = malloc(n > 0 ? n : 1);

	if (p == NULL)
		abort();
	return p;
}

static void
encodes(const char *plain, const char *coded)
{
	size_t n = strlen(plain);
	char *out = exactly(BASE64_LEN(n));
	char text[64];
	size_t len = base64_encode(out, plain, n);

	unit_note("%s", plain);
	CHECK_EQ(len, BASE64_LEN(n));
	memcpy(text, out, len);
	text[len] = '\0';
	CHECK_STR(text, coded);
	free(out);
}

/* Decodes into a block as large as promised; -1 when it can't be decoded. */
static int
decode(const char *coded, char plain[64])
{
	size_t n = strlen(coded);
	char *in = exactly(n), *out = exactly(n / 4 * 3);
	size_t len;

	memcpy(in, coded, n);
	len = base64_decode(out, in, n);
	memcpy(plain, out, len);
	plain[len] = '\0';
	free(in);
	free(out);
	return len > 0 ? (int)len : -1;
}

static void
decodes(const char *coded, const char *want)
{
	char plain[64];

	unit_note("%s", coded);
	CHECK_EQ(decode(coded, plain), strlen(want));
	CHECK_STR(plain, want);
}

static void
refuses(const char *coded)
{
	char plain[64];

	unit_note("%s", coded);
	CHECK_EQ(decode(coded, plain), -1);
}

/* RFC 4648, section 10. */
static void
the_examples_of_the_rfc_come_out(void)
{
	static const char *const example[][2] = { { "f", "Zg==" },
		{ "fo", "Zm8=" }, { "foo", "Zm9v" }, { "foob", "Zm9vYg==" },
		{ "fooba", "Zm9vYmE=" }, { "foobar", "Zm9vYmFy" } };

	encodes("", "");
	refuses("");
	for (size_t i = 0; i < sizeof(example) / sizeof(example[0]); i++) {
		encodes(example[i][0], example[i][1]);
		decodes(example[i][1], example[i][0]);
	}
}

static void
all_bytes_come_back_at_every_length(void)
{
	struct rng r = rng_start("round trip", 2);

	for (size_t n = 1; n <= LONGEST; n++)
		for (int i = 0; i < 20; i++) {
			char *plain = exactly(n), *back;
			char *coded = exactly(BASE64_LEN(n));
			size_t len;

			rng_fill(&r, plain, n);
			len = base64_encode(coded, plain, n);
			CHECK_EQ(len, BASE64_LEN(n));
			back = exactly(len / 4 * 3);
			CHECK_EQ(base64_decode(back, coded, len), n);
			CHECK(memcmp(back, plain, n) == 0);
			free(plain);
			free(coded);
			free(back);
		}
}

static void
the_alphabet_is_in_order(void)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				       "abcdefghijklmnopqrstuvwxyz"
				       "0123456789+/";
	unsigned char plain[48];
	char coded[64];

	for (unsigned i = 0; i < 16; i++) {
		uint32_t v = (4 * i) << 18 | (4 * i + 1) << 12 |
		    (4 * i + 2) << 6 | (4 * i + 3);

		plain[3 * i] = (unsigned char)(v >> 16);
		plain[3 * i + 1] = (unsigned char)(v >> 8);
		plain[3 * i + 2] = (unsigned char)v;
	}

	CHECK_EQ(base64_encode(coded, plain, sizeof(plain)), 64);
	CHECK(memcmp(coded, alphabet, 64) == 0);
}

static void
characters_outside_the_alphabet_are_skipped(void)
{
	decodes("Zm9v!", "foo");
	decodes("!Zm9v", "foo");
	decodes("Z-m_9.v", "foo");
	decodes("Z\x80m\xff"
		"9v",
	    "foo");
	decodes("Zg!==", "f");
	decodes("Zg=\n=", "f");
	refuses("!!!!");
	refuses("Zm9!");
}

static void
a_group_that_is_not_whole_is_refused(void)
{
	refuses("Z");
	refuses("Zm");
	refuses("Zm9");
	refuses("Zm9vY");
	refuses("Zm9vYm");
	refuses("Zm9vYmF");
	refuses("Zg=");
	refuses("Zm9vZg=");
}

static void
padding_stands_at_the_end_of_a_group(void)
{
	refuses("=");
	refuses("====");
	refuses("=g==");
	refuses("Z===");
	refuses("=Zm9");
	refuses("Z=m9");
	refuses("Zg=v");
	refuses("Zm9vZ=m9");
}

static void
a_padded_group_ends_the_text(void)
{
	decodes("Zg==Zm9v", "f");
	decodes("Zm8=Zm9v", "fo");
	decodes("Zm9vZg====", "foof");
}

/* Whatever comes, no byte is written behind the room that was promised. */
static void
any_text_decodes_within_its_room(void)
{
	static const char chars[] = "AZaz09+/====!-\xff";
	struct rng r = rng_start("any text", 3);

	for (int i = 0; i < 100000; i++) {
		size_t n = rng_below(&r, 24);
		char *in = exactly(n), *out = exactly(n / 4 * 3);
		size_t len;

		for (size_t k = 0; k < n; k++)
			in[k] = chars[rng_below(&r, sizeof(chars) - 1)];
		len = base64_decode(out, in, n);
		CHECK(len <= n / 4 * 3);
		free(in);
		free(out);
	}
}

UNIT("base64", TEST(the_examples_of_the_rfc_come_out),
    TEST(all_bytes_come_back_at_every_length), TEST(the_alphabet_is_in_order),
    TEST(characters_outside_the_alphabet_are_skipped),
    TEST(a_group_that_is_not_whole_is_refused),
    TEST(padding_stands_at_the_end_of_a_group),
    TEST(a_padded_group_ends_the_text), TEST(any_text_decodes_within_its_room))
