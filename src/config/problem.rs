//! What is wrong with a configuration, and where: all of it at once.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

/// A file as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SourceFile {
    /// The path, as the user would write it.
    pub(super) path: String,
    pub(super) text: String,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    place: Place,
    message: String,
    hint: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    /// Bytes of a file, and what stands there as a TOML path.
    File { source: Arc<SourceFile>, span: Range<usize>, path: String },
    /// A file, directory or environment variable as a whole.
    Whole(String),
}

/// Everything that is wrong with a configuration. Displays as a report for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems {
    problems: Vec<Problem>,
}

impl Problem {
    pub(super) fn at(source: &Arc<SourceFile>, span: Range<usize>, path: &str, message: String) -> Self {
        let place = Place::File { source: Arc::clone(source), span, path: path.to_owned() };
        Self { place, message, hint: None }.with_hint_of_message()
    }

    pub(super) fn whole(what: impl Into<String>, message: impl Into<String>) -> Self {
        Self { place: Place::Whole(what.into()), message: message.into(), hint: None }.with_hint_of_message()
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Errors of the domain end with their hint in a line of its own.
    fn with_hint_of_message(mut self) -> Self {
        if let Some((message, hint)) = self.message.split_once("\nhint: ") {
            self.hint = Some(hint.to_owned());
            self.message = message.to_owned();
        }
        self
    }

    /// `file:line:column`, or what it is about where that is no line of a file.
    pub fn location(&self) -> String {
        match &self.place {
            Place::File { source, span, .. } => {
                let before = source.text.get(..span.start).unwrap_or(&source.text);
                let line = before.matches('\n').count() + 1;
                let column = before.rsplit('\n').next().map_or(0, |start| start.chars().count()) + 1;
                format!("{}:{line}:{column}", source.path)
            }
            Place::Whole(what) => what.clone(),
        }
    }

    /// The TOML path, as in `jobs[0].schedule`; none where it is about more than one key.
    pub fn path(&self) -> Option<&str> {
        match &self.place {
            Place::File { path, .. } if !path.is_empty() => Some(path),
            _ => None,
        }
    }

    /// What was expected, and what was found.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place::File { source, span, path } = &self.place else {
            write!(f, "error: {}: {}", self.location(), self.message)?;
            return self.hint.iter().try_for_each(|hint| write!(f, "\n  = hint: {hint}"));
        };
        let title = if path.is_empty() { self.message.clone() } else { format!("{path}: {}", self.message) };
        let end = span.end.min(source.text.len());
        // A table as a whole is shown by its first line.
        let line_end = source.text[span.start.min(end)..end].find('\n').map_or(end, |at| span.start + at);
        let annotation = AnnotationKind::Primary.span(span.start.min(end)..line_end);
        let snippet = Snippet::source(&source.text).path(&source.path).annotation(annotation);
        let mut group = Level::ERROR.primary_title(&title).element(snippet);
        if let Some(hint) = &self.hint {
            group = group.element(Level::HELP.with_name("hint").message(hint));
        }
        f.write_str(&Renderer::plain().render(&[group]))
    }
}

impl Problems {
    pub(super) fn new(problems: Vec<Problem>) -> Self {
        Self { problems }
    }

    /// Each of them, in the order of files and lines.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.problems.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.problems.len()
    }

    /// Whether there are none; then nobody made these.
    pub fn is_empty(&self) -> bool {
        self.problems.is_empty()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.problems {
            writeln!(f, "{problem}\n")?;
        }
        match self.problems.len() {
            1 => f.write_str("one problem; nothing was changed"),
            count => write!(f, "{count} problems; nothing was changed"),
        }
    }
}

impl std::error::Error for Problems {}
