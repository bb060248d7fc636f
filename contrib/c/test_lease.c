/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_lease.c - lease.h on real servers.
 *
 *	test_lease wire			servers that play a script
 *	test_lease leases SERVER...	servers with leases
 *	test_lease plain SERVER...	servers without
 *
 * A server is a port of 127.0.0.1, or the path of a socket; they must be
 * empty.
 */
#include "test_lease.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char *const *servers;
static int server_count;

/* ---- results ------------------------------------------------------------- */

static bool failed;

void
test_result(bool good, const char *name, const char *file, int line)
{
	printf("%sok - %s\n", good ? "" : "not ", name);
	if (!good)
		printf("# %s:%d\n", file, line);
	failed |= !good;
	fflush(stdout);
}

void
test_stop(const char *what)
{
	printf("# %s\n", what);
	exit(EXIT_FAILURE);
}

bool
test_value_is(char *value, size_t n, const char *expected)
{
	bool same = value != NULL && n == strlen(expected) &&
	    strcmp(value, expected) == 0;

	free(value);
	return same;
}

/* ---- servers ------------------------------------------------------------- */

static memcached_st *
client(void)
{
	memcached_st *memc = memcached_create(NULL);

	memcached_behavior_set(memc, MEMCACHED_BEHAVIOR_POLL_TIMEOUT, LONG_MS);
	memcached_behavior_set(memc, MEMCACHED_BEHAVIOR_KETAMA, 1);
	for (int i = 0; i < server_count; i++) {
		memcached_return_t rc = servers[i][0] == '/' ?
		    memcached_server_add_unix_socket(memc, servers[i]) :
		    memcached_server_add(memc, "127.0.0.1",
			(in_port_t)atoi(servers[i]));

		if (rc != MEMCACHED_SUCCESS)
			test_stop("no such server");
	}
	return memc;
}

static int
connect_to(const char *server)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)atoi(server)) };
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd;

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (server[0] == '/') {
		strncpy(un.sun_path, server, sizeof(un.sun_path) - 1);
		fd = socket(AF_UNIX, SOCK_STREAM, 0);
		if (connect(fd, (struct sockaddr *)&un, sizeof(un)) == 0)
			return fd;
	} else {
		fd = socket(AF_INET, SOCK_STREAM, 0);
		if (connect(fd, (struct sockaddr *)&in, sizeof(in)) == 0)
			return fd;
	}
	test_stop("cannot connect");
}

/* Sends a request to one server; its reply up to and with the last line. */
static void
say(const char *server, const char *request, const char *last, char *reply,
    size_t room)
{
	int fd = connect_to(server);
	size_t have = 0;
	ssize_t n = write(fd, request, strlen(request));

	reply[0] = '\0';
	while (n > 0 && have + 1 < room && strstr(reply, last) == NULL) {
		n = read(fd, reply + have, room - 1 - have);
		have += n > 0 ? (size_t)n : 0;
		reply[have] = '\0';
	}
	close(fd);
}

/* A number of `stats leases`, summed over all servers. */
static long
counted(const char *name)
{
	char reply[65536], line[64];
	long sum = 0;

	snprintf(line, sizeof(line), "STAT %s ", name);
	for (int i = 0; i < server_count; i++) {
		const char *at;

		say(servers[i], "stats leases\r\n", "END\r\n", reply,
		    sizeof(reply));
		at = strstr(reply, line);
		if (at == NULL)
			test_stop(line);
		sum += atol(at + strlen(line));
	}
	return sum;
}

/* Until so many requests wait at the servers. */
static void
await_waiters(long wanted)
{
	for (int i = 0; i < LONG_MS && counted("waiters") != wanted; i++)
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
}

/* ---- another thread that fetches ----------------------------------------- */

struct other {
	pthread_t thread;
	const char *key;
	unsigned wait_ms;
	bool keep; /* end with a lease in hand */

	char *value;
	size_t n;
	lease_t lease;
	bool won;
	enum lease_result stored;
};

/* Stores "other" if it wins. */
static void *
fetch_and_store(void *arg)
{
	struct other *o = arg;
	memcached_st *memc = client();

	o->value = lease_fetch(memc, o->key, strlen(o->key), o->wait_ms,
	    &o->lease, &o->n);
	o->won = o->lease.won;
	o->stored = LEASE_FAILED;
	if (o->won && !o->keep)
		o->stored = lease_store(memc, &o->lease, "other", 5, 0, 0,
		    NULL);
	memcached_free(memc);
	return NULL;
}

static void
start(struct other *o, const char *key, unsigned wait_ms, bool keep)
{
	memset(o, 0, sizeof(*o));
	o->key = key;
	o->wait_ms = wait_ms;
	o->keep = keep;
	if (pthread_create(&o->thread, NULL, fetch_and_store, o) != 0)
		test_stop("no thread");
}

static void
finish(struct other *o)
{
	pthread_join(o->thread, NULL);
}

/* ---- with leases --------------------------------------------------------- */

static char *
fetch(memcached_st *memc, const char *key, lease_t *l, size_t *n)
{
	return lease_fetch(memc, key, strlen(key), 0, l, n);
}

static enum lease_result
store(memcached_st *memc, lease_t *l, const char *value, uint64_t version,
    const char *tags)
{
	return lease_store(memc, l, value, strlen(value), 0, version, tags);
}

static void
a_miss_is_won_and_stored(memcached_st *memc)
{
	lease_t l;
	size_t n;
	char *v = fetch(memc, "first", &l, &n);

	OK(v == NULL && l.won && l.result == LEASE_OK, "a miss is won");
	l.flags = 42;
	OK(store(memc, &l, "value", 0, NULL) == LEASE_OK, "and stored");
	OK(store(memc, &l, "value", 0, NULL) == LEASE_INVALID, "but once");
	v = fetch(memc, "first", &l, &n);
	OK(test_value_is(v, n, "value") && !l.won && l.flags == 42,
	    "and then it is there");
}

static void
values_are_any_bytes(memcached_st *memc)
{
	size_t sizes[] = { 0, 1, 5000, 900000 }, n;
	char *big = malloc(sizes[3]), *v;
	char key[32];
	lease_t l;

	for (size_t i = 0; i < sizes[3]; i++)
		big[i] = (char)(i * 2654435761u >> 13);
	for (int i = 0; i < 4; i++) {
		snprintf(key, sizeof(key), "bytes%zu", sizes[i]);
		fetch(memc, key, &l, &n);
		OK(lease_store(memc, &l, big, sizes[i], 100, 0, NULL) ==
			LEASE_OK,
		    key);
		v = fetch(memc, key, &l, &n);
		OK(v != NULL && n == sizes[i] && memcmp(v, big, n) == 0 &&
			v[n] == '\0',
		    "as it was stored");
		free(v);
	}
	free(big);
}

static void
who_waits_gets_the_value(memcached_st *memc)
{
	struct other o;
	lease_t l;
	size_t n;

	fetch(memc, "wait", &l, &n);
	start(&o, "wait", LONG_MS, false);
	await_waiters(1);
	OK(store(memc, &l, "mine", 0, NULL) == LEASE_OK, "while one waits");
	finish(&o);
	OK(test_value_is(o.value, o.n, "mine") && !o.won,
	    "who waits gets the value");
}

static void
who_waits_takes_over(memcached_st *memc)
{
	struct other o, holder;
	lease_t l;
	size_t n;

	fetch(memc, "over", &l, &n);
	start(&o, "over", LONG_MS, false);
	await_waiters(1);
	OK(lease_give_up(memc, &l, 0) == LEASE_OK, "given up");
	finish(&o);
	OK(o.value == NULL && o.won && o.stored == LEASE_OK,
	    "who waits takes over");
	OK(test_value_is(fetch(memc, "over", &l, &n), 5, "other"),
	    "with its own value");

	start(&holder, "dies", 0, true);
	finish(&holder);
	OK(holder.won, "a thread ends with a lease");
	start(&o, "dies", LONG_MS, false);
	finish(&o);
	OK(o.won && o.stored == LEASE_OK, "its lease ends with its socket");
}

static void
who_holds_does_not_wait(memcached_st *memc)
{
	memcached_st *same = client();
	lease_t mine, theirs, l;
	long parked;
	size_t n;
	char *v;

	fetch(memc, "nested1", &mine, &n);
	fetch(same, "nested2", &theirs, &n);
	parked = counted("wait_parked");
	v = lease_fetch(memc, "nested2", 7, LONG_MS, &l, &n);
	OK(v == NULL && !l.won && counted("wait_parked") == parked,
	    "who holds a lease does not wait");
	lease_give_up(memc, &mine, 0);
	lease_give_up(same, &theirs, 0);
	memcached_free(same);
}

static void
an_invalidation_refuses_what_was_loaded_before(memcached_st *memc)
{
	lease_t l;
	size_t n;

	fetch(memc, "inv", &l, &n);
	OK(lease_invalidate(memc, "inv", 3, 0) == LEASE_OK, "invalidated");
	OK(store(memc, &l, "old", 0, NULL) == LEASE_REFUSED,
	    "what was loaded before is refused");
	OK(fetch(memc, "inv", &l, &n) == NULL && l.won, "the next one wins");
	OK(store(memc, &l, "new", 0, NULL) == LEASE_OK, "and stores");
	OK(lease_invalidate(memc, "inv", 3, 0) == LEASE_OK, "again");
	OK(fetch(memc, "inv", &l, &n) == NULL && l.won, "the value is gone");
	lease_give_up(memc, &l, 0);
	OK(lease_invalidate(memc, "nothing", 7, 0) == LEASE_OK,
	    "nothing to invalidate is fine");
}

static void
versions_order_what_is_stored(memcached_st *memc)
{
	lease_t l;
	size_t n;
	char *v;

	fetch(memc, "ver", &l, &n);
	OK(lease_invalidate(memc, "ver", 3, 18) == LEASE_OK, "18 is there");
	OK(store(memc, &l, "17", 17, NULL) == LEASE_REFUSED, "17 is too old");
	v = fetch(memc, "ver", &l, &n);
	OK(v == NULL && l.won && l.version == 18, "who wins is told");
	OK(store(memc, &l, "18", 18, NULL) == LEASE_OK, "18 is stored");
	OK(lease_invalidate(memc, "ver", 3, 18) == LEASE_OK, "18 once more");
	v = fetch(memc, "ver", &l, &n);
	OK(test_value_is(v, n, "18") && l.version == 18, "changes nothing");
}

static void
tags_drop_what_bears_them(memcached_st *memc)
{
	char key[32];
	lease_t l;
	size_t n;
	int there = 0;

	for (int i = 0; i < 20; i++) {
		snprintf(key, sizeof(key), "tag%d", i);
		fetch(memc, key, &l, &n);
		store(memc, &l, "v", 0, i % 2 == 0 ? "even,all" : "odd,all");
	}
	fetch(memc, "late", &l, &n);
	OK(lease_invalidate_tag(memc, "even", 4) == LEASE_OK,
	    "a tag is invalidated");
	OK(store(memc, &l, "v", 0, "even") == LEASE_REFUSED,
	    "what was loaded before is refused");
	for (int i = 0; i < 20; i++) {
		char *v;

		snprintf(key, sizeof(key), "tag%d", i);
		v = fetch(memc, key, &l, &n);
		if (l.won)
			lease_give_up(memc, &l, 0);
		there += (v != NULL) == (i % 2 != 0);
		free(v);
	}
	OK(there == 20, "its values are gone, on all servers, and no others");
}

static void
the_source_may_have_nothing(memcached_st *memc)
{
	lease_t l;
	size_t n;

	fetch(memc, "none", &l, &n);
	OK(lease_store(memc, &l, NULL, 0, 100, 0, NULL) == LEASE_OK,
	    "nothing at the source");
	OK(fetch(memc, "none", &l, &n) == NULL && l.absent && !l.won,
	    "is remembered");
}

static void
a_failing_source_is_spared(memcached_st *memc)
{
	lease_t l;
	size_t n;

	fetch(memc, "fails", &l, &n);
	OK(lease_give_up(memc, &l, 600000) == LEASE_OK, "with a back-off");
	OK(lease_fetch(memc, "fails", 5, LONG_MS, &l, &n) == NULL && !l.won &&
		l.retry_ms > 0 && l.retry_ms <= 600000,
	    "nobody wins for that time");
}

static void
only_the_winner_misses_a_stale_value(memcached_st *memc)
{
	const memcached_instance_st *at;
	memcached_return_t rc;
	char server[16], reply[64];
	struct other o;
	lease_t l;
	size_t n;

	fetch(memc, "stale", &l, &n);
	store(memc, &l, "old", 0, NULL);
	at = memcached_server_by_key(memc, "stale", 5, &rc);
	snprintf(server, sizeof(server), "%u", memcached_server_port(at));
	say(servers[0][0] == '/' ? servers[0] : server, "md stale I\r\n",
	    "HD\r\n", reply, sizeof(reply));
	OK(fetch(memc, "stale", &l, &n) == NULL && l.won,
	    "a stale value is won");
	start(&o, "stale", 0, false);
	finish(&o);
	OK(o.lease.stale && test_value_is(o.value, o.n, "old"),
	    "and shown to others");
	OK(store(memc, &l, "new", 0, NULL) == LEASE_OK, "until it is new");
	OK(test_value_is(fetch(memc, "stale", &l, &n), 3, "new") && !l.stale,
	    "for all");
}

static void
keys_are_where_libmemcached_has_them(memcached_st *memc)
{
	memcached_return_t rc;
	char key[32], *v;
	uint32_t flags;
	lease_t l;
	size_t n;
	int same = 0;

	for (int i = 0; i < 100; i++) {
		snprintf(key, sizeof(key), "place%d", i);
		fetch(memc, key, &l, &n);
		store(memc, &l, key, 0, NULL);
		v = memcached_get(memc, key, strlen(key), &n, &flags, &rc);
		same += test_value_is(v, n, key);
	}
	OK(same == 100, "libmemcached finds what was stored");
	memcached_set(memc, "theirs", 6, "value", 5, 0, 9);
	v = fetch(memc, "theirs", &l, &n);
	OK(test_value_is(v, n, "value") && l.flags == 9, "and vice versa");
}

static void
name_spaces_are_in_front(void)
{
	memcached_st *memc = client();
	memcached_return_t rc;
	uint32_t flags;
	lease_t l;
	size_t n;
	char *v;

	memcached_callback_set(memc, MEMCACHED_CALLBACK_NAMESPACE, "app:");
	fetch(memc, "space", &l, &n);
	OK(store(memc, &l, "value", 0, NULL) == LEASE_OK, "in a name space");
	v = memcached_get(memc, "space", 5, &n, &flags, &rc);
	OK(test_value_is(v, n, "value"), "libmemcached finds it there");
	memcached_callback_set(memc, MEMCACHED_CALLBACK_NAMESPACE, NULL);
	OK(fetch(memc, "space", &l, &n) == NULL && l.won, "and not outside");
	lease_give_up(memc, &l, 0);
	memcached_free(memc);
}

/* ---- many at once -------------------------------------------------------- */

enum { CROWD = 32 };

static _Atomic int loads;

static void *
one_of_a_crowd(void *arg)
{
	memcached_st *memc = client();
	int *good = arg;
	lease_t l;
	size_t n;
	char *v = lease_fetch(memc, "crowd", 5, LONG_MS, &l, &n);

	if (l.won) {
		atomic_fetch_add(&loads, 1);
		await_waiters(CROWD - 1);
		*good = store(memc, &l, "crowd", 0, NULL) == LEASE_OK;
	} else {
		*good = test_value_is(v, n, "crowd");
	}
	memcached_free(memc);
	return NULL;
}

static void
a_crowd_loads_once(void)
{
	pthread_t threads[CROWD];
	int good[CROWD], sum = 0;

	for (int i = 0; i < CROWD; i++)
		if (pthread_create(&threads[i], NULL, one_of_a_crowd,
			&good[i]) != 0)
			test_stop("no thread");
	for (int i = 0; i < CROWD; i++) {
		pthread_join(threads[i], NULL);
		sum += good[i];
	}
	OK(sum == CROWD, "all of a crowd get the value");
	OK(loads == 1, "which was loaded once");
}

/* ---- processes ----------------------------------------------------------- */

static void
a_child_has_its_own_sockets(memcached_st *memc)
{
	lease_t mine, l;
	size_t n;
	int status = 0;
	pid_t pid;

	fetch(memc, "fork", &mine, &n);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		memcached_st *own = client();

		/* It holds nothing, so it may wait. */
		lease_fetch(own, "child", 5, 1, &l, &n);
		_exit(
		    l.won && store(own, &l, "v", 0, NULL) == LEASE_OK ? 0 : 1);
	}
	waitpid(pid, &status, 0);
	OK(status == 0, "a child makes sockets of its own");
	OK(store(memc, &mine, "v", 0, NULL) == LEASE_OK,
	    "and leaves those of its parent");
}

/* ---- arguments ----------------------------------------------------------- */

static void
wrong_arguments_are_refused(memcached_st *memc)
{
	static const char *const keys[] = { "", "two words", "a\r\nflush_all",
		"del\x7f" };
	char longest[252];
	lease_t l;
	size_t n;

	for (int i = 0; i < 4; i++)
		OK(fetch(memc, keys[i], &l, &n) == NULL && !l.won &&
			l.result == LEASE_INVALID,
		    "a key that is none");
	memset(longest, 'k', 251);
	longest[251] = '\0';
	OK(lease_invalidate(memc, longest, 251, 0) == LEASE_INVALID,
	    "251 bytes are too many");
	OK(lease_invalidate(memc, longest, 250, 0) == LEASE_OK, "250 are not");
	OK(lease_invalidate_tag(memc, "a,b", 3) == LEASE_INVALID,
	    "one tag at a time");
	OK(lease_invalidate_tag(memc, longest, 65) == LEASE_INVALID,
	    "of 64 bytes at most");
	memset(&l, 0, sizeof(l));
	OK(lease_store(memc, &l, "v", 1, 0, 0, NULL) == LEASE_INVALID,
	    "what was not won is not stored");
	OK(lease_give_up(memc, &l, 0) == LEASE_INVALID, "nor given up");
}

static void
without_a_server(void)
{
	memcached_st *memc = memcached_create(NULL);
	struct sockaddr_in sa = { .sin_family = AF_INET };
	socklen_t size = sizeof(sa);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	lease_t l;
	size_t n;

	OK(fetch(memc, "k", &l, &n) == NULL && l.result == LEASE_FAILED,
	    "no server in the list");
	OK(lease_invalidate_tag(memc, "t", 1) == LEASE_FAILED, "nor for tags");
	/* Bound, and nobody listens. */
	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) != 0 ||
	    getsockname(fd, (struct sockaddr *)&sa, &size) != 0)
		test_stop("no port");
	memcached_server_add(memc, "127.0.0.1", ntohs(sa.sin_port));
	OK(fetch(memc, "k", &l, &n) == NULL && !l.won &&
		l.result == LEASE_FAILED,
	    "nobody listens");
	OK(lease_invalidate(memc, "k", 1, 0) == LEASE_FAILED,
	    "so nothing is invalidated");
	close(fd);
	memcached_free(memc);
}

/* ---- without leases ------------------------------------------------------ */

static void
plain_servers_get_set_and_delete(memcached_st *memc)
{
	memcached_return_t rc;
	uint32_t flags;
	lease_t l;
	size_t n;
	char *v = fetch(memc, "plain", &l, &n);

	OK(v == NULL && l.won && l.result == LEASE_OK, "every miss wins");
	OK(fetch(memc, "plain", &l, &n) == NULL && l.won, "every one");
	l.flags = 5;
	OK(store(memc, &l, "value", 17, "tag") == LEASE_OK, "stored");
	v = memcached_get(memc, "plain", 5, &n, &flags, &rc);
	OK(test_value_is(v, n, "value") && flags == 5, "by a set");
	v = fetch(memc, "plain", &l, &n);
	OK(test_value_is(v, n, "value") && !l.won && l.flags == 5, "a hit");
	OK(lease_invalidate(memc, "plain", 5, 0) == LEASE_OK, "deleted");
	OK(lease_invalidate(memc, "plain", 5, 18) == LEASE_OK, "already");
	OK(fetch(memc, "plain", &l, &n) == NULL && l.won, "it is gone");
	OK(lease_give_up(memc, &l, 100) == LEASE_OK, "nothing to give up");
	OK(lease_invalidate_tag(memc, "tag", 3) == LEASE_UNSUPPORTED,
	    "no tags");
	fetch(memc, "empty", &l, &n);
	OK(lease_store(memc, &l, "", 0, 100, 0, NULL) == LEASE_OK, "0 bytes");
	OK(test_value_is(fetch(memc, "empty", &l, &n), 0, ""), "are a value");
}

static void
test_leases(memcached_st *memc)
{
	a_miss_is_won_and_stored(memc);
	values_are_any_bytes(memc);
	who_waits_gets_the_value(memc);
	who_waits_takes_over(memc);
	who_holds_does_not_wait(memc);
	an_invalidation_refuses_what_was_loaded_before(memc);
	versions_order_what_is_stored(memc);
	tags_drop_what_bears_them(memc);
	the_source_may_have_nothing(memc);
	a_failing_source_is_spared(memc);
	only_the_winner_misses_a_stale_value(memc);
	keys_are_where_libmemcached_has_them(memc);
	name_spaces_are_in_front();
	a_crowd_loads_once();
	a_child_has_its_own_sockets(memc);
	wrong_arguments_are_refused(memc);
}

int
main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	memcached_st *memc;

	servers = argv + 2;
	server_count = argc - 2;
	if (strcmp(what, "wire") == 0) {
		test_wire();
		without_a_server();
	} else if (server_count > 0) {
		memc = client();
		if (strcmp(what, "leases") == 0)
			test_leases(memc);
		else if (strcmp(what, "plain") == 0)
			plain_servers_get_set_and_delete(memc);
		memcached_free(memc);
	}
	lease_disconnect();
	printf("finished\n");
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
