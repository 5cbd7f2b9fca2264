#!/bin/sh
# Sends a report by SMTP, with curl.
#
#   SMTP_URL      the server, as in smtp://127.0.0.1:2525 or smtps://mail.example:465
#   MAIL_FROM     sender
#   MAIL_TO       receivers, separated by spaces
#   MAIL_SUBJECT  "Report of" and the machine's name unless set
#   MAIL_FILE     the report; unless set, one about this machine's disks and memory is made
#
# A user name and password come from the service that is bound to the App, as `uri` of its credentials
# (smtps://user:password@mail.example): then DATABASE_URL holds it, and SMTP_URL is not needed.
set -euf
LC_ALL=C
export LC_ALL

fail() {
    echo "mail: $*" >&2
    exit 1
}

url=${SMTP_URL:-${DATABASE_URL:-}}
from=${MAIL_FROM:?expected a sender in MAIL_FROM}
to=${MAIL_TO:?expected receivers in MAIL_TO}
[ -n "$url" ] || fail "expected the server's URL in SMTP_URL, found none"
command -v curl >/dev/null || fail "expected curl on this machine, found none"
case $url$from in
*'
'*) fail "expected one line each in SMTP_URL and MAIL_FROM, found more" ;;
esac

# A line of its own would be a header of its own.
subject=$(printf %s "${MAIL_SUBJECT:-Report of $(uname -n)}" | tr '\r\n' '  ')
# Headers are ASCII.
case $subject in
*[!\ -~]*) subject="=?utf-8?B?$(printf %s "$subject" | base64 | tr -d '\n')?=" ;;
esac

umask 077
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 143' TERM INT

if [ -n "${MAIL_FILE:-}" ]; then
    [ -r "$MAIL_FILE" ] || fail "expected a report at $MAIL_FILE, found none"
    report=$MAIL_FILE
else
    report=$scratch/report
    {
        echo "Disks:"
        # It fails where one file system of many cannot be looked at.
        df -h || echo "(not all of them)"
        echo
        echo "Memory:"
        awk '/^(MemTotal|MemAvailable|SwapFree)/ { printf "%-14s %8.1f GiB\n", $1, $2 / 1048576 }' /proc/meminfo
    } >"$report"
fi

joined=""
for receiver in $to; do joined=$joined${joined:+, }$receiver; done
{
    printf 'From: %s\r\nTo: %s\r\nSubject: %s\r\n' "$from" "$joined" "$subject"
    printf 'Date: %s\r\n' "$(date '+%a, %d %b %Y %H:%M:%S %z')"
    printf 'Message-ID: <%s@tekcron>\r\n' "${TEKCRON_TASK_NAME:-by-hand-$$}"
    printf 'MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n'
    # SMTP's lines end in CR LF.
    awk '{ sub(/\r$/, ""); printf "%s\r\n", $0 }' "$report"
} >"$scratch/message"

# The URL may hold a password: it goes through a file that only we can read, not through arguments.
quoted() { printf '%s = "%s"\n' "$1" "$(printf %s "$2" | sed 's/[\\"]/\\&/g')"; }
{
    quoted url "$url"
    quoted mail-from "$from"
    for receiver in $to; do quoted mail-rcpt "$receiver"; done
} >"$scratch/curl"
curl --silent --show-error --verbose --globoff --max-time "${MAIL_TIMEOUT:-60}" --config "$scratch/curl" \
    --upload-file "$scratch/message" 2>"$scratch/talk" || {
    code=$?
    # Only what the server answered: what was said to it holds the password.
    sed -n -e 's/^< \([45][0-9][0-9].*\)/mail: the server said: \1/p' -e '/^curl: /p' "$scratch/talk" | tr -d '\r' >&2
    exit "$code"
}
echo "sent $(($(wc -c <"$scratch/message"))) bytes to $joined"
