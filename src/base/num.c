/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * num.c - decimal numbers as they stand on the wire.
 */
#include "config.h"

#include "base/num.h"

#include <string.h>

bool
num_strict(const char *p, size_t n, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;

	if (n == 0)
		return false;
	for (size_t i = 0; i < n; i++) {
		unsigned digit = (unsigned char)p[i] - (unsigned)'0';

		if (digit > 9)
			return false;
		if (v > (UINT64_MAX - digit) / 10)
			return false;
		v = v * 10 + digit;
	}
	*out = v;
	return v <= max;
}

bool
num_loose(const char *p, size_t n, uint64_t max, uint64_t *out)
{
	if (n > 1 && p[0] == '+')
		return num_strict(p + 1, n - 1, max, out);
	return num_strict(p, n, max, out);
}

bool
num_signed(const char *p, size_t n, int64_t min, int64_t max, int64_t *out)
{
	uint64_t v;

	if (n > 1 && p[0] == '-') {
		if (!num_strict(p + 1, n - 1, (uint64_t)INT64_MAX + 1, &v))
			return false;
		*out = (int64_t)(0 - v);
	} else {
		if (!num_loose(p, n, INT64_MAX, &v))
			return false;
		*out = (int64_t)v;
	}
	return *out >= min && *out <= max;
}

size_t
num_print(char *out, uint64_t v)
{
	static const char pairs[] = "00010203040506070809"
				    "10111213141516171819"
				    "20212223242526272829"
				    "30313233343536373839"
				    "40414243444546474849"
				    "50515253545556575859"
				    "60616263646566676869"
				    "70717273747576777879"
				    "80818283848586878889"
				    "90919293949596979899";
	char buf[NUM_MAX];
	size_t at = sizeof(buf);

	if (v < 10) {
		*out = (char)('0' + v); /* client flags mostly */
		return 1;
	}
	while (v >= 100) {
		at -= 2;
		memcpy(buf + at, pairs + v % 100 * 2, 2);
		v /= 100;
	}
	if (v >= 10) {
		at -= 2;
		memcpy(buf + at, pairs + v * 2, 2);
	} else {
		buf[--at] = (char)('0' + v);
	}
	memcpy(out, buf + at, sizeof(buf) - at);
	return sizeof(buf) - at;
}
