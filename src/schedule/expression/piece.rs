use std::ops::Range;

/// A part of the author's text that knows where it stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece<'a> {
    pub(super) text: &'a str,
    start: usize,
}

impl<'a> Piece<'a> {
    pub(super) fn whole(text: &'a str) -> Self {
        Self { text, start: 0 }
    }

    /// Where it stands, in bytes.
    pub(super) fn span(self) -> Range<usize> {
        self.start..self.start + self.text.len()
    }

    pub(super) fn trim(self) -> Self {
        let start = self.text.len() - self.text.trim_start().len();
        self.part(start..start + self.text.trim().len())
    }

    pub(super) fn words(self) -> Vec<Self> {
        let starts = |word: &str| word.as_ptr().addr() - self.text.as_ptr().addr();
        self.text.split_whitespace().map(|word| self.part(starts(word)..starts(word) + word.len())).collect()
    }

    pub(super) fn split(self, separator: char) -> impl Iterator<Item = Self> {
        let mut start = 0;
        self.text.split(separator).map(move |part| {
            let piece = self.part(start..start + part.len());
            start += part.len() + separator.len_utf8();
            piece
        })
    }

    pub(super) fn split_once(self, separator: char) -> Option<(Self, Self)> {
        let at = self.text.find(separator)?;
        Some((self.part(0..at), self.part(at + separator.len_utf8()..self.text.len())))
    }

    pub(super) fn strip_prefix(self, prefix: char) -> Option<Self> {
        self.text.strip_prefix(prefix).map(|_| self.part(prefix.len_utf8()..self.text.len()))
    }

    pub(super) fn strip_suffix(self, suffix: char) -> Option<Self> {
        self.text.strip_suffix(suffix).map(|rest| self.part(0..rest.len()))
    }

    /// All but the first `bytes` of it.
    pub(super) fn after(self, bytes: usize) -> Self {
        self.part(bytes..self.text.len())
    }

    /// From the start of `self` to the end of `last`.
    pub(super) fn span_to(self, last: Self) -> Range<usize> {
        self.start..last.span().end
    }

    fn part(self, range: Range<usize>) -> Self {
        Self { start: self.start + range.start, text: &self.text[range] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_knows_where_it_stands() {
        let text = "  1-5,é/2\t* ";
        let words = Piece::whole(text).words();
        assert_eq!(words.iter().map(|word| word.span()).collect::<Vec<_>>(), [2..10, 11..12]);
        let items: Vec<_> = words[0].split(',').collect();
        assert_eq!(&text[items[1].span()], "é/2");
        let (left, right) = items[1].split_once('/').unwrap();
        assert_eq!((&text[left.span()], &text[right.span()]), ("é", "2"));
        assert_eq!(Piece::whole(text).trim().span(), 2..12);
    }
}
