/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * conn.c - one client's connection: a socket and a session.
 */
#include "config.h"

#include "server/conn.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/log.h"
#include "server/listener.h"
#include "server/server.h"
#include "server/worker.h"

enum {
	SMALL_INPUT = IN_SIZE / 4,
	READS_MAX = 4, /* in one turn, while each fills the buffer */
};

static const char *const reasons[] = {
	[CLOSE_NORMAL] = "normal",
	[CLOSE_ERROR] = "error",
	[CLOSE_IDLE] = "idle_timeout",
	[CLOSE_SHUTDOWN] = "shutdown",
};

static void
on_event(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;

	(void)fd;
	if (what & EV_CLOSED)
		c->hung_up = true;
	worker_ready(c->w, c);
}

/* What the connection waits for; costs a system call only on a change. */
static bool
wait_for(struct conn *c, short what)
{
	event_del(&c->event);
	event_assign(&c->event, c->w->base, c->fd, what | EV_PERSIST, on_event,
	    c);
	c->waits_to_write = what == EV_WRITE;
	c->edges = what & EV_ET;
	return event_add(&c->event, NULL) == 0;
}

static void
publish(struct conn *c, const char *type, const char *reason)
{
	struct feed *feed = &c->w->server->feed;
	char name[128] = "unix:0", *colon;

	if (!feed_wanted(feed, FEED_CONNEVENTS))
		return;
	if (c->transport == TRANSPORT_TCP)
		listener_name(c->fd, true, name, sizeof(name));
	colon = strrchr(name, ':');
	if (colon == NULL)
		colon = strcpy(name, "unknown:0") + strlen("unknown");
	*colon = '\0';
	feed_publish(feed, FEED_CONNEVENTS, type,
	    "rip=%s rport=%s transport=%s%s%s cfd=%d", name, colon + 1,
	    c->transport == TRANSPORT_TCP ? "tcp" : "local",
	    reason != NULL ? " reason=" : "", reason != NULL ? reason : "",
	    c->fd);
}

/* What the listener says, and the client's address if it is limited by it. */
static void
set_mode(struct conn *c)
{
	const struct server *sv = c->w->server;
	const struct listening *from = listener_of(&sv->listener, c->listen_fd);
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);
	const char *bytes = (const char *)&((struct sockaddr_in *)&peer)
				->sin_addr;
	size_t n = sizeof(struct in_addr);

	if (from != NULL) {
		c->session.mode = (uint8_t)from->mode;
		c->session.wait_ms = from->wait_ms;
	}
	if (sv->config.lease.waiters_per_address == 0 ||
	    getpeername(c->fd, (struct sockaddr *)&peer, &len) != 0)
		return;
	if (peer.ss_family == AF_INET6) {
		bytes = (const char *)&((struct sockaddr_in6 *)&peer)
			    ->sin6_addr;
		n = sizeof(struct in6_addr);
	} else if (peer.ss_family != AF_INET) {
		n = 0; /* all of a Unix socket together */
	}
	c->session.address = (uint16_t)(hash_key(bytes, n) % LEASE_ADDRESSES);
}

bool
conn_open(struct worker *w, int fd, int listen_fd, enum transport transport)
{
	struct conn *c = calloc(1, sizeof(*c));

	if (c == NULL)
		goto fail;
	c->w = w;
	c->fd = fd;
	c->listen_fd = listen_fd;
	c->transport = (uint8_t)transport;
	c->wake.kind = MAIL_WATCHER;
	c->hungry = true;
	session_init(&c->session, fd, c);
	set_mode(c);
	atomic_store(&c->last_request, w->exec.now);
	event_assign(&c->event, w->base, fd, EV_READ | EV_PERSIST, on_event, c);
	if (event_add(&c->event, NULL) != 0)
		goto fail;
	worker_link(w, c);
	publish(c, "conn_new", NULL);
	log_debug("conn opened fd=%d", fd);
	return true;
fail:
	log_warn("connection refused: out of memory");
	free(c);
	close(fd);
	atomic_fetch_sub(&w->server->connections, 1);
	return false;
}

/* Buffers. */

static void
free_input(struct conn *c)
{
	if (c->in_size == IN_SIZE)
		worker_give_in(c->w, c->in);
	else if (c->in != NULL)
		free(c->in); /* jemalloc's free(NULL) is not for nothing */
	c->in = NULL;
	c->in_at = c->in_len = c->in_size = 0;
}

/* Moves the unread bytes into another buffer of `size` bytes. */
static bool
move_input(struct conn *c, size_t size)
{
	char *in = size == IN_SIZE ? worker_take_in(c->w) : malloc(size);
	uint32_t len = c->in_len;

	if (in == NULL)
		return false;
	if (len > 0)
		memcpy(in, c->in + c->in_at, len);
	free_input(c);
	c->in = in;
	c->in_len = len;
	c->in_size = (uint32_t)size;
	return true;
}

/* Makes sure that there is room to read into. */
static bool
make_room(struct conn *c)
{
	if (c->in == NULL || c->in_size < IN_SIZE)
		return move_input(c, IN_SIZE);
	if (c->in_at > 0 && c->in_at + c->in_len == c->in_size) {
		memmove(c->in, c->in + c->in_at, c->in_len);
		c->in_at = 0;
	}
	if (c->in_len == c->in_size)
		return move_input(c, (size_t)c->in_size * 2);
	return true;
}

/* Gives back what an idle connection does not need. */
static void
tidy(struct conn *c)
{
	struct outbuf *out = c->session.out;

	if (out != NULL && out_is_empty(out)) {
		worker_give_out(c->w, out);
		c->session.out = NULL;
	}
	if (c->in != NULL && c->in_len == 0)
		free_input(c);
	else if (c->in_size >= IN_SIZE && c->in_len < SMALL_INPUT &&
	    !move_input(c, c->in_len))
		return; /* keeps the large buffer */
}

/* Closing. */

static void
release(struct conn *c)
{
	if (atomic_load(&c->mail_posted))
		c->gone = true; /* conn_mail() frees it */
	else
		free(c);
}

void
conn_close(struct conn *c, enum close_reason reason)
{
	struct worker *w = c->w;

	publish(c, "conn_close", reasons[reason]);
	log_debug("conn closed fd=%d reason=%s", c->fd, reasons[reason]);
	session_end(&c->session, &w->exec);
	if (c->session.out != NULL) {
		out_clear(c->session.out, &w->local);
		worker_give_out(w, c->session.out);
		c->session.out = NULL;
	}
	free_input(c);
	event_del(&c->event);
	worker_unlink(w, c);
	close(c->fd);
	c->fd = -1;
	atomic_fetch_sub(&w->server->connections, 1);
	if (!c->is_ready)
		release(c);
	/* else its turn, which finds it closed, releases it */
}

void
conn_mail(struct conn *c)
{
	atomic_store(&c->mail_posted, false);
	if (c->gone)
		free(c);
	else
		worker_ready(c->w, c);
}

void
conn_wake(void *conn)
{
	struct conn *c = conn;

	if (!atomic_exchange(&c->mail_posted, true))
		mailbox_post(&c->w->mailbox, &c->wake);
}

bool
conn_is_idle(const struct conn *c)
{
	return c->in_len == 0 && c->session.out == NULL &&
	    c->session.waiter == NULL &&
	    (c->session.state == SESSION_COMMAND ||
		c->session.state == SESSION_WATCH);
}

/* Reading and writing. */

enum progress {
	GO_ON,
	BLOCKED, /* the turn ends here */
	ENDED,   /* the connection is closed */
};

static enum progress
fail(struct conn *c)
{
	conn_close(c, errno == 0 ? CLOSE_NORMAL : CLOSE_ERROR);
	return ENDED;
}

/* Sends all output; what the socket does not take waits for it. */
static enum progress
flush(struct conn *c)
{
	struct outbuf *out = c->session.out;
	struct iovec iov[OUT_PIECES];

	while (out != NULL && !out_is_empty(out)) {
		struct msghdr msg = {
			.msg_iov = iov,
			.msg_iovlen = (size_t)out_pieces(out, iov),
		};
		ssize_t n;

		if (msg.msg_iovlen == 1)
			n = send(c->fd, iov[0].iov_base, iov[0].iov_len,
			    MSG_NOSIGNAL);
		else
			n = sendmsg(c->fd, &msg, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			if (!c->waits_to_write && !wait_for(c, EV_WRITE))
				return fail(c);
			return BLOCKED;
		}
		if (n < 0)
			return fail(c);
		COUNT_BY(c->w->exec.counters, bytes_written, (uint64_t)n);
		out_sent(out, (size_t)n, &c->w->local);
	}
	if (c->waits_to_write && !wait_for(c, EV_READ))
		return fail(c);
	return GO_ON;
}

/* Reads once: into the item of a large value, and into the buffer. */
static enum progress
receive(struct conn *c, bool *more)
{
	struct iovec iov[2];
	size_t room = 0;
	ssize_t n;

	if (!make_room(c)) {
		COUNT(c->w->exec.counters, read_buf_oom);
		errno = ENOMEM;
		return fail(c);
	}
	iov[0].iov_base = c->in_len == 0 ? session_target(&c->session, &room) :
					   NULL;
	iov[0].iov_len = iov[0].iov_base != NULL ? room : 0;
	iov[1].iov_base = c->in + c->in_at + c->in_len;
	iov[1].iov_len = c->in_size - c->in_at - c->in_len;
	do
		n = iov[0].iov_len > 0 ?
		    readv(c->fd, iov, 2) :
		    recv(c->fd, iov[1].iov_base, iov[1].iov_len, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN) {
		*more = false;
		return GO_ON;
	}
	if (n <= 0) {
		errno = n == 0 ? 0 : errno;
		return fail(c);
	}
	COUNT_BY(c->w->exec.counters, bytes_read, (uint64_t)n);
	c->session.arrived = c->w->exec.now_ms;
	*more = (size_t)n == iov[0].iov_len + iov[1].iov_len;
	if (iov[0].iov_len > 0) {
		size_t first = (size_t)n < room ? (size_t)n : room;

		session_filled(&c->session, first);
		n -= (ssize_t)first;
	}
	c->in_len += (uint32_t)n;
	return GO_ON;
}

/* Feeds the session with what was read. */
static bool
feed(struct conn *c, enum session_wish *wish)
{
	size_t used;

	if (c->session.out == NULL) {
		c->session.out = worker_take_out(c->w);
		if (c->session.out == NULL)
			return false;
	}
	used = session_feed(&c->session, &c->w->exec, c->in + c->in_at,
	    c->in_len, wish);
	CHECK(used <= c->in_len);
	c->hungry = *wish == WISH_INPUT;
	c->in_at += (uint32_t)used;
	c->in_len -= (uint32_t)used;
	if (c->in_len == 0)
		c->in_at = 0;
	return true;
}

/* Everything that was read is answered as far as it can be. */
static enum progress
serve(struct conn *c)
{
	struct worker *w = c->w;
	enum session_wish wish;
	enum progress p;

	for (;;) {
		if (!feed(c, &wish)) {
			COUNT(w->exec.counters, read_buf_oom);
			errno = ENOMEM;
			return fail(c);
		}
		switch (wish) {
		case WISH_YIELD:
			COUNT(w->exec.counters, conn_yields);
			worker_ready(w, c);
			return BLOCKED;
		case WISH_FLUSH:
			p = flush(c);
			if (p != GO_ON)
				return p;
			break;
		case WISH_CLOSE:
			c->closing = true;
			return flush(c);
		case WISH_PARK:
			p = flush(c);
			return p == GO_ON ? BLOCKED : p;
		case WISH_INPUT:
			return flush(c);
		}
	}
}

/* Behind unread bytes a reset does not show in what is read. */
static bool
is_reset(const struct conn *c)
{
	socklen_t len = sizeof(errno);

	return getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &errno, &len) == 0 &&
	    errno != 0;
}

/*
 * Something happened to a connection whose request is parked.  GO_ON when that
 * ends its wait.
 *
 * Input that comes stays where it is.  So that it does not wake us again and
 * again, from then on only changes are events.
 */
static enum progress
look_at_parked(struct conn *c)
{
	char byte;
	ssize_t n = recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return BLOCKED;
	if (n < 0 || (n > 0 && is_reset(c)))
		return fail(c);
	if (n > 0 && !c->hung_up && !c->session.parks_unasked) {
		if (!c->edges && !wait_for(c, EV_READ | EV_CLOSED | EV_ET))
			return fail(c);
		return BLOCKED;
	}
	session_end_wait(&c->session, &c->w->exec);
	return GO_ON;
}

/*
 * A lease is handed to a client only if it is still there: else the next one
 * gets it, and this one is answered as if its time were up.
 */
static void
check_heir(struct conn *c)
{
	char byte;
	ssize_t n;

	if (c->session.waiter == NULL ||
	    c->session.waiter->outcome != WAIT_LEASE)
		return;
	n = recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
	if (n == 0 || c->hung_up || (n > 0 && is_reset(c)) ||
	    (n < 0 && errno != EAGAIN && errno != EINTR))
		session_end_wait(&c->session, &c->w->exec);
}

/* Up to what was read; false when the turn is over. */
static bool
begin_turn(struct conn *c)
{
	enum progress p = GO_ON;

	c->more = false;
	if (c->waits_to_write)
		p = flush(c);
	else if (UNLIKELY(c->edges) && !wait_for(c, EV_READ))
		p = fail(c);
	/* All that went before a parked request is sent. */
	if (p == ENDED || UNLIKELY(session_is_parked(&c->session)))
		return false;
	/* Else a turn that had to end left whole requests behind. */
	if (p == GO_ON && !c->closing && c->hungry)
		p = receive(c, &c->more);
	if (p == ENDED)
		return false;
	c->blocked = p == BLOCKED;
	return true;
}

bool
conn_begin_turn(struct conn *c)
{
	struct worker *w = c->w;

	if (c->fd < 0) {
		release(c); /* closed while it waited for its turn */
		return false;
	}
	if (session_is_parked(&c->session) && !c->waits_to_write &&
	    look_at_parked(c) != GO_ON)
		return false;
	if (UNLIKELY(c->session.waiter != NULL))
		check_heir(c);
	atomic_store_explicit(&c->last_request, w->exec.now,
	    memory_order_relaxed);
	if (!begin_turn(c))
		return false;
	if (w->exec.looks_ahead && c->in_len > 0)
		session_look(&c->session, &w->exec, c->in + c->in_at,
		    c->in_len);
	return true;
}

void
conn_end_turn(struct conn *c)
{
	enum progress p = c->blocked ? BLOCKED : GO_ON;
	int reads = 0;

	c->w->exec.budget = c->w->server->config.requests_per_turn;
	while (p == GO_ON && !c->closing) {
		p = serve(c);
		if (p != GO_ON || c->closing || !c->more)
			break;
		if (++reads == READS_MAX) {
			worker_ready(c->w, c);
			break;
		}
		p = receive(c, &c->more);
	}
	if (p == ENDED)
		return;
	if (!c->is_ready)
		tidy(c);
	atomic_store_explicit(&c->shown_state,
	    session_is_parked(&c->session) ? SESSION_PARKED : c->session.state,
	    memory_order_relaxed);
	if (p == GO_ON && (c->closing || (c->w->draining && conn_is_idle(c))))
		conn_close(c, CLOSE_NORMAL);
}
