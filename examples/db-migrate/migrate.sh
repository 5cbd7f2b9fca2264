#!/bin/sh
# Applies numbered migrations, each once, to a small database of text tables in the App's lasting
# directory.
#
#   sh migrate.sh [--status]
#
# A version of the database is a directory: its tables (tab-separated, a header line) and the list of
# what has been applied. A migration works on a copy, which gets its name, `NNNN`, by one rename when the
# migration has gone well: a version is there whole or not at all. A migration that has been applied must
# stay as it was; its checksum is kept.
set -eu

state=${TEKCRON_STATE_DIR:?expected the directory of the database}
versions=$state/versions
here=$(pwd)

fail() {
    echo "migrate: $*" >&2
    exit 1
}

# The words that migrations are written in. $db is the copy.
create_table() {
    table=$1
    shift
    [ ! -e "$db/$table.tsv" ] || fail "table $table is there already"
    (IFS='	' && printf '%s\n' "$*") >"$db/$table.tsv"
}

insert() {
    table=$1
    shift
    [ -e "$db/$table.tsv" ] || fail "table $table does not exist"
    columns=$(head -n 1 "$db/$table.tsv" | awk -F '\t' '{ print NF }')
    [ $# -eq "$columns" ] || fail "table $table has $columns columns, found $# values"
    (IFS='	' && printf '%s\n' "$*") >>"$db/$table.tsv"
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

# What has been applied must be what stands here.
compare() {
    while IFS='	' read -r number name sum _; do
        file=migrations/$number-$name.sh
        [ -e "$file" ] || fail "migration $number ($name) was applied, and its file is gone"
        [ "$(sum_of "$file")" = "$sum" ] ||
            fail "migration $number ($name) was changed after it had been applied"
    done <"$from/.applied"
}

apply() {
    db=$versions/.unfinished.$number
    if [ -n "$from" ]; then cp -R "$from" "$db"; else mkdir "$db"; fi
    # Not within `if` or `||`, where a shell overlooks failures.
    set +e
    # shellcheck source=/dev/null
    (
        set -e
        . "$here/$file"
    )
    outcome=$?
    set -e
    [ "$outcome" -eq 0 ] || fail "migration $number ($name) failed; the database stays $(version)"
    sum=$(sum_of "$file")
    printf '%s\t%s\t%s\t%s\n' "$number" "$name" "$sum" "${TEKCRON_TASK_ID:-by hand}" >>"$db/.applied"
    mv "$db" "$versions/$number"
    from=$versions/$number
    echo "applied $number $name"
}

case ${1:-} in
'' | --status) ;;
*)
    echo "migrate: expected --status or nothing, found $1" >&2
    exit 64
    ;;
esac
twice=$(find migrations -name '[0-9][0-9][0-9][0-9]-*.sh' | sed 's,.*/,,; s,-.*,,' | sort | uniq -d | head -n 1)
[ -z "$twice" ] || fail "more than one migration is numbered $twice"

mkdir -p "$versions"
[ "${1:-}" = --status ] || find "$versions" -mindepth 1 -maxdepth 1 -name '.unfinished.*' -exec rm -rf {} +
from=$(current)
before=$from
[ -z "$from" ] || compare

for file in migrations/[0-9][0-9][0-9][0-9]-*.sh; do
    [ -e "$file" ] || fail "expected migrations/NNNN-NAME.sh, found none"
    base=${file##*/}
    number=${base%%-*}
    name=${base#*-}
    name=${name%.sh}
    [ ! -d "$versions/$number" ] || continue
    if [ -n "$from" ] && expr "$number" '<' "${from##*/}" >/dev/null; then
        fail "migration $number ($name) comes before ${from##*/}, which has been applied"
    fi
    if [ "${1:-}" = --status ]; then echo "pending $number $name"; else apply; fi
done

if [ "${1:-}" = --status ]; then
    [ -z "$from" ] || awk -F '\t' '{ print "applied " $1 " " $2 " by task " $4 }' "$from/.applied"
elif [ "$before" = "$from" ]; then
    echo "nothing to do: the database is $(version)"
fi
