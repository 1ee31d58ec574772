//! Which points may be a public key of Ed25519 (RFC 8032 §5.1).

use std::cmp::Ordering;

use super::field25519::Number;

/// The `y` of the points whose order divides 8, little-endian: the neutral one, that of order 2,
/// those of order 4 and of order 8. Each stands for both signs of `x`.
const SMALL_ORDER: [[u8; 32]; 5] = [
    y(1, 0, 0),
    y(0xec, 0xff, 0x7f),
    y(0, 0, 0),
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98,
        0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53,
        0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67,
        0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac,
        0x03, 0x7a,
    ],
];

/// The prime of the field, 2^255 - 19, little-endian.
const PRIME: [u8; 32] = y(0xed, 0xff, 0x7f);

const fn y(first: u8, middle: u8, last: u8) -> [u8; 32] {
    let mut bytes = [middle; 32];
    bytes[0] = first;
    bytes[31] = last;
    bytes
}

/// Whether 32 bytes are a point of the curve, written in the one way that there is, whose order
/// does not divide 8: for a key of such an order there are signatures that fit many texts, and
/// libraries differ in which they accept. They also differ in when they find out that something
/// is no point, and this is before any token.
pub(super) fn is_fit_for_a_key(point: &[u8; 32]) -> bool {
    let mut y = *point;
    y[31] &= 0x7f;
    let is_reduced = y.iter().rev().cmp(PRIME.iter().rev()) == Ordering::Less;
    is_reduced && !SMALL_ORDER.contains(&y) && is_on_the_curve(&y)
}

/// RFC 8032 §5.1.3: whether (y² - 1) / (d y² + 1) is a square, where d is -121665/121666.
/// A fraction is one where the product of its two parts is one.
fn is_on_the_curve(y: &[u8; 32]) -> bool {
    let [numerator, denominator] = [121_665, 121_666].map(Number::small);
    let y = Number::from_bytes(y);
    let squared = y.times(y);
    let below = denominator.minus(numerator.times(squared));
    squared.minus(Number::ONE).times(below).times(denominator).is_square()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_reduced_is_refused() {
        for first in 0xed..=0xff {
            assert!(!is_fit_for_a_key(&y(first, 0xff, 0x7f)), "{first}");
            assert!(!is_fit_for_a_key(&y(first, 0xff, 0xff)), "{first}");
        }
    }

    /// Computed with the integers of Python.
    #[test]
    fn what_is_no_point_is_refused() {
        let fit = (2..12).filter(|first| is_fit_for_a_key(&y(*first, 0, 0)));
        assert_eq!(fit.collect::<Vec<_>>(), [3, 4, 5, 6, 9, 10]);
    }

    #[test]
    fn points_of_small_order_are_refused_with_either_sign() {
        for mut point in SMALL_ORDER {
            assert!(!is_fit_for_a_key(&point));
            point[31] |= 0x80;
            assert!(!is_fit_for_a_key(&point));
        }
    }
}
