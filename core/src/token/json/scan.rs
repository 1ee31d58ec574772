//! Scans digits and plain text eight bytes at a time: strings are most of a token, and timestamps
//! have ten digits.

const ONES: u64 = u64::from_le_bytes([1; 8]);
const HIGH_BITS: u64 = ONES << 7;

/// The number of digits that `text` starts with.
#[inline(always)]
pub(super) fn digits_length(text: &[u8]) -> usize {
    let (words, rest) = text.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let others = non_digits_in(u64::from_le_bytes(*word));
        if others != 0 {
            return index * 8 + others.trailing_zeros() as usize / 8;
        }
    }
    let whole = words.len() * 8;
    whole + rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len())
}

/// The high bit of the lowest byte that is not a digit is set, those of lower bytes are not.
const fn non_digits_in(word: u64) -> u64 {
    let values = word ^ (ONES * b'0' as u64);
    // Only 0 to 9 stay below 0x80; carries go to higher bytes.
    (values.wrapping_add(ONES * (0x80 - 10)) | values) & HIGH_BITS
}

/// The number of bytes before a quote, a backslash or a control character; `None` without one.
#[inline(always)]
pub(super) fn plain_length(text: &[u8]) -> Option<usize> {
    let (words, rest) = text.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let special = special_in(u64::from_le_bytes(*word));
        if special != 0 {
            return Some(index * 8 + special.trailing_zeros() as usize / 8);
        }
    }
    let length = words.len() * 8;
    Some(length + rest.iter().position(|byte| is_special(*byte))?)
}

/// Bytes that end a run of plain text in a string (RFC 8259 §7).
const fn is_special(byte: u8) -> bool {
    byte == b'"' || byte == b'\\' || byte < 0x20
}

/// The high bit of the lowest special byte is set, those of lower bytes are not.
const fn special_in(word: u64) -> u64 {
    const fn below(word: u64, limit: u64) -> u64 {
        word.wrapping_sub(ONES * limit) & !word
    }
    let quote = below(word ^ (ONES * b'"' as u64), 1);
    let backslash = below(word ^ (ONES * b'\\' as u64), 1);
    (below(word, 0x20) | quote | backslash) & HIGH_BITS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_length_stops_at_every_other_byte() {
        for length in 0..30 {
            for digit in *b"059" {
                assert_eq!(digits_length(&vec![digit; length]), length);
                for place in 0..length {
                    for byte in 0..=u8::MAX {
                        for around in [digit, 0, b'/', b':', 0x7f, 0xff] {
                            let mut text = vec![digit; length];
                            text[place..].fill(around);
                            text[place] = byte;
                            let wanted = text.iter().position(|byte| !byte.is_ascii_digit());
                            assert_eq!(digits_length(&text), wanted.unwrap_or(length), "{text:?}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn plain_length_stops_at_every_special_byte() {
        for length in 0..40 {
            assert_eq!(plain_length(&vec![b'a'; length]), None);
            for place in 0..length {
                for byte in 0..=u8::MAX {
                    // Beside it stand those that a subtraction may carry into.
                    for around in [b'a', b'!', b'#', b'[', b']', b' ', 0x7f, 0x80, 0xff] {
                        let mut text = vec![around; length];
                        text[place] = byte;
                        let wanted = text.iter().position(|byte| is_special(*byte));
                        assert_eq!(plain_length(&text), wanted, "{text:?}");
                    }
                }
            }
        }
    }
}
