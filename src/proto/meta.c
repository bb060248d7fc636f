/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * meta.c - the flags of a meta command.
 */
#include "config.h"

#include "proto/meta.h"

#include <string.h>

#include "base/base64.h"
#include "base/hash.h"
#include "base/num.h"

enum kind {
	UNKNOWN,
	BARE,
	SKIPPED,
	OPAQUE,
	EXPTIME,
	NUMBER,
	FLAGS,
	MODE,
	KEY64,
	LEASE,
};

#define ALL "gsdae"

static const struct {
	uint8_t kind;
	const char *commands;
} letters[128] = {
#define META(letter, kind, commands, text) [letter] = { kind, commands },
#include "proto/meta.def"
#undef META
};

/* The field that a flag's token is read into. */
static uint64_t *
number_field(struct meta *m, char letter)
{
	switch (letter) {
	case 'C':
		return &m->C;
	case 'D':
		return &m->D;
	case 'E':
		return &m->E;
	default:
		return &m->J;
	}
}

static const char *
read_exptime(struct meta *m, struct token t, rel_time now)
{
	rel_time *field = t.p[0] == 'N' ? &m->N : t.p[0] == 'T' ? &m->T : &m->R;
	int64_t v;

	if (t.len > 1 && t.p[1] == '+')
		return META_BAD_TOKEN;
	if (!num_signed(t.p + 1, t.len - 1, INT32_MIN, UINT32_MAX, &v))
		return META_BAD_TOKEN;
	*field = clock_exptime((int32_t)(uint32_t)v, now);
	return NULL;
}

static const char *
read_number(struct meta *m, struct token t)
{
	bool delta = t.p[0] == 'J' || t.p[0] == 'D';

	if ((!delta || t.len - 1 <= DELTA_DIGITS) &&
	    num_strict(t.p + 1, t.len - 1, UINT64_MAX, number_field(m, t.p[0])))
		return NULL;
	if (t.p[0] == 'J')
		return "CLIENT_ERROR invalid numeric initial value\r\n";
	if (t.p[0] == 'D')
		return "CLIENT_ERROR invalid numeric delta value\r\n";
	return META_BAD_TOKEN;
}

static const char *
decode_key(struct meta *m)
{
	char decoded[KEY_MAX];
	size_t n = base64_decode(decoded, m->key.data, m->key.len);

	m->key.binary = true;
	if (n == 0)
		return "CLIENT_ERROR error decoding key\r\n";
	memcpy(m->decoded, decoded, n);
	m->key.data = m->decoded;
	m->key.len = n;
	return NULL;
}

static const char *
read_tags(struct meta *m, struct token t)
{
	const char *p = t.p + 1, *end = t.p + t.len;
	unsigned n = 0;

	m->tags = (struct token){ p, t.len - 1 };
	for (;;) {
		const char *comma = memchr(p, ',', (size_t)(end - p));
		size_t len = (size_t)((comma != NULL ? comma : end) - p);

		if (len == 0 || len > META_TAG_MAX || ++n > META_TAGS_MAX)
			return META_BAD_TOKEN;
		if (comma == NULL)
			return NULL;
		p = comma + 1;
	}
}

void
meta_drop(struct meta *m, const char *dropped)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < m->flags; i++)
		if (strchr(dropped, m->flag[i].p[0]) == NULL)
			m->flag[kept++] = m->flag[i];
	m->flags = kept;
	for (; *dropped != '\0'; dropped++)
		m->has &= ~((uint64_t)1 << (*dropped - 'A'));
	m->n = m->w = 0;
}

bool
meta_tag(const struct meta *m, size_t *at, struct token *tag)
{
	const char *p, *end, *comma;

	if (*at >= m->tags.len)
		return false;
	p = m->tags.p + *at;
	end = m->tags.p + m->tags.len;
	comma = memchr(p, ',', (size_t)(end - p));
	*tag = (struct token){ p, (size_t)((comma != NULL ? comma : end) - p) };
	*at += tag->len + 1;
	return true;
}

/* A number of the extension: digits only, within its limits. */
static const char *
read_limited(struct token t, uint64_t least, uint64_t most, uint32_t *out)
{
	uint64_t v;

	if (!num_strict(t.p + 1, t.len - 1, most, &v) || v < least)
		return META_BAD_TOKEN;
	*out = (uint32_t)v;
	return NULL;
}

/* A flag that memcached does not know, of a command that has it. */
static const char *
read_lease_flag(struct meta *m, struct token t, char command)
{
	switch (t.p[0]) {
	case 'n':
		return read_limited(t, 1, INT32_MAX, &m->n);
	case 'w':
		return read_limited(t, 0, INT32_MAX, &m->w);
	case 'd':
		return read_limited(t, 0, INT32_MAX, &m->d);
	case 'H':
		return read_limited(t, 0, META_GRACE_MAX, &m->H);
	case 'e':
		m->e = META_BETA;
		return t.len == 1 ? NULL :
				    read_limited(t, 1, META_BETA_MAX, &m->e);
	case 'V':
		m->V_told = t.len > 1;
		if (!m->V_told)
			return command == 'g' ? NULL : META_BAD_TOKEN;
		return num_strict(t.p + 1, t.len - 1, UINT64_MAX, &m->V) ?
		    NULL :
		    META_BAD_TOKEN;
	case 'A':
		return command == 's' ? read_tags(m, t) : NULL;
	default:
		return NULL;
	}
}

/* What is wrong with one flag, or NULL. */
static const char *
read_flag(struct meta *m, struct token t, char command, rel_time now)
{
	uint64_t v;

	switch (letters[(unsigned char)t.p[0]].kind) {
	case EXPTIME:
		return read_exptime(m, t, now);
	case NUMBER:
		return read_number(m, t);
	case FLAGS:
		if (!num_strict(t.p + 1, t.len - 1, UINT32_MAX, &v))
			return SAY_BAD_FORMAT;
		m->F = (uint32_t)v;
		return NULL;
	case MODE:
		m->mode = t.len == 2 ? t.p[1] : META_BAD_MODE;
		return NULL;
	case KEY64:
		return decode_key(m);
	case LEASE:
		return read_lease_flag(m, t, command);
	case OPAQUE:
		return t.len > META_OPAQUE_MAX ?
		    "CLIENT_ERROR opaque token too long\r\n" :
		    NULL;
	default:
		return NULL;
	}
}

/*
 * As memcached: a repeated or unknown letter ends the reading; of wrong tokens
 * the last one names the error.
 */
static const char *
read_flags(struct meta *m, char command, rel_time now)
{
	const char *error = NULL;

	for (unsigned i = 0; i < m->flags; i++) {
		struct token t = m->flag[i];
		unsigned char letter = (unsigned char)t.p[0];
		uint64_t bit;
		const char *e;

		if (letter < 'A')
			return "CLIENT_ERROR invalid flag\r\n";
		bit = (uint64_t)1 << (letter - 'A');
		if (m->has & bit)
			return "CLIENT_ERROR duplicate flag\r\n";
		if (letters[letter].kind == UNKNOWN ||
		    strchr(letters[letter].commands, command) == NULL)
			return "CLIENT_ERROR invalid flag\r\n";
		m->has |= bit;
		if (meta_has(m, 'n') && meta_has(m, 'N'))
			return "CLIENT_ERROR duplicate flag\r\n";
		e = read_flag(m, t, command, now);
		if (e != NULL)
			error = e;
	}
	return error;
}

static bool
may_be_flag(unsigned char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'z');
}

enum meta_fault
meta_parse(struct meta *m, const struct request *req, unsigned first,
    rel_time now, const char **error)
{
	struct token t[TOKEN_MAX];
	size_t n = request_split(req, t);

	*error = SAY_BAD_FORMAT;
	m->flags = 0;
	m->has = 0;
	m->mode = META_NO_MODE;
	m->N = m->T = m->R = 0;
	m->C = m->E = m->J = 0;
	m->D = 1;
	m->F = 0;
	m->n = m->w = m->d = m->e = m->H = 0;
	m->V = 0;
	m->V_told = false;
	m->tags = (struct token){ NULL, 0 };
	if (n < first)
		return META_SHORT;
	for (size_t i = first; i < n; i++)
		if (!may_be_flag((unsigned char)t[i].p[0]))
			return META_BAD_WORD;
	if (t[1].len > KEY_MAX)
		return META_FAULT;
	m->key = (struct key){ .data = t[1].p, .len = t[1].len };
	if (n > META_WORDS_MAX) {
		*error = "CLIENT_ERROR options flags are too long\r\n";
		return META_FAULT;
	}
	m->flags = (unsigned)(n - first);
	memcpy(m->flag, t + first, m->flags * sizeof(*t));
	*error = read_flags(m, req->line[1], now);
	if (*error != NULL)
		return META_FAULT;
	m->key.hash = hash_key(m->key.data, m->key.len);
	return META_GOOD;
}

void
meta_put_key(struct outbuf *o, const struct key *key, bool binary)
{
	OUT_LITERAL(o, " k");
	if (!binary) {
		out_add(o, key->data, key->len);
		return;
	}
	o->used += (uint32_t)base64_encode(o->buf + o->used, key->data,
	    key->len);
	OUT_LITERAL(o, " b");
}

void
meta_put_opaque(struct outbuf *o, struct token flag)
{
	OUT_LITERAL(o, " ");
	out_add(o, flag.p, flag.len);
}

void
meta_put_echo(struct outbuf *o, const struct meta *m)
{
	for (unsigned i = 0; i < m->flags; i++) {
		if (m->flag[i].p[0] == 'O')
			meta_put_opaque(o, m->flag[i]);
		else if (m->flag[i].p[0] == 'k')
			meta_put_key(o, &m->key, m->key.binary);
	}
}

void
meta_put_ttl(struct outbuf *o, rel_time exptime, rel_time now)
{
	OUT_LITERAL(o, " t");
	if (exptime == 0)
		OUT_LITERAL(o, "-1");
	else
		out_number(o, exptime > now ? exptime - now : 0);
}

enum step
meta_fail(struct request *req, const char *error)
{
	out_add(req->out, error, strlen(error));
	return STEP_DONE;
}
