//! One line on a terminal that says how far something is, below all that is printed meanwhile.
//!
//! Elsewhere nothing is drawn. Whatever is printed or said takes the line's place; it is drawn again with the next
//! step, unless a line of somebody else's output has not ended yet.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the line is there.
static SHOWN: AtomicBool = AtomicBool::new(false);

/// Whether what was printed last is a piece of a line.
static MID_LINE: AtomicBool = AtomicBool::new(false);

const WIDTH: u64 = 30;

/// Whether anybody sees it.
pub(super) fn is_seen() -> bool {
    io::stderr().is_terminal()
}

/// Draws `text` in place of what the line was.
pub(super) fn show(text: &str) {
    if !is_seen() || MID_LINE.load(Ordering::Relaxed) {
        return;
    }
    SHOWN.store(true, Ordering::Relaxed);
    let mut err = io::stderr().lock();
    // That nobody can see it is no reason to fail.
    let _ = write!(err, "\r\x1b[K{text}");
    let _ = err.flush();
}

/// Takes the line away.
pub(super) fn clear() {
    give_way(b"");
}

/// Takes the line away, for `bytes` that are printed.
pub(super) fn give_way(bytes: &[u8]) {
    if let Some(last) = bytes.last() {
        MID_LINE.store(*last != b'\n', Ordering::Relaxed);
    }
    if SHOWN.swap(false, Ordering::Relaxed) {
        let mut err = io::stderr().lock();
        let _ = write!(err, "\r\x1b[K");
        let _ = err.flush();
    }
}

/// As in `[#####.....] 12.0 of 24.0 MiB`.
pub(super) fn bar(done: u64, all: u64) -> String {
    let full = (WIDTH * done.min(all)).checked_div(all).unwrap_or(WIDTH);
    let (full, rest) = (full as usize, (WIDTH - full) as usize);
    let (unit, shift) = unit(all);
    let in_units = |bytes: u64| bytes as f64 / (1u64 << shift) as f64;
    format!("[{}{}] {:.1} of {:.1} {unit}", "#".repeat(full), ".".repeat(rest), in_units(done), in_units(all))
}

/// As in `24.0 MiB`.
pub(super) fn size(bytes: u64) -> String {
    match unit(bytes) {
        (unit, 0) => format!("{bytes} {unit}"),
        (unit, shift) => format!("{:.1} {unit}", bytes as f64 / (1u64 << shift) as f64),
    }
}

fn unit(bytes: u64) -> (&'static str, u32) {
    match bytes {
        0..0x400 => ("bytes", 0),
        0x400..0x10_0000 => ("KiB", 10),
        0x10_0000..0x4000_0000 => ("MiB", 20),
        _ => ("GiB", 30),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_full_as_what_it_is_about() {
        assert_eq!(bar(0, 0x600000), "[..............................] 0.0 of 6.0 MiB");
        assert_eq!(bar(0x200000, 0x600000), "[##########....................] 2.0 of 6.0 MiB");
        assert_eq!(bar(0x700000, 0x600000), "[##############################] 7.0 of 6.0 MiB");
        assert_eq!(bar(0, 0), "[##############################] 0.0 of 0.0 bytes");
    }

    #[test]
    fn sizes_are_in_the_unit_that_people_read() {
        assert_eq!(size(1023), "1023 bytes");
        assert_eq!(size(1536), "1.5 KiB");
        assert_eq!(size(200 << 20), "200.0 MiB");
        assert_eq!(size(3 << 30), "3.0 GiB");
    }
}
