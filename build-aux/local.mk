# build-aux/local.mk - targets of developers: tests, checks of the sources.

EXTRA_DIST += \
	build-aux/TestHarness.pm \
	build-aux/check-docs \
	build-aux/check-layers \
	build-aux/check-lists \
	build-aux/check-size \
	build-aux/coverage
shell_scripts += \
	build-aux/check-docs \
	build-aux/check-layers \
	build-aux/check-lists \
	build-aux/check-size \
	build-aux/coverage

# ---- make check -------------------------------------------------------------
#
# Everything through prove: unit tests print TAP, too.  Variables:
#
#	make check TESTS=tests/test_num         one of them (or several, quoted)
#	make check TESTS=t/30-incr.t PROVE_FLAGS=-v
#	make check TEST_JOBS=1 TEST_TIMEOUT=60  one at a time, seconds for each

TEST_JOBS = 2
TEST_TIMEOUT = 900
PROVE_FLAGS =

run_prove = : "$${ASAN_OPTIONS=detect_stack_use_after_return=1}"; \
	: "$${UBSAN_OPTIONS=print_stacktrace=1}"; \
	: "$${TSAN_OPTIONS=halt_on_error=1 second_deadlock_stack=1}"; \
	export ASAN_OPTIONS UBSAN_OPTIONS TSAN_OPTIONS; \
	top_srcdir='$(abs_top_srcdir)' top_builddir='$(abs_top_builddir)' \
	LEASECACHED_SANITIZER='$(SANITIZER)' TEST_TIMEOUT='$(TEST_TIMEOUT)' \
	PERL5LIB='$(abs_top_srcdir)/build-aux'"$${PERL5LIB:+:$$PERL5LIB}" \
	$(NO_ASLR) $(PROVE) --harness TestHarness -I'$(abs_top_srcdir)/t/lib' \
		--jobs $(TEST_JOBS) $(PROVE_FLAGS)

# The tests to run, $$tests: those asked for with TESTS, or $$all_tests.
find_tests = tests=; \
	for t in $(or $(TESTS),$$all_tests); do \
		if test -f "$$t"; then tests="$$tests $$t"; \
		elif test -f "$(srcdir)/$$t"; then tests="$$tests $(srcdir)/$$t"; \
		else echo "make check: there is no test $$t" >&2; exit 1; \
		fi; \
	done; \
	test -n "$$tests" || { echo "make check: no tests" >&2; exit 1; }

check-local: check-tools check-layers check-lists
	@all_tests='$(unit_tests) $(black_box_tests)'; \
	$(find_tests); \
	LEASECACHED_BIN='$(abs_top_builddir)/leasecached$(EXEEXT)'; \
	export LEASECACHED_BIN; $(run_prove) $$tests

# The same dialogues against memcached: proof that they state its behaviour.
# Tests of what is ours alone skip themselves.
check-reference: check-tools
	@all_tests='$(black_box_tests)'; \
	$(find_tests); \
	LEASECACHED_BIN='$(MEMCACHED)' LEASECACHED_REFERENCE=1; \
	export LEASECACHED_BIN LEASECACHED_REFERENCE; $(run_prove) $$tests

# What tests need, built but not run.
check-programs: $(bin_PROGRAMS) $(check_PROGRAMS) $(check_LIBRARIES)

check-tools:
if !HAVE_TEST_TOOLS
	@echo "make check: missing, and asked for again by ./configure;" \
		"on Debian: apt install $(test_packages)" >&2; exit 1
endif

# ---- make lint --------------------------------------------------------------

c_sources = $(wildcard $(srcdir)/src/*.[ch] $(srcdir)/src/*/*.[ch] \
	$(srcdir)/tests/*.[ch] $(srcdir)/tests/*/*.[ch] $(srcdir)/doc/*.[ch] \
	$(srcdir)/contrib/c/*.[ch])
lint_targets = check-layers check-lists check-size check-docs \
	check-format check-c check-shell

# All of them, also when one fails.
lint:
	@$(MAKE) --no-print-directory --keep-going $(lint_targets)

check-layers:
	@$(srcdir)/build-aux/check-layers $(srcdir)

check-lists:
	@printf '%s\n' $(DISTFILES) | $(srcdir)/build-aux/check-lists $(srcdir)

check-size:
	@$(srcdir)/build-aux/check-size $(srcdir)

check-docs: $(man_MANS)
	@$(srcdir)/build-aux/check-docs $(srcdir) '$(abs_builddir)'

# have(command, Debian package)
have = command -v $(1) >/dev/null || \
	{ echo "make lint: $(1) is missing; on Debian: apt install $(2)" >&2; \
	  exit 1; }

check-format:
	@$(call have,clang-format,clang-format)
	@clang-format --dry-run -Werror $(c_sources)

format:
	@$(call have,clang-format,clang-format)
	clang-format -i $(c_sources)

check-c:
	@$(call have,cppcheck,cppcheck)
	@cppcheck --quiet --error-exitcode=1 --inline-suppr --std=c11 \
		--enable=warning,performance,portability \
		--suppress=missingIncludeSystem -DHAVE_CONFIG_H=1 \
		-I$(top_builddir) -I$(srcdir)/src $(filter %.c,$(c_sources))

check-shell:
	@$(call have,shellcheck,shellcheck)
	@cd $(srcdir) && shellcheck $(shell_scripts)

# ---- make coverage ----------------------------------------------------------

coverage:
if COVERAGE
	-find . -name '*.gcda' -exec rm -f {} +
	$(MAKE) $(AM_MAKEFLAGS) check
	@$(srcdir)/build-aux/coverage src
else
	@echo "make coverage: first ./configure --enable-coverage" >&2; exit 1
endif

clean-local:
	-find . \( -name '*.gcda' -o -name '*.gcno' -o -name '*.gcov' \) \
		-exec rm -f {} +

.PHONY: lint check-layers check-lists check-size check-docs check-format \
	check-c check-shell check-programs check-tools check-reference format coverage
