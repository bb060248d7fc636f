/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * replay.c - a fuzzer without an engine: inputs from files, a test each.
 *
 *	tests/fuzz/fuzz_num              all of tests/fuzz/corpus/num/
 *	tests/fuzz/fuzz_num file ...     these
 */
#include "config.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/fuzz.h"

/* In a block of the input's size, so that a sanitizer sees a byte too many. */
static int
replay(const char *path)
{
	FILE *f = fopen(path, "rb");
	uint8_t *data = NULL;
	long size = -1;

	if (f != NULL && fseek(f, 0, SEEK_END) == 0)
		size = ftell(f);
	if (size >= 0)
		data = malloc((size_t)size + (size == 0));
	if (data == NULL || fseek(f, 0, SEEK_SET) != 0 ||
	    fread(data, 1, (size_t)size, f) != (size_t)size) {
		printf("Bail out! can't read %s\n", path);
		exit(EXIT_FAILURE);
	}
	fclose(f);
	LLVMFuzzerTestOneInput(data, (size_t)size);
	free(data);
	return 0;
}

/* The files of the fuzzer that goes by this program's name. */
static void
find_corpus(const char *program, glob_t *found)
{
	const char *top = getenv("top_srcdir");
	const char *name = strrchr(program, '/');
	char pattern[4096];

	name = name != NULL ? name + 1 : program;
	if (strncmp(name, "fuzz_", 5) == 0)
		name += 5;
	snprintf(pattern, sizeof(pattern), "%s/tests/fuzz/corpus/%s/*",
	    top != NULL ? top : ".", name);
	if (glob(pattern, 0, NULL, found) != 0) {
		printf("Bail out! no files %s\n", pattern);
		exit(EXIT_FAILURE);
	}
}

int
main(int argc, char **argv)
{
	glob_t found = { .gl_pathc = (size_t)argc - 1, .gl_pathv = argv + 1 };

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc == 1)
		find_corpus(argv[0], &found);
	printf("1..%zu\n", found.gl_pathc);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		const char *name = strrchr(found.gl_pathv[i], '/');

		replay(found.gl_pathv[i]);
		printf("ok %zu - %s\n", i + 1,
		    name != NULL ? name + 1 : found.gl_pathv[i]);
	}
	if (argc == 1)
		globfree(&found);
	return EXIT_SUCCESS;
}
