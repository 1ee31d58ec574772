//! Digits, eight at a time: instants have ten, and every token has some.

/// How many digits `text` starts with.
#[inline(always)]
pub(super) fn run_length(text: &[u8]) -> usize {
    let (words, rest) = text.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let others = others_in(u64::from_le_bytes(*word));
        if others != 0 {
            return index * 8 + others.trailing_zeros() as usize / 8;
        }
    }
    let whole = words.len() * 8;
    whole + rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len())
}

/// The highest bit of the lowest byte is set that is no digit, those of the bytes below it are not.
const fn others_in(word: u64) -> u64 {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    let values = word ^ (ONES * b'0' as u64);
    // Nothing but 0 to 9 stays below 0x80; what is carried goes to the bytes above.
    (values.wrapping_add(ONES * (0x80 - 10)) | values) & (ONES << 7)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_that_is_no_digit_ends_the_run() {
        for length in 0..30 {
            for digit in *b"059" {
                assert_eq!(run_length(&vec![digit; length]), length);
                for place in 0..length {
                    for byte in 0..=u8::MAX {
                        for around in [digit, 0, b'/', b':', 0x7f, 0xff] {
                            let mut text = vec![digit; length];
                            text[place..].fill(around);
                            text[place] = byte;
                            let wanted = text.iter().position(|byte| !byte.is_ascii_digit());
                            assert_eq!(run_length(&text), wanted.unwrap_or(length), "{text:?}");
                        }
                    }
                }
            }
        }
    }
}
