# src/local.mk - the program and its sources, in layer order.
#
# A file may include its own layer and those below it; build-aux/check-layers
# sees to that, and build-aux/check-lists that no file is forgotten here.

bin_PROGRAMS += leasecached
leasecached_SOURCES = src/main.c
leasecached_CFLAGS = $(AM_CFLAGS) $(LTO_CFLAGS)
leasecached_LDFLAGS = $(AM_LDFLAGS) $(LTO_LDFLAGS)
leasecached_LDADD = $(leasecached_libs)

noinst_LIBRARIES += src/libleasecached.a
src_libleasecached_a_SOURCES =
src_libleasecached_a_CFLAGS = $(AM_CFLAGS) $(LTO_CFLAGS)

src_libleasecached_a_SOURCES += \
	src/option.c \
	src/option.def \
	src/option.h \
	src/option_help.c \
	src/option_lease.c \
	src/option_listen.c \
	src/option_parse.h \
	src/option_report.c \
	src/option_table.c \
	src/option_table.h \
	src/option_value.c

src_libleasecached_a_SOURCES += \
	src/server/conn.c \
	src/server/conn.h \
	src/server/listener.c \
	src/server/listener.h \
	src/server/maintenance.c \
	src/server/maintenance.h \
	src/server/server.c \
	src/server/server.h \
	src/server/systemd.c \
	src/server/systemd.h \
	src/server/worker.c \
	src/server/worker.h

src_libleasecached_a_SOURCES += \
	src/proto/ahead.c \
	src/proto/ahead.h \
	src/proto/binary.c \
	src/proto/binary.h \
	src/proto/claims.c \
	src/proto/claims.h \
	src/proto/cmd_admin.c \
	src/proto/cmd_arith.c \
	src/proto/cmd_compat.c \
	src/proto/cmd_delete.c \
	src/proto/cmd_get.c \
	src/proto/cmd_lease.c \
	src/proto/cmd_meta.c \
	src/proto/cmd_meta_write.c \
	src/proto/cmd_stats.c \
	src/proto/cmd_store.c \
	src/proto/cmd_touch.c \
	src/proto/cmd_watch.c \
	src/proto/command.c \
	src/proto/command.def \
	src/proto/command.h \
	src/proto/dump.c \
	src/proto/dump.h \
	src/proto/events.c \
	src/proto/events.h \
	src/proto/lead.c \
	src/proto/lead.h \
	src/proto/meta.c \
	src/proto/meta.def \
	src/proto/meta.h \
	src/proto/outbuf.c \
	src/proto/outbuf.h \
	src/proto/pending.c \
	src/proto/pending.h \
	src/proto/prefix.c \
	src/proto/prefix.h \
	src/proto/request.c \
	src/proto/request.h \
	src/proto/session.c \
	src/proto/session.h \
	src/proto/stats.h \
	src/proto/stats_class.c \
	src/proto/stats_lease.c \
	src/proto/tally.c \
	src/proto/tally.h \
	src/proto/text.c \
	src/proto/text.h \
	src/proto/token.c \
	src/proto/token.h

src_libleasecached_a_SOURCES += \
	src/cache/cache.h \
	src/cache/cache_arith.c \
	src/cache/cache_delete.c \
	src/cache/cache_lease.c \
	src/cache/cache_lease.h \
	src/cache/cache_read.c \
	src/cache/cache_store.c \
	src/cache/fill.c \
	src/cache/fill.h \
	src/cache/held.h \
	src/cache/hot_tags.c \
	src/cache/hot_tags.h \
	src/cache/lease.c \
	src/cache/lease.h \
	src/cache/lease_config.h \
	src/cache/lease_table.c \
	src/cache/lease_token.c \
	src/cache/lease_token.h \
	src/cache/lease_wait.c \
	src/cache/retime.c \
	src/cache/retime.h \
	src/cache/tombs.c \
	src/cache/tombs.h \
	src/cache/wait.h

src_libleasecached_a_SOURCES += \
	src/store/arena.h \
	src/store/clocks.c \
	src/store/clocks.h \
	src/store/compact.c \
	src/store/compact.h \
	src/store/evict.c \
	src/store/evict.h \
	src/store/expire.c \
	src/store/expire.h \
	src/store/item.c \
	src/store/item.h \
	src/store/item_fields.h \
	src/store/shard.c \
	src/store/shard.h \
	src/store/sizeclass.c \
	src/store/sizeclass.h \
	src/store/slab.c \
	src/store/slab.h \
	src/store/slab_pool.c \
	src/store/slab_pool.h \
	src/store/store.c \
	src/store/store.h \
	src/store/sweep.c \
	src/store/sweep.h \
	src/store/table.c \
	src/store/table.h \
	src/store/table_bucket.h \
	src/store/table_size.c \
	src/store/table_slots.h \
	src/store/trial.c \
	src/store/trial.h \
	src/store/weigh.c \
	src/store/weigh.h

# Where items come from: one of the two files that keep store/arena.h.
if JEMALLOC
src_libleasecached_a_SOURCES += src/store/arena_jemalloc.c
else
src_libleasecached_a_SOURCES += src/store/arena_malloc.c
endif

src_libleasecached_a_SOURCES += \
	src/base/attr.h \
	src/base/base64.c \
	src/base/base64.h \
	src/base/check.c \
	src/base/check.h \
	src/base/clock.c \
	src/base/clock.h \
	src/base/counter.c \
	src/base/counter.def \
	src/base/counter.h \
	src/base/feed.c \
	src/base/feed.h \
	src/base/file.c \
	src/base/file.h \
	src/base/hash.c \
	src/base/hash.h \
	src/base/lease_counter.def \
	src/base/heap.c \
	src/base/heap.h \
	src/base/lock.c \
	src/base/lock.h \
	src/base/log.c \
	src/base/log.h \
	src/base/mailbox.c \
	src/base/mailbox.h \
	src/base/num.c \
	src/base/num.h \
	src/base/pages.c \
	src/base/pages.h \
	src/base/siphash.c \
	src/base/siphash.h \
	src/base/uri.c \
	src/base/uri.h
