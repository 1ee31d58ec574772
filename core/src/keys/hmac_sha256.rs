//! HMAC-SHA-256 (RFC 2104) straight over the compression function of SHA-256.
//!
//! The crate `hmac` copies and wipes a buffer and two hashers with every message, and copies the
//! message into that buffer: a seventh of the time that a token takes, for nothing that a token,
//! which is there as a whole, needs. Other hashes are used too seldom to be worth a file.

use sha2::block_api::compress256;
use sha2::{Digest as _, Sha256};
use zeroize::{Zeroize as _, ZeroizeOnDrop, Zeroizing};

/// Bytes of a block of SHA-256.
const BLOCK: usize = 64;

/// Bytes of its output.
const OUTPUT: usize = 32;

/// Where the length of the message stands in the last block, in bits (FIPS 180-4 §5.1.1).
const LENGTH_AT: usize = BLOCK - 8;

/// The end of the message, before the zeros (FIPS 180-4 §5.1.1).
const END: u8 = 0x80;

/// What SHA-256 starts from (FIPS 180-4 §5.3.3).
const INITIAL: State = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

type State = [u32; 8];

/// A key: the states after the block that it makes of each hash.
#[derive(Clone, ZeroizeOnDrop)]
pub(super) struct HmacSha256 {
    inner: State,
    outer: State,
}

impl HmacSha256 {
    /// Of a key of any length.
    pub(super) fn new(key: &[u8]) -> Self {
        let mut block = Zeroizing::new([0; BLOCK]);
        if key.len() > BLOCK {
            let mut digest = Sha256::digest(key);
            block[..OUTPUT].copy_from_slice(&digest);
            digest.as_mut_slice().zeroize();
        } else {
            block[..key.len()].copy_from_slice(key);
        }
        let state_after = |pad: u8| {
            let mut state = INITIAL;
            compress256(&mut state, &[*Zeroizing::new(block.map(|byte| byte ^ pad))]);
            state
        };
        Self { inner: state_after(0x36), outer: state_after(0x5c) }
    }

    /// The HMAC of `message`.
    pub(super) fn of(&self, message: &[u8]) -> [u8; OUTPUT] {
        let (blocks, rest) = message.as_chunks::<BLOCK>();
        let mut state = self.inner;
        compress256(&mut state, blocks);
        let inner = finish(state, rest, BLOCK + message.len());
        finish(self.outer, &inner, BLOCK + OUTPUT)
    }
}

/// The hash of a message of `length` bytes, of which `rest`, less than a block, is not in `state`.
fn finish(mut state: State, rest: &[u8], length: usize) -> [u8; OUTPUT] {
    let mut space = [[0; BLOCK]; 2];
    let count = if rest.len() < LENGTH_AT { 1 } else { 2 };
    let last = &mut space[..count];
    let bytes = last.as_flattened_mut();
    bytes[..rest.len()].copy_from_slice(rest);
    bytes[rest.len()] = END;
    let bits = length as u64 * 8;
    let length_at = bytes.len() - (BLOCK - LENGTH_AT);
    bytes[length_at..].copy_from_slice(&bits.to_be_bytes());
    compress256(&mut state, last);

    let mut output = [0; OUTPUT];
    for (bytes, word) in output.as_chunks_mut::<4>().0.iter_mut().zip(state) {
        *bytes = word.to_be_bytes();
    }
    output
}

#[cfg(test)]
mod tests {
    use hmac::{Hmac, KeyInit as _, Mac as _};
    use proptest::prelude::*;

    use super::*;

    fn by_the_crate(key: &[u8], message: &[u8]) -> [u8; OUTPUT] {
        let mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
        mac.chain_update(message).finalize().into_bytes().into()
    }

    /// RFC 4231 §4.2, §4.3 and §4.7: a short key, a text for a key, a key longer than a block.
    #[test]
    fn the_examples_of_the_rfc() {
        let expect = |key: &[u8], message: &[u8], hex: &str| {
            let made: String =
                HmacSha256::new(key).of(message).iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(made, hex);
        };
        expect(
            &[0x0b; 20],
            b"Hi There",
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
        );
        expect(
            b"Jefe",
            b"what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        );
        expect(
            &[0xaa; 131],
            b"Test Using Larger Than Block-Size Key - Hash Key First",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        );
    }

    /// Every place that the end of a message, or of a key, can have in a block.
    #[test]
    fn every_length() {
        let bytes: Vec<u8> = (0..=255).collect();
        for length in 0..=bytes.len() {
            let (key, message) = (&bytes[..length.min(130)], &bytes[..length]);
            assert_eq!(HmacSha256::new(key).of(message), by_the_crate(key, message), "{length}");
        }
    }

    proptest! {
        #[test]
        fn as_the_crate(key: Vec<u8>, message in proptest::collection::vec(any::<u8>(), 0..2000)) {
            prop_assert_eq!(HmacSha256::new(&key).of(&message), by_the_crate(&key, &message));
        }
    }
}
