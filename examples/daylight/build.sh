#!/bin/sh
# What does not depend on the place: where the sun stands on each day of a year. Run once, when it is pushed.
#
#   sh build.sh    writes almanac.tsv: month-day, declination in degrees, equation of time in minutes
set -eu
LC_ALL=C
export LC_ALL

awk 'BEGIN {
    rad = atan2(0, -1) / 180
    split("31 29 31 30 31 30 31 31 30 31 30 31", days, " ")
    n = 0
    for (month = 1; month <= 12; month++)
        for (day = 1; day <= days[month]; day++) {
            lambda = 0.98565 * (n + 10) + 1.914 * sin(0.98565 * (n - 2) * rad)
            s = -0.39779 * cos(lambda * rad)
            b = 360 / 365 * (n - 80) * rad
            printf "%02d-%02d\t%.4f\t%.4f\n", month, day, atan2(s, sqrt(1 - s * s)) / rad, 9.87 * sin(2 * b) - 7.53 * cos(b) - 1.5 * sin(b)
            n++
        }
}' >almanac.unfinished
mv almanac.unfinished almanac.tsv
echo "almanac.tsv: $(wc -l <almanac.tsv | tr -d ' ') days"
