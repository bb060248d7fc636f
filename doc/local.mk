# doc/local.mk - the manual page is installed; the rest is for developers.
#
# The page is prose, doc/leasecached.1.in, with options, commands and
# statistics as the program's own tables have them: doc/mkdoc puts them in.

noinst_PROGRAMS += doc/mkdoc
doc_mkdoc_SOURCES = doc/mkdoc.c src/option_table.c
doc_mkdoc_LDADD =

man_MANS += doc/leasecached.1
CLEANFILES += doc/leasecached.1 doc/leasecached.1.tmp

doc/leasecached.1: doc/leasecached.1.in doc/mkdoc$(EXEEXT)
	$(AM_V_GEN)$(NO_ASLR) doc/mkdoc$(EXEEXT) \
		$(srcdir)/doc/leasecached.1.in >$@.tmp && mv $@.tmp $@

EXTRA_DIST += doc/leasecached.1.in
EXTRA_DIST += $(sort $(wildcard $(srcdir)/doc/*.md))
