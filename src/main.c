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
#include "base/file.h"
#include "base/log.h"
#include "option.h"
#include "server/server.h"

/* Descriptors beside those of clients: listeners, epolls, eventfds, logs. */
enum { OTHER_FDS = 512 };

/* What outlives the start: handed to the server as its `settings`. */
struct context {
	struct options *options;
	int to_parent; /* of a daemon: a byte says that it serves; -1 none */
};

static void
report_settings(void *context, const struct settings_live *now,
    stat_printer *print, void *ctx)
{
	struct context *c = context;
	struct option_live live = {
		.maxbytes = now->memory_limit,
		.verbosity = log_verbosity(),
		.oldest = (long)now->flushed,
		.detail = now->detail,
	};

	options_report(c->options, &live, print, ctx);
}

/* A daemon serves now: its parent may end, its terminal is left alone. */
static void
report_ready(void *context)
{
	struct context *c = context;
	int null;

	if (c->to_parent < 0)
		return;
	if (write(c->to_parent, "", 1) != 1)
		log_warn("nobody waits for this daemon's start");
	close(c->to_parent);
	c->to_parent = -1;
	null = open("/dev/null", O_RDWR);
	if (null < 0 || chdir("/") != 0) {
		log_warn("can't leave the terminal: %s", strerror(errno));
		return;
	}
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	if (log_verbosity() == 0)
		dup2(null, STDERR_FILENO);
	close(null);
}

/* The addresses of -l; NULL when there is none or no memory. */
static struct listen_address *
addresses(const struct options *o)
{
	struct listen_address *a = calloc(o->n_listen + 1, sizeof(*a));

	for (size_t i = 0; a != NULL && i < o->n_listen; i++) {
		a[i].host = o->listen[i].host;
		a[i].mode = o->listen[i].mode;
		a[i].wait_ms = o->listen[i].wait_ms;
		a[i].port = o->listen[i].port;
		if (a[i].port < 0)
			a[i].port = o->port;
		else if (a[i].port == 0)
			a[i].port = -1;
	}
	return a;
}

static struct server_config
config_from(struct context *c, const struct listen_address *a)
{
	const struct options *o = c->options;

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
		.shards = o->shards,
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
		.lease = o->lease,
		.settings = c,
		.report_settings = report_settings,
		.on_ready = report_ready,
	};
}

/* Raises a limit as far as it goes; returns what it is now. */
static rlim_t
raise_limit(int which, rlim_t want)
{
	struct rlimit rl;

	if (getrlimit(which, &rl) != 0 || rl.rlim_cur >= want)
		return want;
	if (rl.rlim_max < want) {
		struct rlimit more = { want, want };

		if (setrlimit(which, &more) == 0)
			return want;
		want = rl.rlim_max;
	}
	rl.rlim_cur = want;
	return setrlimit(which, &rl) == 0 ? want : 0;
}

/* Limits of the process: descriptors, core files, locked memory. */
static void
set_limits(const struct options *o)
{
	rlim_t want = (rlim_t)o->conn_limit + OTHER_FDS;
	rlim_t have = raise_limit(RLIMIT_NOFILE, want);

	if (have < want)
		log_warn("only %llu descriptors for -c %d",
		    (unsigned long long)have, o->conn_limit);
	if (o->core_dumps)
		raise_limit(RLIMIT_CORE, RLIM_INFINITY);
	if (!o->lock_memory)
		return;
	/* Threads that start under another user must find room, too. */
	raise_limit(RLIMIT_MEMLOCK, RLIM_INFINITY);
	if (mlockall(MCL_CURRENT | MCL_FUTURE) != 0)
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

static void
write_pidfile(const char *path)
{
	char temporary[4096];
	int n = snprintf(temporary, sizeof(temporary), "%s.tmp", path);
	FILE *f = n > 0 && (size_t)n < sizeof(temporary) ?
	    file_create(temporary) :
	    NULL;

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

/* A path that stays right when a daemon leaves its directory. */
static bool
make_absolute(char **path)
{
	char *here, *absolute = NULL;

	if (*path == NULL || **path == '/')
		return true;
	here = getcwd(NULL, 0);
	if (here == NULL || asprintf(&absolute, "%s/%s", here, *path) < 0)
		absolute = NULL;
	free(here);
	if (absolute == NULL)
		return false;
	free(*path);
	*path = absolute;
	return true;
}

/* Everything from the open sockets to the end; the exit status. */
static int
serve(const struct options *o, struct server *sv, const struct passwd *pw)
{
	int status = OPTION_EXIT_OS;

	if (o->pidfile != NULL)
		write_pidfile(o->pidfile);
	if (pw != NULL && o->unix_path != NULL &&
	    chown(o->unix_path, pw->pw_uid, pw->pw_gid) != 0)
		log_warn("can't give %s to %s: %s", o->unix_path, pw->pw_name,
		    strerror(errno));
	if (become(pw)) {
		log_info("started version=%s protocol=%s pid=%ld threads=%d "
			 "memory_mb=%zu",
		    PACKAGE_VERSION, MEMCACHED_PROTOCOL_VERSION, (long)getpid(),
		    o->threads, o->memory_limit >> 20);
		status = server_run(sv) ? EXIT_SUCCESS : EXIT_FAILURE;
	}
	if (o->pidfile != NULL && unlink(o->pidfile) != 0)
		log_warn("can't remove the pid file %s: %s", o->pidfile,
		    strerror(errno));
	log_info("stopped");
	return status;
}

static int
start(struct options *o)
{
	struct context context = { .options = o, .to_parent = -1 };
	int status = OPTION_EXIT_OS;
	struct listen_address *a;
	struct server_config config;
	struct server *sv = NULL;
	struct passwd *pw;

	log_set_verbosity(o->verbosity);
	if (!find_user(o, &pw))
		return o->user == NULL || *o->user == '\0' ?
		    OPTION_EXIT_USAGE :
		    OPTION_EXIT_NO_USER;
	if (o->daemonize &&
	    (!make_absolute(&o->pidfile) || !make_absolute(&o->unix_path) ||
		(context.to_parent = daemonize()) < 0))
		return OPTION_EXIT_OS;
	set_limits(o);
	clock_start();
	a = addresses(o);
	config = config_from(&context, a);
	sv = a != NULL ? server_new(&config) : NULL;
	if (sv != NULL && server_listen(sv))
		status = serve(o, sv, pw);
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
