#!/bin/sh
# Applies numbered migrations, each once, to a small database of text tables in the App's lasting
# directory.
#
#   sh migrate.sh [--status]
#
# A version of the database is a directory: its tables (tab-separated, a header line) and the list of
# what has been applied. A migration works on a copy, which gets its name, `NNNN`, by one rename when the
# migration has gone well: a version is there whole or not at all. A migration that has been applied must
# stay as it was; its checksum is kept. All files are checked before the first is applied; runs at once
# take turns.
set -eu
LC_ALL=C
export LC_ALL

state=${TEKCRON_STATE_DIR:?expected the directory of the database}
versions=$state/versions
here=$(pwd)
tab='	'
newline='
'

fail() {
    echo "migrate: $*" >&2
    exit 1
}

# The words that migrations are written in. $db is the copy.
create_table() {
    [ ! -e "$db/$1.tsv" ] || fail "table $1 is there already"
    put_row "$@"
}

insert() {
    [ -e "$db/$1.tsv" ] || fail "table $1 does not exist"
    columns=$(head -n 1 "$db/$1.tsv" | awk -F '\t' '{ print NF }')
    [ "$(($# - 1))" -eq "$columns" ] || fail "table $1 has $columns columns, found $(($# - 1)) values"
    put_row "$@"
}

put_row() {
    table=$1
    shift
    case $* in
    *"$tab"* | *"$newline"*) fail "table $table: expected values without tabs and line ends, found $*" ;;
    esac
    (IFS=$tab && printf '%s\n' "$*") >>"$db/$table.tsv"
}

# add_column TABLE COLUMN AWK-EXPRESSION: the expression sees the row's columns as $1, $2 …
add_column() {
    [ -e "$db/$1.tsv" ] || fail "table $1 does not exist"
    awk -F '\t' -v OFS='\t' -v column="$2" "NR == 1 { print \$0, column; next } { print \$0, ($3) }" \
        "$db/$1.tsv" >"$db/$1.new"
    mv "$db/$1.new" "$db/$1.tsv"
}

current() {
    find "$versions" -mindepth 1 -maxdepth 1 -name '[0-9][0-9][0-9][0-9]' | sort | tail -n 1
}

version() {
    if [ -n "$from" ]; then echo "at ${from##*/}"; else echo empty; fi
}

sum_of() {
    sum=$(sha256sum <"$1")
    echo "${sum%% *}"
}

# Splits $file into $number and $name.
read_name() {
    base=${file##*/}
    number=${base%%-*}
    name=${base#*-}
    name=${name%.sh}
}

# Every file has a number of its own, and none comes before what has been applied.
check_files() {
    last=none
    for file in migrations/*; do
        case $file in
        migrations/[0-9][0-9][0-9][0-9]-?*.sh) read_name ;;
        'migrations/*') fail "expected migrations/NNNN-NAME.sh, found none" ;;
        *) fail "expected migrations/NNNN-NAME.sh, found $file" ;;
        esac
        [ "$number" != "$last" ] || fail "more than one migration is numbered $number"
        last=$number
        if [ -n "$from" ] && [ ! -d "$versions/$number" ] && expr "$number" '<' "${from##*/}" >/dev/null; then
            fail "migration $number ($name) comes before ${from##*/}, which has been applied"
        fi
    done
}

# What has been applied must be what stands here.
compare() {
    while IFS=$tab read -r number name sum _; do
        file=migrations/$number-$name.sh
        [ -e "$file" ] || fail "migration $number ($name) was applied, and its file is gone"
        [ "$(sum_of "$file")" = "$sum" ] ||
            fail "migration $number ($name) was changed after it had been applied"
    done <"$from/.applied"
}

apply() {
    db=$versions/.unfinished.$number
    if [ -n "$from" ]; then cp -R "$from" "$db"; else mkdir "$db"; fi
    # As part of a condition it would go on after a command that failed.
    set +e
    # shellcheck source=/dev/null
    (set -e && . "$here/$file")
    went=$?
    set -e
    [ "$went" -eq 0 ] || fail "migration $number ($name) failed; the database stays $(version)"
    sum=$(sum_of "$file")
    printf '%s\t%s\t%s\t%s\n' "$number" "$name" "$sum" "${TEKCRON_TASK_ID:-by hand}" >>"$db/.applied"
    mv "$db" "$versions/$number"
    from=$versions/$number
    echo "applied $number $name"
}

for_pending() {
    for file in migrations/*; do
        read_name
        [ -d "$versions/$number" ] || "$@"
    done
}

show_pending() {
    echo "pending $number $name"
}

case ${1:-} in
'' | --status) ;;
*) echo "migrate: expected --status or nothing, found $1" >&2; exit 64 ;;
esac

mkdir -p "$versions"
if [ -z "${1:-}" ]; then
    # The kernel lets go of the lock however a run ends: what is unfinished then is nobody's. Without
    # flock it is the job's overlap = "skip" that keeps runs apart.
    exec 9<"$versions"
    ! command -v flock >/dev/null || flock 9
    find "$versions" -mindepth 1 -maxdepth 1 -name '.unfinished.*' -exec rm -rf {} +
fi
from=$(current)
before=$from
check_files
[ -z "$from" ] || compare

if [ "${1:-}" = --status ]; then
    for_pending show_pending
    [ -z "$from" ] || awk -F '\t' '{ print "applied " $1 " " $2 " by task " $4 }' "$from/.applied"
else
    for_pending apply
    [ "$before" != "$from" ] || echo "nothing to do: the database is $(version)"
fi
