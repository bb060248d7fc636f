/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_num.c - base/num.h against a slow reading of the same text.
 *
 * The first 16 bytes of the input are the bounds; the rest is the text.
 */
#include "config.h"

#include <stdbool.h>
#include <string.h>

#include "base/check.h"
#include "base/num.h"
#include "fuzz/fuzz.h"

typedef unsigned __int128 wide;

/* Digits to the end of the text; false when there are others, or none. */
static bool
read_digits(const char *p, size_t n, wide *v)
{
	const wide enough = (wide)1 << 70;

	*v = 0;
	for (size_t i = 0; i < n; i++) {
		if (memchr("0123456789", p[i], 10) == NULL)
			return false;
		if (*v < enough)
			*v = *v * 10 + (wide)(p[i] - '0');
	}
	return n > 0;
}

static void
check_unsigned(const char *p, size_t n, uint64_t max)
{
	uint64_t strict, loose;
	wide v;
	bool plus = n > 0 && *p == '+';
	bool good = read_digits(p, n, &v) && v <= max;

	CHECK(num_strict(p, n, max, &strict) == good);
	CHECK(!good || strict == v);
	good = plus ? read_digits(p + 1, n - 1, &v) && v <= max : good;
	CHECK(num_loose(p, n, max, &loose) == good);
	CHECK(!good || loose == v);
}

static void
check_signed(const char *p, size_t n, int64_t min, int64_t max)
{
	bool sign = n > 0 && (*p == '+' || *p == '-'), good;
	bool negative = sign && *p == '-';
	__int128 want;
	int64_t got;
	wide v;

	good = read_digits(p + sign, n - sign, &v);
	want = negative ? -(__int128)v : (__int128)v;
	good = good && want >= min && want <= max;
	CHECK(num_signed(p, n, min, max, &got) == good);
	CHECK(!good || got == want);
}

static void
check_print(uint64_t v)
{
	char text[NUM_MAX];
	size_t n = num_print(text, v);
	uint64_t back;

	CHECK(n >= 1 && n <= NUM_MAX && (text[0] != '0' || n == 1));
	CHECK(num_strict(text, n, v, &back) && back == v);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t bound[2];

	if (size < sizeof(bound))
		return 0;
	memcpy(bound, data, sizeof(bound));
	data += sizeof(bound);
	size -= sizeof(bound);
	check_unsigned((const char *)data, size, bound[0]);
	check_unsigned((const char *)data, size, UINT64_MAX);
	check_signed((const char *)data, size, (int64_t)bound[0],
	    (int64_t)bound[1]);
	check_signed((const char *)data, size, INT64_MIN, INT64_MAX);
	check_print(bound[0]);
	return 0;
}
