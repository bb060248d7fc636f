/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * listener.c - the sockets that clients connect to, and who accepts.
 */
#include "config.h"

#include "server/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "server/server.h"

enum { RETRY_MS = 10, ACCEPT_AT_ONCE = 64 };

static uint64_t
microseconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

/* Accepting. */

static void
pause_accepting(struct listener *ln)
{
	struct timeval retry = { 0, RETRY_MS * 1000 };

	if (!ln->paused) {
		ln->paused = true;
		ln->paused_at = microseconds();
		atomic_store(&ln->server->accepting, false);
		COUNT(ln->server->counters, listen_disabled_num);
		for (int i = 0; i < ln->count; i++)
			event_del(ln->sock[i].event);
	}
	event_add(ln->resume, &retry);
}

static void
on_resume(evutil_socket_t fd, short what, void *arg)
{
	struct listener *ln = arg;
	struct server *sv = ln->server;

	(void)fd;
	(void)what;
	if (atomic_load(&sv->connections) >= sv->config.conn_limit) {
		pause_accepting(ln);
		return;
	}
	ln->paused = false;
	atomic_store(&sv->accepting, true);
	COUNT_BY(sv->counters, time_in_listen_disabled_us,
	    microseconds() - ln->paused_at);
	for (int i = 0; i < ln->count; i++)
		event_add(ln->sock[i].event, NULL);
}

static void
hand_over(struct listening *s, int fd)
{
	struct server *sv = s->owner->server;
	struct worker *w =
	    &sv->worker[s->owner->next_worker++ % (unsigned)sv->config.threads];
	struct mail_socket *m = malloc(sizeof(*m));
	int on = 1;

	if (m == NULL) {
		log_warn("connection refused: out of memory");
		close(fd);
		return;
	}
	if (s->transport == TRANSPORT_TCP) {
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	}
	atomic_fetch_add(&sv->connections, 1);
	COUNT(sv->counters, total_connections);
	m->mail.kind = MAIL_SOCKET;
	m->fd = fd;
	m->listen_fd = s->fd;
	m->transport = s->transport;
	mailbox_post(&w->mailbox, &m->mail);
}

static void
reject(struct server *sv, int fd)
{
	static const char sorry[] = "ERROR Too many open connections\r\n";

	COUNT(sv->counters, rejected_connections);
	/* A client that is gone already does not need the answer. */
	if (send(fd, sorry, sizeof(sorry) - 1, MSG_NOSIGNAL) < 0)
		log_debug("conn rejected without a word fd=%d", fd);
	close(fd);
}

static void
on_accept(evutil_socket_t listen_fd, short what, void *arg)
{
	struct listening *s = arg;
	struct server *sv = s->owner->server;

	(void)what;
	for (int i = 0; i < ACCEPT_AT_ONCE; i++) {
		bool full = atomic_load(&sv->connections) >=
		    sv->config.conn_limit;
		int fd;

		if (full && !sv->config.maxconns_fast) {
			pause_accepting(s->owner);
			return;
		}
		fd = accept4(listen_fd, NULL, NULL,
		    SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0 &&
		    (errno == EMFILE || errno == ENFILE || errno == ENOMEM ||
			errno == ENOBUFS)) {
			if (!s->owner->out_of_fds)
				log_warn("can't accept: %s", strerror(errno));
			s->owner->out_of_fds = true;
			pause_accepting(s->owner);
			return;
		}
		if (fd < 0 && errno != EINTR && errno != ECONNABORTED)
			return;
		if (fd < 0)
			continue;
		s->owner->out_of_fds = false;
		if (full)
			reject(sv, fd);
		else
			hand_over(s, fd);
	}
}

/* Opening. */

static bool
add(struct listener *ln, int fd, enum transport transport)
{
	if (ln->count == LISTENERS_MAX) {
		log_error("too many addresses to listen on");
		close(fd);
		return false;
	}
	ln->sock[ln->count++] = (struct listening){
		.owner = ln,
		.fd = fd,
		.transport = transport,
	};
	return true;
}

static int
port_of(int fd)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);

	if (getsockname(fd, (struct sockaddr *)&sa, &len) != 0)
		return -1;
	if (sa.ss_family == AF_INET6)
		return ntohs(((struct sockaddr_in6 *)&sa)->sin6_port);
	return ntohs(((struct sockaddr_in *)&sa)->sin_port);
}

static int
open_one(const struct addrinfo *ai, int backlog)
{
	int on = 1,
	    fd = socket(ai->ai_family,
		SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (ai->ai_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on,
		    sizeof(on));
	if (bind(fd, ai->ai_addr, ai->ai_addrlen) != 0 ||
	    listen(fd, backlog) != 0) {
		int saved = errno;

		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

static void
set_port(const struct addrinfo *ai, int port)
{
	if (ai->ai_family == AF_INET6)
		((struct sockaddr_in6 *)ai->ai_addr)->sin6_port = htons(
		    (uint16_t)port);
	else
		((struct sockaddr_in *)ai->ai_addr)->sin_port = htons(
		    (uint16_t)port);
}

/* Any port (-1) is, if it can be, the same one at all addresses. */
static int
open_port(struct listener *ln, const struct addrinfo *ai, int port)
{
	int fd;

	if (port >= 0 || ln->count == 0)
		return open_one(ai, ln->config.backlog);
	set_port(ai, port_of(ln->sock[0].fd));
	fd = open_one(ai, ln->config.backlog);
	if (fd >= 0 || errno != EADDRINUSE)
		return fd;
	set_port(ai, 0);
	return open_one(ai, ln->config.backlog);
}

/* How many sockets an address gave; -1 with a line logged. */
static int
open_address(struct listener *ln, const char *host, int port)
{
	struct addrinfo hints = { .ai_flags = AI_PASSIVE,
		.ai_socktype = SOCK_STREAM },
			*list, *ai;
	char service[16];
	int error, opened = 0, saved = 0;

	snprintf(service, sizeof(service), "%d", port < 0 ? 0 : port);
	error = getaddrinfo(host, service, &hints, &list);
	if (error != 0) {
		log_error("can't listen on %s: %s", host != NULL ? host : "*",
		    gai_strerror(error));
		return -1;
	}
	for (ai = list; ai != NULL; ai = ai->ai_next) {
		int fd = open_port(ln, ai, port);

		if (fd < 0)
			saved = errno;
		/* A host without IPv6 has its IPv4 socket all the same. */
		if (fd < 0 && errno != EADDRINUSE)
			continue;
		if (fd < 0 || !add(ln, fd, TRANSPORT_TCP)) {
			opened = 0;
			break;
		}
		opened++;
	}
	freeaddrinfo(list);
	if (opened > 0)
		return opened;
	log_error("can't listen on %s port %d: %s", host != NULL ? host : "*",
	    port, strerror(saved));
	return -1;
}

static bool
open_loopback(struct listener *ln)
{
	int port = ln->config.port;

	if (open_address(ln, "127.0.0.1", port) < 0)
		return false;
	/* There are machines without IPv6: this one may fail. */
	if (access("/proc/net/if_inet6", F_OK) == 0 &&
	    open_address(ln, "::1", port) < 0)
		log_info("not listening on ::1");
	log_info("listening on loopback only (127.0.0.1%s), port %d; use -l "
		 "for other addresses",
	    ln->count > 1 ? " and ::1" : "", port_of(ln->sock[0].fd));
	return true;
}

static bool
open_unix(struct listener *ln)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	const char *path = ln->config.unix_path;
	struct stat st;
	mode_t old;
	int fd, failed;

	if (strlen(path) >= sizeof(sa.sun_path)) {
		log_error("socket path too long: %s", path);
		return false;
	}
	strcpy(sa.sun_path, path);
	if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
		unlink(path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		log_error("can't make a socket: %s", strerror(errno));
		return false;
	}
	old = umask(~ln->config.unix_mask & 0777);
	failed = bind(fd, (struct sockaddr *)&sa, sizeof(sa));
	umask(old);
	if (failed || listen(fd, ln->config.backlog) != 0) {
		log_error("can't listen on %s: %s", path, strerror(errno));
		close(fd);
		return false;
	}
	ln->unix_bound = true;
	return add(ln, fd, TRANSPORT_LOCAL);
}

/* The port file tells scripts which port "any" became. */
static void
write_ports(const struct listener *ln, const char *path)
{
	char temporary[4096];
	FILE *f;
	int n = snprintf(temporary, sizeof(temporary), "%s.lck", path);

	f = n > 0 && (size_t)n < sizeof(temporary) ? file_create(temporary) :
						     NULL;
	if (f == NULL) {
		log_warn("can't write the port file %s: %s", path,
		    strerror(errno));
		return;
	}
	for (int i = 0; i < ln->count; i++) {
		struct sockaddr_storage sa;
		socklen_t len = sizeof(sa);

		if (ln->sock[i].transport != TRANSPORT_TCP ||
		    getsockname(ln->sock[i].fd, (struct sockaddr *)&sa, &len) !=
			0)
			continue;
		fprintf(f, "TCP %s: %d\n",
		    sa.ss_family == AF_INET6 ? "INET6" : "INET",
		    port_of(ln->sock[i].fd));
	}
	if (fclose(f) != 0 || rename(temporary, path) != 0)
		log_warn("can't write the port file %s: %s", path,
		    strerror(errno));
}

/* An address of -l, with what it says of its clients. */
static bool
open_with_mode(struct listener *ln, const struct listen_address *a)
{
	int first = ln->count;

	if (open_address(ln, a->host, a->port) < 0)
		return false;
	for (int i = first; i < ln->count; i++) {
		ln->sock[i].mode = a->mode;
		ln->sock[i].wait_ms = a->wait_ms;
	}
	return true;
}

const struct listening *
listener_of(const struct listener *ln, int fd)
{
	for (int i = 0; i < ln->count; i++)
		if (ln->sock[i].fd == fd)
			return &ln->sock[i];
	return NULL;
}

static bool
open_all(struct listener *ln)
{
	const struct listener_config *c = &ln->config;
	int port = c->port;

	if (c->unix_path != NULL)
		return open_unix(ln);
	if (c->addresses == 0 && port == 0) {
		log_error("nothing to listen on: port 0 turns TCP off, and "
			  "there is no -s");
		return false;
	}
	if (c->addresses == 0)
		return open_loopback(ln);
	for (size_t i = 0; i < c->addresses; i++)
		if (c->address[i].port != 0 &&
		    !open_with_mode(ln, &c->address[i]))
			return false;
	if (ln->count > 0)
		return true;
	log_error("nothing to listen on: port 0 turns TCP off");
	return false;
}

bool
listener_open(struct listener *ln, const struct listener_config *config)
{
	const char *path = getenv("LEASECACHED_PORT_FILENAME");

	ln->config = *config;
	if (!open_all(ln))
		return false;
	if (path == NULL)
		path = getenv("MEMCACHED_PORT_FILENAME");
	if (path != NULL)
		write_ports(ln, path);
	return true;
}

bool
listener_start(struct listener *ln, struct server *server,
    struct event_base *base)
{
	ln->server = server;
	ln->base = base;
	ln->resume = event_new(base, -1, 0, on_resume, ln);
	if (ln->resume == NULL)
		return false;
	for (int i = 0; i < ln->count; i++) {
		struct listening *s = &ln->sock[i];

		s->event = event_new(base, s->fd, EV_READ | EV_PERSIST,
		    on_accept, s);
		if (s->event == NULL || event_add(s->event, NULL) != 0)
			return false;
	}
	atomic_store(&server->accepting, true);
	return true;
}

void
listener_stop(struct listener *ln)
{
	for (int i = 0; i < ln->count; i++) {
		if (ln->sock[i].event != NULL)
			event_free(ln->sock[i].event);
		ln->sock[i].event = NULL;
		if (!ln->sock[i].inherited)
			shutdown(ln->sock[i].fd, SHUT_RD);
	}
	if (ln->resume != NULL)
		event_free(ln->resume);
	ln->resume = NULL;
}

void
listener_close(struct listener *ln)
{
	listener_stop(ln);
	for (int i = 0; i < ln->count; i++)
		close(ln->sock[i].fd);
	ln->count = 0;
	if (ln->unix_bound)
		unlink(ln->config.unix_path);
	ln->unix_bound = false;
}

void
listener_name(int fd, bool peer, char *out, size_t room)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);
	char host[INET6_ADDRSTRLEN] = "?";

	if ((peer ? getpeername(fd, (struct sockaddr *)&sa, &len) :
		    getsockname(fd, (struct sockaddr *)&sa, &len)) != 0) {
		snprintf(out, room, "unknown:0");
	} else if (sa.ss_family == AF_INET) {
		struct sockaddr_in *in = (struct sockaddr_in *)&sa;

		inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
		snprintf(out, room, "%s:%d", host, ntohs(in->sin_port));
	} else if (sa.ss_family == AF_INET6) {
		struct sockaddr_in6 *in = (struct sockaddr_in6 *)&sa;

		inet_ntop(AF_INET6, &in->sin6_addr, host, sizeof(host));
		snprintf(out, room, "[%s]:%d", host, ntohs(in->sin6_port));
	} else if (sa.ss_family != AF_UNIX) {
		snprintf(out, room, "unknown:0");
	} else {
		struct sockaddr_un *un = (struct sockaddr_un *)&sa;

		snprintf(out, room, "%s",
		    len > offsetof(struct sockaddr_un, sun_path) ?
			un->sun_path :
			"");
	}
}
