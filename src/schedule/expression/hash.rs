//! `H`: a value that follows from the job's name, so that jobs alike do not all start at once.
//!
//! Written `H`, `H(a-b)`, `H/n` or `H(a-b)/n`, as in Jenkins. What it stands for is the same each time, and
//! is noted, so that an expression can be shown as what it comes to.

use std::ops::Range;

use sha2::{Digest, Sha256};

use super::piece::Piece;
use super::read::is_number;
use super::{ExpressionError, Field};

/// The name that is hashed, and what stands for each `H` so far.
#[derive(Debug)]
pub(super) struct JobHash<'a> {
    job: &'a str,
    resolved: Vec<(Range<usize>, String)>,
}

impl<'a> JobHash<'a> {
    pub(super) fn new(job: &'a str) -> Self {
        Self { job, resolved: Vec::new() }
    }

    /// A number below `count`, another for each purpose.
    pub(super) fn below(&self, purpose: &str, count: u64) -> u64 {
        let mut hash = Sha256::new();
        for name in [self.job, purpose] {
            hash.update(name);
            // No name holds it.
            hash.update([0]);
        }
        let digest = hash.finalize();
        let hash = u64::from_be_bytes(digest[..8].try_into().expect("a digest is longer than eight bytes"));
        // The high half of the product is below the count.
        ((u128::from(hash) * u128::from(count)) >> 64) as u64
    }

    /// The text that was read from `start` on, with what stands for each `H`; none where there is none.
    pub(super) fn resolve(mut self, text: &str, start: usize) -> Option<String> {
        if self.resolved.is_empty() {
            return None;
        }
        self.resolved.sort_by_key(|(place, _)| place.start);
        let (mut shown, mut end) = (String::with_capacity(text.len()), 0);
        for (place, value) in self.resolved {
            shown += &text[end..place.start - start];
            shown += &value;
            end = place.end - start;
        }
        Some(shown + &text[end..])
    }

    fn index(&self, field: Field, count: usize) -> usize {
        self.below(&field.to_string(), count as u64) as usize
    }
}

impl Field {
    /// Reads an item that begins with `H`; none where it does not.
    pub(super) fn read_hash(
        self,
        item: Piece<'_>,
        hash: &mut JobHash<'_>,
    ) -> Result<Option<Vec<u8>>, ExpressionError> {
        let Some(rest) = item.text.strip_prefix(['H', 'h']) else { return Ok(None) };
        if rest.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return Ok(None);
        }
        let (values, step) = match rest.strip_prefix('(') {
            Some(_) => self.hash_range(item, item.after(2))?,
            None => (self.hashed().collect(), item.after(1)),
        };
        let high = values.last().copied().unwrap_or_default();
        let (chosen, shown) = if step.text.is_empty() {
            let value = values[hash.index(self, values.len())];
            (vec![value], value.to_string())
        } else {
            let Some(written) = step.strip_prefix('/') else {
                let low = self.range().start().to_string();
                let corrected = match step.text {
                    text if is_number(text) => format!("H/{text}"),
                    text if text.strip_prefix('-').is_some_and(is_number) => format!("H({low}{text})"),
                    _ => "H/2".to_owned(),
                };
                return Err(self.no_hash(item, &corrected));
            };
            let by = self.hash_step(item, written, values.len())?;
            let chosen: Vec<u8> = values.iter().copied().skip(hash.index(self, by)).step_by(by).collect();
            let shown = match chosen[..] {
                [only] => only.to_string(),
                [first, ..] => format!("{first}-{high}/{by}"),
                [] => String::new(),
            };
            (chosen, shown)
        };
        hash.resolved.push((item.span(), shown));
        Ok(Some(chosen))
    }

    /// The values among which `H` chooses: of the days only those that each month has.
    fn hashed(self) -> std::ops::RangeInclusive<u8> {
        if self == Self::Day { 1..=28 } else { self.once_around() }
    }

    /// The values of `a-b)`, and what follows.
    fn hash_range<'a>(
        self,
        item: Piece<'a>,
        inside: Piece<'a>,
    ) -> Result<(Vec<u8>, Piece<'a>), ExpressionError> {
        let Some((range, rest)) = inside.split_once(')') else {
            let closed = format!("H({})", if inside.text.contains('-') { inside.text } else { "0-5" });
            return Err(self.no_hash(item, &closed));
        };
        let Some((first, last)) = range.split_once('-') else {
            let corrected = match range.text {
                "" | "*" => "H".to_owned(),
                text if is_number(text) => format!("H({text}-{})", self.hashed().end()),
                _ => format!("H({}-{})", self.hashed().start(), self.hashed().end()),
            };
            return Err(self.no_hash(item, &corrected));
        };
        let values = self.read_value(first).and_then(|first| Ok((first, self.read_value(last)?)));
        let (first, last) = values.map_err(|error| match self.clamped(first.text, last.text) {
            Some(range) => error.with_hint(format!("`H({range})`")),
            None => error,
        })?;
        Ok((self.between(first, last), rest))
    }

    /// The range with its ends in the field, where both are numbers.
    fn clamped(self, first: &str, last: &str) -> Option<String> {
        let end = |text: &str| {
            let number = text.parse().unwrap_or(u8::MAX);
            is_number(text).then(|| number.clamp(*self.range().start(), *self.range().end()))
        };
        let (first, last) = (end(first)?, end(last)?);
        Some(if first == last {
            format!("{}-{last}", self.range().start())
        } else {
            format!("{first}-{last}")
        })
    }

    fn hash_step(self, item: Piece<'_>, step: Piece<'_>, values: usize) -> Result<usize, ExpressionError> {
        let most = values.min(usize::from(*self.range().end()));
        let read =
            step.text.parse().ok().filter(|number| is_number(step.text) && (1..=most).contains(number));
        read.ok_or_else(|| {
            let found = if step.text.is_empty() { "nothing".to_owned() } else { format!("`{}`", step.text) };
            let message = format!("{self}: expected a step from 1 to {most} after `/`, found {found}");
            let alone = item.text.split('/').next().unwrap_or("H");
            let hint = match is_number(step.text) && step.text.bytes().any(|byte| byte != b'0') {
                true => format!("`{alone}` is one value of each {}", self.within()),
                false => format!("`{alone}/2` is every second {self}"),
            };
            ExpressionError::new(item.span(), message, hint)
        })
    }

    fn no_hash(self, item: Piece<'_>, corrected: &str) -> ExpressionError {
        let message = format!("{self}: expected `H`, `H(a-b)`, `H/n` or `H(a-b)/n`, found `{}`", item.text);
        ExpressionError::new(item.span(), message, format!("`{corrected}`"))
    }
}
