//! Security groups, in Cloud Foundry's rule form: which addresses and ports the tasks of an App may reach.
//!
//! A [`Rule`] can only hold what a NetworkPolicy can say, so that none is silently dropped: `tcp`, `udp` or
//! everything, to blocks of addresses. A range of addresses is held as the fewest blocks that cover exactly it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// What the tasks of an App that names the group may reach.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SecurityGroup {
    /// Each allows something; together they allow all of it, and nothing else is.
    pub rules: Vec<Rule>,
}

/// What is allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The protocol and, but for [`Protocol::All`], the ports.
    pub protocol: Protocol,
    /// Where to.
    pub destination: Destination,
}

/// What is spoken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Protocol {
    /// TCP to these ports.
    Tcp(Ports),
    /// UDP to these ports.
    Udp(Ports),
    /// Everything.
    All,
}

/// Ports of a rule, as in `443` or `53,8000-8080`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ports(Vec<(u16, u16)>);

/// Addresses of a rule: an address, a block, a range, or several of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination(Vec<Block>);

/// Addresses that begin with the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    first: IpAddr,
    bits: u32,
}

/// Why a text names no ports or addresses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// No ports.
    #[error("expected ports as in `443` or `53,8000-8080`, found `{0}`\nhint: a port is between 1 and 65535")]
    Ports(String),
    /// A range that begins after its end.
    #[error("expected a range that begins before it ends, found `{0}`\nhint: did you mean `{1}`?")]
    Reversed(String, String),
    /// No addresses.
    #[error(
        "expected an address, a block as in `10.0.0.0/8` or a range as in `10.0.0.1-10.0.0.9`, found `{0}`\nhint: addresses are in numbers; several stand in one text, with commas between them"
    )]
    Destination(String),
}

impl Ports {
    /// First and last port of each range.
    pub fn ranges(&self) -> &[(u16, u16)] {
        &self.0
    }
}

impl FromStr for Ports {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        let malformed = || RuleError::Ports(text.to_owned());
        let port =
            |text: &str| text.trim().parse::<u16>().ok().filter(|port| *port > 0).ok_or_else(malformed);
        let range = |part: &str| match part.split_once('-') {
            None => port(part).map(|port| (port, port)),
            Some((first, last)) => match (port(first)?, port(last)?) {
                (first, last) if first > last => {
                    Err(RuleError::Reversed(part.to_owned(), format!("{last}-{first}")))
                }
                range => Ok(range),
            },
        };
        text.split(',').map(range).collect::<Result<_, _>>().map(Self)
    }
}

impl Destination {
    /// The blocks that are exactly these addresses.
    pub fn blocks(&self) -> &[Block] {
        &self.0
    }
}

impl FromStr for Destination {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        let mut blocks = Vec::new();
        for part in text.split(',').map(str::trim) {
            blocks.extend(part_of_destination(part)?);
        }
        Ok(Self(blocks))
    }
}

fn part_of_destination(part: &str) -> Result<Vec<Block>, RuleError> {
    let malformed = || RuleError::Destination(part.to_owned());
    let address = |text: &str| text.trim().parse::<IpAddr>().map_err(|_| malformed());
    if let Some((first, bits)) = part.split_once('/') {
        let first = address(first)?;
        let digits = !bits.is_empty() && bits.chars().all(|c| c.is_ascii_digit());
        let bits = bits.parse().ok().filter(|bits| digits && *bits <= width(first)).ok_or_else(malformed)?;
        return Ok(vec![Block::around(first, bits)]);
    }
    if let Some((first, last)) = part.split_once('-') {
        let (first, last) = (address(first)?, address(last)?);
        return match (first.is_ipv4() == last.is_ipv4(), first <= last) {
            (false, _) => Err(malformed()),
            (_, false) => Err(RuleError::Reversed(part.to_owned(), format!("{last}-{first}"))),
            _ => Ok(between(first, last)),
        };
    }
    address(part).map(|address| vec![Block { first: address, bits: width(address) }])
}

impl Block {
    /// The block of this size that holds `address`.
    fn around(address: IpAddr, bits: u32) -> Self {
        let free = width(address) - bits;
        let kept = number(address).checked_shr(free).and_then(|kept| kept.checked_shl(free)).unwrap_or(0);
        Self { first: address_like(address, kept), bits }
    }
}

impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.bits)
    }
}

/// The fewest blocks: from the front, each the largest that begins there and does not reach beyond the end.
fn between(first: IpAddr, last: IpAddr) -> Vec<Block> {
    let (mut at, end) = (number(first), number(last));
    let mut blocks = Vec::new();
    loop {
        let aligned = at.trailing_zeros().min(width(first));
        let fits = |free: u32| at.checked_add(size_less_one(free)).is_some_and(|reached| reached <= end);
        let free = (0..=aligned).rev().find(|free| fits(*free)).unwrap_or(0);
        blocks.push(Block { first: address_like(first, at), bits: width(first) - free });
        match at.checked_add(size_less_one(free)).and_then(|reached| reached.checked_add(1)) {
            Some(next) if next <= end => at = next,
            _ => return blocks,
        }
    }
}

/// One less than the number of addresses of which so many bits are free.
fn size_less_one(free: u32) -> u128 {
    u128::MAX.checked_shr(128 - free).unwrap_or(0)
}

fn width(address: IpAddr) -> u32 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => address.into(),
    }
}

/// The address of this number, of the other's family.
fn address_like(other: IpAddr, number: u128) -> IpAddr {
    match other {
        IpAddr::V4(_) => Ipv4Addr::from(u32::try_from(number).unwrap_or(u32::MAX)).into(),
        IpAddr::V6(_) => Ipv6Addr::from(number).into(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn blocks(text: &str) -> Vec<String> {
        text.parse::<Destination>().unwrap().blocks().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn addresses_blocks_and_ranges_become_blocks() {
        for (text, expected) in [
            ("10.1.2.3", &["10.1.2.3/32"] as &[&str]),
            ("10.1.2.3/8", &["10.0.0.0/8"]),
            ("0.0.0.0/0", &["0.0.0.0/0"]),
            ("0.0.0.0-255.255.255.255", &["0.0.0.0/0"]),
            ("10.0.0.1-10.0.0.9", &["10.0.0.1/32", "10.0.0.2/31", "10.0.0.4/30", "10.0.0.8/31"]),
            ("10.0.0.4-10.0.0.7", &["10.0.0.4/30"]),
            ("255.255.255.254-255.255.255.255", &["255.255.255.254/31"]),
            ("10.0.0.1, 10.0.0.2/31", &["10.0.0.1/32", "10.0.0.2/31"]),
            ("fd00::1", &["fd00::1/128"]),
            ("::/0", &["::/0"]),
            ("::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", &["::/0"]),
            ("fd00::fffe-fd00::1:0001", &["fd00::fffe/127", "fd00::1:0/127"]),
        ] {
            assert_eq!(blocks(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "db.example",
            "10.0.0",
            "10.0.0.0/33",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "fd00::/129",
            "10.0.0.1-",
            "10.0.0.1-fd00::1",
            "1.2.3.4,",
            "010.0.0.1",
        ] {
            assert!(matches!(text.parse::<Destination>(), Err(RuleError::Destination(_))), "{text}");
        }
        let reversed = "10.0.0.9-10.0.0.1".parse::<Destination>().unwrap_err();
        assert!(reversed.to_string().ends_with("did you mean `10.0.0.1-10.0.0.9`?"), "{reversed}");
    }

    #[test]
    fn ports_are_numbers_and_ranges() {
        let ranges = |text: &str| text.parse::<Ports>().map(|ports| ports.ranges().to_vec());
        assert_eq!(ranges("443"), Ok(vec![(443, 443)]));
        assert_eq!(ranges("53, 8000-8080"), Ok(vec![(53, 53), (8000, 8080)]));
        for text in ["", "0", "65536", "https", "1,", "1-", "-1", "1-2-3"] {
            assert_eq!(ranges(text), Err(RuleError::Ports(text.to_owned())), "{text}");
        }
        assert!(matches!(ranges("9-1"), Err(RuleError::Reversed(..))));
    }

    proptest! {
        #[test]
        fn blocks_cover_a_range_exactly(first: u32, length in 0u32..5000) {
            let last = first.saturating_add(length);
            let (from, to) = (Ipv4Addr::from(first), Ipv4Addr::from(last));
            let mut next = u128::from(first);
            for block in between(from.into(), to.into()) {
                prop_assert_eq!(number(block.first), next);
                prop_assert_eq!(Block::around(block.first, block.bits), block, "aligned");
                next += size_less_one(32 - block.bits) + 1;
            }
            prop_assert_eq!(next, u128::from(last) + 1);
        }
    }
}
