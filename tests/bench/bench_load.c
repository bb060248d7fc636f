/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bench_load.c - a small load generator.
 *
 * One thread, blocking sockets, closed loop: each connection sends a batch of
 * `pipeline` requests, and its replies are read and checked byte for byte in
 * length before the next batch.  It prints the rate, and what the server's
 * process spent on each operation, from the kernel's accounting.
 *
 *	bench_load -p PORT [-c CONNS] [-P PIPELINE] [-n OPS] [-k KEYS]
 *	    [-s BYTES] [-m get|set|mixed|mget] [-i SERVER_PID] [-h HOST]
 *
 * `mixed` is one set to ten gets; `mget` asks for PIPELINE keys in one get.
 * Keys are drawn uniformly; they are all stored first.  Exit status 1 when a
 * reply is not what it should be.
 */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { KEY_BYTES = 24, LINE_BYTES = 96 };

enum mode { MODE_GET, MODE_SET, MODE_MIXED, MODE_MGET };

struct load {
	const char *host;
	int port, conns, pipeline, pid;
	uint64_t ops, keys;
	size_t value;
	enum mode mode;
};

struct client {
	int fd;
	char *out, *in;
	size_t out_len, expect;
};

static uint64_t random_state = 88172645463325252u;

/* xorshift64 (G. Marsaglia, 2003): the same keys in each run. */
static uint64_t
draw(uint64_t below)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state % below;
}

static void
die(const char *what)
{
	fprintf(stderr, "bench_load: %s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

static double
seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* CPU seconds that a process has used, 0 when it can't be told. */
static double
cpu_of(int pid)
{
	char path[64], text[1024], *p;
	unsigned long user = 0, kernel = 0;
	FILE *f;
	size_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = pid > 0 ? fopen(path, "r") : NULL;
	if (f == NULL)
		return 0;
	n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[n] = '\0';
	p = strrchr(text, ')');
	if (p == NULL ||
	    sscanf(p + 2,
		"%*c %*d %*d %*d %*d %*d %*u %*u %*u "
		"%*u %*u %lu %lu",
		&user, &kernel) != 2)
		return 0;
	return (double)(user + kernel) / (double)sysconf(_SC_CLK_TCK);
}

static int
connect_to(const struct load *l)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	sa.sin_port = htons((uint16_t)l->port);
	if (inet_pton(AF_INET, l->host, &sa.sin_addr) != 1 || fd < 0 ||
	    connect(fd, (struct sockaddr *)&sa, sizeof(sa)) != 0)
		die("connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fd;
}

static void
put_key(char *out, uint64_t key)
{
	memcpy(out, "bench-key-", 10);
	for (int i = KEY_BYTES - 1; i >= 10; i--, key /= 10)
		out[i] = (char)('0' + key % 10);
}

static size_t
digits(uint64_t v)
{
	return (size_t)snprintf(NULL, 0, "%" PRIu64, v);
}

/* Adds one request, and the length of its reply to what is expected. */
static void
add_set(const struct load *l, struct client *c, uint64_t key)
{
	char *p = c->out + c->out_len;
	char name[KEY_BYTES + 1] = { 0 };

	put_key(name, key);
	p += sprintf(p, "set %s 0 0 %zu\r\n", name, l->value);
	memset(p, 'v', l->value);
	memcpy(p + l->value, "\r\n", 2);
	c->out_len = (size_t)(p - c->out) + l->value + 2;
	c->expect += strlen("STORED\r\n");
}

static void
expect_value(const struct load *l, struct client *c)
{
	c->expect += strlen("VALUE  0 \r\n\r\n") + KEY_BYTES +
	    digits(l->value) + l->value;
}

static void
add_get(const struct load *l, struct client *c, int keys)
{
	char *p = c->out + c->out_len;

	p += sprintf(p, "get");
	for (int i = 0; i < keys; i++) {
		*p++ = ' ';
		put_key(p, draw(l->keys));
		p += KEY_BYTES;
		expect_value(l, c);
	}
	p += sprintf(p, "\r\n");
	c->out_len = (size_t)(p - c->out);
	c->expect += strlen("END\r\n");
}

static void
fill_batch(const struct load *l, struct client *c)
{
	c->out_len = c->expect = 0;
	if (l->mode == MODE_MGET) {
		add_get(l, c, l->pipeline);
		return;
	}
	for (int i = 0; i < l->pipeline; i++)
		if (l->mode == MODE_SET ||
		    (l->mode == MODE_MIXED && draw(11) == 0))
			add_set(l, c, draw(l->keys));
		else
			add_get(l, c, 1);
}

static void
send_all(struct client *c)
{
	for (size_t at = 0; at < c->out_len;) {
		ssize_t n = write(c->fd, c->out + at, c->out_len - at);

		if (n <= 0)
			die("write");
		at += (size_t)n;
	}
}

static void
receive_all(struct client *c)
{
	for (size_t at = 0; at < c->expect;) {
		ssize_t n = read(c->fd, c->in + at, c->expect - at);

		if (n <= 0)
			die("read");
		at += (size_t)n;
	}
	if (memcmp(c->in + c->expect - 2, "\r\n", 2) != 0 ||
	    (memcmp(c->in, "VALUE ", 6) != 0 &&
		memcmp(c->in, "STORED", 6) != 0)) {
		fprintf(stderr, "bench_load: wrong reply: %.*s\n", 60, c->in);
		exit(EXIT_FAILURE);
	}
}

static void
store_all(const struct load *l, struct client *c)
{
	for (uint64_t key = 0; key < l->keys;) {
		c->out_len = c->expect = 0;
		for (int i = 0; i < l->pipeline && key < l->keys; i++)
			add_set(l, c, key++);
		send_all(c);
		receive_all(c);
	}
}

static void
run(const struct load *l)
{
	struct client *c = calloc((size_t)l->conns, sizeof(*c));
	size_t room = (size_t)l->pipeline * (l->value + LINE_BYTES) + 64;
	uint64_t done = 0;
	double started, cpu;

	for (int i = 0; i < l->conns; i++) {
		c[i].fd = connect_to(l);
		c[i].out = malloc(room);
		c[i].in = malloc(room);
		if (c[i].out == NULL || c[i].in == NULL)
			die("malloc");
	}
	store_all(l, &c[0]);
	started = seconds();
	cpu = cpu_of(l->pid);
	while (done < l->ops) {
		for (int i = 0; i < l->conns; i++) {
			fill_batch(l, &c[i]);
			send_all(&c[i]);
		}
		for (int i = 0; i < l->conns; i++)
			receive_all(&c[i]);
		done += (uint64_t)l->conns * (uint64_t)l->pipeline;
	}
	started = seconds() - started;
	cpu = cpu_of(l->pid) - cpu;
	printf("ops %" PRIu64 " count\nrate %.0f per_second\n", done,
	    (double)done / started);
	if (l->pid > 0)
		printf("server_cpu %.3f us_per_op\n", cpu * 1e6 / (double)done);
	for (int i = 0; i < l->conns; i++) {
		close(c[i].fd);
		free(c[i].out);
		free(c[i].in);
	}
	free(c);
}

static enum mode
mode_from(const char *name)
{
	static const char *const names[] = { "get", "set", "mixed", "mget" };

	for (int i = 0; i < 4; i++)
		if (strcmp(names[i], name) == 0)
			return (enum mode)i;
	fprintf(stderr, "bench_load: no such mode: %s\n", name);
	exit(EXIT_FAILURE);
}

int
main(int argc, char **argv)
{
	struct load l = { .host = "127.0.0.1",
		.port = 11211,
		.conns = 50,
		.pipeline = 1,
		.ops = 200000,
		.keys = 10000,
		.value = 100 };
	int o;

	while ((o = getopt(argc, argv, "h:p:c:P:n:k:s:m:i:")) != -1)
		switch (o) {
		case 'h':
			l.host = optarg;
			break;
		case 'p':
			l.port = atoi(optarg);
			break;
		case 'c':
			l.conns = atoi(optarg);
			break;
		case 'P':
			l.pipeline = atoi(optarg);
			break;
		case 'n':
			l.ops = strtoull(optarg, NULL, 10);
			break;
		case 'k':
			l.keys = strtoull(optarg, NULL, 10);
			break;
		case 's':
			l.value = strtoull(optarg, NULL, 10);
			break;
		case 'm':
			l.mode = mode_from(optarg);
			break;
		case 'i':
			l.pid = atoi(optarg);
			break;
		default:
			return EXIT_FAILURE;
		}
	if (l.conns < 1 || l.pipeline < 1 || l.keys < 1) {
		fprintf(stderr, "bench_load: -c, -P and -k are at least 1\n");
		return EXIT_FAILURE;
	}
	run(&l);
	return EXIT_SUCCESS;
}
