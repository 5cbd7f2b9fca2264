#!/bin/sh
# When the sun rises and sets on the day of the slot, in UTC, at $LATITUDE and $LONGITUDE (degrees; north and east are
# positive). It stands in the almanac that build.sh made; good to a few minutes.
#
#   sh daylight.sh [DAYS]    this day, and so many behind it in all
set -eu
LC_ALL=C
export LC_ALL

[ -s almanac.tsv ] || { echo "daylight: expected almanac.tsv, found none: \`sh build.sh\` makes it" >&2; exit 69; }
latitude=${LATITUDE:?expected degrees in LATITUDE} longitude=${LONGITUDE:?expected degrees in LONGITUDE}
instant=${TEKCRON_SCHEDULED_TIME:-$(date -u +%Y-%m-%dT%H:%M:%SZ)}
day=${instant#*-}
day=${day%%T*}

awk -F '\t' -v day="$day" -v count="${1:-1}" -v latitude="$latitude" -v longitude="$longitude" '
    function clock(hours,   minutes) {
        minutes = int((hours + 24) * 60 + 0.5) % 1440
        return sprintf("%02d:%02d", int(minutes / 60), minutes % 60)
    }
    function told(line,   part, h) {
        split(line, part, "\t")
        h = (sin(-0.833 * rad) - sin(latitude * rad) * sin(part[2] * rad)) / (cos(latitude * rad) * cos(part[2] * rad))
        if (h > 1) return part[1] "  the sun does not rise"
        if (h < -1) return part[1] "  the sun does not set"
        h = atan2(sqrt(1 - h * h), h) / rad / 15
        noon = 12 - longitude / 15 - part[3] / 60
        return sprintf("%s  %s to %s UTC, %dh %02dm of daylight", part[1], clock(noon - h), clock(noon + h), int(2 * h), int((2 * h - int(2 * h)) * 60))
    }
    { lines[NR] = $0; if ($1 == day) first = NR }
    END {
        if (!first) { print "daylight: expected a day of the year, found " day > "/dev/stderr"; exit 65 }
        rad = atan2(0, -1) / 180
        for (i = 0; i < count; i++) print told(lines[(first + i - 1) % NR + 1])
    }' almanac.tsv
