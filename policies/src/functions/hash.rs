//! Hashes: SHA-256 and SHA-512, as hex and as base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256, Sha512};

use super::{Function, Kind, fixed};

const T: Kind = Kind::Text;

pub(super) const FUNCTIONS: &[Function] = &[
    fixed("base64sha256", "base64sha256(text)", &[T], |call| {
        call.made(STANDARD.encode(Sha256::digest(call.text(0)?)))
    }),
    fixed("base64sha512", "base64sha512(text)", &[T], |call| {
        call.made(STANDARD.encode(Sha512::digest(call.text(0)?)))
    }),
    fixed("sha256", "sha256(text)", &[T], |call| {
        call.made(hex(&Sha256::digest(call.text(0)?)))
    }),
    fixed("sha512", "sha512(text)", &[T], |call| {
        call.made(hex(&Sha512::digest(call.text(0)?)))
    }),
];

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
            let _ = write!(out, "{byte:02x}");
            out
        })
}
