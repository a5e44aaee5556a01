//! Where is the official service?

use url::Url;

/// Its public address, as a text.
pub const OFFICIAL: &str = "https://qyapi.weixin.qq.com";

/// Its public address; corporations that run it in their own house have another.
#[expect(clippy::expect_used, reason = "a constant address")]
pub fn official() -> Url {
    Url::parse(OFFICIAL).expect("constant")
}
