/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * load.c - a load generator: one thread, epoll, every reply checked.
 *
 *	bench_load -p PORT [-m get|set|mixed|fill|hold] ...
 *
 *	-m MODE	get; set; mixed: one set to ten gets; fill: each key is
 *		stored once; hold: connections that have asked once and are
 *		kept (see load_hold.c)
 *	-h IP	127.0.0.1
 *	-c N	connections, 50
 *	-P N	requests sent at once on a connection, 1
 *	-g N	keys in a get, 1
 *	-k N	keys, 10000
 *	-b N	fill begins with this key, 0
 *	-z S	a Zipf distribution of keys with this exponent, above 0; else
 *		each key is as likely as any other
 *	-s N	bytes of a value, 100
 *	-f	all keys are stored first
 *	-w SEC	warm-up, not measured, 0
 *	-t SEC	measured, 60; it ends before when
 *	-n N	operations (keys, not requests) are done
 *	-r N	open loop: this many requests a second, at random moments
 *	-q US	a probe: one get each so many microseconds beside the load
 *	-i PID	of the server: its CPU time is measured
 *	-C CPU	runs on this CPU only
 *	-M	meta commands: mg KEY v k, and ms
 *	-x	any reply of the right length will do: for bench_bare_loop
 *
 * Prints lines of a name, a number and its unit.  Exit status 1 when a reply is
 * not what it should be; a miss is counted.
 */
#include "config.h"

#include "load.h"

#include "proc.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static enum mode
mode_from(const char *name)
{
	static const char *const names[] = { "get", "set", "mixed", "fill",
		"hold" };

	for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strcmp(names[i], name) == 0)
			return (enum mode)i;
	fprintf(stderr, "bench_load: no such mode: %s\n", name);
	exit(EXIT_FAILURE);
}

static unsigned
count_from(const char *text)
{
	return (unsigned)strtoul(text, NULL, 10);
}

/* An option that is a number; false if there is none of this letter. */
static bool
take_number(struct load *l, int letter, const char *text)
{
	switch (letter) {
	case 'p':
		l->port = atoi(text);
		return true;
	case 'c':
		l->conns = count_from(text);
		return true;
	case 'P':
		l->pipeline = count_from(text);
		return true;
	case 'g':
		l->keys_per_get = count_from(text);
		return true;
	case 'q':
		l->probe_us = count_from(text);
		return true;
	case 'k':
		l->keys = strtoull(text, NULL, 10);
		return true;
	case 'b':
		l->first = strtoull(text, NULL, 10);
		return true;
	case 'n':
		l->ops = strtoull(text, NULL, 10);
		return true;
	case 's':
		l->value = strtoull(text, NULL, 10);
		return true;
	case 'i':
		l->pid = atoi(text);
		return true;
	case 'C':
		l->cpu = atoi(text);
		return true;
	default:
		return false;
	}
}

static bool
take_other(struct load *l, int letter, const char *text)
{
	switch (letter) {
	case 'm':
		l->mode = mode_from(text);
		return true;
	case 'h':
		l->host = text;
		return true;
	case 'f':
		l->fill = true;
		return true;
	case 'M':
		l->meta = true;
		return true;
	case 'x':
		l->any_reply = true;
		return true;
	case 'z':
		l->zipf = strtod(text, NULL);
		return true;
	case 'w':
		l->warm_up = strtod(text, NULL);
		return true;
	case 't':
		l->seconds = strtod(text, NULL);
		return true;
	case 'r':
		l->rate = strtod(text, NULL);
		return true;
	default:
		return false;
	}
}

static void
print_result(const struct load *l, const struct result *r)
{
	double done = r->done > 0 ? (double)r->done : 1;

	printf("ops %" PRIu64 " count\nmisses %" PRIu64 " count\n", r->done,
	    r->missed);
	printf("seconds %.3f s\nrate %.0f per_second\n", r->seconds,
	    (double)r->done / r->seconds);
	printf("client_cpu %.3f us_per_op\n", (double)r->own_cpu / 1e3 / done);
	if (l->pid > 0) {
		printf("server_cpu %.4f us_per_op\n",
		    (double)r->cpu / 1e3 / done);
		printf("server_busy %.3f of_a_cpu\n",
		    (double)r->cpu / 1e9 / r->seconds);
		printf("server_waited %.3f of_a_cpu\n",
		    (double)r->waited / 1e9 / r->seconds);
	}
	if (l->rate <= 0 && l->probe_us == 0)
		return;
	printf("timed %" PRIu64 " count\ndisturbed %" PRIu64 " count\n",
	    r->timed, r->disturbed);
	printf("p50 %.1f us\np99 %.1f us\np999 %.1f us\nmax %.1f us\n",
	    (double)r->p50 / 1e3, (double)r->p99 / 1e3, (double)r->p999 / 1e3,
	    (double)r->max / 1e3);
}

static void
more_descriptors(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
		r.rlim_cur = r.rlim_max;
		setrlimit(RLIMIT_NOFILE, &r);
	}
}

int
main(int argc, char **argv)
{
	struct load l = { .host = "127.0.0.1",
		.port = 11211,
		.cpu = -1,
		.conns = 50,
		.pipeline = 1,
		.keys_per_get = 1,
		.keys = 10000,
		.value = 100,
		.seconds = 60 };
	struct result r;
	struct held h;
	int o;

	while ((o = getopt(argc, argv,
		    "h:p:c:P:g:k:b:z:s:m:fw:t:n:r:q:i:C:Mx")) != -1)
		if (!take_number(&l, o, optarg) && !take_other(&l, o, optarg))
			return EXIT_FAILURE;
	if (l.conns < 1 || l.pipeline < 1 || l.keys < 1 || l.keys_per_get < 1) {
		fprintf(stderr, "bench_load: -c, -P, -k, -g: at least 1\n");
		return EXIT_FAILURE;
	}
	more_descriptors();
	proc_pin(l.cpu);
	if (l.mode == MODE_HOLD) {
		load_hold(&l, &h);
		printf("held %u count\nconnection %.0f bytes\n", h.conns,
		    h.bytes);
		return EXIT_SUCCESS;
	}
	load_run(&l, &r);
	print_result(&l, &r);
	return EXIT_SUCCESS;
}
