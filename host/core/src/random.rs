//! Randomness as a parameter.

use std::sync::Mutex;

/// A cryptographic random generator.
pub trait Rng: Send + Sync {
    /// Fills the buffer.
    fn fill(&self, bytes: &mut [u8]);
}

/// Random bytes as an array.
pub fn bytes<const N: usize>(rng: &dyn Rng) -> [u8; N] {
    let mut out = [0; N];
    rng.fill(&mut out);
    out
}

/// The operating system's generator.
pub struct SystemRng;

impl Rng for SystemRng {
    /// # Panics
    /// When the operating system has no randomness: nothing safe can be done then.
    #[expect(
        clippy::expect_used,
        reason = "without randomness no secret may be made; the process must not go on"
    )]
    fn fill(&self, bytes: &mut [u8]) {
        aws_lc_rs::rand::fill(bytes).expect("the operating system's random generator works");
    }
}

/// A repeatable generator for tests and the flow tools; never for a running server.
pub struct SeededRng(Mutex<(u64, u64)>);

impl SeededRng {
    /// Same seed, same bytes.
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new((seed, 0)))
    }
}

impl Rng for SeededRng {
    fn fill(&self, bytes: &mut [u8]) {
        let mut state = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for chunk in bytes.chunks_mut(32) {
            let mut input = state.0.to_be_bytes().to_vec();
            input.extend(state.1.to_be_bytes());
            state.1 += 1;
            let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &input);
            for (out, byte) in chunk.iter_mut().zip(digest.as_ref()) {
                *out = *byte;
            }
        }
    }
}
