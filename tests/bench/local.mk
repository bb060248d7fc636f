# tests/bench/local.mk - load generators, built on request.

EXTRA_PROGRAMS += tests/bench/bench_load
tests_bench_bench_load_SOURCES = tests/bench/bench_load.c
tests_bench_bench_load_LDADD =
CLEANFILES += tests/bench/bench_load$(EXEEXT)

EXTRA_DIST += tests/bench/smoke
shell_scripts += tests/bench/smoke

.PHONY: bench-smoke
bench-smoke: leasecached$(EXEEXT) tests/bench/bench_load$(EXEEXT)
	$(srcdir)/tests/bench/smoke ./leasecached$(EXEEXT) \
	    tests/bench/bench_load$(EXEEXT)
