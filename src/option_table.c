/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * option_table.c - option.def turned into data.
 *
 * FIELD() makes the compiler compare the type that a row names with the type
 * of the field it sets.
 */
#include "config.h"

#include "option_table.h"

#include <limits.h>
#include <stdint.h>

#include "option.h"

/* clang-format off */
#define FIELD(field, type)                                                     \
	_Generic(((struct options *)NULL)->field,                              \
	    type: offsetof(struct options, field))
/* clang-format on */

#define OFFSET_FLAG(field) FIELD(field, bool)
#define OFFSET_COUNT(field) FIELD(field, int)
#define OFFSET_NUMBER(field) FIELD(field, int)
#define OFFSET_UINT(field) FIELD(field, uint32_t)
#define OFFSET_AMOUNT(field) FIELD(field, size_t)
#define OFFSET_SIZE(field) FIELD(field, size_t)
#define OFFSET_FRACTION(field) FIELD(field, double)
#define OFFSET_OCTAL(field) FIELD(field, mode_t)
#define OFFSET_TEXT(field) FIELD(field, char *)
#define OFFSET_LETTER(field) FIELD(field, char)
#define OFFSET_KEY_PART(field) FIELD(field, char *)
#define OFFSET_PROTOCOL(field) FIELD(field, enum option_protocol)
#define OFFSET_LISTEN(field) FIELD(field, struct listen_spec *)
#define OFFSET_COALESCE(field) FIELD(field, struct coalesce_rule *)
#define OFFSET_FAULT(field) FIELD(field, enum lease_fault)
#define OFFSET_BARE(field) 0
#define OFFSET_HASH(field) 0
#define OFFSET_WORDS(field) 0
#define OFFSET_HELP(field) 0
#define OFFSET_VERSION(field) 0
#define OFFSET_LICENSE(field) 0

#define DEFAULT(text) .preset = text
#define DERIVED(text) .derived = text
#define LIMITS(least, most) .min = least, .max = most
#define BETWEEN(under, over) .between = true, .low = under, .high = over
#define UNIT(bytes) .unit = bytes
#define POWER_OF_TWO .power_of_two = true
#define STRICT .strict = true
#define OPTIONAL(text) .optional = text
#define NEGATABLE .negatable = true
#define TOO_LOW(text) .too_low = text
#define TOO_HIGH(text) .too_high = text
#define OUTSIDE(text) .too_low = text, .too_high = text
#define ABSENT(text) .absent = text
#define STATUS(n) .status = n
#define ON_OFF .on_off = true
#define DECIMALS(n) .decimals = n
#define IGNORED(why) .ignored = why
#define UNLESS(text) .unless = text
#define REFUSED(n, why) .status = n, .refused = why

#define OPTION(field_, type_, letter_, name_, arg_, setting_, section_,        \
    sentence_, ...)                                                            \
	{ .type = OPTION_##type_,                                              \
		.section = OPTION_IN_##section_,                               \
		.offset = OFFSET_##type_(field_),                              \
		.letter = letter_,                                             \
		.name = name_,                                                 \
		.arg = arg_,                                                   \
		.setting = setting_,                                           \
		.sentence = sentence_,                                         \
		__VA_ARGS__ },
#define WORD(field_, type_, name_, arg_, setting_, sentence_, ...)             \
	{ .type = OPTION_##type_,                                              \
		.section = OPTION_IN_WORDS,                                    \
		.offset = OFFSET_##type_(field_),                              \
		.is_word = true,                                               \
		.name = name_,                                                 \
		.arg = arg_,                                                   \
		.setting = setting_,                                           \
		.sentence = sentence_,                                         \
		__VA_ARGS__ },
#define SHOWN(field_, type_, setting_)                                         \
	{                                                                      \
		.type = OPTION_##type_,                                        \
		.section = OPTION_IN_NONE,                                     \
		.offset = OFFSET_##type_(field_),                              \
		.setting = setting_,                                           \
	},
#define SETTING(setting_, value_)                                              \
	{                                                                      \
		.type = OPTION_SETTING,                                        \
		.section = OPTION_IN_NONE,                                     \
		.setting = setting_,                                           \
		.preset = value_,                                              \
	},

const struct option_row option_rows[] = {
#include "option.def"
};

const size_t option_nrows = sizeof(option_rows) / sizeof(option_rows[0]);

const char *
option_section_title(enum option_section section)
{
	static const char *const titles[OPTION_SECTIONS] = {
		[OPTION_IN_NETWORK] = "Network",
		[OPTION_IN_MEMORY] = "Memory",
		[OPTION_IN_PROCESS] = "Process",
		[OPTION_IN_COMMANDS] = "Commands",
		[OPTION_IN_ASKING] = "Asking",
		[OPTION_IN_WORDS] = "Extended options",
	};

	return titles[section];
}
