//! A picture of the load: a bar for each minute, or, of a long stretch, for the busiest minute of several.

use std::io::{self, Write};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Plan;
use crate::forecast::{Minute, Summary};

const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 360.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 976.0;
const TOP: f64 = 64.0;
const BOTTOM: f64 = 296.0;

/// The most bars: one for each minute of a day.
const BARS: i64 = 1440;
/// Lengths of a bar, in minutes.
const LENGTHS: [i64; 10] = [1, 2, 5, 10, 15, 30, 60, 180, 360, 1440];
/// Distances between the times below the axis, in minutes.
const DISTANCES: [i64; 14] = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 10_080];
/// The most times below the axis.
const TIMES: i64 = 9;

pub(super) fn write(plan: &Plan<'_>, out: &mut dyn Write) -> io::Result<()> {
    let summary = plan.each(|_| Ok(()))?;
    let axis = Axis::of(plan, &summary);
    let (from, to) = (plan.span.from, plan.span.to);
    let title = format!("Starts in each minute, {from:.0} to {to:.0}");
    writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" font-family=\"sans-serif\" font-size=\"12\">"
    )?;
    writeln!(out, "<title>{title}</title>")?;
    writeln!(out, "<rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>")?;
    writeln!(out, "<text x=\"{LEFT}\" y=\"24\" font-size=\"16\">{title}</text>")?;
    writeln!(out, "<text x=\"{LEFT}\" y=\"44\" fill=\"#555\">{}</text>", subtitle(&summary))?;
    axis.write_heights(out)?;
    axis.write_times(out)?;
    axis.write_bars(&summary.minutes, out)?;
    writeln!(out, "<path d=\"M{LEFT} {BOTTOM}H{RIGHT}\" stroke=\"#555\"/>")?;
    let bar = match axis.bar {
        1 => "each bar is one minute".to_owned(),
        minutes => format!("each bar is the busiest minute of {minutes}"),
    };
    let middle = f64::midpoint(LEFT, RIGHT);
    writeln!(
        out,
        "<text x=\"{middle}\" y=\"344\" text-anchor=\"middle\" fill=\"#555\">time (UTC); {bar}</text>"
    )?;
    writeln!(out, "</svg>")
}

fn subtitle(summary: &Summary) -> String {
    let fires = format!("{} fires of {} jobs", summary.fires, summary.jobs);
    match summary.busiest.first() {
        Some(Minute { at, starts }) => format!("{fires}; most in one minute: {starts}, at {at:.0}"),
        None => fires,
    }
}

/// Where times and heights are in the picture. Times are minutes since the epoch.
struct Axis {
    first: i64,
    last: i64,
    /// The minutes of a bar.
    bar: i64,
    /// The height between two lines.
    step: usize,
    top: usize,
}

impl Axis {
    fn of(plan: &Plan<'_>, summary: &Summary) -> Self {
        let minute = |time: Timestamp| time.as_second().div_euclid(60);
        let first = minute(plan.span.from);
        // Jitter may take a start behind the end.
        let latest = summary.minutes.last().map_or(first, |latest| minute(latest.at) + 1);
        let end = (plan.span.to.as_second() + 59).div_euclid(60);
        let last = end.max(latest).max(first + 1);
        let length = last - first;
        let bar = LENGTHS.into_iter().find(|bar| length <= bar * BARS).unwrap_or(length / BARS + 1);
        let most = summary.busiest.first().map_or(1, |minute| minute.starts);
        let step = step(most);
        Self { first, last, bar, step, top: most.div_ceil(step) * step }
    }

    fn x(&self, minute: i64) -> f64 {
        LEFT + (RIGHT - LEFT) * (minute - self.first) as f64 / (self.last - self.first) as f64
    }

    fn y(&self, starts: usize) -> f64 {
        BOTTOM - (BOTTOM - TOP) * starts as f64 / self.top as f64
    }

    fn write_heights(&self, out: &mut dyn Write) -> io::Result<()> {
        for height in (0..=self.top).step_by(self.step) {
            let y = self.y(height);
            writeln!(
                out,
                "<path d=\"M{LEFT} {y:.1}H{RIGHT}\" stroke=\"#ddd\"/><text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{height}</text>",
                LEFT - 8.0,
                y + 4.0
            )?;
        }
        Ok(())
    }

    fn write_times(&self, out: &mut dyn Write) -> io::Result<()> {
        let length = self.last - self.first;
        let distance = DISTANCES.into_iter().find(|distance| length <= distance * TIMES);
        let distance = distance.unwrap_or((length / TIMES / 1440 + 1) * 1440);
        let form = if length > 1440 { "%Y-%m-%d %H:%M" } else { "%H:%M" };
        let beginning = (self.first + distance - 1).div_euclid(distance) * distance;
        let mut minute = beginning;
        while minute <= self.last {
            let x = self.x(minute);
            let shown = at(minute).to_zoned(TimeZone::UTC).strftime(form).to_string();
            writeln!(
                out,
                "<path d=\"M{x:.1} {BOTTOM}v5\" stroke=\"#555\"/><text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{shown}</text>",
                BOTTOM + 20.0
            )?;
            minute += distance;
        }
        Ok(())
    }

    fn write_bars(&self, minutes: &[Minute], out: &mut dyn Write) -> io::Result<()> {
        let place =
            |minute: &Minute| (minute.at.as_second().div_euclid(60) - self.first).div_euclid(self.bar);
        let width = (self.x(self.first + self.bar) - LEFT).max(0.5);
        writeln!(out, "<g fill=\"#0b6\">")?;
        for of_bar in minutes.chunk_by(|a, b| place(a) == place(b)) {
            let Some(busiest) = of_bar.iter().max_by_key(|minute| minute.starts) else { continue };
            let (x, y) = (self.x(self.first + place(busiest) * self.bar), self.y(busiest.starts));
            writeln!(
                out,
                "<rect x=\"{x:.2}\" y=\"{y:.1}\" width=\"{width:.2}\" height=\"{:.1}\"><title>{:.0}: {}</title></rect>",
                BOTTOM - y,
                busiest.at,
                busiest.starts
            )?;
        }
        writeln!(out, "</g>")
    }
}

fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(minute.saturating_mul(60)).unwrap_or(Timestamp::MAX)
}

/// A round height, of which some five are as high as `most`.
fn step(most: usize) -> usize {
    let mut power = 1;
    loop {
        for step in [power, 2 * power, 5 * power] {
            if most <= step * 6 {
                return step;
            }
        }
        power *= 10;
    }
}
