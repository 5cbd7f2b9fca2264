//! The `tekcron` binary.

fn main() {}
