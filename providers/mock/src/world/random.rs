//! Randomness without a state: every draw is a hash of the world's seed and of what is drawn for.
//!
//! So a world that is advanced in one leap, in many steps or by two processes draws the same numbers, and a new group
//! changes nothing for the others. Mixing function: the finalizer of SplitMix64 (Steele, Lea, Flood 2014).

/// 64 random bits for this seed and these keys.
pub fn draw(seed: u64, keys: &[u64]) -> u64 {
    keys.iter().fold(finalize(seed), |state, key| {
        finalize(state ^ key.wrapping_mul(0xD6E8_FEB8_6659_FD93))
    })
}

/// A number in `[0, 1)` for this seed and these keys.
pub fn unit(seed: u64, keys: &[u64]) -> f64 {
    (draw(seed, keys) >> 11) as f64 / (1u64 << 53) as f64
}

/// A key of a text: FNV-1a.
pub fn key(text: &str) -> u64 {
    text.bytes().fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
    })
}

fn finalize(z: u64) -> u64 {
    let z = z.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_even_and_depend_on_every_key() {
        let mean: f64 = (0..10_000).map(|i| unit(7, &[1, i])).sum::<f64>() / 10_000.0;
        assert!((mean - 0.5).abs() < 0.02, "{mean}");
        assert_ne!(draw(1, &[2, 3]), draw(1, &[3, 2]));
        assert_ne!(draw(1, &[2]), draw(2, &[2]));
        assert_eq!(draw(1, &[2, 3]), draw(1, &[2, 3]));
    }
}
