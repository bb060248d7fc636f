/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_lease_wire.c - lease.c byte by byte, against servers that play a script.
 *
 * A script is what the server reads and what it answers, in turn.  So the bytes
 * that are sent are tested, and what happens when a server is slow, leaves or
 * talks nonsense.
 */
#include "test_lease.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLOSE ((const char *)NULL)
#define PROBE                                                                  \
	{                                                                      \
		"mg _ w0\r\n", "EN\r\n"                                        \
	}

struct step {
	const char *expect; /* NULL: the end of the script */
	const char *reply;  /* CLOSE: close, and accept another connection */
};

struct actor {
	pthread_t thread;
	int listener;
	const struct step *script;
	bool wrong;
	char got[2048];
	memcached_st *memc;
};

static bool
read_exactly(int fd, struct actor *a, const char *expect)
{
	size_t want = strlen(expect), have = 0;

	while (have < want) {
		ssize_t n = read(fd, a->got + have, want - have);

		if (n <= 0)
			break;
		have += (size_t)n;
	}
	a->got[have] = '\0';
	return strcmp(a->got, expect) == 0;
}

static void *
play(void *arg)
{
	struct actor *a = arg;
	int fd = -1;

	for (const struct step *s = a->script; s->expect != NULL; s++) {
		if (fd < 0)
			fd = accept(a->listener, NULL, NULL);
		if (!read_exactly(fd, a, s->expect)) {
			a->wrong = true;
			break;
		}
		if (s->reply != CLOSE) {
			if (write(fd, s->reply, strlen(s->reply)) < 0)
				break;
			continue;
		}
		close(fd);
		fd = -1;
	}
	/* Open until the client has closed its own. */
	if (fd >= 0) {
		char c;

		if (!a->wrong && read(fd, &c, 1) > 0)
			a->wrong = true;
		close(fd);
	}
	return NULL;
}

/* A server that plays the script, and a client of it. */
static void
start(struct actor *a, const struct step *script)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	socklen_t size = sizeof(sa);

	memset(a, 0, sizeof(*a));
	a->script = script;
	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	a->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (a->listener < 0 ||
	    bind(a->listener, (struct sockaddr *)&sa, sizeof(sa)) != 0 ||
	    listen(a->listener, 16) != 0 ||
	    getsockname(a->listener, (struct sockaddr *)&sa, &size) != 0 ||
	    pthread_create(&a->thread, NULL, play, a) != 0)
		test_stop("no server to play");
	a->memc = memcached_create(NULL);
	memcached_server_add(a->memc, "127.0.0.1", ntohs(sa.sin_port));
	memcached_behavior_set(a->memc, MEMCACHED_BEHAVIOR_POLL_TIMEOUT,
	    LONG_MS);
}

/* Did the client say what was expected, and no more? */
static void
end(struct actor *a, const char *name)
{
	lease_disconnect();
	memcached_free(a->memc);
	pthread_join(a->thread, NULL);
	close(a->listener);
	OK(!a->wrong, name);
	if (a->wrong)
		printf("# the server got: %s\n", a->got);
}

static char *
fetch(struct actor *a, unsigned wait_ms, lease_t *l, size_t *n)
{
	return lease_fetch(a->memc, "k", 1, wait_ms, l, n);
}

/* ---- what is sent, and how replies are read ------------------------------ */

static void
requests_are_as_specified(void)
{
	static const struct step script[] = { PROBE,
		{ "mg k v c f V n10000 w500\r\n", "VA 0 c77 f0 W\r\n\r\n" },
		{ "ms k 5 T300 C77 F3 V17 H60 Ausers,team9\r\nvalue\r\n",
		    "HD\r\n" },
		{ "mg k v c f V n10000\r\n", "VA 0 c78 f0 V17 W\r\n\r\n" },
		{ "md k C78 U d800\r\n", "HD\r\n" },
		{ "mg k v c f V n2500\r\n", "VA 0 c79 f0 W\r\n\r\n" },
		{ "ms k 0 T0 C79 z\r\n\r\n", "NS V18\r\n" },
		{ "md k\r\n", "NF\r\n" }, { "md k V18\r\n", "HD\r\n" },
		{ "md users A\r\n", "HD\r\n" }, { NULL, NULL } };
	struct actor a;
	lease_t l;
	size_t n;

	start(&a, script);
	OK(fetch(&a, 500, &l, &n) == NULL && l.won, "W: won");
	l.flags = 3;
	l.grace_s = 60;
	OK(lease_store(a.memc, &l, "value", 5, 300, 17, "users,team9") ==
		    LEASE_OK &&
		!l.won,
	    "HD: stored");
	OK(fetch(&a, 0, &l, &n) == NULL && l.won && l.version == 17,
	    "W with a floor");
	OK(lease_give_up(a.memc, &l, 800) == LEASE_OK && !l.won, "given up");
	lease_hold(2500);
	OK(fetch(&a, 0, &l, &n) == NULL && l.won, "with a time of its own");
	lease_hold(10000);
	OK(lease_store(a.memc, &l, NULL, 0, 0, 0, NULL) == LEASE_REFUSED,
	    "NS: refused");
	OK(lease_invalidate(a.memc, "k", 1, 0) == LEASE_OK, "md: NF is fine");
	OK(lease_invalidate(a.memc, "k", 1, 18) == LEASE_OK, "md V");
	OK(lease_invalidate_tag(a.memc, "users", 5) == LEASE_OK, "md A");
	end(&a, "requests are as specified");
}

static void
each_reply_means_what_it_says(void)
{
	static const char request[] = "mg k v c f V n10000 w9\r\n";
	static const struct step script[] = { PROBE,
		{ request, "VA 5 c5 f7 V9\r\nvalue\r\n" },
		{ request, "VA 0 c5 f7\r\n\r\n" },
		{ request, "VA 5 c5 f0 Z\r\nfresh\r\n" },
		{ request, "VA 5 c5 f0 Z X\r\nstale\r\n" },
		{ request, "VA 0 c0 f0 Z\r\n\r\n" },
		{ request, "VA 0 c0 f0 d800 Z\r\n\r\n" },
		{ request, "VA 0 c5 f0 z\r\n\r\n" }, { request, "EN\r\n" },
		{ request, "VA 5 c5 f7 X W\r\nstale\r\n" },
		{ "md k C5 U\r\n", "NF\r\n" }, { NULL, NULL } };
	struct actor a;
	lease_t l;
	size_t n;
	char *v;

	start(&a, script);
	v = fetch(&a, 9, &l, &n);
	OK(test_value_is(v, n, "value") && l.flags == 7 && l.version == 9,
	    "a hit, with flags and version");
	v = fetch(&a, 9, &l, &n);
	OK(test_value_is(v, n, "") && l.flags == 7, "a hit of 0 bytes");
	v = fetch(&a, 9, &l, &n);
	OK(test_value_is(v, n, "fresh") && !l.stale && !l.won,
	    "a value that is refreshed early");
	v = fetch(&a, 9, &l, &n);
	OK(test_value_is(v, n, "stale") && l.stale && !l.won, "a stale value");
	v = fetch(&a, 9, &l, &n);
	OK(v == NULL && !l.won && !l.absent && l.result == LEASE_OK,
	    "waited in vain");
	v = fetch(&a, 9, &l, &n);
	OK(v == NULL && !l.won && l.retry_ms == 800, "the source is spared");
	v = fetch(&a, 9, &l, &n);
	OK(v == NULL && !l.won && l.absent, "known to be absent");
	v = fetch(&a, 9, &l, &n);
	OK(v == NULL && !l.won && l.result == LEASE_OK, "a miss for a guest");
	v = fetch(&a, 9, &l, &n);
	OK(v == NULL && l.won && l.flags == 0, "who wins gets no stale value");
	OK(lease_give_up(a.memc, &l, 0) == LEASE_OK, "NF: it had ended");
	end(&a, "with one request each");
}

/* ---- holding ------------------------------------------------------------- */

static void
who_holds_does_not_wait(void)
{
	static const struct step script[] = { PROBE,
		{ "mg a v c f V n10000 w9\r\n", "VA 0 c1 f0 W\r\n\r\n" },
		{ "mg b v c f V n10000\r\n", "VA 0 c2 f0 W\r\n\r\n" },
		{ "md a C1 U\r\n", "HD\r\n" },
		{ "mg c v c f V n10000\r\n", "VA 0 c0 f0 Z\r\n\r\n" },
		{ "ms b 1 T0 C2\r\nv\r\n", "HD\r\n" },
		{ "mg c v c f V n1 w9\r\n", "VA 0 c3 f0 W\r\n\r\n" },
		{ "mg a v c f V n1 w9\r\n", "VA 0 c0 f0 Z\r\n\r\n" },
		{ NULL, NULL } };
	struct actor a;
	lease_t la, lb, lc;
	size_t n;

	start(&a, script);
	lease_fetch(a.memc, "a", 1, 9, &la, &n);
	lease_fetch(a.memc, "b", 1, 9, &lb, &n);
	lease_give_up(a.memc, &la, 0);
	lease_fetch(a.memc, "c", 1, 9, &lc, &n);
	lease_store(a.memc, &lb, "v", 1, 0, 0, NULL);
	lease_hold(1);
	lease_fetch(a.memc, "c", 1, 9, &lc, &n);
	usleep(20000); /* past its end, and forgotten */
	lease_fetch(a.memc, "a", 1, 9, &la, &n);
	lease_hold(10000);
	end(&a, "who holds a lease does not wait, until it has run out");
}

/* ---- failures ------------------------------------------------------------ */

static void
a_lost_connection_is_made_again(void)
{
	static const struct step script[] = { PROBE,
		{ "mg k v c f V n10000\r\n", "VA 1 c5 f0\r\n1\r\n" },
		{ "mg k v c f V n10000\r\n", CLOSE }, PROBE,
		{ "mg k v c f V n10000\r\n", "VA 0 c7 f0 W\r\n\r\n" },
		{ "ms k 1 T0 C7\r\nv\r\n", CLOSE }, PROBE,
		{ "md k\r\n", "HD\r\n" }, { NULL, NULL } };
	struct actor a;
	lease_t l;
	size_t n;
	char *v;

	start(&a, script);
	v = fetch(&a, 0, &l, &n);
	OK(test_value_is(v, n, "1"), "a hit");
	v = fetch(&a, 0, &l, &n);
	OK(v == NULL && l.won, "lost before the reply: asked again");
	OK(lease_store(a.memc, &l, "v", 1, 0, 0, NULL) == LEASE_FAILED,
	    "but a store is not repeated");
	OK(lease_invalidate(a.memc, "k", 1, 0) == LEASE_OK, "an md is");
	end(&a, "three connections, and no request too many");
}

static void
a_silent_server_is_left_alone(void)
{
	static const struct step script[] = { PROBE, { "md k\r\n", "HD\r\n" },
		{ "mg k v c f V n10000 w1\r\n", "" }, { NULL, NULL } };
	struct actor a;
	lease_t l;
	size_t n;

	start(&a, script);
	lease_invalidate(a.memc, "k", 1, 0);
	memcached_behavior_set(a.memc, MEMCACHED_BEHAVIOR_POLL_TIMEOUT, 20);
	OK(fetch(&a, 1, &l, &n) == NULL && l.result == LEASE_FAILED && !l.won,
	    "no reply in time");
	OK(lease_invalidate(a.memc, "k", 1, 0) == LEASE_FAILED,
	    "and then not asked for a while");
	end(&a, "which is one request");
}

static void
nonsense_is_a_failure(void)
{
	static const char request[] = "mg k v c f V n10000\r\n";
	static const struct step script[] = { PROBE,
		{ request, "VA 5 c5\r\nval" }, { "", CLOSE }, PROBE,
		{ request, "VA 2 c5\r\nvalue\r\n" }, { "", CLOSE }, PROBE,
		{ request, "VA 99999999999999999999 c5\r\n" }, { "", CLOSE },
		PROBE, { request, "SERVER_ERROR out of memory\r\n" },
		{ "", CLOSE }, PROBE, { request, "EN\r\n" }, { NULL, NULL } };
	static const char *const names[] = { "half a value", "a longer value",
		"a huge one", "an error" };
	struct actor a;
	lease_t l;
	size_t n;

	start(&a, script);
	for (int i = 0; i < 4; i++)
		OK(fetch(&a, 0, &l, &n) == NULL && !l.won &&
			l.result == LEASE_FAILED,
		    names[i]);
	OK(fetch(&a, 0, &l, &n) == NULL && l.result == LEASE_OK,
	    "and then it works again");
	end(&a, "on a new connection each time");
}

static void
a_store_that_fails_gives_up(void)
{
	static const struct step script[] = { PROBE,
		{ "mg k v c f V n10000\r\n", "VA 0 c7 f0 W\r\n\r\n" },
		{ "ms k 1 T0 C7\r\nv\r\n",
		    "SERVER_ERROR object too large for cache\r\n" },
		{ "md k C7 U\r\n", "HD\r\n" },
		{ "mg k v c f V n10000\r\n", "VA 0 c8 f0 W\r\n\r\n" },
		{ "md k C8 U\r\n", "HD\r\n" }, { NULL, NULL } };
	struct actor a;
	lease_t l;
	size_t n;

	start(&a, script);
	fetch(&a, 0, &l, &n);
	OK(lease_store(a.memc, &l, "v", 1, 0, 0, NULL) == LEASE_FAILED &&
		!l.won,
	    "the server cannot store it");
	fetch(&a, 0, &l, &n);
	OK(lease_store(a.memc, &l, "v", 1, 0, 0, "two words") ==
		    LEASE_INVALID &&
		!l.won,
	    "a tag that is none");
	end(&a, "the lease ends all the same");
}

/* ---- servers without leases ---------------------------------------------- */

static void
who_knows_no_leases_gets_plain_requests(void)
{
	static const struct step script[] = {
		{ "mg _ w0\r\n", "CLIENT_ERROR invalid flag\r\n" },
		{ "", CLOSE }, { "get k\r\n", "END\r\n" },
		{ "set k 3 60 5\r\nvalue\r\n", "STORED\r\n" },
		{ "get k\r\n", "VALUE k 3 5\r\nvalue\r\nEND\r\n" },
		{ "delete k\r\n", "NOT_FOUND\r\n" }, { "quit\r\n", CLOSE },
		{ NULL, NULL }
	};
	struct actor a;
	lease_t l;
	size_t n;
	char *v;

	start(&a, script);
	OK(fetch(&a, 500, &l, &n) == NULL && l.won, "every miss wins");
	l.flags = 3;
	OK(lease_store(a.memc, &l, "value", 5, 60, 17, "users") == LEASE_OK,
	    "a store is a set");
	v = fetch(&a, 500, &l, &n);
	OK(test_value_is(v, n, "value") && l.flags == 3, "a hit is a get");
	OK(lease_invalidate(a.memc, "k", 1, 18) == LEASE_OK,
	    "an invalidation is a delete");
	OK(lease_invalidate_tag(a.memc, "users", 5) == LEASE_UNSUPPORTED,
	    "there are no tags");
	end(&a, "and nothing else is sent");
}

static void
leases_do_not_cross_servers(void)
{
	static const struct step script[] = { PROBE,
		{ "mg k v c f V n10000\r\n", "VA 0 c7 f0 W\r\n\r\n" },
		{ "", CLOSE },
		{ "mg _ w0\r\n", "CLIENT_ERROR invalid flag\r\n" },
		{ NULL, NULL } };
	struct actor a;
	lease_t l;
	size_t n;

	start(&a, script);
	fetch(&a, 0, &l, &n);
	lease_disconnect();
	OK(l.won &&
		lease_store(a.memc, &l, "v", 1, 0, 0, NULL) == LEASE_REFUSED,
	    "a lease is not stored by a plain set");
	end(&a, "when the server has been replaced");
}

void
test_wire(void)
{
	requests_are_as_specified();
	each_reply_means_what_it_says();
	who_holds_does_not_wait();
	a_lost_connection_is_made_again();
	a_silent_server_is_left_alone();
	nonsense_is_a_failure();
	a_store_that_fails_gives_up();
	who_knows_no_leases_gets_plain_requests();
	leases_do_not_cross_servers();
}
