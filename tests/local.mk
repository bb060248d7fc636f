# tests/local.mk - unit tests: one program per module, src/*/x.c and test_x.c.
#
# A new test is one line here.  Its source has the program's name, and it is
# linked with all code but main.c and with what tests/ has for all of them:
# the CUnit reporter, a cache without a server (rig.c), a session without a
# socket (wire.c):
#
#	unit_tests += tests/test_num
#
# A test with tests/fake_arena.c among its sources gets item memory from there.

unit_tests =
unit_tests += tests/test_ahead
unit_tests += tests/test_base64
unit_tests += tests/test_cache_arith
unit_tests += tests/test_cache_delete
unit_tests += tests/test_cache_model
unit_tests += tests/test_cache_read
unit_tests += tests/test_cache_store
unit_tests += tests/test_claims
unit_tests += tests/test_clock
unit_tests += tests/test_clocks
unit_tests += tests/test_command
unit_tests += tests/test_compact
unit_tests += tests/test_counter
unit_tests += tests/test_evict
unit_tests += tests/test_expire
unit_tests += tests/test_feed
unit_tests += tests/test_file
unit_tests += tests/test_hash
unit_tests += tests/test_heap
unit_tests += tests/test_hot_tags
unit_tests += tests/test_item
unit_tests += tests/test_lease
unit_tests += tests/test_lease_token
unit_tests += tests/test_lease_wait
unit_tests += tests/test_lock
unit_tests += tests/test_mailbox
unit_tests += tests/test_meta
unit_tests += tests/test_num
unit_tests += tests/test_option
unit_tests += tests/test_option_lease
unit_tests += tests/test_outbuf
unit_tests += tests/test_session
unit_tests += tests/test_session_output
unit_tests += tests/test_session_wait
unit_tests += tests/test_shard
unit_tests += tests/test_siphash
unit_tests += tests/test_sizeclass
unit_tests += tests/test_slab
unit_tests += tests/test_store
unit_tests += tests/test_store_walk
unit_tests += tests/test_sweep
unit_tests += tests/test_table
unit_tests += tests/test_table_size
unit_tests += tests/test_text
unit_tests += tests/test_token
unit_tests += tests/test_tombs
unit_tests += tests/test_trial
unit_tests += tests/test_uri
unit_tests += tests/test_weigh

# Several threads on one cache; with a sanitizer they show what one can't.
unit_tests += tests/stress_lease
unit_tests += tests/stress_store

fake_arena = tests/fake_arena.c tests/fake_arena.h
verb = tests/verb.c tests/verb.h $(fake_arena)
tests_stress_lease_SOURCES = tests/stress_lease.c \
	tests/framing.c tests/framing.h $(fake_arena)
tests_stress_store_SOURCES = tests/stress_store.c \
	tests/framing.c tests/framing.h $(fake_arena)
tests_test_cache_arith_SOURCES = tests/test_cache_arith.c $(verb)
tests_test_cache_delete_SOURCES = tests/test_cache_delete.c $(verb)
tests_test_cache_read_SOURCES = tests/test_cache_read.c $(verb)
tests_test_cache_store_SOURCES = tests/test_cache_store.c $(verb)
tests_test_cache_model_SOURCES = tests/test_cache_model.c \
	tests/model.c tests/model.h \
	tests/play.c tests/play_lease.c tests/play.h $(fake_arena)
tests_test_compact_SOURCES = tests/test_compact.c $(fake_arena)
duo = tests/duo.c tests/duo.h
tests_test_lease_SOURCES = tests/test_lease.c $(duo)
tests_test_lease_wait_SOURCES = tests/test_lease_wait.c $(duo)
tests_test_evict_SOURCES = tests/test_evict.c $(duo) $(fake_arena)
command_line = tests/command_line.c tests/command_line.h
tests_test_option_SOURCES = tests/test_option.c $(command_line)
tests_test_option_lease_SOURCES = tests/test_option_lease.c $(command_line)
tests_test_outbuf_SOURCES = tests/test_outbuf.c $(fake_arena)
tests_test_session_SOURCES = tests/test_session.c $(fake_arena)
tests_test_session_output_SOURCES = tests/test_session_output.c $(fake_arena)
tests_test_session_wait_SOURCES = tests/test_session_wait.c $(fake_arena)
tests_test_shard_SOURCES = tests/test_shard.c $(fake_arena)
tests_test_store_SOURCES = tests/test_store.c $(fake_arena)
tests_test_store_walk_SOURCES = tests/test_store_walk.c $(fake_arena)
tests_test_sweep_SOURCES = tests/test_sweep.c $(fake_arena)
table_world = tests/table_world.c tests/table_world.h $(fake_arena)
tests_test_table_SOURCES = tests/test_table.c $(table_world)
tests_test_table_size_SOURCES = tests/test_table_size.c $(table_world)

# Fuzzers.  With --enable-fuzz they are linked with a fuzz engine and run by
# `make fuzz`; else they replay tests/fuzz/corpus/ in `make check`.
fuzzers = \
	tests/fuzz/fuzz_meta \
	tests/fuzz/fuzz_num \
	tests/fuzz/fuzz_session

if FUZZ
EXTRA_PROGRAMS += $(fuzzers)
CLEANFILES += $(fuzzers)
fuzz_main = tests/fuzz/fuzz.h
else
unit_tests += $(fuzzers)
fuzz_main = tests/fuzz/fuzz.h tests/fuzz/replay.c
endif

# Fuzzers are a folder deeper than what they share with the tests.
AM_CPPFLAGS += -I$(top_srcdir)/tests

fuzz_libs = $(leasecached_libs)
rig = tests/rig.c tests/rig.h tests/rng.h
tests_fuzz_fuzz_meta_SOURCES = tests/fuzz/fuzz_meta.c $(fuzz_main) $(rig)
tests_fuzz_fuzz_meta_LDADD = $(fuzz_libs)
tests_fuzz_fuzz_meta_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_num_SOURCES = tests/fuzz/fuzz_num.c $(fuzz_main)
tests_fuzz_fuzz_num_LDADD = $(fuzz_libs)
tests_fuzz_fuzz_num_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_session_SOURCES = tests/fuzz/fuzz_session.c $(fuzz_main) \
	tests/framing.c tests/framing.h tests/wire.c tests/wire.h $(rig) \
	$(fake_arena)
tests_fuzz_fuzz_session_LDADD = $(fuzz_libs)
tests_fuzz_fuzz_session_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)

EXTRA_DIST += tests/fuzz/session.dict
EXTRA_DIST += $(sort $(wildcard $(srcdir)/tests/fuzz/corpus/*/*))

# Each fuzzer for FUZZ_SECONDS.  What it finds worth keeping goes to
# tests/fuzz/fuzz_x.found/ of the build tree, a crash to a file crash-... there:
# copied to tests/fuzz/corpus/x/ under a telling name, it is a test.
FUZZ_SECONDS = 60

fuzz: $(fuzzers)
if FUZZ
	@for f in $(fuzzers); do \
		name=$${f##*/fuzz_}; dict=$(srcdir)/tests/fuzz/$$name.dict; \
		mkdir -p $$f.found || exit 1; \
		echo "$$f for $(FUZZ_SECONDS) seconds"; \
		$$f -max_total_time=$(FUZZ_SECONDS) -timeout=10 -max_len=4096 \
			-print_final_stats=1 -verbosity=0 \
			-artifact_prefix=$$f.found/ \
			$$(test -f $$dict && echo -dict=$$dict) \
			$$f.found $(srcdir)/tests/fuzz/corpus/$$name || exit 1; \
	done
else
	@echo "make fuzz: first ./configure --enable-fuzz CC=clang" >&2; exit 1
endif

.PHONY: fuzz

# Black box, and a proof of what was seen: t/39-history.t.
include $(srcdir)/tests/history/local.mk

LDADD = tests/libunit.a $(leasecached_libs) $(CUNIT_LIBS)

if HAVE_CUNIT
check_PROGRAMS += $(unit_tests)
check_LIBRARIES += tests/libunit.a
endif
tests_libunit_a_SOURCES = tests/unit.c tests/unit.h tests/rng.h \
	tests/rig.c tests/rig.h tests/wire.c tests/wire.h
