#!/bin/sh
# Moves files by HTTP, with curl; a file that did not arrive whole is never taken for one that did.
#
#   sh transfer.sh upload FILE URL     PUTs the file, then its SHA-256 beside it at URL.sha256
#   sh transfer.sh download URL FILE   GETs both, compares, and only then gives the file its name
#
#   TRANSFER_SHA256  what the SHA-256 of a download must be: then URL.sha256 is not asked for
#
# FILE is relative to the App's lasting directory.
set -eu

fail() {
    echo "transfer: $*" >&2
    exit 1
}

usage() {
    echo "usage: transfer.sh upload FILE URL | download URL FILE" >&2
    exit 64
}

if [ $# -ne 3 ] || [ -z "$2" ] || [ -z "$3" ]; then usage; fi

http() { curl --silent --show-error --fail --globoff --retry 3 --retry-delay 1 --max-time "${TRANSFER_TIMEOUT:-600}" "$@"; }
sum_of() { sha256sum <"$1" | cut -d ' ' -f 1; }

case $1 in
upload) file=$2 url=$3 ;;
download) url=$2 file=$3 ;;
*) usage ;;
esac
case $url in
*/) fail "expected the URL of a file, found $url" ;;
http://?* | https://?*) ;;
*) fail "expected a URL that begins with http:// or https://, found $url" ;;
esac
command -v curl >/dev/null || fail "expected curl on this machine, found none"
cd "${TEKCRON_STATE_DIR:-.}"
unfinished=$file.unfinished.$$
trap 'rm -f "$unfinished"' EXIT
trap 'exit 143' TERM INT

case $1 in
upload)
    [ -f "$file" ] || fail "expected a file at $file, found none"
    sum=$(sum_of "$file")
    echo "$sum" >"$unfinished"
    http --upload-file "$file" "$url" >/dev/null
    http --upload-file "$unfinished" "$url.sha256" >/dev/null
    echo "uploaded $file: $(($(wc -c <"$file"))) bytes, sha256 $sum"
    ;;
download)
    expected=${TRANSFER_SHA256:-}
    [ -n "$expected" ] || expected=$(http "$url.sha256")
    expected=${expected%% *}
    mkdir -p "$(dirname "$file")"
    http --output "$unfinished" "$url"
    found=$(sum_of "$unfinished")
    [ "$found" = "$expected" ] || fail "expected sha256 $expected, found $found; $file is left as it was"
    mv "$unfinished" "$file"
    echo "downloaded $file: $(($(wc -c <"$file"))) bytes, sha256 $found"
    ;;
esac
