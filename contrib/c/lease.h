/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lease.h - leases of leasecached, beside libmemcached.
 *
 * A miss makes one caller of all the loader; the others wait for its value, or
 * take over when it fails.  A value that was computed before an invalidation is
 * not stored after it.
 *
 *	lease_t l;
 *	size_t n;
 *	char *v = lease_fetch(memc, "user:42", 7, 500, &l, &n);
 *
 *	if (v == NULL && l.won) {
 *		v = load_user(42, &n, &version);
 *		lease_store(memc, &l, v, n, 300, version, "users,team9");
 *	} else if (v == NULL && !l.absent) {
 *		v = load_user(42, &n, NULL);	// waited in vain: not stored
 *	}
 *	free(v);
 *
 * Who wins must end it: lease_store(), or lease_give_up() when the source has
 * failed.  Otherwise the others wait until the lease has run out.
 *
 * The server of a key is the one that libmemcached would use, with the name
 * space (MEMCACHED_CALLBACK_NAMESPACE) of the memcached_st.  Requests go over
 * sockets of their own, one per server and thread, made when needed and again
 * when lost.  Limits are those of the memcached_st: it connects within
 * MEMCACHED_BEHAVIOR_CONNECT_TIMEOUT ms, and waits for a reply for
 * MEMCACHED_BEHAVIOR_POLL_TIMEOUT ms (and for what lease_fetch() shall wait on
 * top); a server that could not be reached is left alone for a second.  Looking
 * up a host name may take longer.
 *
 * With a server that knows no leases (memcached, a proxy), lease_fetch() and
 * lease_store() are get and set through libmemcached, every miss wins, and
 * lease_invalidate() is delete.  It is asked again each minute.
 *
 * Threads: each with a memcached_st of its own, as libmemcached wants it; a
 * lease may be stored by another thread than the one that won it.  After fork()
 * the child makes its own sockets.  A thread that ends closes its sockets, and
 * with it ends the leases that it holds.
 *
 * Build lease.c and lease_conn.c with it; link with -lmemcached -pthread.
 */
#ifndef CONTRIB_C_LEASE_H
#define CONTRIB_C_LEASE_H

#include <libmemcached/memcached.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { LEASE_KEY_MAX = 250 };

enum lease_result {
	LEASE_OK,
	LEASE_REFUSED,     /* not stored: invalidated or stored meanwhile */
	LEASE_UNSUPPORTED, /* this server knows no leases */
	LEASE_INVALID,     /* an argument was wrong */
	LEASE_FAILED       /* no connection, no reply in time, or an error */
};

/* All members are set by lease_fetch(); nothing in it has to be freed. */
typedef struct lease {
	enum lease_result result; /* OK, INVALID or FAILED */
	bool won;                 /* to be loaded and stored by this caller */
	bool stale;               /* the value is old, somebody loads it anew */
	bool absent;              /* known not to exist: nothing to load */
	uint64_t version;         /* of the value, or the least that is valid;
	                             0: none */
	unsigned retry_ms;        /* > 0: the source is being spared, better
	                             come back in so many ms than load */

	/* For lease_store(): may be changed before it. */
	uint32_t flags;   /* client flags: those of the value, or 0 */
	unsigned grace_s; /* seconds to stay readable as stale after the ttl;
	                     0 at first */

	/* Of lease.c alone. */
	uint64_t token;
	const void *holder;
	size_t key_length;
	char key[LEASE_KEY_MAX];
} lease_t;

/*
 * The value of a key, for the caller to free(), with a 0 byte behind its *n
 * bytes; or NULL, and *lease tells what to do: load and store (won), load
 * without storing, or neither (absent, retry_ms).
 *
 * Waits for at most wait_ms milliseconds while somebody else loads it.  It does
 * not wait when this thread holds a lease, since two that wait for each other
 * would wait in vain; so fetch all keys first, then store those won, then fetch
 * the others again.
 *
 * A stale value comes only to those who have not won: the winner gets NULL.
 */
char *lease_fetch(memcached_st *memc, const char *key, size_t key_length,
    unsigned wait_ms, lease_t *lease, size_t *n);

/*
 * Ends a lease that was won with its value of n bytes; a NULL value says that
 * there is none at the source either.  The value stays the caller's.
 *
 * ttl:	seconds as in memcached; 0: no end.  version: the number of the row or
 * event that it came from; 0: none.  tags: 1 to 8 with commas between, or NULL.
 *
 * When it is refused, the value is still right to use but must not be stored in
 * any other way; do not try again.  The lease has ended whatever the result is.
 */
enum lease_result lease_store(memcached_st *memc, lease_t *lease,
    const void *value, size_t n, time_t ttl, uint64_t version,
    const char *tags);

/*
 * Ends a lease without a value.  The one who has waited longest is next; with a
 * backoff_ms above 0 nobody is, for so many milliseconds.
 */
enum lease_result lease_give_up(memcached_st *memc, lease_t *lease,
    unsigned backoff_ms);

/*
 * To be called when the source has changed, after its commit: drops the value,
 * and whatever is being loaded is not stored.  With a version above 0, what has
 * this version or a newer one stays, and nothing older is stored for a while.
 * When it fails, it must be repeated, or the old value may live until its ttl.
 */
enum lease_result lease_invalidate(memcached_st *memc, const char *key,
    size_t key_length, uint64_t version);

/*
 * Drops everything that was stored with this tag, on all servers.  Tags are not
 * subject to the name space.  The result is that of the server where it went
 * worst.
 */
enum lease_result lease_invalidate_tag(memcached_st *memc, const char *tag,
    size_t tag_length);

/*
 * How long leases last that this thread wins from now on, in milliseconds; the
 * server may set a lower limit.  10,000 unless told.
 */
void lease_hold(unsigned ms);

/* Closes the sockets of this thread. */
void lease_disconnect(void);

#ifdef __cplusplus
}
#endif

#endif
