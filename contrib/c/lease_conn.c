/* SPDX-License-Identifier: BSD-3-Clause */
/* lease_conn.c - the sockets of lease.c. */
#include "lease_conn.h"

#include <errno.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* What came of an attempt to send or to read. */
enum io {
	IO_DONE,
	IO_LOST, /* the other side has closed */
	IO_LATE  /* not in time, or not as it should be */
};

/* ---- time ---------------------------------------------------------------- */

long long
lease_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (long long)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* A limit of the memcached_st as a deadline; negative ones are for ever. */
static long long
deadline_of(memcached_st *memc, memcached_behavior_t limit, long long more)
{
	int32_t ms = (int32_t)memcached_behavior_get(memc, limit);

	return ms < 0 ? LLONG_MAX : lease_now_ms() + ms + more;
}

/* Waits for an event on a socket; false when the time is over. */
static bool
wait_for(int fd, short event, long long deadline)
{
	for (;;) {
		struct pollfd p = { .fd = fd, .events = event };
		long long left = deadline - lease_now_ms();
		int n;

		if (left < 0)
			left = 0;
		n = poll(&p, 1, left > INT_MAX ? INT_MAX : (int)left);
		if (n > 0)
			return true;
		if (n == 0 ? left <= INT_MAX : errno != EINTR)
			return false;
	}
}

/* ---- sockets ------------------------------------------------------------- */

static int
open_socket(const struct sockaddr *to, socklen_t length, long long deadline)
{
	int type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
	int fd = socket(to->sa_family, type, 0);
	int on = 1, error = 0;
	socklen_t size = sizeof(error);

	if (fd < 0)
		return -1;
	if (to->sa_family != AF_UNIX)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(fd, to, length) == 0)
		return fd;
	if (errno == EINPROGRESS && wait_for(fd, POLLOUT, deadline) &&
	    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 &&
	    error == 0)
		return fd;
	close(fd);
	return -1;
}

static int
open_unix(const char *path, long long deadline)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof(sa.sun_path))
		return -1;
	strcpy(sa.sun_path, path);
	return open_socket((struct sockaddr *)&sa, sizeof(sa), deadline);
}

static int
open_tcp(const char *host, in_port_t port, long long deadline)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list;
	char service[8];
	int fd = -1;

	snprintf(service, sizeof(service), "%u", (unsigned)port);
	if (getaddrinfo(host, service, &hints, &list) != 0)
		return -1;
	for (struct addrinfo *a = list; a != NULL && fd < 0; a = a->ai_next)
		fd = open_socket(a->ai_addr, a->ai_addrlen, deadline);
	freeaddrinfo(list);
	return fd;
}

/* Goes forward by what has been sent. */
static void
skip_sent(struct msghdr *m, size_t n)
{
	for (; m->msg_iovlen > 0; m->msg_iov++, m->msg_iovlen--) {
		struct iovec *part = m->msg_iov;

		if (n < part->iov_len) {
			part->iov_base = (char *)part->iov_base + n;
			part->iov_len -= n;
			return;
		}
		n -= part->iov_len;
	}
}

static enum io
send_request(struct lease_conn *c, const struct lease_request *r,
    long long deadline)
{
	struct iovec part[3] = {
		{ .iov_base = (void *)r->text, .iov_len = r->length },
		{ .iov_base = (void *)r->value, .iov_len = r->value_length },
		{ .iov_base = (void *)"\r\n", .iov_len = 2 },
	};
	struct msghdr m = { .msg_iov = part, .msg_iovlen = 1 };

	if (r->value != NULL)
		m.msg_iovlen = 3;
	while (m.msg_iovlen > 0) {
		ssize_t n = sendmsg(c->fd, &m, MSG_NOSIGNAL);

		if (n >= 0)
			skip_sent(&m, (size_t)n);
		else if (errno == EPIPE || errno == ECONNRESET)
			return IO_LOST;
		else if (errno != EINTR &&
		    (errno != EAGAIN || !wait_for(c->fd, POLLOUT, deadline)))
			return IO_LATE;
	}
	return IO_DONE;
}

/* Reads *n bytes, at least one and at most `room`. */
static enum io
receive(struct lease_conn *c, void *to, size_t room, size_t *n,
    long long deadline)
{
	for (;;) {
		ssize_t got = recv(c->fd, to, room, 0);

		if (got > 0) {
			*n = (size_t)got;
			return IO_DONE;
		}
		if (got == 0 || errno == ECONNRESET)
			return IO_LOST;
		if (errno != EINTR &&
		    (errno != EAGAIN || !wait_for(c->fd, POLLIN, deadline)))
			return IO_LATE;
	}
}

/* Reads c->line, without its CR LF. */
static enum io
read_line(struct lease_conn *c, long long deadline)
{
	c->start = c->end = 0;
	while (c->end < sizeof(c->in)) {
		char *from = c->in + c->end, *lf;
		size_t n;
		enum io got = receive(c, from, sizeof(c->in) - c->end, &n,
		    deadline);

		if (got != IO_DONE)
			return got;
		c->end += n;
		lf = memchr(from, '\n', n);
		if (lf == NULL)
			continue;
		c->start = (size_t)(lf + 1 - c->in);
		if (lf > c->in && lf[-1] == '\r')
			lf--;
		*lf = '\0';
		c->line = c->in;
		return IO_DONE;
	}
	return IO_LATE;
}

static enum io
exchange(struct lease_conn *c, const struct lease_request *r,
    long long deadline)
{
	enum io sent = send_request(c, r, deadline);

	return sent == IO_DONE ? read_line(c, deadline) : sent;
}

char *
lease_conn_value(memcached_st *memc, struct lease_conn *c, size_t n)
{
	long long deadline = deadline_of(memc, MEMCACHED_BEHAVIOR_POLL_TIMEOUT,
	    0);
	size_t want = n + 2, have = c->end - c->start, more;
	char *value = malloc(want + 1);

	if (value == NULL || have > want)
		goto fail;
	memcpy(value, c->in + c->start, have);
	c->start = c->end;
	for (; have < want; have += more)
		if (receive(c, value + have, want - have, &more, deadline) !=
		    IO_DONE)
			goto fail;
	if (memcmp(value + n, "\r\n", 2) != 0)
		goto fail;
	value[n] = '\0';
	return value;
fail:
	free(value);
	lease_conn_close(c);
	return NULL;
}

/* ---- connections --------------------------------------------------------- */

void
lease_conn_close(struct lease_conn *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

void
lease_conn_free_all(struct lease_conn **list)
{
	while (*list != NULL) {
		struct lease_conn *c = *list;

		*list = c->next;
		lease_conn_close(c);
		free(c->name);
		free(c);
	}
}

struct lease_conn *
lease_conn_find(struct lease_conn **list, const memcached_instance_st *server)
{
	const char *name = memcached_server_name(server);
	in_port_t port = memcached_server_port(server);
	struct lease_conn *c;

	for (c = *list; c != NULL; c = c->next)
		if (c->port == port && strcmp(c->name, name) == 0)
			return c;
	c = calloc(1, sizeof(*c));
	if (c == NULL)
		return NULL;
	c->name = strdup(name);
	if (c->name == NULL) {
		free(c);
		return NULL;
	}
	c->port = port;
	c->fd = -1;
	c->next = *list;
	*list = c;
	return c;
}

/* No reply, or no connection: what comes next shall not wait as long. */
static enum lease_reply
give_up_server(struct lease_conn *c)
{
	lease_conn_close(c);
	c->failed_until = lease_now_ms() + LEASE_SPARE_MS;
	return LEASE_REPLY_LOST;
}

/*
 * A wait without a lease is a miss where leases are known, and an error in
 * every memcached.  Some proxies close the connection instead, but so does a
 * server that ends just now: that one is asked again soon.
 */
static enum lease_reply
ask_for_leases(memcached_st *memc, struct lease_conn *c)
{
	static const struct lease_request probe = { .text = "mg _ w0\r\n",
		.length = 9 };
	enum io got = exchange(c, &probe,
	    deadline_of(memc, MEMCACHED_BEHAVIOR_POLL_TIMEOUT, 0));

	if (got == IO_LATE)
		return give_up_server(c);
	if (got == IO_DONE &&
	    (strcmp(c->line, "EN") == 0 || strncmp(c->line, "HD", 2) == 0))
		return LEASE_REPLY_LINE;
	lease_conn_close(c);
	c->plain_until = lease_now_ms() +
	    (got == IO_DONE ? LEASE_RECHECK_MS : LEASE_SPARE_MS);
	return LEASE_REPLY_PLAIN;
}

static enum lease_reply
open_conn(memcached_st *memc, struct lease_conn *c)
{
	long long deadline = deadline_of(memc,
	    MEMCACHED_BEHAVIOR_CONNECT_TIMEOUT, 0);

	c->fd = c->name[0] == '/' ? open_unix(c->name, deadline) :
				    open_tcp(c->name, c->port, deadline);
	return c->fd < 0 ? give_up_server(c) : ask_for_leases(memc, c);
}

enum lease_reply
lease_conn_ready(memcached_st *memc, struct lease_conn *c)
{
	struct pollfd p = { .fd = c->fd, .events = POLLIN };
	long long now = lease_now_ms();

	if (now < c->plain_until)
		return LEASE_REPLY_PLAIN;
	if (now < c->failed_until)
		return LEASE_REPLY_LOST;
	/* Nobody has asked: what is there is the end of the stream. */
	if (c->fd >= 0 && poll(&p, 1, 0) != 0)
		lease_conn_close(c);
	return c->fd >= 0 ? LEASE_REPLY_LINE : open_conn(memc, c);
}

enum lease_reply
lease_conn_ask(memcached_st *memc, struct lease_conn *c,
    const struct lease_request *r)
{
	for (bool again = false;; again = true) {
		enum lease_reply ready = lease_conn_ready(memc, c);
		enum io got;

		if (ready != LEASE_REPLY_LINE)
			return ready;
		got = exchange(c, r,
		    deadline_of(memc, MEMCACHED_BEHAVIOR_POLL_TIMEOUT,
			r->wait_ms));
		if (got == IO_DONE)
			return LEASE_REPLY_LINE;
		if (got == IO_LATE || again)
			return give_up_server(c);
		lease_conn_close(c);
		if (r->once)
			return LEASE_REPLY_LOST;
	}
}
