# tests/bench/local.mk - load generators, and what compares servers with them.

check_PROGRAMS += tests/bench/bench_load
tests_bench_bench_load_SOURCES = tests/bench/load.c tests/bench/load.h \
	tests/bench/load_conn.c tests/bench/load_draw.c \
	tests/bench/load_hold.c tests/bench/load_run.c \
	tests/bench/histogram.c tests/bench/histogram.h \
	tests/bench/proc.c tests/bench/proc.h
tests_bench_bench_load_LDADD =

unit_tests += tests/test_bench
tests_test_bench_SOURCES = tests/test_bench.c \
	tests/bench/histogram.c tests/bench/histogram.h \
	tests/bench/load.h tests/bench/load_draw.c

# What any server over epoll costs at least.
check_PROGRAMS += tests/bench/bench_bare_loop
tests_bench_bench_bare_loop_SOURCES = tests/bench/bare_loop.c \
	tests/bench/load.h tests/bench/load_draw.c \
	tests/bench/proc.c tests/bench/proc.h
tests_bench_bench_bare_loop_LDADD =

EXTRA_DIST += tests/bench/smoke
shell_scripts += tests/bench/smoke

.PHONY: bench-smoke
bench-smoke: leasecached$(EXEEXT) tests/bench/bench_load$(EXEEXT)
	$(srcdir)/tests/bench/smoke ./leasecached$(EXEEXT) \
	    tests/bench/bench_load$(EXEEXT)

# Beside memcached, in turn; tables, CSV and pictures in bench-results/.
#
#	make bench		every row, about 20 minutes
#	make bench-quick	some, and what moved since `make bench-record`
#	make bench-scale	as items, connections, values, threads grow
EXTRA_DIST += tests/bench/compare.py tests/bench/harness.py \
	tests/bench/hooks.py \
	tests/bench/report.py tests/bench/scale.py tests/bench/recorded.csv
CLEANFILES += $(addprefix bench-results/, \
	bench.csv bench.svg bench.txt bench-rounds.csv \
	quick.csv quick.svg quick.txt quick-rounds.csv \
	scale.csv scale.svg scale.txt)

bench_programs = leasecached$(EXEEXT) tests/bench/bench_load$(EXEEXT) \
	tests/bench/bench_bare_loop$(EXEEXT)
bench_python = if ! command -v python3 >/dev/null; then \
	echo "make $@: SKIP: there is no python3"; exit 0; fi; \
	python3 -B $(srcdir)/tests/bench
bench_with = ./leasecached$(EXEEXT) tests/bench bench-results

.PHONY: bench bench-quick bench-record bench-scale
bench: $(bench_programs)
	@$(bench_python)/compare.py $(bench_with)
bench-quick: $(bench_programs)
	@$(bench_python)/compare.py --quick $(bench_with)
bench-record: $(bench_programs)
	@$(bench_python)/compare.py --record $(bench_with)
bench-scale: $(bench_programs)
	@$(bench_python)/scale.py $(bench_with)

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

# Traces, replayed here and on memcached at equal resident memory; see the head
# of traces.py for what can be set.
EXTRA_PROGRAMS += tests/bench/bench_replay
tests_bench_bench_replay_SOURCES = tests/bench/bench_replay.c
tests_bench_bench_replay_LDADD = -lm
CLEANFILES += tests/bench/bench_replay$(EXEEXT) tests/bench/warp.so
CLEANFILES += bench-results/traces.csv bench-results/traces.txt

EXTRA_DIST += tests/bench/traces.py tests/bench/warp.c

tests/bench/warp.so: tests/bench/warp.c
	$(AM_V_CC)$(CC) -std=gnu17 -O2 -shared -fPIC -o $@ \
	    $(srcdir)/tests/bench/warp.c

.PHONY: bench-traces
bench-traces: leasecached$(EXEEXT) tests/bench/bench_replay$(EXEEXT) \
		tests/bench/warp.so
	@if ! command -v python3 >/dev/null; then \
		echo "make $@: SKIP: there is no python3"; \
	else python3 -B $(srcdir)/tests/bench/traces.py \
		./leasecached$(EXEEXT) tests/bench bench-results; fi
