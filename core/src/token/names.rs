//! Finds a name that an object has twice.

use std::borrow::Cow;
use std::collections::HashSet;

/// The names seen in one object.
///
/// Nearly always they are few and differ in their length or their ends: then one word of marks
/// says so without a comparison. Many names are hashed (with a random seed), so that a crafted
/// object costs no quadratic time.
#[derive(Default)]
pub(super) struct Names<'a> {
    marks: u64,
    few: Vec<Cow<'a, str>>,
    many: Option<HashSet<Cow<'a, str>>>,
}

impl<'a> Names<'a> {
    const FEW: usize = 24;

    /// With room for the names of a usual set of claims.
    pub(super) fn for_claims() -> Self {
        Self { few: Vec::with_capacity(12), ..Self::default() }
    }

    /// False when `name` was seen before.
    pub(super) fn insert(&mut self, name: Cow<'a, str>) -> bool {
        let mark = 1 << mark(name.as_bytes());
        let maybe_seen = self.marks & mark != 0;
        self.marks |= mark;
        if maybe_seen && self.few.contains(&name) {
            return false;
        }
        if self.few.len() < Self::FEW {
            self.few.push(name);
            return true;
        }
        self.many.get_or_insert_default().insert(name)
    }
}

/// A number below 64, the same for equal names.
fn mark(name: &[u8]) -> u32 {
    let first = name.first().copied().map_or(0, u32::from);
    let last = name.last().copied().map_or(0, u32::from);
    (first * 5 + last * 7 + u32::from(name.len() > 3)) % 64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_one_is_found_among_few_and_many() {
        for count in [1, Names::FEW - 1, Names::FEW, Names::FEW + 1, 300] {
            for again in [0, count / 2, count - 1] {
                let mut names = Names::default();
                let name = |n: usize| Cow::Owned(format!("n{n}"));
                assert!((0..count).all(|n| names.insert(name(n))), "{count}");
                assert!(!names.insert(name(again)), "{again} of {count}");
            }
        }
    }

    #[test]
    fn names_with_the_same_mark_are_told_apart() {
        assert_eq!(mark(b"abba"), mark(b"aXXXa"));
        let mut names = Names::default();
        assert!(names.insert("abba".into()) && names.insert("aXXXa".into()));
        assert!(names.insert("".into()) && !names.insert("".into()));
    }
}
