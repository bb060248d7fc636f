/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * option_help.c - what -h, -V and -i print.
 *
 * Test harnesses search the help text for words to learn what the server can
 * do ("unix-socket", "enable-ssl", "sasl", "ext_path"), so an option that is
 * refused stands here by its letter only.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "option_parse.h"

enum {
	HELP_INDENT = 28, /* column of the sentences */
	HELP_WIDTH = 79,
};

/* Writes a text in lines from HELP_INDENT to HELP_WIDTH; `column` is now. */
static void
print_wrapped(FILE *out, const char *text, int column)
{
	if (column >= HELP_INDENT) {
		fputc('\n', out);
		column = 0;
	}
	fprintf(out, "%*s", HELP_INDENT - column, "");
	column = HELP_INDENT;
	while (*text != '\0') {
		int n = (int)strcspn(text, " ");

		if (column > HELP_INDENT && column + 1 + n > HELP_WIDTH) {
			fprintf(out, "\n%*s", HELP_INDENT, "");
			column = HELP_INDENT;
		} else if (column > HELP_INDENT) {
			fputc(' ', out);
			column++;
		}
		fprintf(out, "%.*s", n, text);
		column += n;
		text += n;
		text += strspn(text, " ");
	}
	fputc('\n', out);
}

static int
print_names(FILE *out, const struct option_row *row)
{
	if (row->is_word)
		return fprintf(out, "  %s%s%s%s", row->negatable ? "[no_]" : "",
		    row->name, row->arg != NULL ? "=" : "",
		    row->arg != NULL ? row->arg : "");
	if (row->name == NULL)
		return fprintf(out, "  -%c <%s>", row->letter, row->arg);
	if (row->arg == NULL)
		return fprintf(out, "  -%c, --%s", row->letter, row->name);
	return fprintf(out, "  -%c, --%s=<%s>", row->letter, row->name,
	    row->arg);
}

static void
print_row(FILE *out, const struct option_row *row, const char *why)
{
	const char *preset = row->preset != NULL ? row->preset : row->derived;
	char text[1024];
	int column = print_names(out, row);

	if (why != NULL)
		snprintf(text, sizeof(text), "%s", why);
	else if (preset != NULL && row->arg != NULL)
		snprintf(text, sizeof(text), "%s (default: %s)", row->sentence,
		    preset);
	else
		snprintf(text, sizeof(text), "%s", row->sentence);
	print_wrapped(out, text, column);
}

static void
print_section(FILE *out, enum option_section section)
{
	fprintf(out, "\n%s:\n", option_section_title(section));
	for (size_t i = 0; i < option_nrows; i++) {
		const struct option_row *row = &option_rows[i];

		if (row->section == section && row->refused == NULL &&
		    row->ignored == NULL)
			print_row(out, row, NULL);
	}
}

static void
print_ignored(FILE *out)
{
	fprintf(out,
	    "\nAccepted for compatibility, with one line of warning; "
	    "these do nothing:\n");
	for (size_t i = 0; i < option_nrows; i++) {
		const struct option_row *row = &option_rows[i];

		if (row->ignored != NULL)
			print_row(out, row, row->ignored);
	}
}

static void
print_refused(FILE *out)
{
	const char *comma = "";

	fprintf(out, "\nRefused, see leasecached(1): ");
	for (size_t i = 0; i < option_nrows; i++) {
		const struct option_row *row = &option_rows[i];

		if (row->refused == NULL || row->letter == 0)
			continue;
		fprintf(out, "%s-%c", comma, row->letter);
		comma = ", ";
	}
	fputc('\n', out);
}

void
option_print_help(FILE *out)
{
	option_print_version(out);
	fprintf(out, "\nUsage: leasecached [option]...\n");
	for (int section = 0; section < OPTION_SECTIONS; section++)
		print_section(out, section);
	print_ignored(out);
	print_refused(out);
}

void
option_print_version(FILE *out)
{
	fprintf(out, "leasecached %s (memcached protocol %s)\n",
	    PACKAGE_VERSION, OPTION_WIRE_VERSION);
}

static const char license[] =
    "leasecached " PACKAGE_VERSION "\n"
    "\n"
    "Copyright (c) The leasecached authors.  All rights reserved.\n"
    "\n"
    "Redistribution and use in source and binary forms, with or without\n"
    "modification, are permitted provided that the following conditions\n"
    "are met:\n"
    "\n"
    "1. Redistributions of source code must retain the above copyright\n"
    "   notice, this list of conditions and the following disclaimer.\n"
    "2. Redistributions in binary form must reproduce the above\n"
    "   copyright notice, this list of conditions and the following\n"
    "   disclaimer in the documentation and/or other materials provided\n"
    "   with the distribution.\n"
    "3. Neither the name of the copyright holder nor the names of its\n"
    "   contributors may be used to endorse or promote products derived\n"
    "   from this software without specific prior written permission.\n"
    "\n"
    "THIS SOFTWARE IS PROVIDED BY THE COPYRIGHT HOLDERS AND\n"
    "CONTRIBUTORS \"AS IS\" AND ANY EXPRESS OR IMPLIED WARRANTIES,\n"
    "INCLUDING, BUT NOT LIMITED TO, THE IMPLIED WARRANTIES OF\n"
    "MERCHANTABILITY AND FITNESS FOR A PARTICULAR PURPOSE ARE\n"
    "DISCLAIMED.  IN NO EVENT SHALL THE COPYRIGHT HOLDER OR\n"
    "CONTRIBUTORS BE LIABLE FOR ANY DIRECT, INDIRECT, INCIDENTAL,\n"
    "SPECIAL, EXEMPLARY, OR CONSEQUENTIAL DAMAGES (INCLUDING, BUT NOT\n"
    "LIMITED TO, PROCUREMENT OF SUBSTITUTE GOODS OR SERVICES; LOSS OF\n"
    "USE, DATA, OR PROFITS; OR BUSINESS INTERRUPTION) HOWEVER CAUSED\n"
    "AND ON ANY THEORY OF LIABILITY, WHETHER IN CONTRACT, STRICT\n"
    "LIABILITY, OR TORT (INCLUDING NEGLIGENCE OR OTHERWISE) ARISING IN\n"
    "ANY WAY OUT OF THE USE OF THIS SOFTWARE, EVEN IF ADVISED OF THE\n"
    "POSSIBILITY OF SUCH DAMAGE.\n";

void
option_print_license(FILE *out)
{
	fputs(license, out);
}
