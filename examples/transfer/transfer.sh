#!/bin/sh
# Moves files by HTTP, with curl; a file that did not arrive whole is never taken for one that did.
#
#   sh transfer.sh upload FILE URL     PUTs the file, then its SHA-256 beside it at URL.sha256
#   sh transfer.sh download URL FILE   GETs both, compares, and only then gives the file its name
#
#   TRANSFER_SHA256  what the file's SHA-256 must be: then URL.sha256 is not asked for
#
# FILE is relative to the App's lasting directory.
set -eu

fail() {
    echo "transfer: $*" >&2
    exit 1
}

[ $# -eq 3 ] || {
    echo "usage: transfer.sh upload FILE URL | download URL FILE" >&2
    exit 64
}
command -v curl >/dev/null || fail "expected curl on this machine, found none"
cd "${TEKCRON_STATE_DIR:-.}"
scratch=$(mktemp -d .unfinished.XXXXXX)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 143' TERM INT

http() {
    curl --silent --show-error --fail --globoff --retry 3 --retry-delay 1 \
        --max-time "${TRANSFER_TIMEOUT:-600}" "$@"
}
# A file's name is no option.
operand() { case $1 in -*) echo "./$1" ;; *) echo "$1" ;; esac; }
sum_of() { sha256sum <"$1" | cut -d ' ' -f 1; }

case $1 in
upload)
    file=$(operand "$2") url=$3
    [ -f "$file" ] || fail "expected a file at $file, found none"
    sum=$(sum_of "$file")
    printf '%s\n' "$sum" >"$scratch/sum"
    http --upload-file "$file" "$url" >/dev/null
    http --upload-file "$scratch/sum" "$url.sha256" >/dev/null
    echo "uploaded $file: $(($(wc -c <"$file"))) bytes, sha256 $sum"
    ;;
download)
    url=$2 file=$(operand "$3")
    if [ -n "${TRANSFER_SHA256:-}" ]; then
        printf '%s\n' "$TRANSFER_SHA256" >"$scratch/sum"
    else
        http --output "$scratch/sum" "$url.sha256" || fail "expected a checksum at $url.sha256, found none"
    fi
    expected=$(cut -d ' ' -f 1 "$scratch/sum" | tr '[:upper:]' '[:lower:]')
    http --output "$scratch/file" "$url"
    found=$(sum_of "$scratch/file")
    [ "$found" = "$expected" ] || fail "expected sha256 $expected, found $found; $file is left as it was"
    mkdir -p "$(dirname "$file")"
    mv "$scratch/file" "$file"
    echo "downloaded $file: $(($(wc -c <"$file"))) bytes, sha256 $found"
    ;;
*)
    echo "transfer: expected upload or download, found $1" >&2
    exit 64
    ;;
esac
