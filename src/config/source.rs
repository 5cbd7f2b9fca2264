use std::cell::{Cell, OnceCell, RefCell};
use std::ops::Range;

use toml::Spanned;
use toml::de::DeTable;

use super::problem::{Excerpt, Place, Problem, Severity, is_c1};

/// The most bytes of a line that are shown.
const WIDEST: usize = 400;

/// The text of one file, and what was found wrong with it so far.
pub(crate) struct Source {
    name: String,
    text: String,
    /// Where each line begins.
    lines: OnceCell<Vec<usize>>,
    found: RefCell<Vec<Found>>,
    hidden: RefCell<Vec<Range<usize>>>,
    sound: Cell<bool>,
}

/// A problem before it is known which parts of its line are secret.
pub(crate) struct Found {
    pub(crate) severity: Severity,
    /// Bytes of the file.
    pub(crate) span: Range<usize>,
    pub(crate) path: String,
    pub(crate) message: String,
    pub(crate) hint: String,
}

impl Source {
    /// The file called `name`.
    pub(crate) fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            text: text.into(),
            lines: OnceCell::new(),
            found: RefCell::default(),
            hidden: RefCell::default(),
            sound: Cell::new(true),
        }
    }

    /// What the file is called.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The tree, as far as the text is TOML. Where it is not, that is reported once: what follows a slip of
    /// the pen is seldom a mistake of its own.
    pub(super) fn parse(&self) -> Spanned<DeTable<'_>> {
        let (tree, errors) = DeTable::parse_recoverable(&self.text);
        if let Some(error) = errors.first() {
            self.report(Found {
                severity: Severity::Error,
                span: error.span().unwrap_or(0..0),
                path: String::new(),
                message: format!("this is not TOML: {}", error.message()),
                hint: syntax_hint(error.message()).to_owned(),
            });
        }
        tree
    }

    pub(crate) fn report(&self, found: Found) {
        self.sound.set(self.sound.get() && found.severity == Severity::Warning);
        self.found.borrow_mut().push(found);
    }

    /// Whether there is no error so far.
    pub(crate) fn is_sound(&self) -> bool {
        self.sound.get()
    }

    /// Keeps a piece of the text out of every report.
    pub(crate) fn hide(&self, span: Range<usize>) {
        self.hidden.borrow_mut().push(span);
    }

    /// Whether a piece of the text is kept out of every report.
    pub(super) fn hides(&self, at: usize) -> bool {
        self.hidden.borrow().iter().any(|span| span.contains(&at))
    }

    /// `file:line` of a byte, for messages about another place.
    pub(super) fn address(&self, at: usize) -> String {
        format!("{}:{}", self.name, self.line(at).0)
    }

    /// All problems, in the order of the text.
    pub(crate) fn into_problems(self) -> Vec<Problem> {
        let mut found = self.found.take();
        found.sort_by_key(|found| found.span.start);
        found.into_iter().map(|found| self.place(found)).collect()
    }

    fn place(&self, found: Found) -> Problem {
        let Found { severity, span, path, message, hint } = found;
        let (line, bounds) = self.line(span.start);
        let start = self.text.floor_char_boundary(span.start.clamp(bounds.start, bounds.end));
        let column = self.text[bounds.start..start].chars().count() + 1;
        let shown = self.around(start, bounds);
        let end = self.text.ceil_char_boundary(span.end.clamp(start, shown.end));
        let span = start - shown.start..end - shown.start;
        let excerpt = Excerpt { file: self.name.clone(), line, column, path, text: self.masked(shown), span };
        Problem { severity, place: Place::Text(excerpt), message, hint }
    }

    /// The number of the line that holds the byte at `at`, and its bytes without the line's end.
    fn line(&self, at: usize) -> (usize, Range<usize>) {
        let newlines = || self.text.match_indices('\n').map(|(newline, _)| newline + 1);
        let lines = self.lines.get_or_init(|| [0].into_iter().chain(newlines()).collect());
        let number = lines.partition_point(|start| *start <= at);
        let start = lines[number - 1];
        let line = &self.text[start..lines.get(number).copied().unwrap_or(self.text.len())];
        let line = line.strip_suffix('\n').unwrap_or(line).trim_end_matches('\r');
        (number, start..start + line.len())
    }

    /// The piece of a line that is shown for what stands at `at`: all of it, unless it is very long.
    fn around(&self, at: usize, line: Range<usize>) -> Range<usize> {
        if line.len() <= WIDEST {
            return line;
        }
        let start = self.text.ceil_char_boundary(at.saturating_sub(WIDEST / 4).max(line.start));
        let end = self.text.floor_char_boundary((start + WIDEST).min(line.end));
        start..end
    }

    /// A piece of the text, every byte that is secret, or that a terminal obeys, replaced so that all others
    /// stay where they are.
    fn masked(&self, piece: Range<usize>) -> String {
        let hidden = self.hidden.borrow();
        let within = |span: &&Range<usize>| span.start < piece.end && piece.start < span.end;
        let hidden: Vec<_> = hidden.iter().filter(within).collect();
        let is_hidden = |at: usize| hidden.iter().any(|span| span.contains(&at));
        let masked = |(at, c): (usize, char)| match is_c1(c) || is_hidden(piece.start + at) {
            true => "*".repeat(c.len_utf8()),
            false => c.to_string(),
        };
        self.text[piece.clone()].char_indices().map(masked).collect()
    }
}

fn syntax_hint(message: &str) -> &'static str {
    match message.contains("duplicate") {
        true => "a key stands once in its table: leave one out, or put them together",
        false => "each key on a line of its own, text in quotes, lists in brackets: `key = \"text\"`",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placed(text: &str, span: Range<usize>) -> Excerpt {
        let source = Source::new("a.toml", text);
        let found = Found {
            severity: Severity::Error,
            span,
            path: String::new(),
            message: String::new(),
            hint: String::new(),
        };
        match source.place(found).place {
            Place::Text(excerpt) => excerpt,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn lines_and_columns_count_from_one_and_columns_are_characters() {
        for (text, span, line, column) in [
            ("", 0..0, 1, 1),
            ("a = 1", 0..1, 1, 1),
            ("a = 1\nb = 2", 10..11, 2, 5),
            ("ä = \"ö\"", 5..9, 1, 5),
            ("a = 1\r\nb", 7..8, 2, 1),
            ("a = 1\n", 6..6, 2, 1),
            ("a", 99..120, 1, 2),
        ] {
            let excerpt = placed(text, span);
            assert_eq!((excerpt.line, excerpt.column), (line, column), "{text:?}");
        }
    }

    #[test]
    fn what_spans_lines_is_shown_by_its_first() {
        let excerpt = placed("a = [\n 1,\n 2]", 4..12);
        assert_eq!((excerpt.text.as_str(), excerpt.span), ("a = [", 4..5));
    }

    #[test]
    fn of_a_very_long_line_a_piece_is_shown() {
        let line = "ü".repeat(50_000);
        let excerpt = placed(&format!("a\n{line}\n"), 2 + 60_000..2 + 60_002);
        assert_eq!((excerpt.line, excerpt.column), (2, 30_001));
        assert_eq!((excerpt.text.len(), &excerpt.text[excerpt.span]), (WIDEST, "ü"));
        let end = placed(&format!("{line}\n"), 99_998..200_000);
        assert_eq!((end.text.len(), &end.text[end.span]), (WIDEST / 4 + 2, "ü"));
    }

    #[test]
    fn what_is_hidden_is_masked_and_nothing_moves() {
        let source = Source::new("a.toml", "k = \"sü\" # x");
        source.hide(4..9);
        assert_eq!(source.masked(0..13), "k = ***** # x");
    }
}
