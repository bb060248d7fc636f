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

# Clients that miss one key at once; leaves its figures in bench-results/.
EXTRA_PROGRAMS += tests/bench/bench_stampede
tests_bench_bench_stampede_SOURCES = tests/bench/bench_stampede.c
tests_bench_bench_stampede_LDADD =
CLEANFILES += tests/bench/bench_stampede$(EXEEXT)
CLEANFILES += bench-results/stampede.csv bench-results/stampede.svg \
	bench-results/stampede.txt

EXTRA_DIST += tests/bench/stampede
shell_scripts += tests/bench/stampede

.PHONY: bench-stampede
bench-stampede: leasecached$(EXEEXT) tests/bench/bench_stampede$(EXEEXT)
	$(srcdir)/tests/bench/stampede ./leasecached$(EXEEXT) \
	    tests/bench/bench_stampede$(EXEEXT) bench-results

# Items in a GiB of resident memory; what sizes that shift do to memory and hits.
# Each takes the paths of a server and of one to compare it with.
EXTRA_DIST += tests/bench/density tests/bench/churn tests/bench/server.py
