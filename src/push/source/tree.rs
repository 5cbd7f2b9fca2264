//! What a tar has named so far, and where its links lead.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

use super::archive::{MOST_ENTRIES, Refusal};

/// The most bytes of all links, with their names.
const MOST_LINK_BYTES: usize = 8 << 20;

/// The most links on one way, as the kernel follows them.
const MOST_HOPS: usize = 40;

/// The most names on all ways of all links together.
const MOST_STEPS: usize = 4_000_000;

/// A name stands for itself by the beginning of its hash: memory does not grow with names. Who found two with one would
/// have them refused as one.
type Id = [u8; 16];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Only its entries were named.
    ImpliedDir,
    Dir,
    File,
    /// Its place among the links.
    Link(usize),
}

/// A symbolic link.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) name: Vec<u8>,
    pub(super) target: Vec<u8>,
}

/// The names of a tar, none of them twice, each within a directory. Names are relative and clean: no empty part, no `.`
/// and no `..`.
#[derive(Debug, Default)]
pub(super) struct Tree {
    kinds: HashMap<Id, Kind>,
    links: Vec<Link>,
    link_bytes: usize,
}

impl Tree {
    pub(super) fn is_empty(&self) -> bool {
        self.kinds.is_empty()
    }

    pub(super) fn dir(&mut self, name: &[u8]) -> Result<(), Refusal> {
        if self.kind(name) == Some(Kind::ImpliedDir) {
            self.kinds.insert(id(name), Kind::Dir);
            return Ok(());
        }
        self.add(name, Kind::Dir)
    }

    pub(super) fn file(&mut self, name: &[u8]) -> Result<(), Refusal> {
        self.add(name, Kind::File)
    }

    /// Another name for a file that was named before.
    pub(super) fn hard_link(&mut self, name: &[u8], to: &[u8]) -> Result<(), Refusal> {
        match self.kind(to) {
            Some(Kind::File) => self.add(name, Kind::File),
            _ => Err(Refusal::HardLink(to.into())),
        }
    }

    /// Where it leads is asked when everything has its name: [`Self::check_links`].
    pub(super) fn link(&mut self, name: &[u8], target: &[u8]) -> Result<(), Refusal> {
        self.link_bytes += name.len() + target.len();
        if self.link_bytes > MOST_LINK_BYTES {
            return Err(Refusal::TooManyLinks);
        }
        self.add(name, Kind::Link(self.links.len()))?;
        self.links.push(Link { name: name.to_owned(), target: target.to_owned() });
        Ok(())
    }

    pub(super) fn links(&self) -> &[Link] {
        &self.links
    }

    /// Whether every link stays within the tree, whatever other links are on its way.
    pub(super) fn check_links(&self) -> Result<(), (&Link, Refusal)> {
        let mut steps = MOST_STEPS;
        for link in &self.links {
            self.follow(link, &mut steps).map_err(|refusal| (link, refusal))?;
        }
        Ok(())
    }

    fn follow(&self, link: &Link, steps: &mut usize) -> Result<(), Refusal> {
        let leads_out = || Refusal::LinkOut(link.target.as_slice().into());
        let mut at = parent(&link.name).to_owned();
        let mut ways = vec![link.target.as_slice()];
        let mut hops = 1;
        while let Some(way) = ways.pop() {
            if way.starts_with(b"/") {
                return Err(leads_out());
            }
            let (part, rest) = split(way);
            if !rest.is_empty() {
                ways.push(rest);
            }
            *steps = steps.checked_sub(1).ok_or(Refusal::TooManyLinks)?;
            match part {
                b"" | b"." => {}
                b".." if at.is_empty() => return Err(leads_out()),
                b".." => at.truncate(parent(&at).len()),
                part => {
                    let before = at.len();
                    if before > 0 {
                        at.push(b'/');
                    }
                    at.extend_from_slice(part);
                    if let Some(Kind::Link(place)) = self.kind(&at) {
                        at.truncate(before);
                        hops += 1;
                        // Nobody gets any further on this way.
                        if hops > MOST_HOPS {
                            return Ok(());
                        }
                        ways.push(&self.links[place].target);
                    }
                }
            }
        }
        Ok(())
    }

    fn kind(&self, name: &[u8]) -> Option<Kind> {
        self.kinds.get(&id(name)).copied()
    }

    fn add(&mut self, name: &[u8], kind: Kind) -> Result<(), Refusal> {
        let mut above = parent(name);
        while !above.is_empty() {
            match self.kind(above) {
                None => self.put(above, Kind::ImpliedDir)?,
                Some(Kind::Dir | Kind::ImpliedDir) => break,
                Some(Kind::File | Kind::Link(_)) => return Err(Refusal::NotInDir(above.into())),
            }
            above = parent(above);
        }
        match self.kind(name) {
            None => self.put(name, kind),
            Some(_) => Err(Refusal::Twice),
        }
    }

    fn put(&mut self, name: &[u8], kind: Kind) -> Result<(), Refusal> {
        if self.kinds.len() >= MOST_ENTRIES {
            return Err(Refusal::TooMany);
        }
        self.kinds.insert(id(name), kind);
        Ok(())
    }
}

/// The directory that `name` is in: nothing for the tree itself.
fn parent(name: &[u8]) -> &[u8] {
    name.iter().rposition(|byte| *byte == b'/').map_or(&[], |slash| &name[..slash])
}

fn id(name: &[u8]) -> Id {
    let digest = Sha256::digest(name);
    std::array::from_fn(|place| digest[place])
}

/// The first part of a way, and what is behind it.
fn split(way: &[u8]) -> (&[u8], &[u8]) {
    let Some(slash) = way.iter().position(|byte| *byte == b'/') else { return (way, &[]) };
    let rest = &way[slash..];
    let next = rest.iter().position(|byte| *byte != b'/').unwrap_or(rest.len());
    (&way[..slash], &rest[next..])
}
