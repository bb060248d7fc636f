# SPDX-License-Identifier: BSD-3-Clause
# leasecached.bash - completion of leasecached's options, for bash.
#
# The options, and the words of -o, are taken from the help text of the very
# program that is being completed, which prints them from the table it parses
# with: what is offered is what is understood.
#
# Install as /usr/share/bash-completion/completions/leasecached, or source it.

# Prints the long options of a help text on standard input.
_leasecached_options()
{
	sed -n 's/^  -., \(--[a-z-]*\).*/\1/p'
}

# Prints the words of -o, in both forms where there are two.
_leasecached_words()
{
	sed -n -e 's/^  \[no_\]\([a-z_]*\).*/\1\nno_\1/p' \
	    -e 's/^  \([a-z][a-z_]*=\{0,1\}\).*/\1/p'
}

# Prints the words that may stand behind `coalesce=` and its prefix.
_leasecached_rule_words()
{
	sed -n 's/^  coalesce=//p' | tr '[' '\n' |
		sed -n 's/^,\([a-z]*=\{0,1\}\).*/\1/p'
}

_leasecached()
{
	local current=$2 previous at=$((COMP_CWORD - 1)) help list=

	COMPREPLY=()
	# bash hands over `--option`, `=` and `value` as three words, and takes
	# words of -o apart at `=` and `:`.
	while [[ $at -ge 3 && ${COMP_WORDS[at]} == [=:] &&
		${COMP_WORDS[at - 1]} != -* ]]; do
		at=$((at - 2))
	done
	[[ $at -ge 2 && ${COMP_WORDS[at]} == "=" ]] && at=$((at - 1))
	previous=${COMP_WORDS[at]}
	[ "$current" = "=" ] && current=

	case $previous in
	-s | --unix-socket | -P | --pidfile)
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
		return
		;;
	-u | --user)
		mapfile -t COMPREPLY < <(compgen -u -- "$current")
		return
		;;
	-B | --protocol)
		mapfile -t COMPREPLY < <(compgen -W "auto ascii" -- "$current")
		return
		;;
	-o | --extended)
		help=$("$1" --help 2>/dev/null | _leasecached_words)
		if [[ ${COMP_WORDS[*]:at:COMP_CWORD - at + 1} == *coalesce*,* ]]
		then
			help+=" $("$1" --help 2>/dev/null |
				_leasecached_rule_words)"
		fi
		case $current in
		*,*)
			list=${current%,*},
			current=${current##*,}
			;;
		esac
		compopt -o nospace 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -P "$list" -W "$help" \
		    -- "$current")
		return
		;;
	esac

	if [[ $current == -* ]]; then
		help=$("$1" --help 2>/dev/null | _leasecached_options)
		mapfile -t COMPREPLY < <(compgen -W "$help" -- "$current")
	fi
}

complete -F _leasecached leasecached
