//! What a slot costs while the store grows, as a table and as a plot.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Instant;

use tekcron::clock::SystemClock;
use tekcron::store::{Commit, Store};
use tempfile::TempDir;

use crate::durable::{commit_all, new_file};
use crate::records::{Claim, JOBS, SLOTS_PER_COMMIT};
use crate::report::{Row, Unit};
use crate::sample::median;
use crate::{Scale, machine};

/// Stored slots up to which a point of the plot goes.
const POINTS: [usize; 7] = [1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000];
const APPS: usize = 100;
const PLOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/growth.svg");

/// Microseconds a slot, at so many stored ones.
struct Point {
    stored: usize,
    ours: f64,
    raw: f64,
}

pub(crate) fn run(scale: Scale) {
    let dir = TempDir::new().expect("a temporary directory");
    let store = Store::open(dir.path(), Arc::new(SystemClock::new())).expect("a new store");
    let mut file = new_file(dir.path());
    let (mut stored, mut points): (usize, Vec<Point>) = (0, vec![]);
    for upto in POINTS.into_iter().take(if scale.quick { 5 } else { 7 }) {
        let (mut ours, mut raw) = (vec![], vec![]);
        while stored < upto {
            let claims: Vec<Claim> = (stored..stored + SLOTS_PER_COMMIT).map(claim).collect();
            stored += claims.len();
            let mut commit = Commit::new();
            claims.iter().for_each(|claim| claim.write(&mut commit));
            let began = Instant::now();
            commit_all(&store, vec![commit]);
            ours.push(began.elapsed().as_secs_f64() * 1e6 / claims.len() as f64);
            // The bound is not what this is about: now and then is enough.
            if ours.len() % 8 == 1 {
                let bytes = vec![7; claims.iter().map(Claim::size).sum()];
                let began = Instant::now();
                file.write_all(&bytes).and_then(|()| file.sync_data()).expect("the file is ours");
                raw.push(began.elapsed().as_secs_f64() * 1e6 / claims.len() as f64);
            }
        }
        let point = Point { stored, ours: median(&mut ours), raw: median(&mut raw) };
        Row {
            what: &format!("growth, one slot at {upto} stored"),
            unit: Unit::Us,
            result: point.ours,
            bound: Some(("append and fdatasync", point.raw)),
            target: None,
        }
        .print();
        points.push(point);
    }
    let (first, last) = (points[0].ours, points[points.len() - 1].ours);
    let bound = Some(("at the first point", first));
    // Flat: no more than twice.
    Row { what: "growth, last point", unit: Unit::Us, result: last, bound, target: Some(2.0 * first) }
        .print();
    if !scale.quick {
        fs::write(PLOT, plot(&points)).expect("the documentation can be written");
    }
}

/// Slot number `index` of all Apps in turn.
fn claim(index: usize) -> Claim {
    let (app, id) = (index % APPS, index / APPS);
    Claim::new(app, id % JOBS, id as u64 + 1).ended()
}

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 320.0;
const MARGIN: f64 = 56.0;

/// Logarithmic to the right, linear upwards.
fn plot(points: &[Point]) -> String {
    let most = points.iter().map(|point| point.ours.max(point.raw)).fold(0.0, f64::max);
    let top = (most / 20.0).ceil().max(1.0) * 20.0;
    let x = |stored: f64| MARGIN + (stored.log10() - 3.0) / 3.0 * (WIDTH - 2.0 * MARGIN);
    let y = |us: f64| HEIGHT - MARGIN - us / top * (HEIGHT - 2.0 * MARGIN);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <title>Cost of a slot while the store grows</title>\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n"
    );
    for step in 0..=4 {
        let (us, right) = (top * f64::from(step) / 4.0, WIDTH - MARGIN);
        let (at, text) = (y(us), MARGIN - 8.0);
        let _ = writeln!(
            svg,
            "<path d=\"M{MARGIN} {at:.1}H{right}\" stroke=\"#ddd\"/><text x=\"{text}\" y=\"{:.1}\" text-anchor=\"end\">{us:.0}</text>",
            at + 4.0
        );
    }
    for (stored, name) in [(1e3, "1 k"), (1e4, "10 k"), (1e5, "100 k"), (1e6, "1 M")] {
        let below = HEIGHT - MARGIN + 20.0;
        let _ =
            writeln!(svg, "<text x=\"{:.1}\" y=\"{below}\" text-anchor=\"middle\">{name}</text>", x(stored));
    }
    for (name, color, value) in [
        ("tekcron", "#0b6", (|point| point.ours) as fn(&Point) -> f64),
        ("append and fdatasync", "#888", |point| point.raw),
    ] {
        let line = points.iter().map(|point| format!("{:.1},{:.1}", x(point.stored as f64), y(value(point))));
        let line = line.collect::<Vec<_>>().join(" ");
        let _ = writeln!(
            svg,
            "<polyline points=\"{line}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"2\"/>"
        );
        let end = &points[points.len() - 1];
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"{color}\">{name}</text>",
            WIDTH - MARGIN,
            y(value(end)) - 8.0
        );
    }
    let (middle, down, note) = (WIDTH / 2.0, HEIGHT - 12.0, machine::describe());
    let _ =
        writeln!(svg, "<text x=\"{middle}\" y=\"{down}\" text-anchor=\"middle\">stored slots; {note}</text>");
    let _ = writeln!(
        svg,
        "<text x=\"{MARGIN}\" y=\"24\">µs for each slot, claimed {SLOTS_PER_COMMIT} a commit, on disk</text>\n</svg>"
    );
    svg
}
