/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bench_replay.c - replays a trace: misses are loaded and stored.
 *
 *	bench_replay -p PORT [-k KEY_BYTES] [-s SCALE] [-r PER_SECOND]
 *	    [-Z TIMES] [-l MEDIAN_MS [-g SIGMA] [-t]] < TRACE
 *
 * A line of a trace is `op key size ttl`: op g gets, and on a miss loads and
 * sets; s sets; d deletes.  Key is a number, size that of the value, times
 * SCALE, and at most a million bytes; ttl is in seconds, 0 for ever.
 *
 *	-r	paced, so that a second of the trace takes as long as one
 *	-Z	ttls are multiplied: for a server whose clock runs that fast
 *	-l	loads take time: for each key another, log-normal, -g the sigma
 *of its logarithm (1.5).  They run beside each other and beside the trace; who
 *asks for what is being loaded waits for it.
 *	-t	a miss takes a lease, and its token goes with the fill
 *
 * Requests go out 32 at a time, in memcached's meta commands.  Each hit's
 *length and first bytes are checked.  Prints `name value` lines:
 *
 *	gets hits loads joined sets failed	joined: waited for a load
 *	byte_hits bytes				of values asked for
 *	load_ms all_ms				of loads; were there no cache
 *	late					gets sent half a second late
 *	curr_items evictions			as the server counts them
 *
 * Exit status 1 when a reply is not what it should be.
 */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
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

enum {
	BATCH = 32,
	VALUE_MOST = 1000000,
	PATTERN = 1 << 20,
	CHECKED = 64, /* first bytes of a hit */
	LINE = 320,
	LEASE_MS = 60000,
	LOAD_MOST_MS = 5000,
};

struct request {
	char op;
	uint64_t id;
	size_t size;
	long ttl;
};

struct load {
	struct request of;
	double due;
	uint64_t token; /* 0: none */
};

static int port = 11211, key_bytes = 24;
static double scale = 1, rate, median_ms, sigma = 1.5;
static long ttl_times = 1;
static bool leases;

static uint64_t gets, hits, loads, joined, sets, failed, byte_hits, bytes, late;
static double load_ms, all_ms;

static FILE *in, *out;
static char pattern[PATTERN + VALUE_MOST];
static struct load *heap;
static size_t heap_n, heap_room;
static uint8_t *busy; /* by key: 1 being loaded, 2 in the batch */
static size_t busy_room;

static void
fail(const char *what)
{
	fprintf(stderr, "bench_replay: %s\n", what);
	exit(1);
}

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void
wait_until(double when)
{
	double rest = when - now();
	struct timespec t;

	if (rest <= 0)
		return;
	t.tv_sec = (time_t)rest;
	t.tv_nsec = (long)((rest - (double)t.tv_sec) * 1e9);
	nanosleep(&t, NULL);
}

static uint64_t
scatter(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

/* The same for a key each time. */
static double
load_time_ms(uint64_t id)
{
	double u = ((double)(scatter(id * 2 + 1) >> 11) + 1) /
	    9007199254740993.0;
	double v = (double)(scatter(id * 2 + 2) >> 11) / 9007199254740992.0;
	double normal = sqrt(-2 * log(u)) * cos(2 * M_PI * v);
	double ms = median_ms * exp(sigma * normal);

	return ms < 1 ? 1 : ms > LOAD_MOST_MS ? LOAD_MOST_MS : ms;
}

static const char *
value_of(uint64_t id)
{
	return pattern + scatter(id) % PATTERN;
}

static uint8_t *
busy_of(uint64_t id)
{
	if (id >= busy_room) {
		size_t room = (size_t)id * 2 + 1024;

		busy = realloc(busy, room);
		if (busy == NULL)
			fail("out of memory");
		memset(busy + busy_room, 0, room - busy_room);
		busy_room = room;
	}
	return &busy[id];
}

/* Loads, the next one that is due first. */

static void
swap(size_t a, size_t b)
{
	struct load l = heap[a];

	heap[a] = heap[b];
	heap[b] = l;
}

static void
push(const struct load *l)
{
	size_t i = heap_n++;

	if (i == heap_room) {
		heap_room = heap_room * 2 + 64;
		heap = realloc(heap, heap_room * sizeof(*heap));
		if (heap == NULL)
			fail("out of memory");
	}
	heap[i] = *l;
	for (; i > 0 && heap[i].due < heap[(i - 1) / 2].due; i = (i - 1) / 2)
		swap(i, (i - 1) / 2);
}

static struct load
pop(void)
{
	struct load first = heap[0];
	size_t i = 0;

	heap[0] = heap[--heap_n];
	for (;;) {
		size_t least = i;

		for (size_t c = 2 * i + 1; c <= 2 * i + 2 && c < heap_n; c++)
			if (heap[c].due < heap[least].due)
				least = c;
		if (least == i)
			return first;
		swap(i, least);
		i = least;
	}
}

/* The server. */

static void
open_connection(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0)
		fail("cannot connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	in = fdopen(fd, "r");
	out = fdopen(dup(fd), "w");
	if (in == NULL || out == NULL)
		fail("cannot connect");
	setvbuf(in, NULL, _IOFBF, 1 << 18);
	setvbuf(out, NULL, _IOFBF, 1 << 18);
}

static void
read_line(char *line)
{
	if (fgets(line, LINE, in) == NULL)
		fail("the server closed the connection");
}

static void
send_get(const struct request *r)
{
	fprintf(out, "mg %0*" PRIu64 " v", key_bytes, r->id);
	if (leases)
		fprintf(out, " c n%d", LEASE_MS);
	fputs("\r\n", out);
}

static void
send_set(const struct request *r, uint64_t token)
{
	fprintf(out, "ms %0*" PRIu64 " %zu T%ld", key_bytes, r->id, r->size,
	    r->ttl * ttl_times);
	if (token != 0)
		fprintf(out, " C%" PRIu64, token);
	fputs("\r\n", out);
	fwrite(value_of(r->id), 1, r->size, out);
	fputs("\r\n", out);
}

static void
read_stored(void)
{
	char line[LINE];

	read_line(line);
	sets++;
	if (strncmp(line, "HD", 2) == 0)
		return;
	failed++;
	if (strncmp(line, "SERVER_ERROR", 12) != 0 &&
	    strncmp(line, "NS", 2) != 0 && strncmp(line, "NF", 2) != 0)
		fail(line);
}

static void
read_value(const struct request *r, size_t size)
{
	char data[CHECKED];
	size_t n = size < CHECKED ? size : CHECKED;

	if (size != r->size || fread(data, 1, n, in) != n ||
	    memcmp(data, value_of(r->id), n) != 0)
		fail("a hit that was never stored");
	for (size -= n; size > 0; size -= n) {
		static char rest[1 << 16];

		n = size < sizeof(rest) ? size : sizeof(rest);
		if (fread(rest, 1, n, in) != n)
			fail("the server closed the connection");
	}
	if (getc(in) != '\r' || getc(in) != '\n')
		fail("a value longer than it says");
}

static void
begin_load(const struct request *r, uint64_t token)
{
	struct load l = { *r, now(), token };

	loads++;
	if (median_ms > 0) {
		l.due += load_time_ms(r->id) / 1e3;
		load_ms += load_time_ms(r->id);
	}
	*busy_of(r->id) = 1;
	push(&l);
}

static void
read_got(const struct request *r)
{
	char line[LINE], empty[LINE];
	const char *token;

	read_line(line);
	*busy_of(r->id) = 0;
	token = strstr(line, " c");
	if (strncmp(line, "VA ", 3) == 0 && strstr(line, " W") == NULL) {
		read_value(r, strtoul(line + 3, NULL, 10));
		hits++;
		byte_hits += r->size;
	} else if (strncmp(line, "VA 0", 4) == 0 && token != NULL) {
		read_line(empty);
		begin_load(r, strtoull(token + 2, NULL, 10));
	} else if (strncmp(line, "EN", 2) == 0) {
		begin_load(r, 0);
	} else {
		fail(line);
	}
}

/* Stores what has been loaded by now; or all, waiting for it. */
static void
finish_loads(bool all)
{
	while (heap_n > 0 && (all || heap[0].due <= now())) {
		int n = 0;

		for (; n < BATCH && heap_n > 0 && (all || heap[0].due <= now());
		     n++) {
			struct load l;

			if (all)
				wait_until(heap[0].due);
			l = pop();
			send_set(&l.of, l.token);
			*busy_of(l.of.id) = 0;
		}
		fflush(out);
		while (n-- > 0)
			read_stored();
	}
}

static void
play(const struct request *batch, int n)
{
	for (int i = 0; i < n; i++) {
		const struct request *r = &batch[i];

		if (r->op == 'g')
			send_get(r);
		else if (r->op == 's')
			send_set(r, 0);
		else
			fprintf(out, "md %0*" PRIu64 "\r\n", key_bytes, r->id);
	}
	fflush(out);
	for (int i = 0; i < n; i++) {
		char line[LINE];

		*busy_of(batch[i].id) = 0;
		if (batch[i].op == 'g')
			read_got(&batch[i]);
		else if (batch[i].op == 's')
			read_stored();
		else
			read_line(line);
	}
	finish_loads(false);
}

static bool
read_request(struct request *r)
{
	char line[LINE];
	double size;

	if (fgets(line, sizeof(line), stdin) == NULL)
		return false;
	if (sscanf(line, "%c %" SCNu64 " %lf %ld", &r->op, &r->id, &size,
		&r->ttl) != 4 ||
	    strchr("gsd", r->op) == NULL)
		fail("not a trace");
	size = floor(size * scale + 0.5);
	r->size = size < 1 ? 1 : size > VALUE_MOST ? VALUE_MOST : (size_t)size;
	return true;
}

/* Counts a get; true when there is something to send. */
static bool
count(const struct request *r)
{
	if (r->op != 'g')
		return true;
	gets++;
	bytes += r->size;
	if (median_ms > 0)
		all_ms += load_time_ms(r->id);
	if (*busy_of(r->id) != 1)
		return true;
	joined++;
	return false;
}

static void
replay(void)
{
	struct request batch[BATCH], r;
	double start = now();
	uint64_t n = 0;
	int in_batch = 0;

	while (read_request(&r)) {
		if (rate > 0 && n % BATCH == 0) {
			double due = start + (double)n / rate;

			late += due < now() - 0.5;
			wait_until(due);
		}
		n++;
		if (*busy_of(r.id) == 2 || in_batch == BATCH) {
			play(batch, in_batch);
			in_batch = 0;
		}
		if (!count(&r))
			continue;
		if (r.op == 's' && *busy_of(r.id) == 1)
			continue; /* what is being loaded is that */
		*busy_of(r.id) = 2;
		batch[in_batch++] = r;
	}
	play(batch, in_batch);
	finish_loads(true);
}

static void
print_stat(const char *name)
{
	char line[LINE], value[LINE];
	size_t len = strlen(name);

	fputs("stats\r\n", out);
	fflush(out);
	for (;;) {
		read_line(line);
		if (strncmp(line, "END", 3) == 0)
			return;
		if (strncmp(line + 5, name, len) == 0 && line[5 + len] == ' ' &&
		    sscanf(line + 5 + len, "%319s", value) == 1)
			printf("%s %s\n", name, value);
	}
}

int
main(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "p:k:s:r:Z:l:g:t")) != -1)
		switch (c) {
		case 'p':
			port = atoi(optarg);
			break;
		case 'k':
			key_bytes = atoi(optarg);
			break;
		case 's':
			scale = strtod(optarg, NULL);
			break;
		case 'r':
			rate = strtod(optarg, NULL);
			break;
		case 'Z':
			ttl_times = atol(optarg);
			break;
		case 'l':
			median_ms = strtod(optarg, NULL);
			break;
		case 'g':
			sigma = strtod(optarg, NULL);
			break;
		case 't':
			leases = true;
			break;
		default:
			return 2;
		}
	for (size_t i = 0; i < sizeof(pattern); i++)
		pattern[i] = (char)('A' + scatter(i) % 50);
	open_connection();
	replay();
	printf("gets %" PRIu64 "\nhits %" PRIu64 "\nloads %" PRIu64
	       "\njoined %" PRIu64 "\nsets %" PRIu64 "\nfailed %" PRIu64
	       "\nbyte_hits %" PRIu64 "\nbytes %" PRIu64
	       "\nload_ms %.0f\nall_ms %.0f\nlate %" PRIu64 "\n",
	    gets, hits, loads, joined, sets, failed, byte_hits, bytes, load_ms,
	    all_ms, late);
	print_stat("curr_items");
	print_stat("evictions");
	return 0;
}
