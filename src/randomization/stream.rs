//! A stratum's stream of 32-bit words, and bounded whole numbers from it.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// ChaCha20 in Bernstein's layout with all of counter and nonce 0 at the start, four bytes at a
/// time, the least significant first.
pub struct Stream(ChaCha20Rng);

impl Stream {
    /// The stream of this key, at its first word.
    pub fn new(key: [u8; 32]) -> Self {
        Self(ChaCha20Rng::from_seed(key))
    }

    /// The stream of this key, at its word with this position, counted from 0.
    pub fn at(key: [u8; 32], position: u64) -> Self {
        let mut stream = Self::new(key);
        stream.0.set_word_pos(u128::from(position));
        stream
    }

    /// Position of the next word. Nobody draws 2^64 words.
    pub fn position(&self) -> u64 {
        self.0.get_word_pos() as u64
    }

    /// The next word.
    #[inline]
    pub fn word(&mut self) -> u32 {
        self.0.next_u32()
    }

    /// A whole number below `n`, each equally likely, by rejection; `n` is at least 1, and
    /// `below(1)` reads nothing.
    #[inline]
    pub fn below(&mut self, n: u32) -> u32 {
        assert!(n >= 1, "no whole number is below 0");
        if n == 1 {
            return 0;
        }
        loop {
            let word = self.word();
            // 2^32 - (2^32 mod n) is the largest multiple of n within 2^32: words from there on would
            // favour the small numbers. It exceeds 2^32 - n, which spares a division nearly always.
            if word <= u32::MAX - (n - 1)
                || u64::from(word) < (1 << 32) - (1_u64 << 32) % u64::from(n)
            {
                return word % n;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keystream_is_that_of_rfc_8439_appendix_a_1_test_vector_1() {
        let mut stream = Stream::new([0; 32]);
        let bytes: Vec<u8> = (0..16).flat_map(|_| stream.word().to_le_bytes()).collect();
        assert_eq!(
            hex::encode(bytes),
            "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7\
             da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586"
        );
    }

    #[test]
    fn below_one_reads_nothing() {
        let (mut stream, mut other) = (Stream::new([1; 32]), Stream::new([1; 32]));
        assert_eq!(stream.below(1), 0);
        assert_eq!(stream.word(), other.word());
    }

    #[test]
    fn words_beyond_the_last_whole_multiple_are_read_again() {
        // 2^31 + 1 accepts about half of all words: the rejection branch is taken often.
        let n = (1 << 31) + 1;
        let (mut stream, mut words) = (Stream::new([2; 32]), Stream::new([2; 32]));
        let mut read = 0;
        for _ in 0..1_000 {
            let drawn = stream.below(n);
            let expected = loop {
                read += 1;
                let word = words.word();
                if word < n {
                    break word;
                }
            };
            assert_eq!(drawn, expected);
        }
        assert!(
            (1_800..2_200).contains(&read),
            "{read} words for 1,000 numbers"
        );
    }
}
