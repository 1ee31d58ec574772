//! Arithmetic modulo 2^255 - 19, as much of it as tells whether a number is a square. Of public
//! numbers alone: it takes no constant time.

/// A number by five digits of 51 bits, the lowest first; each may be a little longer.
#[derive(Clone, Copy)]
pub(super) struct Number([u64; 5]);

const DIGIT: u64 = (1 << 51) - 1;

/// Twice the modulus, by digits: added before a subtraction, so that none becomes negative.
const TWICE_THE_MODULUS: [u64; 5] = [2 * (DIGIT - 18), 2 * DIGIT, 2 * DIGIT, 2 * DIGIT, 2 * DIGIT];

impl Number {
    pub(super) const ONE: Self = Self::small(1);

    pub(super) const fn small(number: u32) -> Self {
        Self([number as u64, 0, 0, 0, 0])
    }

    /// The lower 255 bits of 32 bytes, little-endian.
    pub(super) fn from_bytes(bytes: &[u8; 32]) -> Self {
        let bit = |at: usize| u64::from(bytes[at / 8] >> (at % 8) & 1);
        let digit = |from: usize| (0..51).fold(0, |digit, at| digit | bit(from + at) << at);
        Self([0, 51, 102, 153, 204].map(digit))
    }

    pub(super) fn times(self, other: Self) -> Self {
        let mut sums = [0_u128; 5];
        for (i, one) in self.0.into_iter().enumerate() {
            for (j, two) in other.0.into_iter().enumerate() {
                // 2^255 is 19.
                let folded = if i + j < 5 { 1 } else { 19 };
                sums[(i + j) % 5] += u128::from(one) * u128::from(two) * folded;
            }
        }
        let mut digits = [0; 5];
        let mut carry = 0_u128;
        for (digit, sum) in digits.iter_mut().zip(sums) {
            let sum = sum + carry;
            *digit = (sum & u128::from(DIGIT)) as u64;
            carry = sum >> 51;
        }
        digits[0] += (carry * 19) as u64;
        Self(digits).carried()
    }

    pub(super) fn minus(self, other: Self) -> Self {
        let mut digits = self.0;
        for (at, digit) in digits.iter_mut().enumerate() {
            *digit = *digit + TWICE_THE_MODULUS[at] - other.0[at];
        }
        Self(digits).carried()
    }

    /// The same number with digits of 51 bits, the lowest perhaps a little longer.
    fn carried(self) -> Self {
        let mut digits = self.0;
        let mut carry = 0;
        for digit in &mut digits {
            let sum = *digit + carry;
            *digit = sum & DIGIT;
            carry = sum >> 51;
        }
        digits[0] += carry * 19;
        Self(digits)
    }

    /// Whether it is 0, or the square of another: by Euler's criterion, whether its power by half
    /// of one less than the modulus (2^254 - 10) is not -1.
    pub(super) fn is_square(self) -> bool {
        let power = (0..254).rev().fold(Self::ONE, |power, bit| {
            let squared = power.times(power);
            // All bits are set but the first and the fourth.
            if bit == 0 || bit == 3 { squared } else { squared.times(self) }
        });
        !power.minus(Self::small(0).minus(Self::ONE)).is_zero()
    }

    fn is_zero(self) -> bool {
        let digits = self.carried().carried().0;
        digits == [0; 5] || digits == [DIGIT - 18, DIGIT, DIGIT, DIGIT, DIGIT]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn squares_are_known() {
        for root in [0, 1, 2, 3, 121_665, u32::MAX] {
            let root = Number::small(root);
            assert!(root.times(root).is_square());
            let negative = Number::small(0).minus(root);
            assert!(negative.times(negative).is_square());
        }
        // 2 is no square, as the modulus is 5 modulo 8, and -1 is one.
        assert!(!Number::small(2).is_square());
        assert!(Number::small(0).minus(Number::ONE).is_square());
        assert!(!Number::small(0).minus(Number::small(2)).is_square());
    }
}
