//! What stands in a page of the tree.

use super::bytes::Bytes;

/// A page of the tree, not yet taken apart.
#[derive(Debug)]
pub(super) struct Node<'a> {
    /// Its neighbour to the right.
    pub(super) next: Option<u64>,
    /// Begins every key of it.
    prefix: &'a [u8],
    data: Data<'a>,
}

#[derive(Debug)]
enum Data<'a> {
    /// So many keys, then as many values.
    Leaf { count: usize, rows: Bytes<'a> },
    /// Its leftmost child.
    Index { first: Option<u64> },
}

/// What was changed in a leaf since it was written whole, by key without prefix; none is a removal.
pub(super) type Changes<'a> = Vec<(&'a [u8], Option<&'a [u8]>)>;

impl<'a> Node<'a> {
    pub(super) fn parse(payload: &'a [u8]) -> Option<Self> {
        let mut bytes = Bytes(payload);
        let next = bytes.number()?;
        let _merging_child = bytes.number()?;
        let _is_merging = bytes.byte()?;
        let prefix = usize::from(bytes.byte()?);
        let low = bytes.text()?;
        let _high = bytes.text()?;
        let kind = bytes.byte()?;
        let count = usize::try_from(bytes.number()?).ok()?;
        let data = match kind {
            0 => Data::Leaf { count, rows: bytes },
            1 => {
                for _ in 0..count {
                    bytes.text()?;
                }
                Data::Index { first: if count == 0 { None } else { Some(bytes.number()?) } }
            }
            _ => return None,
        };
        Some(Self { next: (next > 0).then_some(next), prefix: low.get(..prefix)?, data })
    }

    pub(super) fn is_leaf(&self) -> bool {
        matches!(self.data, Data::Leaf { .. })
    }

    /// The leftmost child of an index.
    pub(super) fn first_child(&self) -> Option<u64> {
        match self.data {
            Data::Index { first } => first,
            Data::Leaf { .. } => None,
        }
    }

    /// Hands over the rows of a leaf with its changes, in order. Nothing where it does not read.
    pub(super) fn rows(&self, changes: &Changes<'_>, mut each: impl FnMut(&[u8], &[u8])) -> Option<()> {
        let Data::Leaf { count, rows: mut keys } = self.data else { return Some(()) };
        let mut values = keys;
        for _ in 0..count {
            values.text()?;
        }
        let mut changes = changes.iter().peekable();
        let mut whole = self.prefix.to_vec();
        let mut hand_over = |key: &[u8], value: &[u8]| {
            whole.truncate(self.prefix.len());
            whole.extend_from_slice(key);
            each(&whole, value);
        };
        for _ in 0..count {
            let (key, value) = (keys.text()?, values.text()?);
            while let Some((changed, new)) = changes.next_if(|(changed, _)| *changed < key) {
                if let Some(new) = new {
                    hand_over(changed, new);
                }
            }
            match changes.next_if(|(changed, _)| *changed == key) {
                Some((_, Some(new))) => hand_over(key, new),
                Some((_, None)) => {}
                None => hand_over(key, value),
            }
        }
        changes.for_each(|(changed, new)| new.iter().for_each(|new| hand_over(changed, new)));
        Some(())
    }
}

/// Adds the change in `payload` to those before it. Those that change no row leave them as they are.
pub(super) fn add_change<'a>(changes: &mut Changes<'a>, payload: &'a [u8]) -> Option<()> {
    let mut bytes = Bytes(payload);
    let change = match bytes.byte()? {
        0 => (bytes.text()?, Some(bytes.text()?)),
        1 => (bytes.text()?, None),
        2..=4 => return Some(()),
        _ => return None,
    };
    match changes.binary_search_by_key(&change.0, |(key, _)| key) {
        Ok(at) => changes[at] = change,
        Err(at) => changes.insert(at, change),
    }
    Some(())
}
