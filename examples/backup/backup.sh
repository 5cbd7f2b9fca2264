#!/bin/sh
# Archives a directory, proves that the archive can be restored, and keeps the newest few.
#
#   sh backup.sh [--verify]
#
#   BACKUP_SOURCE  what to archive; the App's own directory unless set
#   BACKUP_KEEP    how many archives stay (default 7)
#
# The archives are in the App's lasting directory, each beside its checksum. An archive has its name
# only once it has been restored and compared: whatever is there was good when it was made. --verify says
# whether it still is.
set -eu
LC_ALL=C
export LC_ALL

source=${BACKUP_SOURCE:-.}
keep=${BACKUP_KEEP:-7}
target=${TEKCRON_STATE_DIR:?expected the directory for the archives}
taken=${TEKCRON_SCHEDULED_TIME:-$(date -u +%Y-%m-%dT%H:%M:%SZ)}

fail() {
    echo "backup: $*" >&2
    exit 1
}

# Kind, mode and content of all that is in directory $1, sorted, to file $2. Sockets cannot be archived.
describe() (
    cd "$1"
    {
        find . ! -type l ! -type s -exec stat -c '%a %F %n' {} +
        # shellcheck disable=SC2016 # the inner shell expands them
        find . -type l -exec sh -c 'for link; do printf "%s -> %s\n" "$link" "$(readlink "$link")"; done' - {} +
        find . -type f -exec sha256sum {} +
    } >"$2"
    sort -o "$2" "$2"
)

# What was restored may be read-only.
remove() {
    chmod -R u+rwX "$@" && rm -rf "$@"
}

verify() {
    bad=0 good=0
    for archive in "$target"/backup-*.tar.gz; do
        [ -e "$archive" ] || fail "expected archives in $target, found none"
        if (cd "$target" && sha256sum -c "${archive##*/}.sha256") >/dev/null 2>&1 && gzip -t "$archive"; then
            good=$((good + 1))
        else
            bad=$((bad + 1))
            echo "damaged: $archive" >&2
        fi
    done
    [ "$bad" -eq 0 ] || fail "$bad of $((good + bad)) archives are damaged"
    echo "verified $good archives"
}

case ${1:-} in
'') ;;
--verify) verify; exit ;;
*) echo "backup: expected --verify or nothing, found $1" >&2; exit 64 ;;
esac

[ -d "$source" ] || fail "expected a directory at BACKUP_SOURCE, found none at $source"
case $keep in
'' | *[!0-9]* | 0*) fail "expected BACKUP_KEEP to be a number from 1, found $keep" ;;
esac
target=$(cd "$target" && pwd -P)
case $target/ in
"$(cd "$source" && pwd -P | sed 's:/$::')"/*) fail "expected a source that does not hold the archives, found $source" ;;
esac

# Leftovers of runs that were killed.
find "$target" -maxdepth 1 -name '.unfinished.*' -mtime +0 | while read -r left; do remove "$left"; done

# Colons are no friends of tar: it would take what stands before one for a host.
name=backup-$(printf %s "$taken" | tr -d ':-').tar.gz
scratch=$(mktemp -d "$target/.unfinished.XXXXXX")
trap 'remove "$scratch"' EXIT
trap 'exit 143' TERM INT

describe "$source" "$scratch/before"
tar -C "$source" -cf "$scratch/archive.tar" .
gzip -c "$scratch/archive.tar" >"$scratch/$name"
rm "$scratch/archive.tar"
(cd "$scratch" && sha256sum "$name" >"$name.sha256")

mkdir "$scratch/restored"
gzip -dc "$scratch/$name" >"$scratch/archive.tar"
tar -C "$scratch/restored" -p -xf "$scratch/archive.tar"
describe "$scratch/restored" "$scratch/after"
diff "$scratch/before" "$scratch/after" >&2 ||
    fail "what was restored differs from $source; was it changed meanwhile?"

mv "$scratch/$name.sha256" "$target/"
mv "$scratch/$name" "$target/"
files=$(find "$scratch/restored" -type f | wc -l)
bytes=$(wc -c <"$target/$name")
echo "archived $source: $((files)) files, $((bytes)) bytes compressed, restored and compared"

# Names sort by time.
set -- "$target"/backup-*.tar.gz
while [ $# -gt "$keep" ]; do
    rm -f "$1" "$1.sha256"
    echo "removed ${1##*/}, of which there are $keep newer ones"
    shift
done
echo "latest: $target/$name"
