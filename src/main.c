/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * main.c - the order of start and stop.
 *
 * Options become the small config structs of the modules; nothing below this
 * file knows of the command line.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "option.h"
#include "server/server.h"

/* Descriptors beside those of clients: listeners, epolls, eventfds, logs. */
enum { OTHER_FDS = 512 };

static void
report_settings(void *options, const struct settings_live *now,
    stat_printer *print, void *ctx)
{
	struct option_live live = {
		.maxbytes = now->memory_limit,
		.verbosity = log_verbosity(),
		.oldest = (long)now->flushed,
		.detail = now->detail,
	};

	options_report(options, &live, print, ctx);
}

/* The addresses of -l; NULL when there is none or no memory. */
static struct listen_address *
addresses(const struct options *o)
{
	struct listen_address *a = calloc(o->n_listen + 1, sizeof(*a));

	for (size_t i = 0; a != NULL && i < o->n_listen; i++) {
		a[i].host = o->listen[i].host;
		a[i].port = o->listen[i].port;
		if (a[i].port < 0)
			a[i].port = o->port;
		else if (a[i].port == 0)
			a[i].port = -1;
	}
	return a;
}

static struct server_config
config_from(struct options *o, const struct listen_address *a)
{
	return (struct server_config){
		.listener = {
			.address = a,
			.addresses = o->n_listen,
			.port = o->port,
			.unix_path = o->unix_path,
			.unix_mask = o->unix_mask,
			.backlog = o->backlog,
		},
		.threads = o->threads,
		.conn_limit = o->conn_limit,
		.maxconns_fast = o->maxconns_fast,
		.requests_per_turn = o->reqs_per_event,
		.idle_timeout = o->idle_timeout,
		.memory_limit = o->memory_limit,
		.evict = o->evictions,
		.item_max = o->item_size_max,
		.cas_enabled = o->cas_enabled,
		.shutdown_enabled = o->shutdown_enabled,
		.flush_enabled = o->flush_enabled,
		.dump_enabled = o->dump_enabled,
		.watch_enabled = o->watch_enabled,
		.track_sizes = o->track_sizes,
		.debug_commands = o->debug_commands,
		.detect_binary = o->protocol == PROTOCOL_AUTO,
		.detail_enabled = o->detail_enabled,
		.prefix_delimiter = o->prefix_delimiter,
		.watch_buffer = o->watcher_logbuf_size,
		.settings = o,
		.report_settings = report_settings,
	};
}

/* Limits of the process: descriptors, core files, locked memory. */
static void
set_limits(const struct options *o)
{
	rlim_t want = (rlim_t)o->conn_limit + OTHER_FDS;
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) == 0 && rl.rlim_cur < want) {
		rl.rlim_cur = want;
		if (rl.rlim_max < want && geteuid() == 0)
			rl.rlim_max = want;
		else if (rl.rlim_max < want)
			rl.rlim_cur = rl.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &rl) != 0 ||
		    rl.rlim_cur < want)
			log_warn("only %llu descriptors for -c %d",
			    (unsigned long long)rl.rlim_cur, o->conn_limit);
	}
	if (o->core_dumps && getrlimit(RLIMIT_CORE, &rl) == 0) {
		rl.rlim_cur = rl.rlim_max;
		if (setrlimit(RLIMIT_CORE, &rl) != 0)
			log_warn("can't raise the core limit: %s",
			    strerror(errno));
	}
	if (o->lock_memory && mlockall(MCL_CURRENT | MCL_FUTURE) != 0)
		log_warn("can't lock memory: %s", strerror(errno));
}

/* The user to become; false with a line logged. */
static bool
find_user(const struct options *o, struct passwd **pw)
{
	*pw = NULL;
	if (geteuid() != 0)
		return true;
	if (o->user == NULL || *o->user == '\0') {
		fprintf(stderr, "%s\n", OPTION_SAY_NEEDS_USER);
		return false;
	}
	*pw = getpwnam(o->user);
	if (*pw == NULL)
		fprintf(stderr, OPTION_SAY_NO_USER "\n", o->user);
	return *pw != NULL;
}

static bool
become(const struct passwd *pw)
{
	if (pw == NULL || pw->pw_uid == 0)
		return true;
	if (setgroups(0, NULL) == 0 && setgid(pw->pw_gid) == 0 &&
	    setuid(pw->pw_uid) == 0)
		return true;
	log_error("can't become user %s: %s", pw->pw_name, strerror(errno));
	return false;
}

/* The parent of a daemon: ends with 0 once the child listens. */
static void
await_child(pid_t child, int from_child)
{
	char byte;
	int status;

	if (read(from_child, &byte, 1) == 1)
		_exit(EXIT_SUCCESS);
	if (waitpid(child, &status, 0) == child && WIFEXITED(status))
		_exit(WEXITSTATUS(status));
	_exit(EXIT_FAILURE);
}

/* Goes into the background; returns the descriptor to report to, or -1. */
static int
daemonize(void)
{
	int ends[2];
	pid_t child;

	if (pipe2(ends, O_CLOEXEC) != 0 || (child = fork()) < 0) {
		log_error("can't daemonize: %s", strerror(errno));
		return -1;
	}
	if (child > 0) {
		close(ends[1]);
		await_child(child, ends[0]);
	}
	close(ends[0]);
	setsid();
	return ends[1];
}

static bool
report_ready(int to_parent)
{
	int null = open("/dev/null", O_RDWR);
	bool good = write(to_parent, "", 1) == 1;

	close(to_parent);
	if (chdir("/") != 0)
		return false;
	if (null >= 0) {
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
		if (log_verbosity() == 0)
			dup2(null, STDERR_FILENO);
		if (null > STDERR_FILENO)
			close(null);
	}
	return good;
}

static void
write_pidfile(const char *path)
{
	char temporary[4096];
	FILE *f;

	if (path == NULL)
		return;
	snprintf(temporary, sizeof(temporary), "%s.tmp", path);
	f = fopen(temporary, "w");
	if (f == NULL) {
		log_warn("can't write the pid file %s: %s", path,
		    strerror(errno));
		return;
	}
	fprintf(f, "%ld\n", (long)getpid());
	if (fclose(f) != 0 || rename(temporary, path) != 0)
		log_warn("can't write the pid file %s: %s", path,
		    strerror(errno));
}

/* Everything from the open sockets to the end; the exit status. */
static int
serve(const struct options *o, struct server *sv, const struct passwd *pw,
    int to_parent)
{
	bool good;

	write_pidfile(o->pidfile);
	if (pw != NULL && o->unix_path != NULL &&
	    chown(o->unix_path, pw->pw_uid, pw->pw_gid) != 0)
		log_warn("can't give %s to %s: %s", o->unix_path,
		    pw->pw_name, strerror(errno));
	if (!become(pw) || (to_parent >= 0 && !report_ready(to_parent)))
		return OPTION_EXIT_OS;
	log_info("started version=%s protocol=%s pid=%ld threads=%d "
	         "memory_mb=%zu", PACKAGE_VERSION, MEMCACHED_PROTOCOL_VERSION,
	    (long)getpid(), o->threads, o->memory_limit >> 20);
	good = server_run(sv);
	if (o->pidfile != NULL && unlink(o->pidfile) != 0)
		log_warn("can't remove the pid file %s: %s", o->pidfile,
		    strerror(errno));
	log_info("stopped");
	return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int
start(struct options *o)
{
	int to_parent = -1, status = OPTION_EXIT_OS;
	struct listen_address *a;
	struct server_config config;
	struct server *sv = NULL;
	struct passwd *pw;

	log_set_verbosity(o->verbosity);
	if (!find_user(o, &pw))
		return o->user == NULL || *o->user == '\0' ?
		    OPTION_EXIT_USAGE : OPTION_EXIT_NO_USER;
	if (o->daemonize && (to_parent = daemonize()) < 0)
		return OPTION_EXIT_OS;
	set_limits(o);
	clock_start();
	a = addresses(o);
	config = config_from(o, a);
	sv = a != NULL ? server_new(&config) : NULL;
	if (sv != NULL && server_listen(sv))
		status = serve(o, sv, pw, to_parent);
	if (sv != NULL)
		server_free(sv);
	free(a);
	return status;
}

int
main(int argc, char **argv)
{
	struct options o;
	int status = EXIT_SUCCESS;

	switch (options_parse(&o, argc, argv, stdout, stderr)) {
	case OPTIONS_RUN:
		status = start(&o);
		break;
	case OPTIONS_EXIT:
		break;
	case OPTIONS_ERROR:
		status = o.exit_status;
		break;
	}
	options_free(&o);
	return status;
}
