# contrib/local.mk - what surrounds the program: systemd, shells, containers.

EXTRA_DIST += \
	contrib/README \
	contrib/container/Containerfile \
	contrib/container/Containerfile.dockerignore \
	contrib/quickstart \
	contrib/systemd/leasecached.default \
	contrib/systemd/leasecached.service.in
shell_scripts += contrib/quickstart

bashcompletiondir = $(datadir)/bash-completion/completions
dist_bashcompletion_DATA = contrib/completion/leasecached.bash

# systemd looks for units below /usr/local and /usr alike.
systemdunitdir = $(prefix)/lib/systemd/system
dist_systemdunit_DATA = contrib/systemd/leasecached.socket
nodist_systemdunit_DATA = contrib/systemd/leasecached.service
CLEANFILES += contrib/systemd/leasecached.service

contrib/systemd/leasecached.service: contrib/systemd/leasecached.service.in \
    Makefile
	$(AM_V_GEN)$(MKDIR_P) contrib/systemd && \
	sed -e 's|@bindir[@]|$(bindir)|' \
		$(srcdir)/contrib/systemd/leasecached.service.in >$@.tmp && \
	mv $@.tmp $@
