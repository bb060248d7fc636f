/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_meta.c - the flags of a meta command, any line.
 *
 * The first byte of the input says where the flags begin; the rest is the
 * line.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/hash.h"
#include "fuzz/fuzz.h"
#include "proto/meta.h"
#include "rig.h"

enum { NOW = 5000, LINE_MAX_HERE = 2048 };

static bool
is_an_error_line(const char *text)
{
	size_t n = strlen(text);

	return strncmp(text, "CLIENT_ERROR ", 13) == 0 && n > 15 &&
	    strcmp(text + n - 2, "\r\n") == 0;
}

/* Each flag is a word of the line, and its letter is noted. */
static void
check_flags(const struct meta *m, const char *line, size_t len)
{
	uint64_t has = 0;

	CHECK(m->flags <= META_WORDS_MAX - 2);
	for (unsigned i = 0; i < m->flags; i++) {
		struct token t = m->flag[i];

		CHECK(t.len > 0 && t.p >= line && t.p + t.len <= line + len);
		CHECK(memchr(t.p, ' ', t.len) == NULL);
		has |= (uint64_t)1 << (t.p[0] - 'A');
		CHECK(t.p[0] != 'O' || t.len <= META_OPAQUE_MAX);
	}
	CHECK(has == m->has);
}

/* Tags are pieces of the line's token, good ones. */
static void
check_tags(const struct meta *m, const char *line, size_t len)
{
	struct token tag;
	size_t at = 0;
	int n = 0;

	while (meta_tag(m, &at, &tag)) {
		n++;
		CHECK(tag.len >= 1 && tag.len <= META_TAG_MAX);
		CHECK(tag.p >= line && tag.p + tag.len <= line + len);
		CHECK(memchr(tag.p, ',', tag.len) == NULL);
	}
	CHECK(n <= META_TAGS_MAX);
	CHECK((n > 0) == (meta_has(m, 'A') && line[1] == 's'));
}

static void
check_limits(const struct meta *m)
{
	CHECK(!meta_has(m, 'n') || (m->n >= 1 && m->n <= INT32_MAX));
	CHECK(!(meta_has(m, 'n') && meta_has(m, 'N')));
	CHECK(m->w <= INT32_MAX && m->d <= INT32_MAX);
	CHECK((m->e != 0) == meta_has(m, 'e') && m->e <= META_BETA_MAX);
	CHECK(m->H <= META_GRACE_MAX);
	CHECK(!m->V_told || meta_has(m, 'V'));
}

static void
check_key(const struct meta *m)
{
	CHECK(m->key.len >= 1 && m->key.len <= KEY_MAX);
	CHECK(m->key.binary == meta_has(m, 'b'));
	CHECK(m->key.hash == hash_key(m->key.data, m->key.len));
}

/* What a reply repeats of the request fits into a reply. */
static void
check_echo(const struct meta *m)
{
	struct outbuf o = { .buf = malloc(OUT_ROOM) };

	CHECK(o.buf != NULL);
	meta_put_echo(&o, m);
	meta_put_ttl(&o, m->T, NOW);
	CHECK(o.used < OUT_ROOM / 2);
	free(o.buf);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct meta *m = malloc(sizeof(*m));
	struct request req = { .line = (const char *)data + 1 };
	const char *error;
	enum meta_fault fault;

	rig_start();
	CHECK(m != NULL);
	/* a line has no line feed, and a meta line a bounded length */
	if (size < 1 || size > LINE_MAX_HERE ||
	    memchr(req.line, '\n', size - 1) != NULL) {
		free(m);
		return 0;
	}
	req.len = size - 1;
	memset(m, 0xee, sizeof(*m));
	fault = meta_parse(m, &req, data[0] % 2 ? 2 : 3, NOW, &error);
	if (fault == META_GOOD) {
		CHECK(error == NULL);
		check_flags(m, req.line, req.len);
		check_tags(m, req.line, req.len);
		check_limits(m);
		check_key(m);
		check_echo(m);
	} else {
		CHECK(is_an_error_line(error));
	}
	free(m);
	return 0;
}
