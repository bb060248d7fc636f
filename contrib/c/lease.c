/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lease.c - leases of leasecached, beside libmemcached.
 *
 * libmemcached tells where a key lives, and does get, set and delete with
 * servers that know no leases.  All else goes over sockets of our own
 * (lease_conn.h): meta commands are beyond its parser, and a request that waits
 * would hold up the others.
 */
#include "lease.h"

#include "lease_conn.h"

#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
	HOLD_MS = 10000, /* lease_hold() */
	TAG_BYTES = 64,
	TAGS_BYTES = 8 * TAG_BYTES + 7,
	VALUE_MAX = INT_MAX
};

struct thread {
	struct lease_conn *conns;
	pid_t pid;
	unsigned hold_ms;

	/* Leases held; those forgotten count until they have run out. */
	unsigned held;
	long long held_until;
};

/* ---- the thread ---------------------------------------------------------- */

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t this_thread;

static void
end_thread(void *arg)
{
	struct thread *t = arg;

	lease_conn_free_all(&t->conns);
	free(t);
}

static void
make_key(void)
{
	if (pthread_key_create(&this_thread, end_thread) != 0)
		abort();
}

/* NULL when memory has run out. */
static struct thread *
get_thread(void)
{
	struct thread *t;

	pthread_once(&once, make_key);
	t = pthread_getspecific(this_thread);
	if (t == NULL) {
		t = calloc(1, sizeof(*t));
		if (t == NULL || pthread_setspecific(this_thread, t) != 0) {
			free(t);
			return NULL;
		}
		t->hold_ms = HOLD_MS;
		t->pid = getpid();
	}
	/* The sockets of the parent, and its leases, are the parent's. */
	if (t->pid != getpid()) {
		lease_conn_free_all(&t->conns);
		t->held = 0;
		t->pid = getpid();
	}
	return t;
}

static bool
holds_a_lease(struct thread *t)
{
	if (t->held > 0 && lease_now_ms() >= t->held_until)
		t->held = 0;
	return t->held > 0;
}

static void
begin_lease(struct thread *t, lease_t *lease)
{
	long long until = lease_now_ms() + t->hold_ms;

	lease->won = true;
	lease->holder = t;
	if (!holds_a_lease(t) || until > t->held_until)
		t->held_until = until;
	t->held++;
}

static void
end_lease(struct thread *t, lease_t *lease)
{
	lease->won = false;
	if (lease->holder == t && t->held > 0)
		t->held--;
}

/* ---- requests ------------------------------------------------------------ */

static bool
is_plain_text(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)s[i] <= ' ' || s[i] == 0x7f)
			return false;
	return n > 0;
}

static void
add(struct lease_request *r, const char *s, size_t n)
{
	memcpy(r->text + r->length, s, n);
	r->length += n;
}

/* Adds flag and number, or the flag alone for 0. */
static void
add_flag(struct lease_request *r, char flag, uint64_t n)
{
	int length = snprintf(r->text + r->length, 24,
	    n > 0 ? " %c%" PRIu64 : " %c", flag, n);

	r->length += (size_t)length;
}

/* Begins a request with verb and key; false when the key is not one. */
static bool
begin(struct lease_request *r, memcached_st *memc, const char *verb,
    const char *key, size_t key_length)
{
	memcached_return_t rc;
	const char *space = memcached_callback_get(memc,
	    MEMCACHED_CALLBACK_NAMESPACE, &rc);
	size_t space_length = space != NULL ? strlen(space) : 0;

	memset(r, 0, sizeof(*r));
	if (key_length + space_length > LEASE_KEY_MAX ||
	    !is_plain_text(key, key_length))
		return false;
	add(r, verb, strlen(verb));
	add(r, " ", 1);
	if (space_length > 0)
		add(r, space, space_length);
	add(r, key, key_length);
	return true;
}

/* The connection to the server of a key; NULL when there is none. */
static struct lease_conn *
conn_of(memcached_st *memc, struct thread *t, const char *key, size_t length)
{
	memcached_return_t rc;
	const memcached_instance_st *server;

	if (t == NULL || memcached_server_count(memc) == 0)
		return NULL;
	server = memcached_server_by_key(memc, key, length, &rc);
	return server != NULL ? lease_conn_find(&t->conns, server) : NULL;
}

/* Sends a request that ends its line here. */
static enum lease_reply
ask(memcached_st *memc, struct lease_conn *c, struct lease_request *r)
{
	add(r, "\r\n", 2);
	return c != NULL ? lease_conn_ask(memc, c, r) : LEASE_REPLY_LOST;
}

static bool
line_is(const struct lease_conn *c, const char *code)
{
	return strncmp(c->line, code, 2) == 0 &&
	    (c->line[2] == '\0' || c->line[2] == ' ');
}

/* ---- with a server that knows no leases ---------------------------------- */

static char *
plain_fetch(memcached_st *memc, lease_t *lease, size_t *n)
{
	memcached_return_t rc;
	char *got = memcached_get(memc, lease->key, lease->key_length, n,
	    &lease->flags, &rc);
	char *value = NULL;

	if (rc == MEMCACHED_NOTFOUND) {
		lease->won = true;
	} else if (rc != MEMCACHED_SUCCESS) {
		lease->result = LEASE_FAILED;
	} else {
		/* libmemcached has its own allocator, and NULL for 0 bytes. */
		value = malloc(*n + 1);
		if (value != NULL) {
			if (*n > 0)
				memcpy(value, got, *n);
			value[*n] = '\0';
		} else {
			lease->result = LEASE_FAILED;
		}
	}
	free(got);
	if (value == NULL)
		*n = 0;
	return value;
}

static enum lease_result
plain_store(memcached_st *memc, const lease_t *lease, const void *value,
    size_t n, time_t ttl)
{
	memcached_return_t rc;

	if (value == NULL)
		return LEASE_OK;
	rc = memcached_set(memc, lease->key, lease->key_length, value, n, ttl,
	    lease->flags);
	return memcached_success(rc) ? LEASE_OK : LEASE_FAILED;
}

/* ---- lease_fetch --------------------------------------------------------- */

struct answer {
	uint64_t cas;
	bool won, stale, absent;
};

/* Takes the flags of a reply apart. */
static struct answer
read_flags(const char *flags, lease_t *lease)
{
	struct answer a = { 0 };

	while (*flags == ' ') {
		uint64_t n = strtoull(flags[1] != '\0' ? flags + 2 : "", NULL,
		    10);

		switch (flags[1]) {
		case 'c':
			a.cas = n;
			break;
		case 'f':
			lease->flags = (uint32_t)n;
			break;
		case 'V':
			lease->version = n;
			break;
		case 'd':
			lease->retry_ms = (unsigned)n;
			break;
		case 'W':
			a.won = true;
			break;
		case 'X':
			a.stale = true;
			break;
		case 'z':
			a.absent = true;
			break;
		}
		flags++;
		flags += strcspn(flags, " ");
	}
	return a;
}

/* The value of a reply, if it is one for the caller. */
static char *
read_answer(memcached_st *memc, struct lease_conn *c, struct thread *t,
    lease_t *lease, size_t *n)
{
	unsigned long long bytes = ULLONG_MAX;
	struct answer a;
	char *flags, *value;

	if (line_is(c, "EN"))
		return NULL;
	if (line_is(c, "VA"))
		bytes = strtoull(c->line + 2, &flags, 10);
	if (bytes > VALUE_MAX) {
		lease_conn_close(c);
		lease->result = LEASE_FAILED;
		return NULL;
	}
	a = read_flags(flags, lease);
	value = lease_conn_value(memc, c, (size_t)bytes);
	if (value == NULL) {
		lease->result = LEASE_FAILED;
		return NULL;
	}
	lease->absent = a.absent;
	if (a.won) {
		lease->token = a.cas;
		lease->flags = 0;
		begin_lease(t, lease);
	}
	/* A value that is there has a CAS number, also while others load. */
	if (a.won || a.absent || a.cas == 0) {
		free(value);
		return NULL;
	}
	lease->stale = a.stale;
	*n = (size_t)bytes;
	return value;
}

char *
lease_fetch(memcached_st *memc, const char *key, size_t key_length,
    unsigned wait_ms, lease_t *lease, size_t *n)
{
	struct thread *t = get_thread();
	struct lease_request r;
	struct lease_conn *c;

	memset(lease, 0, sizeof(*lease));
	*n = 0;
	if (!begin(&r, memc, "mg", key, key_length)) {
		lease->result = LEASE_INVALID;
		return NULL;
	}
	memcpy(lease->key, key, key_length);
	lease->key_length = key_length;
	c = conn_of(memc, t, key, key_length);
	add(&r, " v c f V", 8);
	add_flag(&r, 'n', t != NULL ? t->hold_ms : HOLD_MS);
	if (wait_ms > INT_MAX)
		wait_ms = INT_MAX;
	if (wait_ms > 0 && t != NULL && !holds_a_lease(t)) {
		add_flag(&r, 'w', wait_ms);
		r.wait_ms = wait_ms;
	}
	switch (ask(memc, c, &r)) {
	case LEASE_REPLY_LINE:
		return read_answer(memc, c, t, lease, n);
	case LEASE_REPLY_PLAIN:
		return plain_fetch(memc, lease, n);
	case LEASE_REPLY_LOST:
		break;
	}
	lease->result = LEASE_FAILED;
	return NULL;
}

/* ---- the end of a lease -------------------------------------------------- */

enum lease_result
lease_give_up(memcached_st *memc, lease_t *lease, unsigned backoff_ms)
{
	struct thread *t = get_thread();
	struct lease_request r;
	struct lease_conn *c;

	if (!lease->won)
		return LEASE_INVALID;
	if (t != NULL)
		end_lease(t, lease);
	if (lease->token == 0)
		return LEASE_OK;
	if (!begin(&r, memc, "md", lease->key, lease->key_length))
		return LEASE_INVALID;
	c = conn_of(memc, t, lease->key, lease->key_length);
	add_flag(&r, 'C', lease->token);
	add(&r, " U", 2);
	if (backoff_ms > 0)
		add_flag(&r, 'd', backoff_ms > INT_MAX ? INT_MAX : backoff_ms);
	switch (ask(memc, c, &r)) {
	case LEASE_REPLY_LINE:
		/* NF, EX: it had ended before. */
		return line_is(c, "HD") || line_is(c, "NF") ||
			line_is(c, "EX") ?
		    LEASE_OK :
		    LEASE_FAILED;
	case LEASE_REPLY_PLAIN:
		return LEASE_OK;
	case LEASE_REPLY_LOST:
		break;
	}
	return LEASE_FAILED;
}

/* Makes the request of a store; false when an argument is wrong. */
static bool
begin_store(struct lease_request *r, memcached_st *memc, const lease_t *lease,
    size_t n, time_t ttl, uint64_t version, const char *tags)
{
	size_t tags_length = tags != NULL ? strlen(tags) : 0;
	int length;

	if (!begin(r, memc, "ms", lease->key, lease->key_length) ||
	    n > VALUE_MAX || tags_length > 8 * 64 + 7 ||
	    (tags_length > 0 && !is_plain_text(tags, tags_length)))
		return false;
	length = snprintf(r->text + r->length, 64, " %zu T%lld", n,
	    (long long)ttl);
	r->length += (size_t)length;
	add_flag(r, 'C', lease->token);
	if (lease->flags > 0)
		add_flag(r, 'F', lease->flags);
	if (version > 0)
		add_flag(r, 'V', version);
	if (lease->grace_s > 0)
		add_flag(r, 'H', lease->grace_s);
	if (tags_length > 0) {
		add(r, " A", 2);
		add(r, tags, tags_length);
	}
	return true;
}

/* What the server says to a store; a lease that it did not end is ended. */
static enum lease_result
end_store(memcached_st *memc, const struct lease_conn *c, lease_t *lease)
{
	enum lease_result result = LEASE_FAILED;

	if (line_is(c, "HD"))
		return LEASE_OK;
	if (line_is(c, "NS") || line_is(c, "EX") || line_is(c, "NF"))
		return LEASE_REFUSED;
	if (strncmp(c->line, "CLIENT_ERROR", 12) == 0)
		result = LEASE_INVALID;
	lease->won = true;
	lease->holder = NULL;
	lease_give_up(memc, lease, 0);
	return result;
}

enum lease_result
lease_store(memcached_st *memc, lease_t *lease, const void *value, size_t n,
    time_t ttl, uint64_t version, const char *tags)
{
	struct thread *t = get_thread();
	struct lease_request r;
	struct lease_conn *c;

	if (!lease->won)
		return LEASE_INVALID;
	if (value == NULL)
		n = 0;
	if (!begin_store(&r, memc, lease, n, ttl, version, tags)) {
		lease_give_up(memc, lease, 0);
		return LEASE_INVALID;
	}
	if (t != NULL)
		end_lease(t, lease);
	if (value == NULL)
		add(&r, " z", 2);
	r.value = value != NULL ? value : "";
	r.value_length = n;
	r.once = true;
	c = conn_of(memc, t, lease->key, lease->key_length);
	switch (lease->token != 0 || c == NULL ? ask(memc, c, &r) :
						 lease_conn_ready(memc, c)) {
	case LEASE_REPLY_LINE:
		/* Won as any miss, from what is now a server with leases. */
		if (lease->token == 0)
			return LEASE_REFUSED;
		return end_store(memc, c, lease);
	case LEASE_REPLY_PLAIN:
		/* The other way round: no set is as safe as the lease was. */
		if (lease->token != 0)
			return LEASE_REFUSED;
		return plain_store(memc, lease, value, n, ttl);
	case LEASE_REPLY_LOST:
		break;
	}
	return LEASE_FAILED;
}

/* ---- invalidation -------------------------------------------------------- */

enum lease_result
lease_invalidate(memcached_st *memc, const char *key, size_t key_length,
    uint64_t version)
{
	struct thread *t = get_thread();
	struct lease_request r;
	struct lease_conn *c;
	memcached_return_t rc;

	if (!begin(&r, memc, "md", key, key_length))
		return LEASE_INVALID;
	c = conn_of(memc, t, key, key_length);
	if (version > 0)
		add_flag(&r, 'V', version);
	switch (ask(memc, c, &r)) {
	case LEASE_REPLY_LINE:
		return line_is(c, "HD") || line_is(c, "NF") ? LEASE_OK :
							      LEASE_FAILED;
	case LEASE_REPLY_PLAIN:
		rc = memcached_delete(memc, key, key_length, 0);
		return rc == MEMCACHED_SUCCESS || rc == MEMCACHED_NOTFOUND ?
		    LEASE_OK :
		    LEASE_FAILED;
	case LEASE_REPLY_LOST:
		break;
	}
	return LEASE_FAILED;
}

static enum lease_result
invalidate_tag_on(memcached_st *memc, struct lease_conn *c,
    const struct lease_request *r)
{
	switch (c != NULL ? lease_conn_ask(memc, c, r) : LEASE_REPLY_LOST) {
	case LEASE_REPLY_LINE:
		return line_is(c, "HD") ? LEASE_OK : LEASE_FAILED;
	case LEASE_REPLY_PLAIN:
		return LEASE_UNSUPPORTED;
	case LEASE_REPLY_LOST:
		break;
	}
	return LEASE_FAILED;
}

enum lease_result
lease_invalidate_tag(memcached_st *memc, const char *tag, size_t tag_length)
{
	struct thread *t = get_thread();
	enum lease_result worst = LEASE_OK;
	struct lease_request r = { 0 };
	uint32_t servers = memcached_server_count(memc);

	if (tag_length > 64 || !is_plain_text(tag, tag_length) ||
	    memchr(tag, ',', tag_length) != NULL)
		return LEASE_INVALID;
	if (t == NULL || servers == 0)
		return LEASE_FAILED;
	add(&r, "md ", 3);
	add(&r, tag, tag_length);
	add(&r, " A\r\n", 4);
	for (uint32_t i = 0; i < servers; i++) {
		enum lease_result result = invalidate_tag_on(memc,
		    lease_conn_find(&t->conns,
			memcached_server_instance_by_position(memc, i)),
		    &r);

		if (result > worst)
			worst = result;
	}
	return worst;
}

/* ---- what lasts for a thread --------------------------------------------- */

void
lease_hold(unsigned ms)
{
	struct thread *t = get_thread();

	if (t != NULL)
		t->hold_ms = ms < 1 ? 1 : ms > INT_MAX ? INT_MAX : ms;
}

void
lease_disconnect(void)
{
	struct thread *t = get_thread();

	if (t != NULL)
		lease_conn_free_all(&t->conns);
}
