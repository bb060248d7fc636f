/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_option.c - the command line, without a server behind it.
 */
#include "config.h"

#include "option.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command_line.h"
#include "option_table.h"
#include "unit.h"

static void
no_option_means_the_defaults_and_no_word(void)
{
	struct run r = run("");

	CHECK_EQ(r.outcome, OPTIONS_RUN);
	CHECK_STR(r.err, "");
	CHECK_EQ(r.o.port, 11211);
	CHECK(!r.o.port_set);
	CHECK_EQ(r.o.udp_port, 0);
	CHECK_EQ(r.o.n_listen, 0);
	CHECK_STR(r.o.unix_path, NULL);
	CHECK_EQ(r.o.unix_mask, 0700);
	CHECK_EQ(r.o.memory_limit, 64 << 20);
	CHECK_EQ(r.o.item_size_max, 1 << 20);
	CHECK_EQ(r.o.conn_limit, 1024);
	CHECK_EQ(r.o.threads, 4);
	CHECK_EQ(r.o.reqs_per_event, 20);
	CHECK_EQ(r.o.backlog, 1024);
	CHECK_EQ(r.o.protocol, PROTOCOL_AUTO);
	CHECK_EQ(r.o.prefix_delimiter, ':');
	CHECK_EQ(r.o.verbosity, 0);
	CHECK_EQ(r.o.idle_timeout, 0);
	CHECK(r.o.evictions);
	CHECK(r.o.cas_enabled);
	CHECK(r.o.flush_enabled);
	CHECK(r.o.dump_enabled);
	CHECK(r.o.watch_enabled);
	CHECK(r.o.maxconns_fast);
	CHECK(!r.o.shutdown_enabled);
	CHECK(!r.o.daemonize);
	CHECK(!r.o.core_dumps);
	CHECK(!r.o.lock_memory);
	CHECK(!r.o.detail_enabled);
	CHECK(!r.o.track_sizes);
	CHECK(!r.o.debug_commands);
	run_end(&r);
}

static void
a_switch_turns_its_default_round(void)
{
	struct run r = run("-A -d -r -M -k -C -F -X -W "
			   "-o no_maxconns_fast,track_sizes,debug_commands");

	CHECK_STR(r.err, "");
	CHECK(r.o.shutdown_enabled);
	CHECK(r.o.daemonize);
	CHECK(r.o.core_dumps);
	CHECK(r.o.lock_memory);
	CHECK(r.o.track_sizes);
	CHECK(r.o.debug_commands);
	CHECK(!r.o.evictions);
	CHECK(!r.o.cas_enabled);
	CHECK(!r.o.flush_enabled);
	CHECK(!r.o.dump_enabled);
	CHECK(!r.o.watch_enabled);
	CHECK(!r.o.maxconns_fast);
	run_end(&r);
}

static void
values_arrive_in_their_fields(void)
{
	struct run r = run("-p 1 -s /a -a 660 -u me -m 100 -c 7 -P /pid -t 2 "
			   "-R 9 -b 8675 -B ascii -I 2m -D / -vvv "
			   "-o idle_timeout=5");

	CHECK_STR(r.err, "");
	CHECK_EQ(r.o.port, 1);
	CHECK(r.o.port_set);
	CHECK_STR(r.o.unix_path, "/a");
	CHECK_EQ(r.o.unix_mask, 0660);
	CHECK_STR(r.o.user, "me");
	CHECK_EQ(r.o.memory_limit, 100 << 20);
	CHECK_EQ(r.o.conn_limit, 7);
	CHECK_STR(r.o.pidfile, "/pid");
	CHECK_EQ(r.o.threads, 2);
	CHECK_EQ(r.o.reqs_per_event, 9);
	CHECK_EQ(r.o.backlog, 8675);
	CHECK_EQ(r.o.protocol, PROTOCOL_ASCII);
	CHECK_EQ(r.o.item_size_max, 2 << 20);
	CHECK_EQ(r.o.prefix_delimiter, '/');
	CHECK(r.o.detail_enabled);
	CHECK_EQ(r.o.verbosity, 3);
	CHECK_EQ(r.o.idle_timeout, 5);
	run_end(&r);
}

static void
options_may_be_bundled_shortened_and_repeated(void)
{
	struct run r = run("-Mvvp 1 --por=2 --memory-l 9 --memory-limit=10");

	CHECK_EQ(r.outcome, OPTIONS_RUN);
	CHECK(!r.o.evictions);
	CHECK_EQ(r.o.verbosity, 2);
	CHECK_EQ(r.o.port, 2);
	CHECK_EQ(r.o.memory_limit, 10 << 20);
	run_end(&r);
}

static void
numbers_are_read_as_atoi_reads_them(void)
{
	struct run r = run("-p x -b x -m 10g -o idle_timeout=x");

	CHECK_EQ(r.outcome, OPTIONS_RUN);
	CHECK_EQ(r.o.port, 0);
	CHECK_EQ(r.o.backlog, 0);
	CHECK_EQ(r.o.memory_limit, 10 << 20);
	CHECK_EQ(r.o.idle_timeout, 0);
	run_end(&r);

	r = run("-m 99999999999999999999");
	CHECK_EQ(r.outcome, OPTIONS_RUN);
	CHECK(r.o.memory_limit > (size_t)1 << 40);
	CHECK(r.o.memory_limit < SIZE_MAX / 2 + 1);
	run_end(&r);
}

static void
a_udp_port_is_the_tcp_port_when_there_is_no_p(void)
{
	struct run r = run("-U 7000");

	CHECK_EQ(r.o.port, 7000);
	run_end(&r);

	r = run("-U 7000 -p 8000");
	CHECK_EQ(r.o.port, 8000);
	run_end(&r);

	r = run("-U 0");
	CHECK_EQ(r.o.port, 11211);
	run_end(&r);
}

static void
listen_adds_addresses(void)
{
	static const struct {
		const char *host;
		int port;
	} want[] = {
		{ "10.0.0.1", -1 },
		{ "localhost", 11 },
		{ "::1", 12 },
		{ "::2", -1 },
		{ "::3", -1 },
		{ NULL, -1 },
		{ NULL, 13 },
		{ "a", 14 },
		{ "b", 15 },
		{ "c", 16 },
		{ "d", -1 },
		{ "tagged", -1 },
	};
	struct run r = run("-l 10.0.0.1,localhost:11;[::1]:12 -l [::2],::3,,* "
			   "-l *:13,notls:a:14,tag_x_:b:15,tag[y]:c:16 "
			   "-l proto[ascii]:tag[z]:d,tagged");
	size_t n = sizeof(want) / sizeof(want[0]);

	CHECK_STR(r.err, "");
	REQUIRE(r.o.n_listen == n);
	for (size_t i = 0; i < n; i++) {
		CHECK_STR(r.o.listen[i].host, want[i].host);
		CHECK_EQ(r.o.listen[i].port, want[i].port);
	}
	run_end(&r);

	r = run("-l ;,");
	CHECK_EQ(r.outcome, OPTIONS_RUN);
	CHECK_EQ(r.o.n_listen, 0);
	run_end(&r);
}

static void
a_bad_address_is_an_error(void)
{
	fails("-l a:x", 71, "Invalid port number: \"x\"");
	fails("-l a:65536", 71, "Invalid port number: \"65536\"");
	fails("-l b,a:", 71, "Invalid port number: \"\"");
	fails("-l [::1]:-1", 71, "Invalid port number: \"-1\"");
	fails("-l [::1", 71, "Invalid IPV6 address: \"[::1\"");
	fails("-l [::1]x", 71, "Invalid IPV6 address: \"[::1]x\"");
	fails("-l :11211", 71,
	    "leasecached: option -l needs an address in front of the port");
	fails("-l btls:a", 64,
	    "leasecached: option -l with TLS is refused: "
	    "there is no TLS yet, and data would travel in clear");
	fails("-l proto[binary]:a", 64,
	    "leasecached: option -l proto[binary] is refused: "
	    "the binary protocol is not spoken");
}

static void
an_address_has_a_mode(void)
{
	static const struct {
		const char *host;
		int port;
		enum listen_mode mode;
		uint32_t wait_ms;
	} want[] = {
		{ "a", 1, LISTEN_LEASE, 5 },
		{ "::1", 2, LISTEN_PROXY, 0 },
		{ "b", -1, LISTEN_PLAIN, 0 },
		{ "c", -1, LISTEN_LEASE, 0 },
		{ "d", -1, LISTEN_PLAIN, 0 },
	};
	static const char first[] =
	    "mode[lease,wait=5]:a:1,mode[proxy]:[::1]:2;mode[plain]:b";
	static const char second[] = "notls:mode[lease]:c,d";
	char line[200];
	struct run r;

	snprintf(line, sizeof(line), "-l %s -l %s", first, second);
	r = run(line);
	CHECK_STR(r.err, "");
	REQUIRE(r.o.n_listen == sizeof(want) / sizeof(want[0]));
	for (size_t i = 0; i < r.o.n_listen; i++) {
		CHECK_STR(r.o.listen[i].host, want[i].host);
		CHECK_EQ(r.o.listen[i].port, want[i].port);
		CHECK_EQ(r.o.listen[i].mode, want[i].mode);
		CHECK_EQ(r.o.listen[i].wait_ms, want[i].wait_ms);
	}
	snprintf(line, sizeof(line), "%s,%s", first, second);
	CHECK_STR(r.o.inter, line);
	run_end(&r);

	starts("-l mode[lease,wait=2147483647]:a", 0);
	starts("-l mode[lease,wait=0]:a", 0);
}

static void
a_bad_mode_is_an_error(void)
{
	fails("-l mode[fast]:a", 64,
	    "leasecached: option -l has an unknown mode: 'fast' -- should be "
	    "one of plain, lease, or proxy");
	fails("-l b,mode[]:a", 64,
	    "leasecached: option -l has an unknown mode: '' -- should be one "
	    "of plain, lease, or proxy");
	fails("-l mode[proxy,wait=5]:a", 64,
	    "leasecached: option -l mode[proxy] does not take 'wait=5'");
	fails("-l mode[lease,patience=5]:a", 64,
	    "leasecached: option -l mode[lease] does not take 'patience=5'");
	fails("-l mode[lease,]:a", 64,
	    "leasecached: option -l mode[lease] does not take ''");
	fails("-l mode[lease,wait=x]:a", 64,
	    "leasecached: option -l mode[lease,wait=] needs a number from 0 to "
	    "2147483647, not 'x'");
	fails("-l mode[lease,wait=2147483648]:a", 64,
	    "leasecached: option -l mode[lease,wait=] needs a number from 0 to "
	    "2147483647, not '2147483648'");
	fails("-l mode[lease,wait=5,wait=6]:a", 64,
	    "leasecached: option -l mode[lease,wait=] needs a number from 0 to "
	    "2147483647, not '5,wait=6'");
	fails("-l mode[lease]a", 64,
	    "leasecached: option -l needs ']:' behind a mode: 'mode[lease]a'");
	fails("-l mode[lease", 64,
	    "leasecached: option -l needs ']:' behind a mode: 'mode[lease'");
	fails("-l mode[lease]:", 71,
	    "leasecached: option -l needs an address in front of the port");
}

static void
values_outside_their_limits_end_with_memcacheds_words(void)
{
	fails("-c 0", 1, "Maximum connections must be greater than 0");
	fails("-c -1", 1, "Maximum connections must be greater than 0");
	fails("-t 0", 1, "Number of threads must be greater than 0");
	fails("-R 0", 1, "Number of requests per event must be greater than 0");
	fails("-f 1", 1, "Factor must be greater than 1");
	fails("-o hot_max_factor=0", 1, "hot_max_factor must be > 0");
	fails("-o slab_automove_ratio=1", 1,
	    "slab_automove_ratio must be > 0 and < 1");
	fails("-f nan", 1, "Factor must be greater than 1");
	fails("-n 0", 1, "Chunk size must be greater than 0");
	fails("-p 65536", 64, "ERROR: Invalid port number 65536.");
	fails("-p -2", 64, "ERROR: Invalid port number -2.");
	fails("-U 65536", 64, "ERROR: Invalid UDP port number 65536.");
	fails("-B http", 64,
	    "Invalid value for binding protocol: http"
	    " -- should be one of auto, binary, or ascii");
	fails("-a 800", 1,
	    "leasecached: option -a needs an octal access mask from 0 to 777, "
	    "not '800'");
	fails("-b -1", 1,
	    "leasecached: option -b needs a number from 0 to 2147483647, "
	    "not '-1'");
	fails("-c 9999999999", 1,
	    "leasecached: option -c needs a number from 1 to 2147483647, "
	    "not '9999999999'");
	fails("-t 4097", 1,
	    "leasecached: option -t needs a number from 1 to 4096, "
	    "not '4097'");
	fails("-o idle_timeout=-1", 1,
	    "leasecached: option -o idle_timeout needs a number from 0 to "
	    "2147483647, not '-1'");
}

static void
the_item_size_has_its_limits(void)
{
	static const char small[] =
	    "Item max size cannot be less than 1024 bytes.";
	static const char half[] =
	    "Cannot set item size limit higher than 1/2 of memory max.";

	fails("-I 1000", 64, small);
	fails("-I 1023", 64, small);
	fails("-I x", 64, small);
	fails("-I 2g", 64, small);
	fails("-I -5m", 64, small);
	fails("-I 256m", 64, half);
	fails("-I 33m", 64, half);
	fails("-m 1", 64, half);
	fails("-m 0", 64, half);
	fails("-m -64", 64, half);
	fails("-I 1025m -m 4096", 64,
	    "Cannot set item size limit higher than a gigabyte.");
	starts("-I 1024", 0);
	starts("-I 1k", 0);
	starts("-I 32M", 0);
	starts("-I 1024m -m 2048", 0);
	starts("-m 1 -I 512K", 0);
}

static void
what_would_be_a_false_promise_is_refused(void)
{
	fails("-S", 64,
	    "leasecached: option -S is refused: SASL belongs to the binary "
	    "protocol, which is not spoken");
	fails("-Z", 64,
	    "leasecached: option -Z is refused: there is no TLS yet, and data "
	    "would travel in clear");
	fails("-Y /dev/null", 64,
	    "leasecached: option -Y is refused: there is no authentication "
	    "yet, and everybody would get in");
	fails("-e /dev/null", 64,
	    "leasecached: option -e is refused: items don't survive a restart "
	    "yet");
	fails("-B binary", 64,
	    "leasecached: option -B binary is refused: the binary protocol is "
	    "not spoken");
	fails("-o ext_path=/x:1g", 1,
	    "leasecached: option -o ext_path is refused: there is no external "
	    "storage yet, and items would be lost");
	fails("-o track_sizes,ssl_key=/x", 1,
	    "leasecached: option -o ssl_key is refused: there is no TLS yet, "
	    "and data would travel in clear");
	fails("-o proxy_config=/x", 1,
	    "leasecached: option -o proxy_config is refused: there is no proxy "
	    "in this server");
}

static void
what_getopt_refuses_is_one_line(void)
{
	fails("-q", 1, "leasecached: invalid option -- 'q'");
	fails("-vq", 1, "leasecached: invalid option -- 'q'");
	fails("-p", 1, "leasecached: option requires an argument -- 'p'");
	fails("--port", 1, "leasecached: option '--port' requires an argument");
	fails("--daemon=1", 1,
	    "leasecached: option '--daemon' doesn't allow an argument");
	fails("--bogus", 1, "leasecached: unrecognized option '--bogus'");
	fails("--bogus=2 -v", 1,
	    "leasecached: unrecognized option '--bogus=2'");
	fails("--memory=64", 1,
	    "leasecached: option '--memory=64' is ambiguous; possibilities: "
	    "'--memory-limit' '--memory-file'");
}

static void
words_of_o_are_checked(void)
{
	fails("-o bogus", 1, "Illegal suboption \"bogus\"");
	fails("-o track_sizes,bogus=1", 1, "Illegal suboption \"bogus=1\"");
	fails("-o no_track_sizes", 1, "Illegal suboption \"no_track_sizes\"");
	fails("-o ,", 1, "Illegal suboption \"\"");
	fails("-o idle_timeout", 1,
	    "Missing numeric argument for idle_timeout");
	fails("-o slab_chunk_max", 1, "Missing slab_chunk_max argument");
	fails("-o slab_chunk_max=1x", 1,
	    "could not parse argument to slab_chunk_max");
	fails("-o hashpower=11", 1,
	    "Initial hashtable multiplier of 11 is too low");
	fails("-o hashpower=33", 1,
	    "Initial hashtable multiplier of 33 is too high");
	fails("-o hash_algorithm=md5", 1,
	    "Unknown hash_algorithm option (jenkins, murmur3, xxh3)");
	fails("-o tail_repair_time=9", 1,
	    "Cannot set tail_repair_time to less than 10 seconds");
	fails("-o slab_automove=3", 1, "slab_automove must be between 0 and 2");
	fails("-o hot_lru_pct=50,warm_lru_pct=50", 64,
	    "hot_lru_pct + warm_lru_pct cannot be more than 80% combined");
	starts("-o track_sizes,", 0);
	starts("-o maxconns_fast=1", 0);
}

static void
what_does_nothing_says_so_once(void)
{
	struct run r = run("-f 1.5 -L -f 1.3 -o no_lru_crawler");

	CHECK_EQ(r.outcome, OPTIONS_RUN);
	CHECK_STR(r.err,
	    "leasecached: option -f is accepted for compatibility but does "
	    "nothing: the slab classes are fixed, and close to each other\n"
	    "leasecached: option -L is accepted for compatibility but does "
	    "nothing: large pages are used anyway where the kernel gives "
	    "them\n"
	    "leasecached: option -o no_lru_crawler is accepted for "
	    "compatibility but does nothing: expired items are always removed "
	    "on time\n");
	run_end(&r);

	starts("-n 48", 1);
	starts("-N 4", 1);
	starts("-U 11211", 1);
	starts("-U 0 -B auto", 0);
	starts("-o modern,no_modern", 1);
	starts("-o relaxed_privileges,no_drop_privileges", 0);
	starts("-o drop_privileges", 1);
	starts("-t 65", 1);
	starts("-t 64", 0);
	starts("stray", 1);
}

/* Every option of memcached 1.6.45 that is neither refused nor honoured. */
static void
all_ignored_words_are_known(void)
{
	starts("-o hashpower=20,no_hashexpand,hash_algorithm=murmur3,"
	       "tail_repair_time=3600,lru_crawler,lru_crawler_sleep=1,"
	       "lru_crawler_tocrawl=1,lru_maintainer,hot_lru_pct=30,"
	       "warm_lru_pct=30,hot_max_factor=1,warm_max_factor=1,"
	       "slab_reassign,slab_automove=2,slab_automove_ratio=0.5,"
	       "slab_automove_window=9,slab_automove_freeratio=0.1,"
	       "slab_chunk_max=16,slab_sizes=100-200,no_chunked_items,"
	       "inline_ascii_resp,resp_obj_mem_limit=1,sock_cookie_id=1,"
	       "temporary_ttl=30,watcher_logbuf_size=16,worker_logbuf_size=1,"
	       "read_buf_mem_limit=1",
	    26);
	starts("-o no_lru_crawler,no_lru_maintainer,no_slab_reassign,"
	       "no_slab_automove,no_inline_ascii_resp,no_modern",
	    6);
	starts("-o slab_automove", 1);
}

static void
an_error_silences_warnings(void)
{
	fails("-L -c 0", 1, "Maximum connections must be greater than 0");
}

static void
texts_asked_for_end_the_run(void)
{
	static const char version[] = "leasecached " PACKAGE_VERSION
				      " (memcached protocol 1.6.45)\n";
	struct run r = run("-V");

	CHECK_EQ(r.outcome, OPTIONS_EXIT);
	CHECK_STR(r.out, version);
	CHECK_STR(r.err, "");
	run_end(&r);

	r = run("-L -h -c 0");
	CHECK_EQ(r.outcome, OPTIONS_EXIT);
	CHECK(strncmp(r.out, version, strlen(version)) == 0);
	CHECK_STR(r.err, "");
	run_end(&r);

	r = run("--license");
	CHECK_EQ(r.outcome, OPTIONS_EXIT);
	CHECK(strstr(r.out, "Redistribution and use") != NULL);
	run_end(&r);
}

static void
the_help_names_every_option_but_the_refused(void)
{
	struct run r = run("-h");
	char want[64];

	for (size_t i = 0; i < option_nrows; i++) {
		const struct option_row *row = &option_rows[i];

		if (row->name == NULL)
			continue;
		snprintf(want, sizeof(want), "%s%s", row->is_word ? "" : "--",
		    row->name);
		unit_note("%s", want);
		CHECK_EQ(strstr(r.out, want) != NULL, row->refused == NULL);
	}
	run_end(&r);
}

static void
no_letter_and_no_name_is_used_twice(void)
{
	for (size_t i = 0; i < option_nrows; i++) {
		for (size_t j = 0; j < i; j++) {
			const struct option_row *a = &option_rows[i];
			const struct option_row *b = &option_rows[j];

			unit_note("rows %zu and %zu", j, i);
			if (a->letter != 0)
				CHECK(a->letter != b->letter);
			if (a->name != NULL && b->name != NULL)
				CHECK(strcmp(a->name, b->name) != 0);
			if (a->setting != NULL && b->setting != NULL)
				CHECK(strcmp(a->setting, b->setting) != 0);
		}
	}
}

/* ---- stats settings ------------------------------------------------------ */

static void
collect(void *ctx, const char *name, const char *value)
{
	fprintf(ctx, "%s %s\n", name, value);
}

/* The lines of `stats settings` for a command line, to be freed. */
static char *
settings(const char *line, struct option_live live)
{
	struct run r = run(line);
	char *text;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	CHECK_EQ(r.outcome, OPTIONS_RUN);
	options_report(&r.o, &live, collect, f);
	fclose(f);
	run_end(&r);
	return text;
}

static void
settings_have_memcacheds_names_in_its_order(void)
{
	static const char want[] =
	    "maxbytes 1\nmaxconns 1024\ntcpport 11211\nudpport 0\n"
	    "inter 127.0.0.1,::1\nverbosity 2\noldest 3\nevictions on\n"
	    "domain_socket NULL\numask 700\nshutdown_command no\n"
	    "growth_factor 1.25\nchunk_size 48\nnum_threads 4\n"
	    "num_threads_per_udp 4\nstat_key_prefix :\ndetail_enabled no\n"
	    "reqs_per_event 20\ncas_enabled yes\ntcp_backlog 1024\n"
	    "binding_protocol auto-negotiate\nauth_enabled_sasl no\n"
	    "auth_enabled_ascii no\nitem_size_max 1048576\n"
	    "maxconns_fast yes\nhashpower_init 0\nslab_reassign no\n"
	    "slab_automove 0\nslab_automove_ratio 0.80\n"
	    "slab_automove_window 30\nslab_chunk_max 524288\nlru_crawler no\n"
	    "lru_crawler_sleep 100\nlru_crawler_tocrawl 0\n"
	    "tail_repair_time 0\nflush_enabled yes\ndump_enabled yes\n"
	    "hash_algorithm xxh3\nlru_maintainer_thread no\n"
	    "lru_segmented no\nhot_lru_pct 20\nwarm_lru_pct 40\n"
	    "hot_max_factor 0.20\nwarm_max_factor 2.00\ntemp_lru no\n"
	    "temporary_ttl 61\nidle_timeout 0\nwatcher_logbuf_size 262144\n"
	    "worker_logbuf_size 65536\nread_buf_mem_limit 0\n"
	    "track_sizes no\ninline_ascii_response no\next_item_size 512\n"
	    "ext_item_age 4294967295\next_low_ttl 0\next_recache_rate 2000\n"
	    "ext_wbuf_size 4194304\next_compact_under 0\next_drop_under 0\n"
	    "ext_max_sleep 1000000\next_max_frag 0.80\n"
	    "slab_automove_freeratio 0.010\next_drop_unread no\n"
	    "ssl_enabled no\nssl_chain_cert NULL\nssl_key NULL\n"
	    "ssl_verify_mode 0\nssl_keyformat 1\nssl_ciphers NULL\n"
	    "ssl_ca_cert NULL\nssl_wbuf_size 16384\nssl_session_cache no\n"
	    "ssl_kernel_tls no\nssl_min_version tlsv1.2\nnum_napi_ids NULL\n"
	    "memory_file NULL\nclient_flags_size 4\n";
	char *text = settings("",
	    (struct option_live){ .maxbytes = 1, .verbosity = 2, .oldest = 3 });

	CHECK_STR(text, want);
	free(text);
}

static void
settings_follow_the_command_line(void)
{
	static const char *const want[] = {
		"\nmaxconns 7\n",
		"\ntcpport -1\n",
		"\ninter a,b:1\n",
		"\nevictions off\n",
		"\ndomain_socket /a_b\n",
		"\numask 660\n",
		"\nshutdown_command yes\n",
		"\ngrowth_factor 1.50\n",
		"\nnum_threads 2\n",
		"\nnum_threads_per_udp 2\n",
		"\nstat_key_prefix /\n",
		"\ndetail_enabled yes\n",
		"\ncas_enabled no\n",
		"\ntcp_backlog 8675\n",
		"\nbinding_protocol ascii\n",
		"\nitem_size_max 2048\n",
		"\nmaxconns_fast no\n",
		"\nflush_enabled no\n",
		"\ndump_enabled no\n",
		"\nidle_timeout 9\n",
		"\nslab_chunk_max 16384\n",
		"\ntrack_sizes yes\n",
		"\nlru_crawler no\n",
	};
	char *text = settings("-c 7 -p -1 -l a -l b:1 -M -s /a\tb -a 660 -A "
			      "-f 1.5 -t 2 -D / -C -b 8675 -B ascii -I 2k "
			      "-F -X -o no_maxconns_fast,idle_timeout=9 "
			      "-o slab_chunk_max=16,track_sizes,lru_crawler",
	    (struct option_live){ .maxbytes = 64, .detail = true });

	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		unit_note("%s", want[i]);
		CHECK(strstr(text, want[i]) != NULL);
	}
	free(text);
}

static void
a_unix_socket_leaves_no_address(void)
{
	char *text = settings("-s /a",
	    (struct option_live){ .maxbytes = 64, .detail = true });

	CHECK(strstr(text, "\ninter NULL\n") != NULL);
	free(text);
}

UNIT("option", TEST(no_option_means_the_defaults_and_no_word),
    TEST(a_switch_turns_its_default_round), TEST(values_arrive_in_their_fields),
    TEST(options_may_be_bundled_shortened_and_repeated),
    TEST(numbers_are_read_as_atoi_reads_them),
    TEST(a_udp_port_is_the_tcp_port_when_there_is_no_p),
    TEST(listen_adds_addresses), TEST(a_bad_address_is_an_error),
    TEST(an_address_has_a_mode), TEST(a_bad_mode_is_an_error),
    TEST(values_outside_their_limits_end_with_memcacheds_words),
    TEST(the_item_size_has_its_limits),
    TEST(what_would_be_a_false_promise_is_refused),
    TEST(what_getopt_refuses_is_one_line), TEST(words_of_o_are_checked),
    TEST(what_does_nothing_says_so_once), TEST(all_ignored_words_are_known),
    TEST(an_error_silences_warnings), TEST(texts_asked_for_end_the_run),
    TEST(the_help_names_every_option_but_the_refused),
    TEST(no_letter_and_no_name_is_used_twice),
    TEST(settings_have_memcacheds_names_in_its_order),
    TEST(settings_follow_the_command_line),
    TEST(a_unix_socket_leaves_no_address))
