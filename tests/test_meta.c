/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_meta.c - the flags of a meta command.
 */
#include "config.h"

#include "proto/meta.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "rig.h"
#include "rng.h"
#include "unit.h"

#define FORMAT "CLIENT_ERROR bad command line format\r\n"
#define TOKEN "CLIENT_ERROR bad token in command line format\r\n"
#define INVALID "CLIENT_ERROR invalid flag\r\n"
#define DUPLICATE "CLIENT_ERROR duplicate flag\r\n"

enum { NOW = 5000, KEY_AND_FLAGS = 2, AFTER_LENGTH = 3 };

/* A line's flags, read; `text` has to live as long as they do. */
static enum meta_fault
parse_bytes(struct meta *m, const char *text, size_t len, unsigned first,
    const char **error)
{
	struct request req = { .line = text, .len = len };

	rig_start();
	memset(m, 0xee, sizeof(*m));
	return meta_parse(m, &req, first, NOW, error);
}

/* A decoded key is good until the next line is read. */
static struct meta
good(const char *line)
{
	static struct meta m;
	const char *error;

	unit_note("%s", line);
	CHECK_EQ(parse_bytes(&m, line, strlen(line), KEY_AND_FLAGS, &error),
	    META_GOOD);
	return m;
}

static void
bad(const char *line, const char *want)
{
	struct meta m;
	const char *error;

	unit_note("%s", line);
	CHECK_EQ(parse_bytes(&m, line, strlen(line), KEY_AND_FLAGS, &error),
	    META_FAULT);
	CHECK_STR(error, want);
	unit_note("%s", "");
}

static void
a_key_without_flags_has_the_defaults(void)
{
	struct meta m = good("mg key");

	CHECK_BYTES(m.key.data, m.key.len, "key");
	CHECK(!m.key.binary);
	CHECK(m.key.hash == hash_key("key", 3));
	CHECK_EQ(m.flags, 0);
	CHECK_EQ(m.has, 0);
	CHECK_EQ(m.mode, META_NO_MODE);
	CHECK_EQ(m.N | m.T | m.R, 0);
	CHECK_EQ(m.C | m.E | m.J, 0);
	CHECK_EQ(m.D, 1);
	CHECK_EQ(m.F, 0);
}

static void
flags_keep_their_order_and_their_tokens(void)
{
	struct meta m = good("mg key v  Oab,c kxyz s");

	CHECK_EQ(m.flags, 4);
	CHECK_BYTES(m.flag[0].p, m.flag[0].len, "v");
	CHECK_BYTES(m.flag[1].p, m.flag[1].len, "Oab,c");
	CHECK_BYTES(m.flag[2].p, m.flag[2].len, "kxyz");
	CHECK_BYTES(m.flag[3].p, m.flag[3].len, "s");
	CHECK(meta_has(&m, 'v') && meta_has(&m, 'O') && meta_has(&m, 'k') &&
	    meta_has(&m, 's'));
	CHECK(!meta_has(&m, 'a') && !meta_has(&m, 'x') && !meta_has(&m, 'c'));
}

static void
numbers_go_into_their_fields(void)
{
	struct meta m = good("ma k C1 D18446744073709551615 E3 J0004 "
			     "F4294967295");

	CHECK_EQ(m.C, 1);
	CHECK(m.D == UINT64_MAX);
	CHECK_EQ(m.E, 3);
	CHECK_EQ(m.J, 4);
	CHECK_EQ(m.F, UINT32_MAX);
}

static void
exptimes_are_read_as_set_reads_them(void)
{
	struct meta m = good("mg k T30 N0 R-1");

	CHECK_EQ(m.T, NOW + 30);
	CHECK_EQ(m.N, 0);
	CHECK_EQ(m.R, CLOCK_LONG_AGO);
	m = good("mg k T2592000");
	CHECK_EQ(m.T, NOW + 2592000);
	m = good("mg k T2592001");
	CHECK_EQ(m.T, CLOCK_LONG_AGO);
	m = good("mg k T4294967295");
	CHECK_EQ(m.T, CLOCK_LONG_AGO);
	m = good("mg k T-2147483648");
	CHECK_EQ(m.T, CLOCK_LONG_AGO);
}

static void
a_mode_is_one_letter(void)
{
	CHECK_EQ(good("ms k MS").mode, 'S');
	CHECK_EQ(good("ms k M+").mode, '+');
	CHECK_EQ(good("ms k M").mode, META_BAD_MODE);
	CHECK_EQ(good("ms k Madd").mode, META_BAD_MODE);
}

static void
bad_tokens_are_named(void)
{
	static const char *const token[] = { "T", "Tx", "T1x", "T+1", "T--1",
		"T4294967296", "T-2147483649", "N", "Nx", "R", "R1.5", "C",
		"Cx", "C-1", "C+1", "C18446744073709551616", "E", "Ex", "E-1" };
	static const char *const flags[] = { "F", "Fx", "F-1", "F4294967296",
		"F+1" };
	char line[64];

	for (size_t i = 0; i < sizeof(token) / sizeof(token[0]); i++) {
		snprintf(line, sizeof(line), "mg k %s", token[i]);
		bad(line, TOKEN);
	}
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		snprintf(line, sizeof(line), "ms k %s", flags[i]);
		bad(line, FORMAT);
	}
	bad("ma k Jx", "CLIENT_ERROR invalid numeric initial value\r\n");
	bad("ma k J", "CLIENT_ERROR invalid numeric initial value\r\n");
	bad("ma k Dx", "CLIENT_ERROR invalid numeric delta value\r\n");
	bad("ma k D-1", "CLIENT_ERROR invalid numeric delta value\r\n");
	bad("ma k D00000000000000000000001",
	    "CLIENT_ERROR invalid numeric delta value\r\n");
	CHECK_EQ(good("ma k D0000000000000000000001").D, 1);
}

static void
an_opaque_has_up_to_31_characters(void)
{
	CHECK_EQ(good("mg k O").flags, 1);
	good("mg k O0123456789012345678901234567890");
	bad("mg k O01234567890123456789012345678901",
	    "CLIENT_ERROR opaque token too long\r\n");
}

static void
what_is_glued_to_a_switch_is_ignored(void)
{
	struct meta m = good("mg k vfoo kbar s1 t-1 q! P\x01 Lx,y");

	CHECK_EQ(m.flags, 7);
	CHECK(meta_has(&m, 'v') && meta_has(&m, 't') && meta_has(&m, 'q'));
}

static void
unknown_letters_are_invalid(void)
{
	static const char known[] = "bcCDEfFhIJklLMNOPqRstTuvx";
	static const char ours[] = "nweVAHzUd";
	char line[16];

	for (int c = '0'; c < 'z'; c++) {
		bool is_letter = (c >= '0' && c <= '9') || c >= 'A';

		if (!is_letter || strchr(known, c) != NULL ||
		    strchr(ours, c) != NULL)
			continue;
		snprintf(line, sizeof(line), "mg k %c", c);
		bad(line, INVALID);
	}
}

/* memcached does not have them: each is known where it means something. */
static void
letters_of_the_extension_are_known_in_their_cells_only(void)
{
	static const struct {
		const char *flag, *commands;
	} cells[] = {
		{ "n5", "g" },
		{ "w5", "g" },
		{ "e5", "g" },
		{ "V5", "gsd" },
		{ "At", "sd" },
		{ "H5", "s" },
		{ "z", "s" },
		{ "U", "d" },
		{ "d5", "d" },
	};
	char line[16];

	for (size_t i = 0; i < sizeof(cells) / sizeof(cells[0]); i++)
		for (const char *c = "gsdae"; *c != '\0'; c++) {
			snprintf(line, sizeof(line), "m%c k %s", *c,
			    cells[i].flag);
			if (strchr(cells[i].commands, *c) != NULL)
				CHECK_EQ(good(line).flags, 1);
			else
				bad(line, INVALID);
		}
}

static void
numbers_of_the_extension_have_limits(void)
{
	static const char *const wrong[] = { "mg k n", "mg k n0", "mg k n-1",
		"mg k n+1", "mg k n1x", "mg k n2147483648", "mg k w",
		"mg k w-1", "mg k w2147483648", "mg k e0", "mg k e10001",
		"mg k ex", "mg k e-1", "mg k V-1", "mg k Vx",
		"mg k V18446744073709551616", "ms k V", "ms k Vx", "md k V",
		"md k V18446744073709551616", "ms k H", "ms k H-1",
		"ms k H2592001", "ms k Hx", "md k d", "md k d-1",
		"md k d2147483648" };
	struct meta m = good("mg k n1 w0 e1 V0");

	CHECK(m.n == 1 && m.w == 0 && m.e == 1);
	CHECK(m.V_told && m.V == 0);
	m = good("mg k n2147483647 w2147483647 e10000 "
		 "V18446744073709551615");
	CHECK(m.n == INT32_MAX && m.w == INT32_MAX && m.e == 10000);
	CHECK(m.V_told && m.V == UINT64_MAX);
	m = good("mg k e V");
	CHECK(m.e == META_BETA && !m.V_told);
	CHECK_EQ(good("ms k H0").H, 0);
	CHECK_EQ(good("ms k H2592000").H, 2592000);
	CHECK_EQ(good("md k d2147483647").d, INT32_MAX);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		bad(wrong[i], TOKEN);
}

/* Two ways to say for how long. */
static void
a_lease_has_one_length(void)
{
	bad("mg k n5 N5", DUPLICATE);
	bad("mg k N5 v n5", DUPLICATE);
	bad("mg k n5 n5", DUPLICATE);
}

static void
tags_are_a_list(void)
{
	static const char *const wrong[] = { "ms k A", "ms k A,", "ms k Aa,",
		"ms k A,a", "ms k Aa,,b", "ms k Aa,b,c,d,e,f,g,h,i" };
	static const char *const names[] = { "users", "team9", "x" };
	struct meta m = good("ms k Ausers,team9,x");
	char line[100] = "ms k Aa,", *at = line + strlen(line);
	struct token tag;
	size_t where = 0;

	for (int i = 0; i < 3; i++) {
		REQUIRE(meta_tag(&m, &where, &tag));
		CHECK(tag.len == strlen(names[i]) &&
		    memcmp(tag.p, names[i], tag.len) == 0);
	}
	CHECK(!meta_tag(&m, &where, &tag));
	good("ms k Aa,b,c,d,e,f,g,h");
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		bad(wrong[i], TOKEN);
	memset(at, 't', META_TAG_MAX);
	good(line);
	at[META_TAG_MAX] = 't';
	bad(line, TOKEN);
	/* of md the key is the tag */
	CHECK_EQ(good("md k A").tags.len, 0);
}

static void
flags_can_be_taken_out(void)
{
	struct meta m = good("mg k v C5 n7 t w9 c");

	meta_drop(&m, "CnNw");
	CHECK_EQ(m.flags, 3);
	CHECK_BYTES(m.flag[0].p, m.flag[0].len, "v");
	CHECK_BYTES(m.flag[1].p, m.flag[1].len, "t");
	CHECK_BYTES(m.flag[2].p, m.flag[2].len, "c");
	CHECK(!meta_has(&m, 'C') && !meta_has(&m, 'n') && !meta_has(&m, 'w'));
	CHECK(m.n == 0 && m.w == 0);
}

static void
a_letter_stands_once(void)
{
	bad("mg k v v", DUPLICATE);
	bad("mg k v k s v", DUPLICATE);
	bad("mg k O1 O2", DUPLICATE);
	good("mg k c C1");
	good("mg k t T1");
}

static void
reading_ends_at_a_letter_that_is_wrong(void)
{
	bad("mg k Tx v v", DUPLICATE);
	bad("mg k v v Tx", DUPLICATE);
	bad("mg k Tx a", INVALID);
	bad("mg k 1 v v", INVALID);
	/* of wrong tokens the last one names the error */
	bad("mg k Tx Fx", FORMAT);
	bad("mg k Fx Tx", TOKEN);
}

static void
a_flag_that_is_no_letter_makes_the_line_useless(void)
{
	static const char *const line[] = { "mg k !", "mg k v !", "mg k \xff",
		"mg k {", "mg k -1", "mg k v v =", "mg k \x01" };
	struct meta m;
	const char *error;

	for (size_t i = 0; i < sizeof(line) / sizeof(line[0]); i++) {
		unit_note("%s", line[i]);
		CHECK_EQ(parse_bytes(&m, line[i], strlen(line[i]),
			     KEY_AND_FLAGS, &error),
		    META_BAD_WORD);
		CHECK_STR(error, FORMAT);
	}
}

static void
a_line_has_a_key_and_up_to_20_words(void)
{
	struct meta m;
	const char *error;

	CHECK_EQ(parse_bytes(&m, "mg", 2, KEY_AND_FLAGS, &error), META_SHORT);
	CHECK_STR(error, FORMAT);
	CHECK_EQ(parse_bytes(&m, "ms key", 6, AFTER_LENGTH, &error),
	    META_SHORT);
	CHECK_EQ(parse_bytes(&m, "ms key 5", 8, AFTER_LENGTH, &error),
	    META_GOOD);
	CHECK_EQ(m.flags, 0);

	m = good("mg k v k s t f h l c u q O P L x M I J1 D1");
	CHECK_EQ(m.flags, 18);
	bad("mg k v k s t f h l c u q O P L x M I J1 D1 E1",
	    "CLIENT_ERROR options flags are too long\r\n");
}

static void
a_key_has_up_to_250_bytes(void)
{
	char line[300] = "mg ";

	memset(line + 3, 'k', KEY_MAX);
	CHECK_EQ(good(line).key.len, KEY_MAX);
	line[3 + KEY_MAX] = 'k';
	bad(line, FORMAT);
}

static void
a_base64_key_is_decoded(void)
{
	struct meta m = good("mg AP8B b");

	CHECK(m.key.binary);
	CHECK_BYTES(m.key.data, m.key.len, "\0\xff\x01");
	CHECK(m.key.hash == hash_key("\0\xff\x01", 3));
	m = good("mg Zm9v! v b k");
	CHECK_BYTES(m.key.data, m.key.len, "foo");
	bad("mg Zm9 b", "CLIENT_ERROR error decoding key\r\n");
	bad("mg !!!! b", "CLIENT_ERROR error decoding key\r\n");
}

static void
the_longest_base64_key_fits(void)
{
	char line[300] = "mg ";
	struct meta m;

	/* 250 characters are 62 groups and two that make it undecodable */
	memset(line + 3, 'A', 248);
	strcpy(line + 3 + 248, " b");
	m = good(line);
	CHECK_EQ(m.key.len, 186);
	memset(line + 3, 'A', 250);
	strcpy(line + 3 + 250, " b");
	bad(line, "CLIENT_ERROR error decoding key\r\n");
}

static void
the_length_of_ms_is_no_flag(void)
{
	struct meta m;
	const char *error;

	CHECK_EQ(parse_bytes(&m, "ms key 10 T5", 12, AFTER_LENGTH, &error),
	    META_GOOD);
	CHECK_EQ(m.flags, 1);
	CHECK_EQ(m.T, NOW + 5);
}

/* What a reply echoes; `o` is a buffer of its own. */
static void
an_echo_has_key_and_opaque_in_the_order_of_the_request(void)
{
	char buf[OUT_ROOM];
	struct outbuf o = { .buf = buf };
	struct meta m = good("mg key Oab v k q");

	meta_put_echo(&o, &m);
	CHECK_BYTES(buf, o.used, " Oab kkey");
	o.used = 0;
	m = good("mg Zm8= k O b");
	meta_put_echo(&o, &m);
	CHECK_BYTES(buf, o.used, " kZm8= b O");
}

static void
a_ttl_is_what_is_left(void)
{
	char buf[OUT_ROOM];
	struct outbuf o = { .buf = buf };

	meta_put_ttl(&o, 0, NOW);
	meta_put_ttl(&o, NOW + 30, NOW);
	meta_put_ttl(&o, NOW, NOW);
	meta_put_ttl(&o, CLOCK_LONG_AGO, NOW);
	CHECK_BYTES(buf, o.used, " t-1 t30 t0 t0");
}

/* Any line leaves a result, a reason when it is bad, and all within bounds. */
static void
any_line_is_good_or_has_an_error(void)
{
	static const char chars[] = "  kvTNRCOFMJDEb0123456789-+=A!nweV,\xff";
	struct rng r = rng_start("lines", 26);
	size_t counts[META_FAULT + 1] = { 0 };

	for (int i = 0; i < 200000; i++) {
		size_t len = 3 + rng_below(&r, 60);
		char *line = malloc(len);
		enum meta_fault fault;
		const char *error;
		struct meta m;

		REQUIRE(line != NULL);
		memcpy(line, "mg ", 3);
		for (size_t k = 3; k < len; k++)
			line[k] = chars[rng_below(&r, sizeof(chars) - 1)];
		fault = parse_bytes(&m, line, len, KEY_AND_FLAGS, &error);
		REQUIRE((fault == META_GOOD) == (error == NULL));
		REQUIRE(fault != META_GOOD ||
		    (m.key.len >= 1 && m.key.len <= KEY_MAX && m.flags <= 18));
		counts[fault]++;
		free(line);
	}
	for (size_t i = 0; i <= META_FAULT; i++)
		CHECK(counts[i] > 0);
}

UNIT("meta", TEST(a_key_without_flags_has_the_defaults),
    TEST(flags_keep_their_order_and_their_tokens),
    TEST(numbers_go_into_their_fields),
    TEST(exptimes_are_read_as_set_reads_them), TEST(a_mode_is_one_letter),
    TEST(bad_tokens_are_named), TEST(an_opaque_has_up_to_31_characters),
    TEST(what_is_glued_to_a_switch_is_ignored),
    TEST(unknown_letters_are_invalid),
    TEST(letters_of_the_extension_are_known_in_their_cells_only),
    TEST(numbers_of_the_extension_have_limits), TEST(a_lease_has_one_length),
    TEST(tags_are_a_list), TEST(flags_can_be_taken_out),
    TEST(a_letter_stands_once), TEST(reading_ends_at_a_letter_that_is_wrong),
    TEST(a_flag_that_is_no_letter_makes_the_line_useless),
    TEST(a_line_has_a_key_and_up_to_20_words), TEST(a_key_has_up_to_250_bytes),
    TEST(a_base64_key_is_decoded), TEST(the_longest_base64_key_fits),
    TEST(the_length_of_ms_is_no_flag),
    TEST(an_echo_has_key_and_opaque_in_the_order_of_the_request),
    TEST(a_ttl_is_what_is_left), TEST(any_line_is_good_or_has_an_error))
