/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * option_lease.c - the options of leases, versions and tags.
 *
 * A rule of -o coalesce= is several words of the list of -o: those that may
 * follow its prefix are known here.  A field that is 0 was not given until
 * option_settle_leases() puts a default there.
 */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "option_parse.h"

enum {
	KEY_MAX = 250,
	SLOTS_MIN = 1 << 16,
	SLOTS_MAX = 1 << 20,
	TOMBSTONES_MIN = 1 << 12,
	TOMBSTONES_MAX = 1 << 20,
	LEASES_MIN = 1 << 17,
	LEASES_MAX = 1 << 24,
	TOMBSTONE_TTL = 60,    /* s */
	LEASE_DEFAULT = 10000, /* ms */
	LEASE_MAX = 3600000,   /* ms */
	RULE_WAIT = 500,       /* ms */
	RULE_LEASE = 2000,     /* ms */
	STALE_MAX = 2592000,   /* s */
};

/* ---- Rules --------------------------------------------------------------- */

struct rule_word {
	const char *name;
	size_t offset; /* of a uint32_t in struct coalesce_rule */
	long min, max; /* both 0: takes no value */
};

static const struct rule_word *
find_rule_word(const char *word)
{
	static const struct rule_word words[] = {
		{ "wait", offsetof(struct coalesce_rule, wait_ms), 0,
		    INT32_MAX },
		{ "lease", offsetof(struct coalesce_rule, lease_ms), 1,
		    LEASE_MAX },
		{ "stale", offsetof(struct coalesce_rule, stale), 0,
		    STALE_MAX },
		{ .name = "guard" },
	};
	size_t n = strcspn(word, "=");

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strlen(words[i].name) == n &&
		    strncmp(words[i].name, word, n) == 0)
			return &words[i];
	}
	return NULL;
}

bool
option_is_rule_word(const char *word)
{
	return find_rule_word(word) != NULL;
}

bool
option_rule_word(struct option_parse *p, const char *word)
{
	struct coalesce_rule *rule = &p->o->coalesce[p->o->lease.rules - 1];
	const struct rule_word *w = find_rule_word(word);
	const char *value = strchr(word, '=');

	if (w->max == 0) {
		if (value != NULL)
			return option_fail(p, OPTION_EXIT_BAD,
			    "leasecached: option -o coalesce: %s takes no "
			    "value",
			    w->name);
		rule->guard = true;
		return true;
	}
	value = value == NULL ? "" : value + 1;
	if (option_read_u32(value, w->min, w->max,
		(uint32_t *)(void *)((char *)rule + w->offset)))
		return true;
	return option_fail(p, OPTION_EXIT_BAD,
	    "leasecached: option -o coalesce: %s needs a number from %ld to "
	    "%ld, not '%s'",
	    w->name, w->min, w->max, value);
}

bool
option_rule(struct option_parse *p, const char *prefix)
{
	struct options *o = p->o;
	struct coalesce_rule *grown;
	size_t len = strlen(prefix);

	if (len == 0 || len > KEY_MAX || !option_fits_key(prefix))
		return option_fail(p, OPTION_EXIT_BAD,
		    "leasecached: option -o coalesce needs 1 to %d bytes that "
		    "can be in a key",
		    KEY_MAX);
	grown = reallocarray(o->coalesce, o->lease.rules + 1, sizeof(*grown));
	if (grown == NULL)
		return option_fail_memory(p);
	o->coalesce = grown;
	grown += o->lease.rules;
	*grown = (struct coalesce_rule){
		.prefix = strdup(prefix),
		.len = strcmp(prefix, "*") == 0 ? 0 : len,
		.wait_ms = RULE_WAIT,
	};
	if (grown->prefix == NULL)
		return option_fail_memory(p);
	o->lease.rules++;
	p->in_rule = true;
	return true;
}

/* Longest prefix first, then by name, so that equal ones are neighbours. */
static int
compare_rules(const void *a, const void *b)
{
	const struct coalesce_rule *x = a, *y = b;

	if (x->len != y->len)
		return x->len > y->len ? -1 : 1;
	return strcmp(x->prefix, y->prefix);
}

static bool
settle_rules(struct option_parse *p)
{
	struct lease_config *l = &p->o->lease;
	struct coalesce_rule *rule = p->o->coalesce;

	if (l->rules == 0)
		return true;
	qsort(rule, l->rules, sizeof(*rule), compare_rules);
	for (unsigned i = 0; i < l->rules; i++) {
		if (rule[i].lease_ms == 0)
			rule[i].lease_ms = RULE_LEASE < l->lease_max ?
			    RULE_LEASE :
			    l->lease_max;
		if (rule[i].lease_ms > l->lease_max)
			return option_fail(p, OPTION_EXIT_BAD,
			    "leasecached: option -o coalesce=%s: lease=%u is "
			    "more than lease_max, %u",
			    rule[i].prefix, rule[i].lease_ms, l->lease_max);
		if (i > 0 && compare_rules(&rule[i - 1], &rule[i]) == 0)
			return option_fail(p, OPTION_EXIT_BAD,
			    "leasecached: option -o coalesce=%s: there are two "
			    "rules for this prefix",
			    rule[i].prefix);
	}
	l->rule = rule;
	return true;
}

/* ---- Faults -------------------------------------------------------------- */

bool
option_fault(struct option_parse *p, const char *name)
{
	static const char *const names[] = {
		[FAULT_SKIP_F2] = "skip_f2",
		[FAULT_SKIP_F3] = "skip_f3",
		[FAULT_SKIP_F4] = "skip_f4",
		[FAULT_SKIP_F5] = "skip_f5",
		[FAULT_SKIP_HAND_OVER] = "skip_hand_over",
		[FAULT_DEAD_TAG] = "dead_tag",
		[FAULT_KEEP_TOKENS] = "keep_tokens",
		[FAULT_NO_FLOOR] = "no_floor",
	};

	for (size_t i = FAULT_NONE + 1; i < sizeof(names) / sizeof(*names); i++)
		if (strcmp(name, names[i]) == 0) {
			p->o->lease.fault = (enum lease_fault)i;
			return true;
		}
	return option_fail(p, OPTION_EXIT_BAD,
	    "leasecached: option -o debug_fault: there is no fault '%s'", name);
}

/* ---- When all is read ---------------------------------------------------- */

/* One per KiB of memory, rounded up to a power of two. */
static uint32_t
default_slots(const struct options *o)
{
	uint32_t n = SLOTS_MIN;

	while (n < SLOTS_MAX && n < o->memory_limit / 1024)
		n *= 2;
	return n;
}

static uint32_t
between(size_t n, uint32_t min, uint32_t max)
{
	if (n < min)
		return min;
	return n < max ? (uint32_t)n : max;
}

/*
 * Gives a field that was not given its usual value, or that of its limit if
 * that is less; false when what was given is above the limit.
 */
static bool
settle_below(struct option_parse *p, uint32_t *field, uint32_t usual,
    uint32_t limit, const char *names)
{
	if (*field == 0)
		*field = usual < limit ? usual : limit;
	if (*field <= limit)
		return true;
	return option_fail(p, OPTION_EXIT_BAD, "leasecached: option -o %s, %u",
	    names, limit);
}

bool
option_settle_leases(struct option_parse *p)
{
	struct options *o = p->o;
	struct lease_config *l = &o->lease;

	if (l->clock_slots == 0)
		l->clock_slots = default_slots(o);
	if (l->tag_slots == 0)
		l->tag_slots = default_slots(o);
	if (l->tombstones == 0)
		l->tombstones = between(o->memory_limit / 1024, TOMBSTONES_MIN,
		    TOMBSTONES_MAX);
	if (l->leases == 0)
		l->leases = between(o->memory_limit / 512, LEASES_MIN,
		    LEASES_MAX);
	if (!settle_below(p, &l->lease_default, LEASE_DEFAULT, l->lease_max,
		"lease_default is more than lease_max") ||
	    !settle_below(p, &l->tombstone_ttl, TOMBSTONE_TTL, l->tombstone_max,
		"tombstone_ttl is more than tombstone_max"))
		return false;
	if ((uint64_t)l->token_max * 1000 < l->lease_max)
		return option_fail(p, OPTION_EXIT_BAD,
		    "leasecached: option -o token_max: %u s are less than "
		    "lease_max, %u ms",
		    l->token_max, l->lease_max);
	l->tag_key_prefix = o->tag_key_prefix;
	return settle_rules(p);
}
