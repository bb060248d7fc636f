/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_uri.c - keys in dumps and logs, percent-encoded.
 */
#include "config.h"

#include "base/uri.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

static const char unreserved[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				 "abcdefghijklmnopqrstuvwxyz0123456789-._~";

static void
unreserved_characters_stay_as_they_are(void)
{
	size_t n = sizeof(unreserved) - 1;
	char out[3 * sizeof(unreserved)];

	CHECK_EQ(uri_encode(out, unreserved, n), n);
	CHECK(memcmp(out, unreserved, n) == 0);
}

static void
every_other_byte_becomes_a_percent_and_two_digits(void)
{
	for (int c = 0; c < 256; c++) {
		char in = (char)c, want[4], out[4] = "###";

		if (c != 0 && strchr(unreserved, c) != NULL)
			continue;
		snprintf(want, sizeof(want), "%%%02X", (unsigned)c);
		unit_note("byte %d", c);
		CHECK_EQ(uri_encode(out, &in, 1), 3);
		CHECK_STR(out, want);
	}
}

static void
a_text_is_encoded_byte_by_byte(void)
{
	char out[64];

	CHECK_BYTES(out, uri_encode(out, "a b/c%", 6), "a%20b%2Fc%25");
	CHECK_BYTES(out, uri_encode(out, "\0\r\n\xc3\xa4", 5),
	    "%00%0D%0A%C3%A4");
	CHECK_EQ(uri_encode(out, "", 0), 0);
}

static void
three_bytes_for_one_are_room_enough(void)
{
	enum { LONGEST = 250 };
	char in[LONGEST], *out = malloc(3 * LONGEST);

	REQUIRE(out != NULL);
	memset(in, '\xff', sizeof(in));
	CHECK_EQ(uri_encode(out, in, sizeof(in)), 3 * LONGEST);
	free(out);
}

UNIT("uri", TEST(unreserved_characters_stay_as_they_are),
    TEST(every_other_byte_becomes_a_percent_and_two_digits),
    TEST(a_text_is_encoded_byte_by_byte),
    TEST(three_bytes_for_one_are_room_enough))
