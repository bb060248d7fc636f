/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_lease_token.c - the right to fill, as a number.
 */
#include "config.h"

#include "cache/lease_token.h"

#include <string.h>

#include "rig.h"
#include "rng.h"

#include "unit.h"

#define FIRST ((uint64_t)1 << 61)
#define SEQ_LAST (((uint64_t)1 << 43) - 1)

static const uint8_t secret[LEASE_SECRET_SIZE] = { 1, 2, 3, 4, 5, 6, 7, 8 };

static void
a_token_tells_the_number_of_its_grant(void)
{
	static const uint64_t seqs[] = { 0, 1, 2, 1000, (uint64_t)1 << 32,
		SEQ_LAST };
	struct key key;

	rig_start();
	key = rig_key("user:42");
	for (size_t i = 0; i < sizeof(seqs) / sizeof(seqs[0]); i++) {
		uint64_t token = lease_token(secret, &key, seqs[i]);
		uint64_t seq = ~seqs[i];

		CHECK(lease_token_read(secret, &key, token, &seq));
		CHECK(seq == seqs[i]);
		CHECK(token > FIRST && token < 2 * FIRST);
	}
}

static void
a_token_is_of_one_key_and_one_secret(void)
{
	uint8_t other[LEASE_SECRET_SIZE];
	struct key a, b, longer;
	uint64_t token, seq;
	int good = 0;

	rig_start();
	a = rig_key("a");
	b = rig_key("b");
	longer = rig_key_bytes("a\0", 2);
	memcpy(other, secret, sizeof(other));
	other[15] ^= 1;
	for (uint64_t i = 1; i <= 1000; i++) {
		token = lease_token(secret, &a, i);
		good += lease_token_read(secret, &b, token, &seq);
		good += lease_token_read(secret, &longer, token, &seq);
		good += lease_token_read(other, &a, token, &seq);
	}
	/* by chance one in 2^18 */
	CHECK_EQ(good, 0);
}

static void
another_number_is_no_token(void)
{
	struct rng r = rng_start("tokens", 61);
	struct key key;
	uint64_t token, seq;
	int good = 0;

	rig_start();
	key = rig_key("k");
	token = lease_token(secret, &key, 77);
	for (int bit = 0; bit < 64; bit++)
		CHECK(!lease_token_read(secret, &key,
		    token ^ (uint64_t)1 << bit, &seq));
	CHECK(!lease_token_read(secret, &key, 0, &seq));
	CHECK(!lease_token_read(secret, &key, 1, &seq));
	CHECK(!lease_token_read(secret, &key, 77, &seq));
	CHECK(!lease_token_read(secret, &key, UINT64_MAX, &seq));
	for (int i = 0; i < 1000000; i++)
		good += lease_token_read(secret, &key,
		    FIRST + (rng_next(&r) & (FIRST - 1)), &seq);
	/* 4 of them, more or less */
	CHECK(good < 25);
}

static void
tokens_rise_with_their_grants(void)
{
	struct rng r = rng_start("keys", 62);
	uint64_t last = 0;

	rig_start();
	for (uint64_t seq = 1; seq < 100000; seq++) {
		char text[32];
		struct key key;
		uint64_t token;

		rng_fill(&r, text, sizeof(text));
		key = rig_key_bytes(text, 1 + rng_below(&r, sizeof(text)));
		token = lease_token(secret, &key, seq);
		REQUIRE(token > last);
		last = token;
	}
}

/* No token is a round number that a client could come to by mistake. */
static void
no_token_is_without_a_check(void)
{
	struct key key;
	uint64_t seq, token;

	rig_start();
	key = rig_key("key");
	for (uint64_t i = 0; i < 1000000; i++) {
		token = lease_token(secret, &key, i);
		REQUIRE((token & ((1 << 18) - 1)) != 0);
	}
	CHECK(!lease_token_read(secret, &key, FIRST, &seq));
}

static void
keys_of_every_length_have_tokens(void)
{
	char text[KEY_MAX];
	uint64_t seq;

	rig_start();
	memset(text, 'k', sizeof(text));
	for (size_t n = 1; n <= KEY_MAX; n++) {
		struct key key = rig_key_bytes(text, n);

		CHECK(lease_token_read(secret, &key,
		    lease_token(secret, &key, n), &seq));
		CHECK_EQ(seq, n);
	}
}

UNIT("lease token", TEST(a_token_tells_the_number_of_its_grant),
    TEST(a_token_is_of_one_key_and_one_secret),
    TEST(another_number_is_no_token), TEST(tokens_rise_with_their_grants),
    TEST(no_token_is_without_a_check), TEST(keys_of_every_length_have_tokens))
