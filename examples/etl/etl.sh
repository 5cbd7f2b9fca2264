#!/bin/sh
# Extract: the places of the IANA time zone database. Transform: what time it is there, and who is at
# work. Load: a report, as Markdown for people or CSV for programs.
#
#   sh etl.sh [--country CODE] [--format md|csv] [--full]
#
#   --country CODE  only this country (ISO 3166, as in FR)
#   --format        md (default) or csv
#   --full          every place; else one for each country
#
# The instant is the slot's (TEKCRON_SCHEDULED_TIME), so that a run for a missed slot reports what the
# slot would have. The report lands in the App's lasting directory, and its first lines on stdout.
set -eu
LC_ALL=C
export LC_ALL
tab='	'

country="" format=md full=""
while [ $# -gt 0 ]; do
    case $1 in
    --country) country=${2:?expected a country after --country} && shift ;;
    --format) format=${2:?expected md or csv after --format} && shift ;;
    --full) full=yes ;;
    *) echo "etl: expected --country CODE, --format md|csv or --full, found $1" >&2; exit 64 ;;
    esac
    shift
done
case $format in md | csv) ;; *) echo "etl: expected md or csv, found $format" >&2; exit 64 ;; esac

instant=${TEKCRON_SCHEDULED_TIME:-$(date -u +%Y-%m-%dT%H:%M:%SZ)}
target=${TEKCRON_STATE_DIR:-.}
zones=${TZDIR:-/usr/share/zoneinfo}

# Seconds since the epoch: both GNU's and busybox's date take @SECONDS.
epoch=$(awk -v instant="$instant" 'BEGIN {
    split(instant, part, /[-T:.Z]/)
    year = part[1] - (part[2] <= 2); month = (part[2] + 9) % 12
    era = int(year / 400); yoe = year - era * 400
    days = era * 146097 + yoe * 365 + int(yoe / 4) - int(yoe / 100) + int((153 * month + 2) / 5) + part[3] - 1 - 719468
    printf "%d", days * 86400 + part[4] * 3600 + part[5] * 60 + part[6]
}')

# Extract: country code, country, zone, remark; one line a place, tabs between.
extract() {
    awk -F '\t' -v wanted="$country" -v full="$full" '
        /^#/ { next }
        NR == FNR { name[$1] = $2; next }
        {
            count = split($1, codes, ",")
            for (i = 1; i <= count; i++) {
                if (wanted != "" && codes[i] != wanted) continue
                if (wanted == "" && full == "" && seen[codes[i]]++) continue
                printf "%s\t%s\t%s\t%s\n", codes[i], name[codes[i]], $3, $4
            }
        }' data/iso3166.tab data/zone1970.tab
}

# The same with local time and offset. `date` takes a zone that it does not know for UTC.
tell_time() {
    while IFS=$tab read -r code name zone remark; do
        [ -e "$zones/$zone" ] || { echo "etl: left out $zone, which this machine does not know" >&2; continue; }
        time=$(TZ=$zone date -d "@$epoch" '+%a %H:%M %z')
        printf '%s\t%s\t%s\t%s\t%s\n' "$code" "$name" "$zone" "$time" "$remark"
    done
}

# Transform: what people do at that hour.
transform() {
    awk -F '\t' -v OFS='\t' '{
        split($4, part, " "); hour = substr(part[2], 1, 2) + 0
        weekend = part[1] == "Sat" || part[1] == "Sun"
        state = hour < 7 || hour >= 23 ? "asleep" : weekend ? "weekend" : hour >= 9 && hour < 17 ? "at work" : "awake"
        print $1, $2, $3, part[1] " " part[2], substr(part[3], 1, 3) ":" substr(part[3], 4), state, $5
    }'
}

# Load.
as_csv() {
    echo 'country,name,zone,local,offset,state,remark'
    awk -F '\t' '{
        line = ""
        for (i = 1; i <= 7; i++) { value = $i; gsub(/"/, "\"\"", value); line = line (i > 1 ? "," : "") "\"" value "\"" }
        print line
    }'
}

as_md() {
    awk -F '\t' -v instant="$instant" '
        { rows[NR] = "| " $2 " | " $3 " | " $4 " | " $5 " | " $6 " |"; states[$6]++ }
        END {
            print "# Who is at work at " instant "\n"
            printf "%d places: %d at work, %d awake, %d asleep, %d in their weekend.\n\n", NR, states["at work"], states["awake"], states["asleep"], states["weekend"]
            print "| Country | Zone | Local time | UTC offset | State |\n|---|---|---|---|---|"
            for (i = 1; i <= NR; i++) print rows[i]
        }'
}

# File by file, not by a pipe: a stage that fails ends the run, and the last report stays.
scratch=$(mktemp -d "$target/.unfinished.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
trap 'exit 143' TERM INT
extract >"$scratch/unsorted"
[ -s "$scratch/unsorted" ] || { echo "etl: expected an ISO 3166 country code, found $country" >&2; exit 65; }
[ -d "$zones" ] || { echo "etl: expected the time zone database (package tzdata) at $zones, found none" >&2; exit 69; }
sort -t "$tab" -k 2,2 -k 3,3 "$scratch/unsorted" >"$scratch/places"
tell_time <"$scratch/places" >"$scratch/timed"
[ -s "$scratch/timed" ] || { echo "etl: expected time zones in $zones, found none" >&2; exit 69; }
transform <"$scratch/timed" >"$scratch/rows"
"as_$format" <"$scratch/rows" >"$scratch/report"
report=$target/report${country:+-$country}.$format
mv "$scratch/report" "$report"
head -n 12 "$report"
echo "report: $report"
