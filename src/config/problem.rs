//! What is wrong with a configuration, and how it is shown to its author.
//!
//! A [`Problem`] says what was expected beside what was found, where (file, line, column and TOML path), and what
//! to do about it.
//! [`Problems`] are all of them, in the order of the files; their `Display` is the whole report, without
//! colour.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use annotate_snippets::{
    AnnotationKind, Group, Level, Origin, Renderer, Snippet, normalize_untrusted_str as harmless,
};

/// The most bytes of a message that are shown.
const LONGEST: usize = 2000;

/// One thing that is wrong, or looks wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Whether the configuration can be used nevertheless.
    pub severity: Severity,
    /// Where it is.
    pub place: Place,
    /// What was expected, and what was found.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

/// Whether a configuration with this problem can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// It cannot.
    Error,
    /// It can, but is probably not what its author means.
    Warning,
}

/// Where a problem is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In the text of a file.
    Text(Excerpt),
    /// In a file or directory as a whole.
    File(String),
    /// In an environment variable, or the flag that stands for it.
    Variable(String),
}

/// A piece of one line of a file. What is secret in the line is masked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt {
    /// The file, as its author would name it.
    pub file: String,
    /// The line, counted from 1.
    pub line: usize,
    /// The column in characters, counted from 1.
    pub column: usize,
    /// The TOML path, as in `jobs[0].schedule`; empty where there is none.
    pub path: String,
    /// The line, or of a very long one a piece.
    pub text: String,
    /// The piece, in bytes of `text`.
    pub span: Range<usize>,
}

/// All that is wrong with a configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problem {
    /// An error about a file as a whole.
    pub fn of_file(file: impl Into<String>, message: impl Into<String>, hint: impl Into<String>) -> Self {
        let place = Place::File(file.into());
        Self { severity: Severity::Error, place, message: message.into(), hint: hint.into() }
    }

    pub(super) fn only_a_warning(self) -> Self {
        Self { severity: Severity::Warning, ..self }
    }

    fn group(&self) -> Group<'_> {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let group = match &self.place {
            Place::Text(excerpt) => {
                let group = Group::with_title(level.primary_title(shown(&self.message)));
                group.elements(excerpt.origin()).element(excerpt.snippet())
            }
            Place::File(file) => {
                level.primary_title(shown(&self.message)).element(Origin::path(file.as_str()))
            }
            Place::Variable(name) => {
                level.primary_title(shown(&self.message)).element(Origin::path(name.as_str()))
            }
        };
        group.element(Level::HELP.with_name("hint").message(harmless(&shown(&self.hint))))
    }
}

impl Excerpt {
    /// The place in the file, where what is shown of the line does not tell it.
    fn origin(&self) -> Option<Origin<'_>> {
        let is_whole = self.text[..self.span.start].chars().count() + 1 == self.column;
        let origin = || Origin::path(self.file.as_str()).line(self.line).char_column(self.column);
        (!is_whole).then(origin)
    }

    fn snippet(&self) -> Snippet<'_, annotate_snippets::Annotation<'_>> {
        let label = (!self.path.is_empty()).then(|| harmless(&shown(&self.path)));
        Snippet::source(self.text.as_str())
            .path(self.origin().is_none().then_some(self.file.as_str()))
            .line_start(self.line)
            .annotation(AnnotationKind::Primary.span(self.span.clone()).label(label))
    }
}

impl Problems {
    pub(super) fn new(problems: Vec<Problem>) -> Self {
        Self(problems)
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many keep the configuration from being used.
    pub fn errors(&self) -> usize {
        self.count(Severity::Error)
    }

    /// How many do not.
    pub fn warnings(&self) -> usize {
        self.count(Severity::Warning)
    }

    fn count(&self, severity: Severity) -> usize {
        self.iter().filter(|problem| problem.severity == severity).count()
    }

    /// The whole report, for a terminal where `colour` is asked for.
    pub fn report(&self, colour: bool) -> String {
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        let mut report = String::new();
        for problem in &self.0 {
            report.push_str(&renderer.render(&[problem.group()]));
            report.push_str("\n\n");
        }
        report + &self.summary()
    }

    /// As in `2 problems, 1 warning`.
    fn summary(&self) -> String {
        let counted = [counted(self.errors(), "problem"), counted(self.warnings(), "warning")];
        counted.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

/// A text that people read to its end: of a very long one the beginning and the end, and without the controls
/// that the renderer lets pass.
fn shown(text: &str) -> String {
    shortened(text).replace(is_c1, "\u{fffd}")
}

/// Whether a terminal may take it for an escape and the letter behind it.
pub(super) fn is_c1(c: char) -> bool {
    ('\u{80}'..='\u{9f}').contains(&c)
}

fn shortened(text: &str) -> Cow<'_, str> {
    if text.len() <= LONGEST {
        return Cow::Borrowed(text);
    }
    let (head, tail) =
        (text.floor_char_boundary(LONGEST / 2), text.ceil_char_boundary(text.len() - LONGEST / 2));
    let cut = tail - head;
    Cow::Owned(format!("{} [{cut} bytes left out] {}", &text[..head], &text[tail..]))
}

fn counted(count: usize, noun: &str) -> Option<String> {
    match count {
        0 => None,
        1 => Some(format!("1 {noun}")),
        _ => Some(format!("{count} {noun}s")),
    }
}

impl FromIterator<Problem> for Problems {
    fn from_iter<I: IntoIterator<Item = Problem>>(problems: I) -> Self {
        Self(problems.into_iter().collect())
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.report(false))
    }
}

impl std::error::Error for Problems {}
