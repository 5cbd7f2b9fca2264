#!/bin/sh
# Archives a directory, proves that the archive can be restored, and keeps the newest few.
#
#   BACKUP_SOURCE  what to archive; the App's own directory unless set
#   BACKUP_KEEP    how many archives stay (default 7)
#
# The archives are in the App's lasting directory, each beside its checksum. An archive has its name
# only once it has been restored and compared: whatever is there is good.
set -eu

source=${BACKUP_SOURCE:-.}
keep=${BACKUP_KEEP:-7}
target=${TEKCRON_STATE_DIR:?expected the directory for the archives}
taken=${TEKCRON_SCHEDULED_TIME:-$(date -u +%Y-%m-%dT%H:%M:%SZ)}

fail() {
    echo "backup: $*" >&2
    exit 1
}

# What a directory holds, a line each, links as links.
contents() (
    cd "$1"
    {
        find . -type d
        find . -type f -exec sha256sum {} +
        find . -type l -exec sh -c 'for link; do echo "$link -> $(readlink "$link")"; done' sh {} +
    } | sort
)

[ -d "$source" ] || fail "expected a directory at BACKUP_SOURCE, found none at $source"
case $keep in
'' | *[!0-9]* | 0*) fail "expected BACKUP_KEEP to be a number from 1, found $keep" ;;
esac

# Colons are no friends of tar: it would take what stands before one for a host.
name=backup-$(printf %s "$taken" | tr -d ':-').tar.gz
# Leftovers of a run that was killed.
find "$target" -maxdepth 1 -name '.unfinished.*' -mtime +0 -exec rm -rf {} +
scratch=$(mktemp -d "$target/.unfinished.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
trap 'exit 143' TERM INT

tar -C "$source" -cf "$scratch/archive.tar" .
gzip -c "$scratch/archive.tar" >"$scratch/$name"
(cd "$scratch" && sha256sum "$name" >"$name.sha256")

mkdir "$scratch/restored"
(cd "$scratch" && sha256sum -c "$name.sha256" >/dev/null) || fail "the checksum does not hold"
gzip -dc "$scratch/$name" | tar -C "$scratch/restored" -xf -
contents "$source" >"$scratch/expected"
contents "$scratch/restored" >"$scratch/found"
diff "$scratch/expected" "$scratch/found" >&2 ||
    fail "what was restored differs from $source; was it changed meanwhile?"

mv "$scratch/$name.sha256" "$target/"
mv "$scratch/$name" "$target/"
files=$(find "$scratch/restored" -type f | wc -l)
bytes=$(wc -c <"$target/$name")
echo "archived $source: $((files)) files, $((bytes)) bytes compressed, restored and compared"

# Names sort by time.
find "$target" -maxdepth 1 -name 'backup-*.tar.gz' | sort -r | tail -n +"$((keep + 1))" | while read -r old; do
    rm -f "$old" "$old.sha256"
    echo "removed ${old##*/}, of which there are $keep newer ones"
done
echo "latest: $target/$name"
