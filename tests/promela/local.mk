# tests/promela/local.mk - models of the rules, for Spin; see README there.
#
#	make model
#	make model MODELS="floors-lag push-forgotten"

EXTRA_DIST += \
	tests/promela/README \
	tests/promela/configurations \
	tests/promela/lease.pml \
	tests/promela/options.pml \
	tests/promela/parking.pml \
	tests/promela/rules.pml \
	tests/promela/run \
	tests/promela/settle.pml
shell_scripts += tests/promela/run

MODELS =

.PHONY: model
model:
	@$(srcdir)/tests/promela/run $(MODELS)
