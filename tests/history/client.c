/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * client.c - connections that put down all they send and receive.
 */
#include "config.h"

#include "client.h"

#include "value.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { READ_BYTES = 65536, DESCRIBED = 8192, MS = 1000000 };

/* As in check: nothing that works is so late. */
static const uint64_t hang = (uint64_t)20000 * MS;

uint64_t
client_time(struct client_set *s)
{
	struct timespec t;
	uint64_t now;

	clock_gettime(CLOCK_MONOTONIC, &t);
	now = (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
	s->last_time = now > s->last_time ? now : s->last_time + 1;
	return s->last_time;
}

static void
die(const char *what)
{
	perror(what);
	exit(2);
}

/* ---- connections --------------------------------------------------------- */

static void
open_one(struct client *c)
{
	size_t which = (size_t)(c - c->set->client) % c->set->nports;
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)c->set->port[which]),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int on = 1;

	c->fd = socket(AF_INET, SOCK_STREAM, 0);
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&a, sizeof(a)) != 0)
		die("drive: connect");
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (fcntl(c->fd, F_SETFL, O_NONBLOCK) != 0)
		die("drive: fcntl");
	c->number = ++c->set->next_number;
	c->shut = false;
	c->out_n = c->in_n = c->npending = 0;
}

void
clients_open(struct client_set *s, size_t n)
{
	s->n = n;
	s->client = calloc(n, sizeof(*s->client));
	if (s->client == NULL)
		abort();
	for (size_t i = 0; i < n; i++) {
		s->client[i].set = s;
		open_one(&s->client[i]);
	}
}

void
clients_close(struct client_set *s)
{
	for (size_t i = 0; i < s->n; i++) {
		close(s->client[i].fd);
		free(s->client[i].in);
		free(s->client[i].out);
	}
	free(s->client);
}

void
client_leave(struct client *c, enum leaving how)
{
	struct linger hard = { 1, 0 };

	fprintf(c->set->record, "x %" PRIu64 " %u\n", client_time(c->set),
	    c->number);
	if (how == LEAVE_SHUT) {
		shutdown(c->fd, SHUT_WR);
		c->shut = true;
		return;
	}
	if (how == LEAVE_RESET)
		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	close(c->fd);
	open_one(c);
}

bool
client_can_ask(const struct client *c)
{
	return !c->shut && c->npending < MAX_PENDING;
}

bool
clients_idle(const struct client_set *s)
{
	for (size_t i = 0; i < s->n; i++) {
		if (s->client[i].npending > 0 || s->client[i].shut)
			return false;
	}
	return true;
}

/* ---- requests ------------------------------------------------------------ */

static void
append(char **buffer, size_t *n, size_t *room, const char *p, size_t more)
{
	if (*n + more > *room) {
		*room = 2 * (*n + more);
		*buffer = realloc(*buffer, *room);
		if (*buffer == NULL)
			abort();
	}
	memcpy(*buffer + *n, p, more);
	*n += more;
}

__attribute__((format(printf, 3, 0))) static struct pending *
ask(struct client *c, enum shape shape, const char *format, va_list args)
{
	struct client_set *s = c->set;
	struct pending *p;
	char line[LINE_BYTES];
	int n = vsnprintf(line, sizeof(line), format, args);

	p = &c->pending[(c->first + c->npending++) % MAX_PENDING];
	*p = (struct pending){ .id = s->next_id++,
		.shape = shape,
		.sent = client_time(s) };
	/* Every meta reply bears the number of its request. */
	if (shape == SHAPE_META)
		n += snprintf(line + n, sizeof(line) - (size_t)n, " O%" PRIu64,
		    p->id);
	fprintf(s->record, "> %" PRIu64 " %u %" PRIu64 " %s", p->sent,
	    c->number, p->id, line);
	append(&c->out, &c->out_n, &c->out_room, line, (size_t)n);
	append(&c->out, &c->out_n, &c->out_room, "\r\n", 2);
	return p;
}

struct pending *
client_ask(struct client *c, enum shape shape, const char *format, ...)
{
	struct pending *p;
	va_list args;

	va_start(args, format);
	p = ask(c, shape, format, args);
	va_end(args);
	putc('\n', c->set->record);
	return p;
}

struct pending *
client_store(struct client *c, enum shape shape, const char *data, size_t n,
    const char *format, ...)
{
	char described[DESCRIBED];
	struct pending *p;
	va_list args;

	va_start(args, format);
	p = ask(c, shape, format, args);
	va_end(args);
	value_describe(data, n, described, sizeof(described));
	fprintf(c->set->record, " | %s\n", described);
	append(&c->out, &c->out_n, &c->out_room, data, n);
	append(&c->out, &c->out_n, &c->out_room, "\r\n", 2);
	return p;
}

/* ---- replies ------------------------------------------------------------- */

static void
wrong(struct client *c, const char *what, const char *p, size_t n)
{
	struct client_set *s = c->set;

	fprintf(s->record, "? %" PRIu64 " %u %s ", client_time(s), c->number,
	    what);
	for (size_t i = 0; i < n && i < 160; i++) {
		if (p[i] >= ' ' && p[i] < 127)
			putc(p[i], s->record);
		else
			fprintf(s->record, "\\x%02x", (unsigned char)p[i]);
	}
	putc('\n', s->record);
	s->broken = true;
}

/* The length of the value that a line announces; 0 is also for none. */
static bool
announces(const char *line, bool meta, size_t *n)
{
	unsigned long long flags, size;

	*n = 0;
	if (meta)
		return sscanf(line, "VA %zu", n) == 1;
	if (sscanf(line, "VALUE %*s %llu %llu", &flags, &size) != 2 &&
	    sscanf(line, "LVALUE %*s %*u %llu %llu", &flags, &size) != 2)
		return false;
	*n = (size_t)size;
	return true;
}

static void
put_down(struct client *c, const struct pending *p, const char *line,
    const char *data, size_t n)
{
	FILE *f = c->set->record;
	char described[DESCRIBED];

	fprintf(f, "< %" PRIu64 " %u %" PRIu64 " %s", client_time(c->set),
	    c->number, p->id, line);
	if (data != NULL) {
		value_describe(data, n, described, sizeof(described));
		fprintf(f, " | %s", described);
	} else if (p->shape == SHAPE_LINE && *line >= '0' && *line <= '9') {
		fprintf(f, " | #%s", line);
	}
	putc('\n', f);
}

/* What was won: by a flag; by LVALUE; under lease mode, by gets of nothing. */
static void
read_flags(struct reply *r)
{
	const char *c = strstr(r->line, " c");

	if (strncmp(r->line, "LVALUE ", 7) == 0) {
		if (sscanf(r->line, "%*s %*s %" SCNu64, &r->token) == 1)
			r->won = r->token > 1;
		return;
	}
	if (strncmp(r->line, "VALUE ", 6) == 0) {
		if (sscanf(r->line, "%*s %*s %*u 0 %" SCNu64, &r->token) == 1)
			r->won = r->token > 1;
		return;
	}
	r->won = strstr(r->line, " W") != NULL;
	if (r->won && c != NULL)
		r->token = strtoull(c + 2, NULL, 10);
}

static void
answered(struct client *c, const struct reply *r)
{
	struct pending p = c->pending[c->first % MAX_PENDING];

	c->first++;
	c->npending--;
	c->set->replied(c->set->arg, c, &p, r);
}

/* Takes one line, and the value behind it; how many bytes, or 0 when they are
   not all there yet. */
static size_t
take_line(struct client *c, const char *in, size_t n)
{
	const char *end = memchr(in, '\n', n);
	struct pending *p = &c->pending[c->first % MAX_PENDING];
	struct reply r = { .line = "" };
	size_t line, size;
	bool value;

	if (end == NULL)
		return 0;
	line = (size_t)(end - in) + 1;
	if (line < 2 || line >= sizeof(r.line) || in[line - 2] != '\r' ||
	    c->npending == 0) {
		wrong(c, "unasked", in, n);
		return n;
	}
	memcpy(r.line, in, line - 2);
	value = p->shape != SHAPE_LINE &&
	    announces(r.line, p->shape == SHAPE_META, &size);
	if (value && n < line + size + 2)
		return 0;
	if (value && memcmp(in + line + size, "\r\n", 2) != 0) {
		wrong(c, "no end of data", in, n);
		return n;
	}
	put_down(c, p, r.line, value ? in + line : NULL, size);
	read_flags(&r);
	p->shows = p->shows || (value && size > 0);
	if (p->shape != SHAPE_VALUES || !value)
		answered(c, &r);
	else if (r.won) /* its END is still to come */
		c->set->replied(c->set->arg, c, p, &r);
	return line + (value ? size + 2 : 0);
}

static void
take_replies(struct client *c)
{
	size_t used = 0, n;
	unsigned number = c->number;

	while (used < c->in_n) {
		n = take_line(c, c->in + used, c->in_n - used);
		if (n == 0)
			break;
		used += n;
		/* It may have left in the meantime, and be another now. */
		if (c->number != number)
			return;
	}
	memmove(c->in, c->in + used, c->in_n - used);
	c->in_n -= used;
}

/* ---- the loop ------------------------------------------------------------ */

static void
send_some(struct client *c)
{
	ssize_t n = send(c->fd, c->out, c->out_n, MSG_NOSIGNAL);

	if (n <= 0)
		return;
	memmove(c->out, c->out + n, c->out_n - (size_t)n);
	c->out_n -= (size_t)n;
}

static void
receive_some(struct client *c)
{
	static char bytes[READ_BYTES];
	ssize_t n = recv(c->fd, bytes, sizeof(bytes), 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0) {
		append(&c->in, &c->in_n, &c->in_room, bytes, (size_t)n);
		take_replies(c);
		return;
	}
	if (!c->shut || c->npending > 0) {
		wrong(c, n == 0 ? "end" : strerror(errno), "", 0);
		c->npending = 0;
	}
	close(c->fd);
	open_one(c);
}

static void
look_for_hung(struct client *c, uint64_t now)
{
	const struct pending *p = &c->pending[c->first % MAX_PENDING];

	if (c->npending == 0 || now < p->sent + p->wait * MS + hang)
		return;
	fprintf(c->set->record, "h %" PRIu64 " %u %" PRIu64 "\n",
	    client_time(c->set), c->number, p->id);
	c->set->broken = true;
}

void
clients_turn(struct client_set *s, int wait)
{
	static struct pollfd *fds;
	uint64_t now = client_time(s);

	fds = realloc(fds, s->n * sizeof(*fds));
	if (fds == NULL)
		abort();
	for (size_t i = 0; i < s->n; i++) {
		struct client *c = &s->client[i];

		if (c->out_n > 0)
			send_some(c);
		look_for_hung(c, now);
		fds[i] = (struct pollfd){ .fd = c->fd,
			.events = (short)(POLLIN |
			    (c->out_n > 0 ? POLLOUT : 0)) };
	}
	/* Whoever reads the record has seen enough. */
	if (ferror(s->record))
		s->broken = true;
	if (poll(fds, s->n, wait) < 0 && errno != EINTR)
		die("drive: poll");
	for (size_t i = 0; i < s->n; i++) {
		if (fds[i].revents & ~POLLOUT && fds[i].fd == s->client[i].fd)
			receive_some(&s->client[i]);
	}
}
