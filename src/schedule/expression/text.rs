use std::fmt;
use std::str::FromStr;

use super::fields::Fields;
use super::hash::JobHash;
use super::piece::Piece;
use super::{ExpressionError, refused, shorthand};
use crate::schedule::days::KnownDays;

/// A cron expression. Its text is the author's, trimmed. Two expressions are equal where their texts are, and
/// what the job's name makes of them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Expression {
    text: Box<str>,
    /// The text with what stands for each `H`; none where there is none.
    resolved: Option<Box<str>>,
    when: When,
}

/// What an expression says.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::schedule) enum When {
    /// Times on the wall clock.
    Fields(Fields),
    /// Every so many seconds, from so many seconds after the epoch on.
    Every { interval: i64, phase: i64 },
    /// Once, at this second since the epoch.
    At(i64),
}

impl Expression {
    /// The most bytes of an expression. With every value of every field listed it takes 600.
    pub const LONGEST: usize = 1000;

    /// Reads an expression of the job `APP.JOB`, whose name decides what `H` stands for, and which second of
    /// its interval `@every` takes. [`FromStr`] reads one of a job without a name.
    ///
    /// # Errors
    /// Where the text is no expression.
    pub fn for_job(text: &str, job: &str) -> Result<Self, ExpressionError> {
        let piece = Piece::whole(text).trim();
        if piece.text.len() > Self::LONGEST {
            let (most, found) = (Self::LONGEST, piece.text.len());
            let message = format!("expected an expression of at most {most} bytes, found {found}");
            let hint = "ranges and steps say it shorter, as in `0-59/5`";
            return Err(ExpressionError::new(piece.span(), message, hint));
        }
        refused::prefix(piece)?;
        let mut hash = JobHash::new(job);
        let when = match piece.text.starts_with('@') {
            true => shorthand::read(piece, &mut hash)?,
            false => When::Fields(Fields::read(piece, &mut hash)?),
        };
        let resolved = hash.resolve(piece.text, piece.span().start).map(String::into_boxed_str);
        Ok(Self { text: piece.text.into(), resolved, when })
    }

    /// The author's text, trimmed.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The text with what stands for each `H`; none where there is none.
    pub fn resolved(&self) -> Option<&str> {
        self.resolved.as_deref()
    }

    /// Whether another job reads it otherwise: it has an `H`, or an interval.
    pub fn depends_on_job(&self) -> bool {
        self.resolved.is_some() || matches!(self.when, When::Every { .. })
    }

    pub(in crate::schedule) fn when(&self) -> &When {
        &self.when
    }

    /// Shares what it says of days with the others that name the same.
    pub(in crate::schedule) fn share_dates(&mut self, known: &KnownDays) {
        if let When::Fields(fields) = &mut self.when {
            fields.dates = known.first(&fields.dates);
        }
    }

    /// Its fields, where it has any.
    pub(in crate::schedule) fn fields(&self) -> Option<&Fields> {
        match &self.when {
            When::Fields(fields) => Some(fields),
            When::Every { .. } | When::At(_) => None,
        }
    }
}

impl FromStr for Expression {
    type Err = ExpressionError;

    fn from_str(text: &str) -> Result<Self, ExpressionError> {
        Self::for_job(text, "")
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}
