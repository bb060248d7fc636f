/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lease_config.h - limits and rules of leases, versions and tags.
 *
 * Set at start from the options, then read only.
 *
 * Layer: cache.
 */
#ifndef CACHE_LEASE_CONFIG_H
#define CACHE_LEASE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A rule of -o coalesce=: for clients that know nothing of leases. */
struct coalesce_rule {
	const char *prefix; /* "*" when it is for every key */
	size_t len;         /* 0: every key */
	uint32_t wait_ms;   /* how long the others wait for the first */
	uint32_t lease_ms;  /* how long the first may take */
	uint32_t stale; /* seconds an expired value is still shown; 0 none */
	bool guard;     /* a store of one who missed is judged as a fill */
};

/* Faults for tests of the tests; see -o debug_fault. */
enum lease_fault {
	FAULT_NONE,
	FAULT_SKIP_F2,
	FAULT_SKIP_F3,
	FAULT_SKIP_F4,
	FAULT_SKIP_F5,
	FAULT_SKIP_HAND_OVER,
	FAULT_DEAD_TAG,
	FAULT_KEEP_TOKENS,
	FAULT_NO_FLOOR,
};

/* What clients of a listening socket are taken for; see -l mode[...]. */
enum listen_mode {
	LISTEN_PLAIN,
	LISTEN_LEASE, /* gets and cas of classic clients take and fill leases */
	LISTEN_PROXY, /* many clients share a connection: nobody waits on it */
};

struct lease_config {
	uint32_t clock_slots; /* key clocks: a power of two, at least 2^16 */
	uint32_t tag_slots;   /* tag clocks: the same */
	uint32_t tombstones;  /* records */
	uint32_t lease_default, lease_max;     /* ms */
	uint32_t token_max;                    /* s */
	uint32_t tombstone_ttl, tombstone_max; /* s */
	uint32_t leases;                       /* records at most */
	uint32_t waiters;                      /* parked requests at most */
	uint32_t waiters_per_key, waiters_per_address; /* 0: no own limit */
	bool lax_sets;              /* stores without a version pass a floor */
	bool visible_stubs;         /* a lease shows as an empty item */
	char tag_prefix;            /* 0: keys carry no tag */
	const char *tag_key_prefix; /* keys that name a tag to delete; NULL */
	const struct coalesce_rule *rule; /* longest prefix first */
	unsigned rules;
	enum lease_fault fault;
};

#endif
