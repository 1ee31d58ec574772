//! Finds a name that an object has twice.

use std::borrow::Cow;
use std::collections::HashSet;

/// The names seen in one object.
///
/// Nearly always they are few, without escapes, and differ in their length or their ends: then
/// one word of marks says so without a comparison, and nothing is allocated. Others are hashed
/// (with a random seed), so that a crafted object costs no quadratic time.
#[derive(Default)]
pub(super) struct Names<'a> {
    marks: u64,
    few: [&'a str; FEW],
    count: usize,
    others: Option<HashSet<Cow<'a, str>>>,
}

const FEW: usize = 16;

impl<'a> Names<'a> {
    /// False when `name` was seen before.
    #[inline(always)]
    pub(super) fn insert(&mut self, name: Cow<'a, str>) -> bool {
        let mark = 1 << mark(name.as_bytes());
        let maybe_seen = self.marks & mark != 0;
        self.marks |= mark;
        if maybe_seen && self.few.iter().take(self.count).any(|seen| *seen == name) {
            return false;
        }
        if let (Cow::Borrowed(name), None, Some(free)) =
            (&name, &self.others, self.few.get_mut(self.count))
        {
            *free = name;
            self.count += 1;
            return true;
        }
        self.others.get_or_insert_default().insert(name)
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
        for count in [1, FEW - 1, FEW, FEW + 1, 300] {
            for again in [0, count / 2, count - 1] {
                let all: Vec<String> = (0..count).map(|n| format!("n{n}")).collect();
                let mut names = Names::default();
                assert!(all.iter().all(|name| names.insert(Cow::Borrowed(name))), "{count}");
                let owned = Cow::Owned(all[again].clone());
                assert!(!names.insert(Cow::Borrowed(&all[again])), "{again} of {count}");
                assert!(!names.insert(owned), "{again} of {count}, with escapes");
            }
        }
    }

    #[test]
    fn a_name_with_escapes_is_found_again() {
        let mut names = Names::default();
        assert!(names.insert(Cow::Owned("a".to_owned())));
        assert!(names.insert(Cow::Borrowed("b")));
        assert!(!names.insert(Cow::Borrowed("a")));
        assert!(!names.insert(Cow::Owned("b".to_owned())));
    }

    #[test]
    fn names_with_the_same_mark_are_told_apart() {
        assert_eq!(mark(b"abba"), mark(b"aXXXa"));
        let mut names = Names::default();
        for name in ["abba", "aXXXa", ""] {
            assert!(names.insert(Cow::Borrowed(name)));
        }
        assert!(!names.insert(Cow::Borrowed("")));
    }
}
