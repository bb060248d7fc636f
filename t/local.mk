# t/local.mk - black-box tests: each t/NN-topic.t talks to a running server.
#
# Every t/*.t is run by `make check` and put into the tarball, with all that
# lies in folders beside it (t/lib, data, scripts of clients): there is no list
# to forget one in.  Order is by name: simple first, so that the first failure
# is the informative one.

black_box_tests = $(sort $(wildcard $(srcdir)/t/*.t))

EXTRA_DIST += $(black_box_tests) $(wildcard $(srcdir)/t/README)
EXTRA_DIST += t/differential
EXTRA_DIST += $(sort $(filter-out %~ %.pyc %/__pycache__, \
	$(wildcard $(srcdir)/t/*/*)))
