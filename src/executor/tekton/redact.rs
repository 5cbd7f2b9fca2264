//! A secret that is not to be seen in a log, however its bytes come.

use secrecy::{ExposeSecret, SecretString};

const INSTEAD: &[u8] = b"[redacted]";

/// Puts something else in place of a secret.
#[derive(Debug)]
pub(super) struct Redactor {
    secret: SecretString,
    /// The bytes that the secret may begin with, until more are known.
    begun: Vec<u8>,
}

impl Redactor {
    pub(super) fn new(secret: SecretString) -> Self {
        Self { secret, begun: Vec::new() }
    }

    /// The text so far, but for an end that may be the beginning of the secret.
    pub(super) fn take(&mut self, chunk: &[u8]) -> Vec<u8> {
        let secret = self.secret.expose_secret().as_bytes();
        let mut text = std::mem::take(&mut self.begun);
        text.extend_from_slice(chunk);
        if secret.is_empty() {
            return text;
        }
        let mut redacted = Vec::with_capacity(text.len());
        let mut rest = text.as_slice();
        while let Some(at) = rest.windows(secret.len()).position(|window| window == secret) {
            redacted.extend_from_slice(&rest[..at]);
            redacted.extend_from_slice(INSTEAD);
            rest = &rest[at + secret.len()..];
        }
        let longest = rest.len().min(secret.len() - 1);
        let begun = (1..=longest).rev().find(|length| secret.starts_with(&rest[rest.len() - length..]));
        let (whole, begun) = rest.split_at(rest.len() - begun.unwrap_or(0));
        redacted.extend_from_slice(whole);
        self.begun = begun.to_vec();
        redacted
    }

    /// Whether something is kept back.
    pub(super) fn keeps_back(&self) -> bool {
        !self.begun.is_empty()
    }

    /// What was kept back: no more comes.
    pub(super) fn rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.begun)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn redacted(secret: &str, chunks: &[&[u8]]) -> String {
        let mut redactor = Redactor::new(secret.into());
        let mut all: Vec<u8> = chunks.iter().flat_map(|chunk| redactor.take(chunk)).collect();
        all.extend(redactor.rest());
        String::from_utf8(all).unwrap()
    }

    #[test]
    fn a_secret_is_found_wherever_it_is_cut() {
        let text = b"begin abcabd abcabcabd, abcab end abcabdabcabd abca";
        let expected = "begin [redacted] abc[redacted], abcab end [redacted][redacted] abca";
        for (first, second) in
            (0..=text.len()).flat_map(|first| (first..=text.len()).map(move |second| (first, second)))
        {
            let chunks = [&text[..first], &text[first..second], &text[second..]];
            assert_eq!(redacted("abcabd", &chunks), expected, "cut at {first} and {second}");
        }
        assert_eq!(redacted("", &[b"x"]), "x");
    }

    proptest! {
        #[test]
        fn as_a_replacement_of_the_whole_text(text in "[ab\n]{0,60}", cuts in prop::collection::vec(0..60_usize, 0..6)) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let chunks: Vec<&[u8]> = cuts.windows(2).map(|cut| &text.as_bytes()[cut[0]..cut[1]]).collect();
            prop_assert_eq!(redacted("abba", &chunks), text.replace("abba", "[redacted]"));
        }
    }
}
