//! Tables for people: columns with a title and a function from an item to its text, no borders.

use comfy_table::Table;
use comfy_table::presets::NOTHING;
use jiff::Timestamp;

/// The blank columns between two columns.
const GAP: u16 = 3;

/// What stands where there is nothing.
pub(super) const NONE: &str = "-";

/// One column of a listing of `T`.
pub(super) struct Column<T> {
    title: &'static str,
    text: fn(&T, Timestamp) -> String,
    wide: bool,
}

impl<T> Column<T> {
    /// A column of every table.
    pub(super) const fn new(title: &'static str, text: fn(&T, Timestamp) -> String) -> Self {
        Self { title, text, wide: false }
    }

    /// A column of the wide table only.
    pub(super) const fn wide(title: &'static str, text: fn(&T, Timestamp) -> String) -> Self {
        Self { title, text, wide: true }
    }
}

/// `items` as a table, with titles.
pub(super) fn listing<'a, T: 'a>(
    columns: &[Column<T>],
    items: impl IntoIterator<Item = &'a T>,
    wide: bool,
    now: Timestamp,
) -> String {
    let shown: Vec<_> = columns.iter().filter(|column| wide || !column.wide).collect();
    let rows = items.into_iter().map(|item| shown.iter().map(|column| (column.text)(item, now)).collect());
    plain(Some(shown.iter().map(|column| column.title.to_owned()).collect()), rows)
}

/// Labels and values, one pair a line; what has no value is left out.
pub(super) fn pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, Option<String>)>) -> String {
    let rows = pairs.into_iter().filter_map(|(label, value)| Some(vec![format!("{label}:"), value?]));
    plain(None, rows)
}

fn plain(header: Option<Vec<String>>, rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING);
    if let Some(header) = header {
        table.set_header(header);
    }
    for row in rows {
        table.add_row(row.iter().map(|text| printable(text)));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, GAP));
    }
    let mut text = table.trim_fmt();
    text.push('\n');
    text
}

/// `text` without what would move the cursor, or end the row.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_text_and_lines_end_with_text() {
        const COLUMNS: &[Column<&str>] = &[
            Column::new("Name", |name, _| (*name).to_owned()),
            Column::wide("Length", |name, _| name.len().to_string()),
            Column::new("Last", |_, _| NONE.to_owned()),
        ];
        let items = ["a", "longer\u{1b}[2J\nname"];
        let now = Timestamp::UNIX_EPOCH;
        insta::assert_snapshot!(listing(COLUMNS, &items, true, now), @r"
        Name              Length   Last
        a                 1        -
        longer [2J name   15       -
        ");
        insta::assert_snapshot!(listing(COLUMNS, &items[..1], false, now), @r"
        Name   Last
        a      -
        ");
    }
}
