/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_file.c - files that are written in directories which others may write
 * to.
 */
#include "config.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit.h"

/* A directory of the test's own, which it works in. */
static char directory[] = "test_file.XXXXXX";

static void
begin(void)
{
	strcpy(directory + strlen(directory) - 6, "XXXXXX");
	REQUIRE(mkdtemp(directory) != NULL);
	REQUIRE(chdir(directory) == 0);
}

static void
end(void)
{
	unlink("file");
	unlink("other");
	CHECK_EQ(chdir(".."), 0);
	CHECK_EQ(rmdir(directory), 0);
}

static void
write_file(const char *path, const char *text)
{
	FILE *f = file_create(path);

	REQUIRE(f != NULL);
	CHECK(fputs(text, f) >= 0);
	CHECK_EQ(fclose(f), 0);
}

static void
has_text(const char *path, const char *want)
{
	char text[64] = "";
	FILE *f = fopen(path, "r");

	REQUIRE(f != NULL);
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	fclose(f);
	CHECK_STR(text, want);
}

static void
a_file_is_made_that_others_may_read(void)
{
	struct stat st;
	mode_t old;

	begin();
	old = umask(0);
	write_file("file", "one\n");
	umask(old);
	has_text("file", "one\n");
	CHECK_EQ(stat("file", &st), 0);
	CHECK_EQ(st.st_mode & 07777, 0644);
	end();
}

static void
a_file_that_is_there_is_replaced(void)
{
	begin();
	write_file("file", "a long text\n");
	write_file("file", "two\n");
	has_text("file", "two\n");
	end();
}

/* Who has the old file open keeps what is in it. */
static void
the_old_file_is_not_written_to(void)
{
	begin();
	write_file("other", "precious\n");
	CHECK_EQ(link("other", "file"), 0);
	write_file("file", "two\n");
	has_text("other", "precious\n");
	end();
}

static void
no_link_is_followed(void)
{
	struct stat st;

	begin();
	write_file("other", "precious\n");
	CHECK_EQ(symlink("other", "file"), 0);
	write_file("file", "two\n");
	has_text("other", "precious\n");
	has_text("file", "two\n");
	CHECK_EQ(lstat("file", &st), 0);
	CHECK(S_ISREG(st.st_mode));

	/* nor one to nowhere, which would be made */
	unlink("file");
	unlink("other");
	CHECK_EQ(symlink("other", "file"), 0);
	write_file("file", "three\n");
	CHECK_EQ(access("other", F_OK), -1);
	end();
}

static void
what_can_not_be_made_is_an_error(void)
{
	begin();
	errno = 0;
	CHECK(file_create("nowhere/file") == NULL);
	CHECK_EQ(errno, ENOENT);
	CHECK_EQ(mkdir("dir", 0700), 0);
	errno = 0;
	CHECK(file_create("dir") == NULL);
	CHECK(errno != 0);
	CHECK_EQ(rmdir("dir"), 0);
	end();
}

static void
children_do_not_inherit_it(void)
{
	FILE *f;

	begin();
	f = file_create("file");
	REQUIRE(f != NULL);
	CHECK(fcntl(fileno(f), F_GETFD) & FD_CLOEXEC);
	fclose(f);
	end();
}

UNIT("file", TEST(a_file_is_made_that_others_may_read),
    TEST(a_file_that_is_there_is_replaced),
    TEST(the_old_file_is_not_written_to), TEST(no_link_is_followed),
    TEST(what_can_not_be_made_is_an_error), TEST(children_do_not_inherit_it))
