//! Numbers and texts as sled writes them; nothing is there where they end too soon.

/// What is left to read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bytes<'a>(pub(super) &'a [u8]);

impl<'a> Bytes<'a> {
    pub(super) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    /// A position in the log, which has its full width.
    pub(super) fn position(&mut self) -> Option<i64> {
        self.array().map(i64::from_le_bytes)
    }

    /// A number of one to nine bytes; the first says how many.
    pub(super) fn number(&mut self) -> Option<u64> {
        match self.byte()? {
            small @ 0..=240 => Some(u64::from(small)),
            first @ 241..=248 => Some(240 + 256 * (u64::from(first) - 241) + u64::from(self.byte()?)),
            249 => Some(2288 + 256 * u64::from(self.byte()?) + u64::from(self.byte()?)),
            first => {
                let mut wide = [0; 8];
                let width = usize::from(first) - 247;
                wide[..width].copy_from_slice(self.take(width)?);
                Some(u64::from_le_bytes(wide))
            }
        }
    }

    /// A number that may be missing.
    pub(super) fn optional_number(&mut self) -> Option<Option<u64>> {
        self.number().map(|shifted| shifted.checked_sub(1))
    }

    /// Bytes behind their length.
    pub(super) fn text(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.number()?).ok()?;
        self.take(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_wide_as_their_first_byte_says() {
        for (bytes, number) in [
            (&[240][..], 240),
            (&[241, 0], 240),
            (&[248, 255], 2287),
            (&[249, 0, 0], 2288),
            (&[249, 255, 255], 67_823),
            (&[250, 240, 8, 1], 67_824),
            (&[255, 0, 0, 0, 0, 0, 0, 0, 1], 1 << 56),
        ] {
            assert_eq!(Bytes(bytes).number(), Some(number), "{bytes:?}");
            assert_eq!(Bytes(&bytes[..bytes.len() - 1]).number(), None, "{bytes:?}");
        }
    }
}
