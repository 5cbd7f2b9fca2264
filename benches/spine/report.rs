//! A row of the table in `docs/benchmarks.md` for each result.

use crate::machine;

/// What a figure counts. Less is better, but for rates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Ms,
    Us,
    Seconds,
    PerSecond,
    Mib,
    Bytes,
    Lost,
}

impl Unit {
    fn show(self, value: f64) -> String {
        match self {
            Self::Ms => format!("{value:.2} ms"),
            Self::Us => format!("{value:.1} µs"),
            Self::Seconds => format!("{value:.3} s"),
            Self::PerSecond => format!("{value:.0} /s"),
            Self::Mib => format!("{value:.1} MiB"),
            Self::Bytes => format!("{value:.0} B"),
            Self::Lost => format!("{value:.0} lost"),
        }
    }
}

/// One result.
pub(crate) struct Row<'a> {
    pub(crate) what: &'a str,
    pub(crate) unit: Unit,
    pub(crate) result: f64,
    /// What limits it, and the same figure of that.
    pub(crate) bound: Option<(&'a str, f64)>,
    pub(crate) target: Option<f64>,
}

/// The heading of the table.
pub(crate) fn head() {
    println!("{}\n", machine::describe());
    println!("| what | result | bound | ratio | target | met | load |");
    println!("|---|---|---|---|---|---|---|");
}

impl Row<'_> {
    /// Prints it. A ratio of 1 is as good as the bound, a smaller one is worse.
    pub(crate) fn print(&self) {
        let (result, unit) = (self.result, self.unit);
        let more_is_better = unit == Unit::PerSecond;
        let share = |bound: f64| if more_is_better { result / bound } else { bound / result };
        let bound = self.bound.map(|(name, bound)| format!("{name}: {}", unit.show(bound)));
        let ratio = self.bound.map(|(_, bound)| format!("{:.2}", share(bound)));
        let met = self.target.map(|target| if more_is_better { result >= target } else { result <= target });
        println!(
            "| {} | {} | {} | {} | {} | {} | {} |",
            self.what,
            unit.show(result),
            bound.unwrap_or_default(),
            ratio.unwrap_or_default(),
            self.target.map(|target| unit.show(target)).unwrap_or_default(),
            met.map(|met| if met { "yes" } else { "no" }).unwrap_or_default(),
            machine::load(),
        );
    }
}
