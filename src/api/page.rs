//! Pagination: how many items, and from where.
//!
//! A cursor is opaque: base64url of a hash of the query it belongs to, then a position in that query's
//! order. It names a position and not a snapshot, so that it stays right while items come and go.

use data_encoding::BASE64URL_NOPAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::IntoParams;

use super::failure::Failure;
use super::resources::Page;

/// Bytes of the hash that ties a cursor to its query.
const BINDING: usize = 8;

/// The most items of one page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Limit(pub(super) usize);

impl Limit {
    const MOST: usize = 1000;
}

impl Default for Limit {
    fn default() -> Self {
        Self(100)
    }
}

impl TryFrom<String> for Limit {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.parse() {
            Ok(limit @ 1..=Self::MOST) => Ok(Self(limit)),
            _ => Err(format!("expected a number from 1 to {}, found `{text}`", Self::MOST)),
        }
    }
}

/// Which page, of what is listed without a filter.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct PageQuery {
    /// The most items.
    #[serde(default)]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    pub(super) limit: Limit,
    /// `next` of the page before.
    pub(super) cursor: Option<String>,
}

/// A query, as far as it decides which items there are and in what order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Binding([u8; BINDING]);

impl Binding {
    /// The query of these parts: what is listed, then its filters.
    pub(super) fn new(parts: &[&str]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let hash: [u8; 32] = hash.finalize().into();
        Self(std::array::from_fn(|index| hash[index]))
    }

    /// The cursor of the page behind `position`.
    pub(super) fn cursor<P: Serialize>(self, position: &P) -> String {
        let position = postcard::to_stdvec(position).expect("a position is plain data");
        BASE64URL_NOPAD.encode(&[&self.0[..], &position].concat())
    }

    /// The position that `cursor` names, none on the first page.
    ///
    /// # Errors
    /// 400 where it is no cursor, or another query's.
    pub(super) fn position<P: DeserializeOwned>(self, cursor: Option<&str>) -> Result<Option<P>, Failure> {
        let Some(cursor) = cursor else { return Ok(None) };
        let refused = |what: &str| {
            let hint =
                "begin anew without `cursor`; a cursor goes with the path and filters that it came from";
            Failure::bad_request(format!("{what}\nhint: {hint}"))
        };
        let bytes = BASE64URL_NOPAD.decode(cursor.as_bytes()).ok();
        let bytes = bytes.ok_or_else(|| refused("the cursor is none of ours"))?;
        let position = bytes.strip_prefix(&self.0[..]);
        let position = position.ok_or_else(|| refused("the cursor belongs to another query"))?;
        match postcard::take_from_bytes(position) {
            Ok((position, [])) => Ok(Some(position)),
            _ => Err(refused("the cursor is none of ours")),
        }
    }

    /// A page of `items`, which may hold one more than `limit`: a sign that there is a next page.
    pub(super) fn page<T, P: Serialize>(
        self,
        mut items: Vec<T>,
        limit: Limit,
        position: impl Fn(&T) -> P,
    ) -> Page<T> {
        let more = items.len() > limit.0;
        items.truncate(limit.0);
        let next = items.last().filter(|_| more).map(|last| self.cursor(&position(last)));
        Page { items, next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_on_its_own_query_and_on_no_other() {
        let query = Binding::new(&["tasks", "etl", ""]);
        let cursor = query.cursor(&("etl".to_owned(), 7u64));
        assert_eq!(query.position(Some(&cursor)), Ok(Some(("etl".to_owned(), 7u64))));
        for other in [&["tasks", "et", "l"][..], &["tasks", "etl", "running"], &["slots", "etl", ""]] {
            let position = Binding::new(other).position::<(String, u64)>(Some(&cursor));
            assert!(position.unwrap_err().message.contains("another query"), "{other:?}");
        }
    }

    #[test]
    fn a_made_up_cursor_is_refused() {
        let query = Binding::new(&["apps"]);
        let cursor = query.cursor(&"etl");
        for wrong in ["", "!", "AAAA", &cursor[..cursor.len() - 2], &format!("{cursor}AA")] {
            assert!(query.position::<String>(Some(wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_limit_is_a_number_from_1_to_1000() {
        assert_eq!(Limit::try_from("1000".to_owned()), Ok(Limit(1000)));
        for wrong in ["0", "1001", "-1", "99999999999999999999", "ten", ""] {
            assert!(Limit::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_a_page_that_has_a_successor_names_it() {
        let query = Binding::new(&["apps"]);
        let page = |count| query.page((0..count).collect(), Limit(2), |item: &u32| *item);
        assert_eq!(page(2), Page { items: vec![0, 1], next: None });
        assert_eq!(page(3), Page { items: vec![0, 1], next: Some(query.cursor(&1u32)) });
    }
}
