/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * option_listen.c - the addresses of -l.
 *
 * The list is split at commas and semicolons.  One address is
 *
 *	[prefix:]... host | ip | ip:port | ipv6 | [ipv6] | [ipv6]:port | *
 *
 * where a prefix in brackets, as in `mode[lease,wait=500]:`, may have commas.
 * A name is not looked up here: that is for the listener to do.
 */
#include "config.h"

#include "option_parse.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Passes over `word` at the front of *text. */
static bool
skip_word(char **text, const char *word)
{
	size_t n = strlen(word);

	if (strncmp(*text, word, n) != 0)
		return false;
	*text += n;
	return true;
}

/* The same for `word`, anything, `end`; the anything is cut out as *inner. */
static bool
skip_pair(char **text, const char *word, const char *end, char **inner)
{
	char *start = *text;
	char *stop;

	if (!skip_word(&start, word))
		return false;
	stop = strstr(start, end);
	if (stop == NULL)
		return false;
	*stop = '\0';
	*inner = start;
	*text = stop + strlen(end);
	return true;
}

static bool
check_protocol(struct option_parse *p, const char *name)
{
	if (strcmp(name, "ascii") == 0 || strcmp(name, "negotiating") == 0)
		return true;
	if (strcmp(name, "binary") == 0)
		return option_fail(p, OPTION_EXIT_USAGE,
		    "leasecached: option -l proto[binary] is refused: "
		    "the binary protocol is not spoken");
	return option_fail(p, OPTION_EXIT_USAGE,
	    "leasecached: option -l has an unknown protocol: '%s'", name);
}

/* What stands within mode[...]. */
static bool
read_mode(struct option_parse *p, char *text, struct listen_spec *spec)
{
	static const char *const names[] = {
		[LISTEN_PLAIN] = "plain",
		[LISTEN_LEASE] = "lease",
		[LISTEN_PROXY] = "proxy",
	};
	char *wait = strchr(text, ',');
	unsigned i = 0;

	if (wait != NULL)
		*wait++ = '\0';
	while (
	    i < sizeof(names) / sizeof(names[0]) && strcmp(text, names[i]) != 0)
		i++;
	if (i == sizeof(names) / sizeof(names[0]))
		return option_fail(p, OPTION_EXIT_USAGE,
		    "leasecached: option -l has an unknown mode: '%s' -- "
		    "should be one of plain, lease, or proxy",
		    text);
	spec->mode = (enum listen_mode)i;
	spec->wait_ms = 0;
	if (wait == NULL)
		return true;
	if (spec->mode != LISTEN_LEASE || !skip_word(&wait, "wait="))
		return option_fail(p, OPTION_EXIT_USAGE,
		    "leasecached: option -l mode[%s] does not take '%s'", text,
		    wait);
	if (!option_read_u32(wait, 0, INT32_MAX, &spec->wait_ms))
		return option_fail(p, OPTION_EXIT_USAGE,
		    "leasecached: option -l mode[lease,wait=] needs a number "
		    "from 0 to %d, not '%s'",
		    INT32_MAX, wait);
	return true;
}

/*
 * Reads the prefixes.  memcached's tag has no meaning without its proxy, and
 * without TLS every address is `notls`.
 */
static bool
read_prefixes(struct option_parse *p, char **text, struct listen_spec *spec)
{
	char *inner;

	for (;;) {
		if (skip_word(text, "btls:") || skip_word(text, "mtls:"))
			return option_fail(p, OPTION_EXIT_USAGE,
			    "leasecached: option -l with TLS is refused: there "
			    "is no TLS yet, and data would travel in clear");
		if (skip_pair(text, "proto[", "]:", &inner)) {
			if (!check_protocol(p, inner))
				return false;
			continue;
		}
		if (skip_pair(text, "mode[", "]:", &inner)) {
			if (!read_mode(p, inner, spec))
				return false;
			continue;
		}
		if (strncmp(*text, "mode[", 5) == 0)
			return option_fail(p, OPTION_EXIT_USAGE,
			    "leasecached: option -l needs ']:' behind a mode: "
			    "'%s'",
			    *text);
		if (skip_word(text, "notls:") ||
		    skip_pair(text, "tag[", "]:", &inner) ||
		    skip_pair(text, "tag_", "_:", &inner))
			continue;
		return true;
	}
}

static bool
parse_port(struct option_parse *p, const char *text, int *port)
{
	char *end;
	long v;

	errno = 0;
	v = strtol(text, &end, 10);
	if (end == text || *end != '\0' || errno != 0 || v < 0 || v > 65535)
		return option_fail(p, OPTION_EXIT_OS,
		    "Invalid port number: \"%s\"", text);
	*port = (int)v;
	return true;
}

/* Cuts *host out of `text`; *port is what stands behind it, or NULL. */
static bool
split_port(struct option_parse *p, char *text, char **host, char **port)
{
	char *end = strchr(text, ']');

	*host = text;
	*port = NULL;
	if (*text == '[') {
		if (end == NULL || (end[1] != '\0' && end[1] != ':'))
			return option_fail(p, OPTION_EXIT_OS,
			    "Invalid IPV6 address: \"%s\"", text);
		*host = text + 1;
		if (end[1] == ':')
			*port = end + 2;
		*end = '\0';
		return true;
	}
	end = strchr(text, ':');
	if (end != NULL && strchr(end + 1, ':') == NULL) {
		*end = '\0';
		*port = end + 1;
	}
	return true;
}

static bool
append(struct option_parse *p, const char *host, const struct listen_spec *spec)
{
	struct options *o = p->o;
	struct listen_spec *grown;
	char *copy = NULL;

	grown = realloc(o->listen, (o->n_listen + 1) * sizeof(*grown));
	if (grown == NULL)
		return option_fail_memory(p);
	o->listen = grown;
	if (strcmp(host, "*") != 0 && (copy = strdup(host)) == NULL)
		return option_fail_memory(p);
	grown[o->n_listen] = *spec;
	grown[o->n_listen].host = copy;
	o->n_listen++;
	return true;
}

static bool
add_address(struct option_parse *p, char *text)
{
	struct listen_spec spec = { .port = -1 };
	char *host, *port;

	if (!read_prefixes(p, &text, &spec) ||
	    !split_port(p, text, &host, &port))
		return false;
	if (*host == '\0')
		return option_fail(p, OPTION_EXIT_OS,
		    "leasecached: option -l needs an address in front of the "
		    "port");
	if (port != NULL && !parse_port(p, port, &spec.port))
		return false;
	return append(p, host, &spec);
}

/* Keeps the text of all -l for `stats settings`. */
static bool
remember(struct option_parse *p, const char *list)
{
	char *old = p->o->inter;
	char *text;

	if (asprintf(&text, "%s%s%s", old != NULL ? old : "",
		old != NULL ? "," : "", list) < 0)
		return option_fail_memory(p);
	free(old);
	p->o->inter = text;
	return true;
}

/* Cuts the next address out of *list, at a comma or semicolon outside []. */
static char *
next_address(char **list)
{
	char *start = *list + strspn(*list, ",;");
	bool inside = false;
	char *end;

	if (*start == '\0')
		return NULL;
	for (end = start; *end != '\0'; end++) {
		if (*end == '[' || *end == ']')
			inside = *end == '[';
		else if (!inside && (*end == ',' || *end == ';'))
			break;
	}
	*list = end;
	if (*end != '\0') {
		*end = '\0';
		*list = end + 1;
	}
	return start;
}

bool
option_listen(struct option_parse *p, const char *list)
{
	char *copy, *word, *rest;
	bool good = true;

	if (!remember(p, list))
		return false;
	copy = strdup(list);
	if (copy == NULL)
		return option_fail_memory(p);
	rest = copy;
	while (good && (word = next_address(&rest)) != NULL)
		good = add_address(p, word);
	free(copy);
	return good;
}
