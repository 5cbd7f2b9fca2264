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

/// Appends bytes behind their length.
pub(super) fn text(into: &mut Vec<u8>, text: &[u8]) {
    number(into, text.len() as u64);
    into.extend_from_slice(text);
}

/// Appends a number, as wide as it must be.
pub(super) fn number(into: &mut Vec<u8>, number: u64) {
    match number {
        0..=240 => into.push(number as u8),
        241..=2287 => into.extend([((number - 240) / 256 + 241) as u8, ((number - 240) % 256) as u8]),
        2288..=67_823 => into.extend([249, ((number - 2288) / 256) as u8, ((number - 2288) % 256) as u8]),
        _ => {
            let width = (8 - number.leading_zeros() as usize / 8).max(3);
            into.push((247 + width) as u8);
            into.extend_from_slice(&number.to_le_bytes()[..width]);
        }
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

    #[test]
    fn a_number_reads_back() {
        for width in 0..64 {
            for near in [(1u64 << width) - 1, 1 << width, (1 << width) + 1] {
                let mut written = Vec::new();
                number(&mut written, near);
                let mut bytes = Bytes(&written);
                assert_eq!((bytes.number(), bytes.0.len()), (Some(near), 0), "{near}");
            }
        }
        for number in [240, 241, 2287, 2288, 67_823, 67_824, u64::MAX] {
            let mut written = Vec::new();
            super::number(&mut written, number);
            assert_eq!(Bytes(&written).number(), Some(number));
        }
    }
}
