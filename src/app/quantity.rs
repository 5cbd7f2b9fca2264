use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Why a text is not an amount of CPU, memory or disk.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// Not a positive number followed by a unit.
    #[error("expected {expected}, found `{found}`")]
    Malformed {
        /// What would be right.
        expected: &'static str,
        /// What stands there.
        found: String,
    },
    /// A number alone: bytes, mebibytes or a slip?
    #[error("expected a unit, as in `{found}Mi` or `{found}M`, found `{found}` alone")]
    NoUnit {
        /// The bare number.
        found: String,
    },
    /// Zero, or more than any machine has.
    #[error("expected {range}, found `{found}`")]
    OutOfRange {
        /// What would be sensible.
        range: &'static str,
        /// What stands there.
        found: String,
    },
}

/// A CPU share in thousandths of a core.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Cpu(u32);

impl Cpu {
    /// Thousandths of a core.
    pub fn millicores(self) -> u32 {
        self.0
    }
}

impl FromStr for Cpu {
    type Err = QuantityError;

    /// Reads `500m`, `2` or `0.5`.
    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let text = text.trim();
        let (digits, scale) = match text.strip_suffix('m') {
            Some(digits) => (digits, 1.0),
            None => (text, 1000.0),
        };
        let number = decimal(digits).ok_or_else(|| QuantityError::Malformed {
            expected: "cores as in `500m`, `0.5` or `2`",
            found: text.to_owned(),
        })?;
        let millis = (number * scale).round();
        if !(1.0..=1_024_000.0).contains(&millis) {
            return Err(QuantityError::OutOfRange {
                range: "between `1m` and `1024`",
                found: text.to_owned(),
            });
        }
        Ok(Self(millis as u32))
    }
}

impl fmt::Display for Cpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 % 1000 {
            0 => write!(f, "{}", self.0 / 1000),
            _ => write!(f, "{}m", self.0),
        }
    }
}

/// An amount of memory, disk or log, in bytes.
///
/// Cloud Foundry's `256M` and `1G` (also `MB`, `GB`) are mebibytes and gibibytes there, so they are
/// here; Kubernetes' `Ki`, `Mi`, `Gi`, `Ti` are accepted beside them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ByteSize(u64);

impl ByteSize {
    /// This many bytes.
    pub const fn from_bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// This many mebibytes.
    pub const fn from_mebibytes(mebibytes: u64) -> Self {
        Self(mebibytes << 20)
    }

    /// In bytes.
    pub fn bytes(self) -> u64 {
        self.0
    }

    /// In mebibytes, rounded up.
    pub fn mebibytes(self) -> u64 {
        self.0.div_ceil(1 << 20)
    }
}

impl FromStr for ByteSize {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let text = text.trim();
        let malformed = || QuantityError::Malformed {
            expected: "an amount as in `256Mi`, `1Gi`, `256M` or `1G`",
            found: text.to_owned(),
        };
        let unit_at = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
        let (digits, unit) = text.split_at(unit_at);
        let number = decimal(digits).ok_or_else(malformed)?;
        let shift = match unit.to_ascii_uppercase().as_str() {
            "" => {
                return Err(QuantityError::NoUnit { found: text.to_owned() });
            }
            "B" => 0,
            "K" | "KB" | "KI" | "KIB" => 10,
            "M" | "MB" | "MI" | "MIB" => 20,
            "G" | "GB" | "GI" | "GIB" => 30,
            "T" | "TB" | "TI" | "TIB" => 40,
            _ => return Err(malformed()),
        };
        let bytes = (number * (1u64 << shift) as f64).round();
        if !(1.0..=(1u64 << 50) as f64).contains(&bytes) {
            return Err(QuantityError::OutOfRange {
                range: "between `1B` and `1024Ti`",
                found: text.to_owned(),
            });
        }
        Ok(Self(bytes as u64))
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(40, "Ti"), (30, "Gi"), (20, "Mi"), (10, "Ki")];
        match units.into_iter().find(|(shift, _)| self.0 != 0 && self.0.trailing_zeros() >= *shift) {
            Some((shift, unit)) => write!(f, "{}{unit}", self.0 >> shift),
            // Kubernetes reads a bare number as bytes.
            None => write!(f, "{}", self.0),
        }
    }
}

fn decimal(digits: &str) -> Option<f64> {
    let plain = digits.chars().all(|c| c.is_ascii_digit() || c == '.');
    let number = plain.then(|| digits.parse::<f64>().ok()).flatten()?;
    number.is_finite().then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_families_of_units_are_read() {
        for (text, bytes) in [
            ("256M", 256 << 20),
            ("256Mi", 256 << 20),
            ("1G", 1 << 30),
            ("1.5Gi", 3 << 29),
            ("10mb", 10 << 20),
        ] {
            assert_eq!(text.parse::<ByteSize>().map(ByteSize::bytes), Ok(bytes), "{text}");
        }
        for (text, millis) in [("500m", 500), ("0.5", 500), ("2", 2000), ("1.25", 1250)] {
            assert_eq!(text.parse::<Cpu>().map(Cpu::millicores), Ok(millis), "{text}");
        }
    }

    #[test]
    fn a_bare_negative_or_absurd_amount_is_refused() {
        assert_eq!("512".parse::<ByteSize>(), Err(QuantityError::NoUnit { found: "512".into() }));
        assert!(matches!("-1Gi".parse::<ByteSize>(), Err(QuantityError::Malformed { .. })));
        assert!(matches!("0Mi".parse::<ByteSize>(), Err(QuantityError::OutOfRange { .. })));
        assert!(matches!("9999999Ti".parse::<ByteSize>(), Err(QuantityError::OutOfRange { .. })));
        assert!(matches!("1e400".parse::<Cpu>(), Err(QuantityError::Malformed { .. })));
        assert!(matches!("0".parse::<Cpu>(), Err(QuantityError::OutOfRange { .. })));
    }

    #[test]
    fn what_is_shown_reads_back() {
        for text in ["256Mi", "1Gi", "3Ki", "1536Mi"] {
            assert_eq!(text.parse::<ByteSize>().unwrap().to_string(), text);
        }
        assert_eq!("2000m".parse::<Cpu>().unwrap().to_string(), "2");
    }
}
