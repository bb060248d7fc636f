/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_text.c - a growing text, for reports.
 */
#include "config.h"

#include "proto/text.h"

#include <stdlib.h>
#include <string.h>

#include "unit.h"

static void
lines_are_added_in_order(void)
{
	struct text t = { .p = NULL };

	text_stat(&t, "a", "%d", 1);
	text_add(&t, "%s\r\n", "END");
	CHECK_BYTES(t.p, t.len, "STAT a 1\r\nEND\r\n");
	free(t.p);
}

static void
a_text_grows_as_it_has_to(void)
{
	struct text t = { .p = NULL };

	for (int i = 0; i < 10000; i++)
		text_stat(&t, "name", "%d", i);
	CHECK(!t.failed);
	CHECK_BYTES(t.p + t.len - 16, 16, "STAT name 9999\r\n");
	free(t.p);
}

/* `stats settings` shows all addresses of -l in one. */
static void
a_line_may_be_of_any_length(void)
{
	for (size_t n = 1; n < 100000; n += 1 + n / 3) {
		struct text t = { .p = NULL };
		char *value = calloc(1, n + 1);

		REQUIRE(value != NULL);
		memset(value, 'v', n);
		text_stat(&t, "inter", "%s", value);
		unit_note("%zu bytes", n);
		CHECK(!t.failed);
		CHECK_EQ(t.len, n + 13);
		free(value);
		free(t.p);
	}
	unit_note("%s", "");
}

UNIT("text", TEST(lines_are_added_in_order), TEST(a_text_grows_as_it_has_to),
    TEST(a_line_may_be_of_any_length))
