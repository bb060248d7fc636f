/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_sizeclass.c - memcached's slab classes, as a way of counting.
 */
#include "config.h"

#include "store/sizeclass.h"

#include "unit.h"

enum { LARGEST = 512 * 1024 };

static void
each_class_is_a_quarter_larger_rounded_up_to_8(void)
{
	size_t chunk = 96;

	for (unsigned id = SIZECLASS_FIRST; id < SIZECLASS_COUNT - 1; id++) {
		unit_note("class %u", id);
		CHECK_EQ(sizeclass_chunk(id), chunk);
		chunk = (chunk * 5 / 4 + 7) & ~(size_t)7;
	}
	unit_note("%s", "");
	CHECK_EQ(sizeclass_chunk(SIZECLASS_COUNT - 1), LARGEST);
	CHECK(SIZECLASS_COUNT <= SIZECLASS_LIMIT);
}

static void
a_size_is_in_the_smallest_class_that_holds_it(void)
{
	for (unsigned id = SIZECLASS_FIRST; id < SIZECLASS_COUNT; id++) {
		size_t chunk = sizeclass_chunk(id);

		unit_note("class %u", id);
		CHECK_EQ(sizeclass_of(chunk - 1), id);
		CHECK_EQ(sizeclass_of(chunk), id);
		if (id < SIZECLASS_COUNT - 1)
			CHECK_EQ(sizeclass_of(chunk + 1), id + 1);
	}
}

static void
every_small_size_is_in_its_class(void)
{
	unsigned id = SIZECLASS_FIRST;

	for (size_t size = 0; size < 8000; size++) {
		if (size > sizeclass_chunk(id))
			id++;
		REQUIRE(sizeclass_of(size) == id);
	}
}

static void
what_is_larger_than_all_is_in_the_last(void)
{
	CHECK_EQ(sizeclass_of(LARGEST + 1), SIZECLASS_COUNT - 1);
	CHECK_EQ(sizeclass_of((size_t)1 << 30), SIZECLASS_COUNT - 1);
	CHECK_EQ(sizeclass_of(SIZE_MAX), SIZECLASS_COUNT - 1);
	CHECK_EQ(sizeclass_of(0), SIZECLASS_FIRST);
	CHECK_EQ(sizeclass_of(1), SIZECLASS_FIRST);
}

/* The size that memcached's `me` shows for these. */
static void
sizes_are_those_memcached_reports(void)
{
	CHECK_EQ(sizeclass_item_size(1, 1, 0), 61);
	CHECK_EQ(sizeclass_item_size(1, 2, 0), 62);
	CHECK_EQ(sizeclass_item_size(1, 2, 1), 66);
	CHECK_EQ(sizeclass_item_size(250, 0, UINT32_MAX), 313);
	CHECK_EQ(sizeclass_item_size(1, 1048516, 0), 1024 * 1024);
	CHECK_EQ(sizeclass_item_size(1, 1048512, 7), 1024 * 1024);
	CHECK_EQ(sizeclass_item_size(250, 1048267, 0), 1024 * 1024);
}

UNIT("sizeclass", TEST(each_class_is_a_quarter_larger_rounded_up_to_8),
    TEST(a_size_is_in_the_smallest_class_that_holds_it),
    TEST(every_small_size_is_in_its_class),
    TEST(what_is_larger_than_all_is_in_the_last),
    TEST(sizes_are_those_memcached_reports))
