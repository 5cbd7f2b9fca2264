use std::fmt;
use std::str::FromStr;

use super::fields::Fields;
use super::piece::Piece;
use super::{ExpressionError, refused, shorthand};

/// A cron expression. Its text is the author's, trimmed; two expressions are equal where their texts are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expression {
    text: Box<str>,
    fields: Fields,
}

impl Expression {
    /// The most bytes of an expression. With every value of every field listed it takes 600.
    pub const LONGEST: usize = 1000;

    /// The author's text, trimmed.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub(in crate::schedule) fn fields(&self) -> &Fields {
        &self.fields
    }
}

impl FromStr for Expression {
    type Err = ExpressionError;

    fn from_str(text: &str) -> Result<Self, ExpressionError> {
        let piece = Piece::whole(text).trim();
        if piece.text.len() > Self::LONGEST {
            let (most, found) = (Self::LONGEST, piece.text.len());
            let message = format!("expected an expression of at most {most} bytes, found {found}");
            let hint = "ranges and steps say it shorter, as in `0-59/5`";
            return Err(ExpressionError::new(piece.span(), message, hint));
        }
        refused::prefix(piece)?;
        let fields = if piece.text.starts_with('@') { shorthand::read(piece)? } else { Fields::read(piece)? };
        Ok(Self { text: piece.text.into(), fields })
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}
