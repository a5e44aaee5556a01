//! What names an event that the service gave no id? What is in it.

use wxbot_model::EventKey;

/// 128 bits of FNV-1a as text. The key only has to differ between honest messages of one account.
pub fn hash_key(parts: &[&str]) -> EventKey {
    let mut hash: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    for byte in parts.iter().flat_map(|p| p.bytes().chain([0])) {
        hash = (hash ^ u128::from(byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b);
    }
    #[expect(clippy::expect_used, reason = "hexadecimal digits are printable")]
    format!("h{hash:032x}").parse().expect("printable")
}
