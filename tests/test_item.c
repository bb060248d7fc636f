/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_item.c - a stored value, and its layout.
 */
#include "config.h"

#include "store/item.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

enum { HEADER = 16, THREADS = 3, ROUNDS = 100000 };

/* An item in a block of exactly its size; its value is `value`. */
static struct item *
make(const struct item_spec *spec, const char *value)
{
	struct item_spec s = *spec;
	struct item *it;
	void *memory;

	s.value_len = (uint32_t)strlen(value);
	memory = malloc(item_size_for(&s));
	REQUIRE(memory != NULL);
	it = item_init(memory, &s);
	memcpy(item_value(it), value, s.value_len);
	return it;
}

static struct item_spec
plain(const char *key)
{
	return (struct item_spec){ .key = { key, strlen(key), false, 0 } };
}

static void
the_header_is_as_it_is_drawn(void)
{
	CHECK_EQ(offsetof(struct item, word), 0);
	CHECK_EQ(offsetof(struct item, lengths), 8);
	CHECK_EQ(offsetof(struct item, refs), 12);
	CHECK_EQ(offsetof(struct item, accessed), 14);
	CHECK_EQ(_Alignof(struct item), 4);
	CHECK_EQ(offsetof(struct item, data), HEADER);
}

static void
a_plain_item_pays_for_no_field(void)
{
	struct item_spec spec = plain("abc");
	struct item *it = make(&spec, "value");

	CHECK_EQ(item_size(it), HEADER + 3 + 5);
	CHECK(item_key(it) == it->data);
	CHECK(item_value(it) == it->data + 3);
	CHECK_BYTES(it->data, 8, "abcvalue");
	CHECK_EQ(it->word, 0);
	free(it);
}

static void
fields_stand_before_the_key(void)
{
	for (int bits = 0; bits < 16; bits++) {
		bool cas = bits & 1, flags = bits & 2, expires = bits & 4;
		bool room = bits & 8;
		struct item_spec spec = plain("key");
		struct item *it;
		size_t at = HEADER + (cas ? 8 : 0) + (flags ? 4 : 0) +
		    (expires || room ? 4 : 0);

		spec.own_cas = cas;
		spec.client_flags = flags ? 0x12345678 : 0;
		spec.exptime = expires ? 77 : 0;
		spec.timed = room;
		it = make(&spec, "value");
		unit_note("bits %x", bits);
		CHECK_EQ(item_size(it), at + 8);
		CHECK_EQ(item_size_for(&spec), at + 3);
		CHECK(item_key(it) == (char *)it + at);
		CHECK(item_value(it) == (char *)it + at + 3);
		CHECK_BYTES(item_key(it), 8, "keyvalue");
		CHECK_EQ(item_client_flags(it), spec.client_flags);
		CHECK_EQ(item_exptime(it), expires ? 77 : 0);
		if (expires || room) {
			item_set_exptime(it, 4711);
			CHECK_EQ(item_exptime(it), 4711);
			CHECK_EQ(item_client_flags(it), spec.client_flags);
		}
		CHECK_EQ(item_key_len(it), 3);
		CHECK_EQ(item_value_len(it), 5);
		free(it);
	}
	unit_note("%s", "");
}

/* All that an item can have, by the bits of `which`. */
static struct item_extra
extra_for(unsigned which)
{
	struct item_extra e = {
		.born = which & 1,
		.versioned = which & 2,
		.negative = which & 8,
		.tags = which & 16 ? ITEM_TAGS_MAX :
		    which & 32     ? 1 :
				     0,
		.grace = which & 4 ? 3600 : 0,
		.load_ms = 250,
		.birth = 4711,
		.version = UINT64_MAX - 1,
	};

	for (unsigned i = 0; i < e.tags; i++)
		e.tag[i] = 0xfffffff0 + i;
	return e;
}

/* [cas 8] [birth 8] [version 8] [exptime 4] [client_flags 4] [grace 4] [tags]
 */
static void
fields_of_leases_stand_among_them(void)
{
	for (unsigned bits = 0; bits < 512; bits++) {
		struct item_extra e = extra_for(bits);
		struct item_spec spec = plain("key");
		uint64_t cas = UINT64_MAX - 9;
		struct item *it;
		size_t at;

		spec.own_cas = bits & 64;
		spec.client_flags = bits & 128 ? 77 : 0;
		spec.exptime = bits & 256 ? 1234567 : 0;
		spec.extra = &e;
		at = HEADER + 8 * (spec.own_cas + e.born + e.versioned) +
		    4 *
			((spec.client_flags != 0) + (e.grace != 0) +
			    (spec.exptime != 0)) +
		    4 * e.tags;
		it = make(&spec, "value");
		if (spec.own_cas)
			memcpy(it->data, &cas, sizeof(cas));
		it->word |= (uint64_t)99 << ITEM_SEQ_SHIFT;
		unit_note("bits %x", bits);
		CHECK_EQ(item_size(it), at + 8);
		CHECK_EQ(item_size_for(&spec), at + 3);
		CHECK_BYTES(item_key(it), 8, "keyvalue");
		CHECK_EQ(item_stored(it), 99);
		CHECK(item_cas(it) == (spec.own_cas ? cas : 99));
		CHECK_EQ(item_birth(it), e.born ? 4711 : 99);
		CHECK_EQ(item_load_ms(it), e.born ? 250 : 0);
		CHECK(item_version(it) == (e.versioned ? e.version : 0));
		CHECK_EQ(item_client_flags(it), spec.client_flags);
		CHECK_EQ(item_exptime(it), spec.exptime);
		CHECK_EQ(item_grace(it), e.grace);
		CHECK_EQ(item_tags(it), e.tags);
		for (unsigned i = 0; i < e.tags; i++)
			CHECK_EQ(item_tag(it, i), 0xfffffff0 + i);
		CHECK_EQ(!!(it->word & ITEM_NEGATIVE), e.negative);
		free(it);
	}
	unit_note("%s", "");
}

/* An item made from another one must not seem younger: its tags may be dead. */
static void
what_an_item_has_can_be_given_to_another(void)
{
	for (unsigned bits = 0; bits < 64; bits++) {
		struct item_extra e = extra_for(bits), got;
		struct item_spec spec = plain("key");
		struct item *it;

		spec.extra = &e;
		it = make(&spec, "");
		it->word |= (uint64_t)99 << ITEM_SEQ_SHIFT;
		item_extra_of(it, &got);
		unit_note("bits %x", bits);
		CHECK_EQ(got.born, e.born || e.tags > 0);
		CHECK_EQ(got.birth, e.born ? 4711 : 99);
		CHECK_EQ(got.load_ms, e.born ? 250 : 0);
		CHECK_EQ(got.versioned, e.versioned);
		CHECK(!e.versioned || got.version == e.version);
		CHECK_EQ(got.negative, e.negative);
		CHECK_EQ(got.grace, e.grace);
		CHECK_EQ(got.tags, e.tags);
		CHECK(memcmp(got.tag, e.tag, 4 * e.tags) == 0);
		free(it);
	}
	unit_note("%s", "");
}

static void
birth_and_load_are_set_where_there_is_room(void)
{
	struct item_extra e = { .born = true, .versioned = true, .version = 5 };
	struct item_spec spec = plain("key");
	struct item *it = make(&spec, "v");

	item_set_birth(it, 7, 3);
	CHECK_BYTES(it->data, 4, "keyv");
	free(it);
	spec.extra = &e;
	it = make(&spec, "v");
	item_set_birth(it, ((uint64_t)1 << 43) - 1, UINT32_MAX);
	CHECK(item_birth(it) == ((uint64_t)1 << 43) - 1);
	CHECK_EQ(item_load_ms(it), ITEM_LOAD_MAX); /* 35 minutes */
	CHECK_EQ(item_version(it), 5);
	item_set_stored(it, 12);
	CHECK_EQ(item_stored(it), 12);
	CHECK_EQ(it->word & ITEM_FIELDS, ITEM_BIRTH | ITEM_VERSION);
	free(it);
}

static void
the_number_of_the_store_is_the_cas_number(void)
{
	const uint64_t largest = ((uint64_t)1 << 43) - 1;
	struct item_spec spec = plain("k");
	struct item *it = make(&spec, "");

	CHECK_EQ(item_stored(it), 0);
	it->word |= largest << ITEM_SEQ_SHIFT;
	CHECK_EQ(item_stored(it), largest);
	CHECK_EQ(item_cas(it), largest);
	CHECK_EQ(item_fields(it->word), 0);
	free(it);
}

static void
a_cas_number_of_its_own_stands_beside_it(void)
{
	struct item_spec spec = plain("k");
	uint64_t cas = UINT64_MAX - 5;
	struct item *it;

	spec.own_cas = true;
	spec.client_flags = 9;
	it = make(&spec, "v");
	memcpy(it->data, &cas, sizeof(cas));
	it->word |= (uint64_t)42 << ITEM_SEQ_SHIFT;

	CHECK_EQ(item_stored(it), 42);
	CHECK(item_cas(it) == cas);
	CHECK_EQ(item_client_flags(it), 9);
	CHECK_BYTES(item_key(it), 2, "kv");
	free(it);
}

static void
bits_and_number_do_not_overlap(void)
{
	static const enum item_bit bits[] = { ITEM_CAS, ITEM_BIRTH,
		ITEM_VERSION, ITEM_GRACE, ITEM_FLAGS, ITEM_EXPTIME, ITEM_LONG,
		ITEM_TAGS, ITEM_BINARY_KEY, ITEM_STALE, ITEM_WON, ITEM_FETCHED,
		ITEM_LINKED, ITEM_NEGATIVE };
	uint64_t all = 0;

	for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++) {
		CHECK_EQ(all & bits[i], 0);
		all |= bits[i];
	}
	CHECK_EQ(all >> ITEM_SEQ_SHIFT, 0);
	CHECK_EQ(all & ITEM_FIELDS, ITEM_FIELDS);
	CHECK(ITEM_TAGS_MAX <= ITEM_TAGS >> ITEM_TAGS_SHIFT);
}

static void
a_binary_key_is_marked_and_kept_as_bytes(void)
{
	struct item_spec spec = { .key = { "a\0\xff", 3, true, 0 } };
	struct item *it = make(&spec, "");

	CHECK(it->word & ITEM_BINARY_KEY);
	CHECK_BYTES(item_key(it), item_key_len(it), "a\0\xff");
	free(it);
}

static void
keys_of_every_length_fit(void)
{
	char key[KEY_MAX];

	memset(key, 'k', sizeof(key));
	for (size_t n = 1; n <= KEY_MAX; n++) {
		struct item_spec spec = { .key = { key, n, false, 0 } };
		struct key same = { key, n, false, 0 };
		struct key shorter = { key, n - 1, false, 0 };
		struct item *it = make(&spec, "v");

		CHECK_EQ(item_key_len(it), n);
		CHECK(item_has_key(it, &same));
		CHECK(!item_has_key(it, &shorter));
		CHECK(*item_value(it) == 'v');
		key[n - 1] = 'x';
		CHECK(!item_has_key(it, &same));
		key[n - 1] = 'k';
		free(it);
	}
}

/* Whether the child is ended by abort(). */
static bool
aborts(size_t key_len, uint64_t value_len)
{
	static char key[KEY_MAX + 1];
	int status;
	pid_t child = fork();

	if (child == 0) {
		struct item_spec spec = {
			.key = { key, key_len, false, 0 },
			.value_len = (uint32_t)value_len,
		};
		struct rlimit no_core = { 0, 0 };

		setrlimit(RLIMIT_CORE, &no_core);
		dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
		signal(SIGABRT, SIG_DFL);
		item_init(malloc(1024), &spec);
		_exit(0);
	}
	REQUIRE(child > 0);
	REQUIRE(waitpid(child, &status, 0) == child);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void
what_no_item_can_hold_ends_the_process(void)
{
	CHECK(aborts(0, 1));
	CHECK(aborts(KEY_MAX + 1, 1));
	CHECK(aborts(1, VALUE_MAX + 1));
	CHECK(!aborts(KEY_MAX, 1));
	CHECK(!aborts(1, VALUE_MAX));
}

static void
the_last_reference_says_so(void)
{
	struct item_spec spec = plain("k");
	struct item *it = make(&spec, "v");

	CHECK(item_ref(it));
	CHECK(item_ref(it));
	CHECK(!item_unref(it));
	CHECK_EQ(item_key_len(it), 1);
	CHECK(!item_unref(it));
	CHECK(item_unref(it));
	free(it);
}

static void
references_are_refused_before_they_overflow(void)
{
	char key[KEY_MAX];
	struct item_spec spec = { .key = { key, KEY_MAX, false, 0 } };
	struct item *it;
	long more = 0;

	memset(key, 'k', sizeof(key));
	it = make(&spec, "v");
	atomic_fetch_add(&it->refs, 0xf000);
	while (item_ref(it) && more < 0x2000)
		more++;

	CHECK(more < 0xfff);
	CHECK_EQ(item_key_len(it), KEY_MAX);
	CHECK(!item_ref(it));
	CHECK(!item_unref(it));
	CHECK(item_ref(it));
	free(it);
}

static void *
ref_and_unref(void *arg)
{
	struct item *it = arg;
	long last = 0;

	for (int i = 0; i < ROUNDS; i++) {
		if (!item_ref(it))
			return it;
		last += item_unref(it);
	}
	return last == 0 ? NULL : it;
}

static void
references_are_counted_from_many_threads(void)
{
	struct item_spec spec = plain("key");
	struct item *it = make(&spec, "v");
	pthread_t t[THREADS];

	for (int i = 0; i < THREADS; i++)
		REQUIRE(pthread_create(&t[i], NULL, ref_and_unref, it) == 0);
	for (int i = 0; i < THREADS; i++) {
		void *bad;

		pthread_join(t[i], &bad);
		CHECK(bad == NULL);
	}
	CHECK_EQ(item_key_len(it), 3);
	CHECK(item_unref(it));
	free(it);
}

static void
an_item_expires_when_its_second_has_come(void)
{
	struct item_spec spec = plain("k");
	struct item *it;

	spec.timed = true;
	it = make(&spec, "");
	item_set_exptime(it, 100);
	CHECK(!item_is_expired(it, 99));
	CHECK(item_is_expired(it, 100));
	CHECK(item_is_expired(it, 101));
	item_set_exptime(it, 0);
	CHECK(!item_is_expired(it, UINT32_MAX));
	item_set_exptime(it, CLOCK_LONG_AGO);
	CHECK(item_is_expired(it, CLOCK_FIRST));
	free(it);
}

static void
grace_runs_from_the_exptime(void)
{
	struct item_extra e = { .grace = 50 };
	struct item_spec spec = plain("k");
	struct item *it;

	spec.extra = &e;
	spec.exptime = 100;
	it = make(&spec, "v");
	CHECK_EQ(item_end(it), 150);
	CHECK(!item_is_overdue(it, 99));
	CHECK(item_is_overdue(it, 100));
	CHECK(!item_is_expired(it, 99));
	CHECK(!item_is_expired(it, 149));
	CHECK(item_is_expired(it, 150));
	item_set_exptime(it, 0); /* never: no grace */
	CHECK_EQ(item_end(it), 0);
	CHECK(!item_is_expired(it, UINT32_MAX));
	item_set_exptime(it, CLOCK_LONG_AGO); /* nor for what ended at once */
	CHECK(item_is_expired(it, CLOCK_FIRST));
	item_set_exptime(it, UINT32_MAX - 20);
	CHECK_EQ(item_end(it), UINT32_MAX);
	free(it);
}

/* The length of a value of 16 MiB stands in a field, before the tags. */
static void
a_long_value_has_its_length(void)
{
	for (unsigned bits = 0; bits < 128; bits++) {
		struct item_extra e = extra_for(bits);
		uint32_t n = ITEM_SHORT_MAX - 1 + (bits & 3);
		struct item_spec spec = plain("key");
		struct item *it;
		char head[256];

		spec.value_len = n;
		spec.extra = &e;
		spec.client_flags = bits & 64 ? 77 : 0;
		CHECK(item_size_for(&spec) - n < sizeof(head));
		/* only what precedes the value is touched */
		it = item_init(head, &spec);
		unit_note("bits %x", bits);
		CHECK_EQ(item_value_len(it), n);
		CHECK_EQ(item_size(it), item_size_for(&spec));
		CHECK_EQ(item_client_flags(it), spec.client_flags);
		CHECK_EQ(item_grace(it), e.grace);
		CHECK_EQ(!!(it->word & ITEM_LONG), n > ITEM_SHORT_MAX);
		for (unsigned i = 0; i < e.tags; i++)
			CHECK_EQ(item_tag(it, i), 0xfffffff0 + i);
	}
	unit_note("%s", "");
}

static void
the_time_of_an_access_is_exact_for_two_hours(void)
{
	struct item_spec spec = plain("k");
	struct item *it = make(&spec, "");

	for (rel_time at = 3; at < 100000; at += 997)
		for (rel_time age = 0; age < ITEM_AGE_OLD; age += 101) {
			item_set_accessed(it, at);
			item_grow_old(it, at + age);
			CHECK_EQ(item_accessed(it, at + age), at);
		}
	/* another thread's clock may be a second behind */
	item_set_accessed(it, 5000);
	CHECK_EQ(item_accessed(it, 4999), 4999);
	free(it);
}

static void
the_time_of_an_old_access_is_nearly_right(void)
{
	struct item_spec spec = plain("k");
	struct item *it = make(&spec, "");

	for (rel_time at = 3; at < 100000; at += 9973) {
		item_set_accessed(it, at);
		for (rel_time now = at; now < at + 1500000000;
		     now += ITEM_AGING + now % 60) {
			rel_time said = item_accessed(it, now);

			if (said > at || at - said > (now - at) / 100)
				unit_note("at %u now %u", at, now);
			REQUIRE(said <= at);
			REQUIRE(at - said <= (now - at) / 100);
			item_grow_old(it, now);
		}
	}
	free(it);
}

UNIT("item", TEST(a_long_value_has_its_length),
    TEST(the_time_of_an_access_is_exact_for_two_hours),
    TEST(the_time_of_an_old_access_is_nearly_right),
    TEST(the_header_is_as_it_is_drawn), TEST(a_plain_item_pays_for_no_field),
    TEST(fields_stand_before_the_key), TEST(fields_of_leases_stand_among_them),
    TEST(what_an_item_has_can_be_given_to_another),
    TEST(birth_and_load_are_set_where_there_is_room),
    TEST(the_number_of_the_store_is_the_cas_number),
    TEST(a_cas_number_of_its_own_stands_beside_it),
    TEST(bits_and_number_do_not_overlap),
    TEST(a_binary_key_is_marked_and_kept_as_bytes),
    TEST(keys_of_every_length_fit),
    TEST(what_no_item_can_hold_ends_the_process),
    TEST(the_last_reference_says_so),
    TEST(references_are_refused_before_they_overflow),
    TEST(references_are_counted_from_many_threads),
    TEST(an_item_expires_when_its_second_has_come),
    TEST(grace_runs_from_the_exptime))
