/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_option_lease.c - the options of leases, versions and tags.
 */
#include "config.h"

#include "option.h"

#include <stdio.h>
#include <string.h>

#include "command_line.h"
#include "option_table.h"
#include "unit.h"

/* ---- Numbers ------------------------------------------------------------- */

static void
without_an_option_there_are_defaults(void)
{
	struct run r = run("");
	const struct lease_config *l = &r.o.lease;

	CHECK_EQ(r.outcome, OPTIONS_RUN);
	CHECK_EQ(l->clock_slots, 1 << 16);
	CHECK_EQ(l->tag_slots, 1 << 16);
	CHECK_EQ(l->tombstones, 1 << 16);
	CHECK_EQ(l->lease_default, 10000);
	CHECK_EQ(l->lease_max, 60000);
	CHECK_EQ(l->token_max, 600);
	CHECK_EQ(l->tombstone_ttl, 60);
	CHECK_EQ(l->tombstone_max, 3600);
	CHECK_EQ(l->leases, 131072);
	CHECK_EQ(l->waiters, 200000);
	CHECK_EQ(l->waiters_per_key, 0);
	CHECK_EQ(l->waiters_per_address, 0);
	CHECK(!l->lax_sets);
	CHECK(!l->visible_stubs);
	CHECK_EQ(l->tag_prefix, 0);
	CHECK_STR(l->tag_key_prefix, NULL);
	CHECK_EQ(l->rules, 0);
	CHECK_EQ(l->fault, FAULT_NONE);
	run_end(&r);
}

static void
the_tables_grow_with_memory(void)
{
	static const struct {
		const char *line;
		uint32_t slots, tombstones;
	} cases[] = {
		{ "-m 2 -I 1m", 1 << 16, 1 << 12 },
		{ "-m 63", 1 << 16, 63 << 10 },
		{ "-m 65", 1 << 17, 65 << 10 },
		{ "-m 128", 1 << 17, 128 << 10 },
		{ "-m 1000", 1 << 20, 1000 << 10 },
		{ "-m 1024", 1 << 20, 1 << 20 },
		{ "-m 100000", 1 << 20, 1 << 20 },
		{ "-m 99999999999999999999", 1 << 20, 1 << 20 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct run r = run(cases[i].line);

		unit_note("%s", cases[i].line);
		CHECK_EQ(r.outcome, OPTIONS_RUN);
		CHECK_EQ(r.o.lease.clock_slots, cases[i].slots);
		CHECK_EQ(r.o.lease.tag_slots, cases[i].slots);
		CHECK_EQ(r.o.lease.tombstones, cases[i].tombstones);
		run_end(&r);
	}
	unit_note("%s", "");
}

static void
values_arrive_in_their_fields(void)
{
	struct run r = run(
	    "-o clock_slots=131072,tag_slots=262144,tombstones=1024 "
	    "-o lease_default=1,lease_max=2,token_max=3,tombstone_ttl=4 "
	    "-o tombstone_max=5,leases=6,waiters=7,waiters_per_key=8 "
	    "-o waiters_per_address=9,lax_sets,visible_stubs "
	    "-o tag_prefix=:,tag_key_prefix=~tag=~");
	const struct lease_config *l = &r.o.lease;

	CHECK_EQ(r.outcome, OPTIONS_RUN);
	CHECK_STR(r.err, "");
	CHECK_EQ(l->clock_slots, 131072);
	CHECK_EQ(l->tag_slots, 262144);
	CHECK_EQ(l->tombstones, 1024);
	CHECK_EQ(l->lease_default, 1);
	CHECK_EQ(l->lease_max, 2);
	CHECK_EQ(l->token_max, 3);
	CHECK_EQ(l->tombstone_ttl, 4);
	CHECK_EQ(l->tombstone_max, 5);
	CHECK_EQ(l->leases, 6);
	CHECK_EQ(l->waiters, 7);
	CHECK_EQ(l->waiters_per_key, 8);
	CHECK_EQ(l->waiters_per_address, 9);
	CHECK(l->lax_sets);
	CHECK(l->visible_stubs);
	CHECK_EQ(l->tag_prefix, ':');
	CHECK_STR(l->tag_key_prefix, "~tag=~");
	run_end(&r);
}

/* The word with a value ends in "needs `kind` from `min` to `max`". */
static void
is_out_of_range(const char *word, const char *kind, long min, long max,
    const char *value)
{
	char line[80], message[160];

	snprintf(line, sizeof(line), "-o %s=%s", word, value);
	snprintf(message, sizeof(message),
	    "leasecached: option -o %s needs %s from %ld to %ld, not '%s'",
	    word, kind, min, max, value);
	fails(line, 1, message);
}

static void
each_number_has_its_limits(void)
{
	static const char *const no_numbers[] = { "", "x", "5x", "-5", "+5",
		"5.0", "0x50", "99999999999999999999" };
	size_t tested = 0;
	char text[24];

	for (size_t i = 0; i < option_nrows; i++) {
		const struct option_row *row = &option_rows[i];
		const char *kind = row->power_of_two ? "a power of two" :
						       "a number";

		if (row->type != OPTION_UINT)
			continue;
		tested++;
		for (size_t n = 0; n < 8; n++)
			is_out_of_range(row->name, kind, row->min, row->max,
			    no_numbers[n]);
		snprintf(text, sizeof(text), "%ld", row->max + 1);
		is_out_of_range(row->name, kind, row->min, row->max, text);
		if (row->min > 0) {
			snprintf(text, sizeof(text), "%ld", row->min - 1);
			is_out_of_range(row->name, kind, row->min, row->max,
			    text);
		}
		if (row->power_of_two)
			is_out_of_range(row->name, kind, row->min, row->max,
			    "100000");
	}
	CHECK(tested > 0);
}

static void
the_ends_of_the_ranges_are_good(void)
{
	starts("-o clock_slots=65536,tag_slots=65536,tombstones=1024", 0);
	starts("-o clock_slots=16777216,tag_slots=16777216", 0);
	starts("-o tombstones=16777216", 0);
	starts("-o lease_max=1,lease_default=1,token_max=1", 0);
	starts("-o lease_max=3600000,lease_default=3600000,token_max=3600", 0);
	starts("-o token_max=86400", 0);
	starts("-o tombstone_max=1,tombstone_ttl=1", 0);
	starts("-o tombstone_max=2592000,tombstone_ttl=2592000", 0);
	starts("-o leases=1,waiters=0,waiters_per_key=0", 0);
	starts("-o leases=2147483647,waiters=2147483647", 0);
}

static void
a_default_stays_below_its_maximum(void)
{
	struct run r = run("-o lease_max=1500,tombstone_max=7,coalesce=a");

	CHECK_EQ(r.outcome, OPTIONS_RUN);
	CHECK_EQ(r.o.lease.lease_default, 1500);
	CHECK_EQ(r.o.lease.tombstone_ttl, 7);
	REQUIRE(r.o.lease.rules == 1);
	CHECK_EQ(r.o.lease.rule[0].lease_ms, 1500);
	run_end(&r);
}

static void
values_that_contradict_each_other_are_an_error(void)
{
	fails("-o lease_default=60001", 1,
	    "leasecached: option -o lease_default is more than lease_max, "
	    "60000");
	fails("-o lease_default=101,lease_max=100", 1,
	    "leasecached: option -o lease_default is more than lease_max, 100");
	fails("-o tombstone_ttl=3601", 1,
	    "leasecached: option -o tombstone_ttl is more than tombstone_max, "
	    "3600");
	fails("-o token_max=59", 1,
	    "leasecached: option -o token_max: 59 s are less than lease_max, "
	    "60000 ms");
	fails("-o lease_max=600001", 1,
	    "leasecached: option -o token_max: 600 s are less than lease_max, "
	    "600001 ms");

	/* whatever stands first */
	starts("-o lease_default=70000,lease_max=80000", 0);
	starts("-o tombstone_ttl=7200,tombstone_max=7200", 0);
	starts("-o token_max=59,lease_max=59000", 0);
}

/* ---- Words and texts ----------------------------------------------------- */

static void
switches_take_no_value(void)
{
	fails("-o lax_sets=no", 1,
	    "leasecached: option -o lax_sets takes no value");
	fails("-o visible_stubs=", 1,
	    "leasecached: option -o visible_stubs takes no value");
	fails("-o no_lax_sets", 1, "Illegal suboption \"no_lax_sets\"");
}

static void
prefixes_must_fit_into_keys(void)
{
	static const char bytes[] = "leasecached: option -o tag_key_prefix "
				    "needs 1 to 64 bytes that can be in a key";
	char line[100] = "-o tag_key_prefix=";

	fails("-o tag_prefix", 1, "Missing tag_prefix argument");
	fails("-o tag_prefix=", 1, "Missing tag_prefix argument");
	fails("-o tag_prefix=::", 1,
	    "leasecached: option -o tag_prefix needs one character, not '::'");
	fails("-o tag_prefix=\t", 1,
	    "leasecached: option -o tag_prefix needs a character that can be "
	    "in a key");
	fails("-o tag_key_prefix", 1, "Missing tag_key_prefix argument");
	fails("-o tag_key_prefix=", 1, bytes);
	fails("-o tag_key_prefix=a\tb", 1, bytes);
	memset(line + strlen(line), 'x', 65);
	fails(line, 1, bytes);
	line[strlen(line) - 1] = '\0';
	starts(line, 0);
	starts("-o tag_prefix=\xe4,tag_key_prefix=\xc3\xa4", 0);
}

static void
faults_exist_in_debug_builds_only(void)
{
#ifdef LEASECACHED_DEBUG
	static const char *const names[] = { "skip_f2", "skip_f3", "skip_f4",
		"skip_f5", "skip_hand_over", "dead_tag", "keep_tokens",
		"no_floor" };

	for (int i = 0; i < 8; i++) {
		char line[64];
		struct run r;

		snprintf(line, sizeof(line), "-o debug_fault=%s", names[i]);
		r = run(line);
		CHECK_EQ(r.outcome, OPTIONS_RUN);
		CHECK_EQ(r.o.lease.fault, FAULT_SKIP_F2 + i);
		run_end(&r);
	}
	fails("-o debug_fault=none", 1,
	    "leasecached: option -o debug_fault: there is no fault 'none'");
	fails("-o debug_fault", 1, "Missing debug_fault argument");
#else
	fails("-o debug_fault=no_floor", 1,
	    "Illegal suboption \"debug_fault=no_floor\"");
#endif
}

/* ---- Rules --------------------------------------------------------------- */

static void
rules_are_sorted_longest_prefix_first(void)
{
	static const struct coalesce_rule want[] = {
		{ "user:a:", 7, 500, 2000, 0, true },
		{ "page:", 5, 0, 60000, 2592000, false },
		{ "user:", 5, 9, 2000, 7, true },
		{ "*", 0, 500, 30, 0, false },
	};
	struct run r = run(
	    "-o coalesce=*,lease=30,"
	    "coalesce=user:,guard,stale=7,track_sizes,wait=9,"
	    "coalesce=user:a:,guard "
	    "-o waiters=1 "
	    "-o coalesce=page:,wait=0,lease=60000,stale=2592000");

	CHECK_EQ(r.outcome, OPTIONS_RUN);
	CHECK_STR(r.err, "");
	CHECK(r.o.track_sizes);
	REQUIRE(r.o.lease.rules == 4);
	for (unsigned i = 0; i < 4; i++) {
		const struct coalesce_rule *rule = &r.o.lease.rule[i];

		unit_note("rule %u", i);
		CHECK_STR(rule->prefix, want[i].prefix);
		CHECK_EQ(rule->len, want[i].len);
		CHECK_EQ(rule->wait_ms, want[i].wait_ms);
		CHECK_EQ(rule->lease_ms, want[i].lease_ms);
		CHECK_EQ(rule->stale, want[i].stale);
		CHECK_EQ(rule->guard, want[i].guard);
	}
	unit_note("%s", "");
	run_end(&r);
}

static void
a_bad_rule_is_an_error(void)
{
	static const char prefix[] =
	    "leasecached: option -o coalesce needs 1 to 250 bytes that can be "
	    "in a key";
	char line[300] = "-o coalesce=";

	fails("-o coalesce", 1, "Missing coalesce argument");
	fails("-o coalesce=", 1, prefix);
	fails("-o coalesce=a\tb", 1, prefix);
	memset(line + strlen(line), 'x', 251);
	fails(line, 1, prefix);
	fails("-o coalesce=a,wait=x", 1,
	    "leasecached: option -o coalesce: wait needs a number from 0 to "
	    "2147483647, not 'x'");
	fails("-o coalesce=a,wait=2147483648", 1,
	    "leasecached: option -o coalesce: wait needs a number from 0 to "
	    "2147483647, not '2147483648'");
	fails("-o coalesce=a,wait", 1,
	    "leasecached: option -o coalesce: wait needs a number from 0 to "
	    "2147483647, not ''");
	fails("-o coalesce=a,lease=0", 1,
	    "leasecached: option -o coalesce: lease needs a number from 1 to "
	    "3600000, not '0'");
	fails("-o coalesce=a,stale=2592001", 1,
	    "leasecached: option -o coalesce: stale needs a number from 0 to "
	    "2592000, not '2592001'");
	fails("-o coalesce=a,guard=1", 1,
	    "leasecached: option -o coalesce: guard takes no value");
	fails("-o coalesce=a,lease=60001", 1,
	    "leasecached: option -o coalesce=a: lease=60001 is more than "
	    "lease_max, 60000");
	starts("-o coalesce=a,lease=60001 -o lease_max=60001", 0);
}

static void
a_prefix_has_one_rule(void)
{
	fails("-o coalesce=a:,coalesce=b:,coalesce=a:,wait=5", 1,
	    "leasecached: option -o coalesce=a:: there are two rules for this "
	    "prefix");
	fails("-o coalesce=* -o coalesce=*", 1,
	    "leasecached: option -o coalesce=*: there are two rules for this "
	    "prefix");
	starts("-o coalesce=a,coalesce=aa,coalesce=b,coalesce=*", 0);
}

static void
words_of_a_rule_stand_behind_it(void)
{
	fails("-o wait=5", 1, "Illegal suboption \"wait=5\"");
	fails("-o guard,coalesce=a", 1, "Illegal suboption \"guard\"");
	fails("-o coalesce=a -o lease=5", 1, "Illegal suboption \"lease=5\"");
	fails("-o coalesce=a,waits=5", 1, "Illegal suboption \"waits=5\"");
	fails("-o coalesce=a,wai=5", 1, "Illegal suboption \"wai=5\"");
}

UNIT("option_lease", TEST(without_an_option_there_are_defaults),
    TEST(the_tables_grow_with_memory), TEST(values_arrive_in_their_fields),
    TEST(each_number_has_its_limits), TEST(the_ends_of_the_ranges_are_good),
    TEST(a_default_stays_below_its_maximum),
    TEST(values_that_contradict_each_other_are_an_error),
    TEST(switches_take_no_value), TEST(prefixes_must_fit_into_keys),
    TEST(faults_exist_in_debug_builds_only),
    TEST(rules_are_sorted_longest_prefix_first), TEST(a_bad_rule_is_an_error),
    TEST(a_prefix_has_one_rule), TEST(words_of_a_rule_stand_behind_it))
