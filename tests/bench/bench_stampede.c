/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bench_stampede.c - many clients miss one key at the same moment.
 *
 * One thread plays all clients, each with a connection of its own, and the
 * database behind them: a load takes 200 ms, however many are under way, and
 * is counted.  With -d the first client that loads dies after 50 ms: its
 * connection closes, its load comes to nothing.
 *
 *	bench_stampede -p PORT -m plain|poll|lease|rule [-n CLIENTS] [-d]
 *	    [-i SERVER_PID] [-r ROUNDS] [-s BYTES] [-N NICE]
 *
 *	plain	get; who misses loads, and sets
 *	poll	mg with N: one wins and loads, the others ask every 10 ms
 *	lease	mg with n and w: one wins and loads, the others are told
 *	rule	get and set as in plain; the server has a rule for the key
 *
 * Prints one line, with commas between:
 *
 *	loads		that were begun
 *	median, p99,	ms beyond the load until a client had the value: for one
 *	max		that loads, what it waited before; for the others, the
 *			time since the first load was sent to the server, or had
 *			been if its client lived, or since they asked if later
 *	requests	per client
 *	most		requests of one that did not load
 *	cpu		ms that the server used
 *
 * Loads, max and most are those of the worst round, requests are a mean, and
 * the others are of the middle one of all rounds, as the machine may have had
 * something else to do in one of them.
 *
 * The clients of a real stampede have machines of their own.  So a reply has
 * arrived when the kernel puts it into the client's socket (SO_TIMESTAMPNS),
 * this thread looks but once a millisecond, and -N lets the server go first
 * where both want the CPU.
 *
 * Exit status 1 when a reply is not what it should be, or a round does not come
 * to its end.
 */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MS 1000000ll /* times are in ns */

enum {
	LOAD_MS = 200,
	DEATH_MS = 50,
	POLL_MS = 10,
	PAUSE_MS = 1,     /* between two looks at what has come */
	ROUND_MS = 60000, /* only what is broken takes that long */
	LINE_BYTES = 128,
	EVENTS = 512
};

enum mode { MODE_PLAIN, MODE_POLL, MODE_LEASE, MODE_RULE };

static const char *const mode_names[] = { "plain", "poll", "lease", "rule" };

enum state {
	IDLE,    /* has the value, or has not begun */
	ASKED,   /* a reply is outstanding */
	PAUSING, /* will ask again */
	LOADING,
	STORING, /* has the value, the reply is outstanding */
	DEAD
};

struct client {
	int fd;
	enum state state;
	long long asked, due;
	unsigned requests;
	bool loaded;
	char token[24];
	struct client *next; /* in a queue */

	char *in;
	size_t have;
};

/* Clients that wait for the same length of time: the first is the next. */
struct queue {
	struct client *head, **tail;
};

struct bench {
	int port, pid, rounds, count;
	size_t value;
	enum mode mode;
	bool deadly;

	int epoll;
	long long
	    epoch; /* of the monotonic clock, in that of the time stamps */
	struct client *clients;
	char *store; /* room for a request to store */
	struct queue loading, pausing;
	struct client *holder;
	long long death, first_due;
	char key[32]; /* of this round and run */
	int round, busy;
	unsigned loads;

	long long *beyond; /* of this round, with room for all clients */
	size_t beyonds;

	/* of each round */
	long long *median, *p99, *cpu;

	/* of all */
	long long most_beyond;
	unsigned most_loads, most_requests;
	uint64_t requests;
};

static void
die(const char *what)
{
	fprintf(stderr, "bench_stampede: %s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

static void
wrong(const char *what, const char *text)
{
	fprintf(stderr, "bench_stampede: %s: %.60s\n", what, text);
	exit(EXIT_FAILURE);
}

/* ---- time ---------------------------------------------------------------- */

static long long
to_ns(struct timespec ts)
{
	return (long long)ts.tv_sec * 1000 * MS + ts.tv_nsec;
}

static long long
clock_ns(clockid_t clock)
{
	struct timespec ts = { 0 };

	clock_gettime(clock, &ts);
	return to_ns(ts);
}

static long long
now(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

/* CPU time of a process, 0 when it can't be told. */
static long long
cpu_of(int pid)
{
	clockid_t clock;

	return pid > 0 && clock_getcpuclockid(pid, &clock) == 0 ?
	    clock_ns(clock) :
	    0;
}

static void
queue_clear(struct queue *q)
{
	q->head = NULL;
	q->tail = &q->head;
}

static void
queue_add(struct queue *q, struct client *c, long long due)
{
	c->due = due;
	c->next = NULL;
	*q->tail = c;
	q->tail = &c->next;
}

/* The first one if its time has come, or NULL. */
static struct client *
queue_take(struct queue *q, long long at)
{
	struct client *c = q->head;

	if (c == NULL || c->due > at)
		return NULL;
	q->head = c->next;
	if (q->head == NULL)
		q->tail = &q->head;
	return c;
}

/* ---- connections --------------------------------------------------------- */

static void
send_all(struct client *c, const char *bytes, size_t n)
{
	/* Small enough for the buffer of an idle connection. */
	if (send(c->fd, bytes, n, MSG_NOSIGNAL) != (ssize_t)n)
		die("send");
	c->requests++;
}

static void
open_client(struct bench *b, struct client *c)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = c };
	int on = 1;

	sa.sin_port = htons((uint16_t)b->port);
	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&sa, sizeof(sa)))
		die("connect");
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(c->fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on));
	if (epoll_ctl(b->epoll, EPOLL_CTL_ADD, c->fd, &e) != 0)
		die("epoll_ctl");
}

/* Until the server has accepted it. */
static void
greet(struct client *c)
{
	char reply[5] = "";

	send_all(c, "mn\r\n", 4);
	if (recv(c->fd, reply, 4, MSG_WAITALL) != 4 ||
	    strcmp(reply, "MN\r\n") != 0)
		wrong("mn", reply);
	fcntl(c->fd, F_SETFL, fcntl(c->fd, F_GETFL) | O_NONBLOCK);
	c->state = IDLE;
}

/* With a reset, so that no port is left behind in TIME_WAIT. */
static void
close_client(struct client *c)
{
	struct linger l = { .l_onoff = 1 };

	setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	close(c->fd);
}

static void
open_all(struct bench *b)
{
	b->epoll = epoll_create1(EPOLL_CLOEXEC);
	b->clients = calloc((size_t)b->count, sizeof(*b->clients));
	b->beyond = calloc((size_t)b->count, sizeof(*b->beyond));
	b->median = calloc((size_t)b->rounds * 3, sizeof(*b->median));
	b->store = malloc(b->value + 2 * LINE_BYTES);
	if (b->epoll < 0 || !b->clients || !b->beyond || !b->median ||
	    !b->store)
		die("start");
	b->p99 = b->median + b->rounds;
	b->cpu = b->p99 + b->rounds;
	for (int i = 0; i < b->count; i++) {
		b->clients[i].in = malloc(b->value + 2 * LINE_BYTES);
		if (b->clients[i].in == NULL)
			die("malloc");
		open_client(b, &b->clients[i]);
	}
	for (int i = 0; i < b->count; i++)
		greet(&b->clients[i]);
}

static void
close_all(struct bench *b)
{
	for (int i = 0; i < b->count; i++) {
		close_client(&b->clients[i]);
		free(b->clients[i].in);
	}
	free(b->clients);
	free(b->beyond);
	free(b->median);
	free(b->store);
	close(b->epoll);
}

/* ---- what a client does -------------------------------------------------- */

static void
ask(struct bench *b, struct client *c)
{
	char line[LINE_BYTES];
	int n = 0;

	switch (b->mode) {
	case MODE_PLAIN:
	case MODE_RULE:
		n = snprintf(line, sizeof(line), "get %s\r\n", b->key);
		break;
	case MODE_POLL:
		n = snprintf(line, sizeof(line), "mg %s v c N%d\r\n", b->key,
		    b->deadly ? 1 : 30);
		break;
	case MODE_LEASE:
		n = snprintf(line, sizeof(line), "mg %s v c n30000 w5000\r\n",
		    b->key);
		break;
	}
	c->state = ASKED;
	send_all(c, line, (size_t)n);
}

static void
load(struct bench *b, struct client *c, long long at)
{
	c->state = LOADING;
	c->loaded = true;
	queue_add(&b->loading, c, at + LOAD_MS * MS);
	if (b->loads++ > 0)
		return;
	b->first_due = c->due;
	if (b->deadly) {
		b->holder = c;
		b->death = at + DEATH_MS * MS;
	}
}

/* The value is there: the client is content. */
static void
arrived(struct bench *b, struct client *c, long long at)
{
	long long since = c->asked;

	/* Who asked late must not count as served early. */
	if (c->loaded)
		since += LOAD_MS * MS;
	else if (since < b->first_due)
		since = b->first_due;
	b->beyond[b->beyonds++] = at - since;
}

static void
store(struct bench *b, struct client *c)
{
	bool meta = b->mode == MODE_POLL || b->mode == MODE_LEASE;
	int n = meta ?
	    sprintf(b->store, "ms %s %zu C%s\r\n", b->key, b->value, c->token) :
	    sprintf(b->store, "set %s 0 0 %zu\r\n", b->key, b->value);

	memset(b->store + n, 'v', b->value);
	memcpy(b->store + n + b->value, "\r\n", 2);
	c->state = STORING;
	send_all(c, b->store, (size_t)n + b->value + 2);
}

static void
settle(struct bench *b, struct client *c)
{
	c->state = IDLE;
	b->busy--;
	if (!c->loaded && c->requests > b->most_requests)
		b->most_requests = c->requests;
}

/* ---- replies ------------------------------------------------------------- */

/* A value of n bytes at p, and so all of it? */
static void
check_value(const struct bench *b, const char *p, size_t n)
{
	if (n != b->value || p[0] != 'v' || p[n - 1] != 'v' ||
	    memcmp(p + n, "\r\n", 2) != 0)
		wrong("a wrong value", p);
}

/* Length of the reply in c->in if it is complete, else 0. */
static size_t
reply_length(const struct client *c)
{
	const char *lf = memchr(c->in, '\n', c->have);
	size_t line = lf != NULL ? (size_t)(lf + 1 - c->in) : 0, n = 0, all;

	if (line == 0)
		return 0;
	all = line;
	if (strncmp(c->in, "VA ", 3) == 0)
		all += strtoull(c->in + 3, NULL, 10) + 2;
	else if (sscanf(c->in, "VALUE %*s %*u %zu", &n) == 1)
		all += n + strlen("\r\nEND\r\n");
	return c->have >= all ? all : 0;
}

static void
got_value(struct bench *b, struct client *c, const char *value, size_t n,
    long long at)
{
	check_value(b, value, n);
	arrived(b, c, at);
	settle(b, c);
}

static void
got_get(struct bench *b, struct client *c, long long at)
{
	const char *value = strchr(c->in, '\n') + 1;
	size_t n;

	if (strncmp(c->in, "END\r\n", 5) == 0)
		load(b, c, at);
	else if (sscanf(c->in, "VALUE %*s %*u %zu", &n) == 1)
		got_value(b, c, value, n, at);
	else
		wrong("get", c->in);
}

static void
got_mg(struct bench *b, struct client *c, long long at)
{
	char *value = strchr(c->in, '\n') + 1, *flag, *rest;
	bool won = false, others = false;
	size_t n;

	if (sscanf(c->in, "VA %zu", &n) != 1)
		wrong("mg", c->in);
	value[-1] = '\0';
	strtok_r(c->in, " \r", &rest);
	while ((flag = strtok_r(NULL, " \r", &rest)) != NULL) {
		won |= *flag == 'W';
		others |= *flag == 'Z';
		if (*flag == 'c')
			snprintf(c->token, sizeof(c->token), "%s", flag + 1);
	}
	if (won) {
		load(b, c, at);
	} else if (others && n == 0) {
		c->state = PAUSING;
		queue_add(&b->pausing, c, at + POLL_MS * MS);
	} else {
		got_value(b, c, value, n, at);
	}
}

/* Reads what there is, and when it came. */
static ssize_t
receive_at(struct bench *b, struct client *c, long long *at)
{
	struct iovec part = { .iov_base = c->in + c->have,
		.iov_len = b->value + 2 * LINE_BYTES - 1 - c->have };
	_Alignas(struct cmsghdr) char control[128];
	struct msghdr m = { .msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control) };
	ssize_t got = recvmsg(c->fd, &m, 0);
	struct timespec ts;

	*at = now();
	if (got <= 0)
		return got;
	for (struct cmsghdr *h = CMSG_FIRSTHDR(&m); h != NULL;
	     h = CMSG_NXTHDR(&m, h))
		if (h->cmsg_level == SOL_SOCKET &&
		    h->cmsg_type == SCM_TIMESTAMPNS) {
			memcpy(&ts, CMSG_DATA(h), sizeof(ts));
			*at = to_ns(ts) - b->epoch;
		}
	return got;
}

static void
receive(struct bench *b, struct client *c)
{
	long long at;
	ssize_t got = receive_at(b, c, &at);
	size_t n;

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0)
		die("the server has closed");
	c->have += (size_t)got;
	c->in[c->have] = '\0';
	n = reply_length(c);
	if (n == 0)
		return;
	if (n != c->have)
		wrong("more than one reply", c->in);
	c->have = 0;
	if (c->state == STORING) {
		if (strcmp(c->in, "STORED\r\n") != 0 &&
		    strcmp(c->in, "HD\r\n") != 0)
			wrong("not stored", c->in);
		settle(b, c);
	} else if (c->state != ASKED) {
		wrong("nobody has asked", c->in);
	} else if (b->mode == MODE_POLL || b->mode == MODE_LEASE) {
		got_mg(b, c, at);
	} else {
		got_get(b, c, at);
	}
}

/* ---- a round ------------------------------------------------------------- */

/* The next moment at which something is to be done. */
static long long
next_due(const struct bench *b, long long limit)
{
	if (b->loading.head != NULL && b->loading.head->due < limit)
		limit = b->loading.head->due;
	if (b->pausing.head != NULL && b->pausing.head->due < limit)
		limit = b->pausing.head->due;
	if (b->holder != NULL && b->holder->state != DEAD && b->death < limit)
		limit = b->death;
	return limit;
}

static void
do_what_is_due(struct bench *b)
{
	long long at = now();
	struct client *c;

	if (b->holder != NULL && b->holder->state != DEAD && b->death <= at) {
		close(b->holder->fd);
		b->holder->state = DEAD;
		b->busy--;
	}
	while ((c = queue_take(&b->loading, at)) != NULL) {
		if (c->state == DEAD)
			continue;
		arrived(b, c, c->due);
		/* This thread may be late, which is not the server's doing. */
		if (c->due == b->first_due)
			b->first_due = now();
		store(b, c);
	}
	while ((c = queue_take(&b->pausing, at)) != NULL)
		ask(b, c);
}

static void
start_round(struct bench *b)
{
	snprintf(b->key, sizeof(b->key), "stampede-%d-%d", (int)getpid(),
	    b->round);
	queue_clear(&b->loading);
	queue_clear(&b->pausing);
	b->epoch = clock_ns(CLOCK_REALTIME) - now();
	b->holder = NULL;
	b->loads = 0;
	b->beyonds = 0;
	b->busy = b->count;
	for (int i = 0; i < b->count; i++) {
		struct client *c = &b->clients[i];

		c->requests = 0;
		c->loaded = false;
		c->have = 0;
	}
	for (int i = 0; i < b->count; i++) {
		b->clients[i].asked = now();
		ask(b, &b->clients[i]);
	}
}

static int
by_size(const void *a, const void *b)
{
	long long x = *(const long long *)a, y = *(const long long *)b;

	return (x > y) - (x < y);
}

static long long
percentile(long long *numbers, size_t n, unsigned percent)
{
	if (n == 0)
		return 0;
	qsort(numbers, n, sizeof(*numbers), by_size);
	return numbers[(n * percent + 99) / 100 - 1];
}

static void
end_round(struct bench *b)
{
	long long most = percentile(b->beyond, b->beyonds, 100);

	b->median[b->round] = percentile(b->beyond, b->beyonds, 50);
	b->p99[b->round] = percentile(b->beyond, b->beyonds, 99);
	if (b->round == 0 || most > b->most_beyond)
		b->most_beyond = most;
	for (int i = 0; i < b->count; i++)
		b->requests += b->clients[i].requests;
	if (b->loads > b->most_loads)
		b->most_loads = b->loads;
	if (b->holder == NULL)
		return;
	open_client(b, b->holder);
	greet(b->holder);
}

static struct timespec
to_timespec(long long ns)
{
	struct timespec ts = { 0 };

	if (ns > 0) {
		ts.tv_sec = ns / (1000 * MS);
		ts.tv_nsec = ns % (1000 * MS);
	}
	return ts;
}

static void
run_round(struct bench *b)
{
	long long cpu = cpu_of(b->pid), limit = now() + ROUND_MS * MS;
	struct epoll_event events[EVENTS];

	start_round(b);
	while (b->busy > 0) {
		long long at = now(), left = next_due(b, limit) - at;
		struct timespec ts = to_timespec(left);
		int n;

		if (at >= limit)
			wrong("a round takes too long", mode_names[b->mode]);
		n = epoll_pwait2(b->epoll, events, EVENTS, &ts, NULL);
		for (int i = 0; i < n; i++)
			receive(b, events[i].data.ptr);
		do_what_is_due(b);
		if (n <= 0 || n == EVENTS)
			continue;
		/* Not to be woken, at the server's cost, for each reply. */
		left = next_due(b, limit) - now();
		ts = to_timespec(left < PAUSE_MS * MS ? left : PAUSE_MS * MS);
		nanosleep(&ts, NULL);
	}
	b->cpu[b->round] = cpu_of(b->pid) - cpu;
	end_round(b);
}

/* ---- the whole ----------------------------------------------------------- */

/* In ms, the middle one of all rounds. */
static double
middle(const struct bench *b, long long *numbers)
{
	return (double)percentile(numbers, (size_t)b->rounds, 50) / (double)MS;
}

static void
print(const struct bench *b)
{
	printf("%s,%s,%d,%u,%.3f,%.3f,%.3f,%.3f,%u,%.3f\n", mode_names[b->mode],
	    b->deadly ? "dies" : "lives", b->count, b->most_loads,
	    middle(b, b->median), middle(b, b->p99),
	    (double)b->most_beyond / (double)MS,
	    (double)b->requests / b->count / b->rounds, b->most_requests,
	    middle(b, b->cpu));
}

static void
raise_limit(int files)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) != 0)
		die("getrlimit");
	r.rlim_cur = r.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &r) != 0 ||
	    r.rlim_max < (rlim_t)files + 64) {
		fprintf(stderr, "bench_stampede: ulimit -Hn is too low\n");
		exit(EXIT_FAILURE);
	}
}

static enum mode
mode_from(const char *name)
{
	for (int i = 0; i < 4; i++)
		if (strcmp(mode_names[i], name) == 0)
			return (enum mode)i;
	fprintf(stderr, "bench_stampede: no such mode: %s\n", name);
	exit(EXIT_FAILURE);
}

int
main(int argc, char **argv)
{
	struct bench b = { .port = 11211,
		.rounds = 5,
		.count = 100,
		.value = 1000 };
	int o;

	while ((o = getopt(argc, argv, "p:i:r:n:s:m:N:d")) != -1)
		switch (o) {
		case 'p':
			b.port = atoi(optarg);
			break;
		case 'i':
			b.pid = atoi(optarg);
			break;
		case 'r':
			b.rounds = atoi(optarg);
			break;
		case 'n':
			b.count = atoi(optarg);
			break;
		case 's':
			b.value = strtoull(optarg, NULL, 10);
			break;
		case 'm':
			b.mode = mode_from(optarg);
			break;
		case 'N':
			if (setpriority(PRIO_PROCESS, 0, atoi(optarg)) != 0)
				die("setpriority");
			break;
		case 'd':
			b.deadly = true;
			break;
		default:
			return EXIT_FAILURE;
		}
	if (b.rounds < 1 || b.count < 2 || b.value < 1 || b.value > 100000) {
		fprintf(stderr, "bench_stampede: a number is out of range\n");
		return EXIT_FAILURE;
	}
	raise_limit(b.count);
	open_all(&b);
	for (b.round = 0; b.round < b.rounds; b.round++)
		run_round(&b);
	print(&b);
	close_all(&b);
	return EXIT_SUCCESS;
}
