//! Which texts say how to reach somebody elsewhere? Telephone numbers, WeChat ids, QQ numbers, mail addresses.

use std::sync::LazyLock;

use regex::Regex;
use wxbot_plugin::prelude::*;

use super::wordset::Folded;
use crate::guard::offence::Offence;
use crate::ladder::Rung;

/// Texts with numbers and addresses to reach somebody elsewhere.
#[derive(Debug, PluginConfig)]
pub struct Contacts {
    /// Mobile telephone numbers of the mainland.
    #[config(default = true)]
    pub phone: bool,
    /// WeChat ids that are called so.
    #[config(default = true)]
    pub wechat: bool,
    /// QQ numbers that are called so.
    #[config(default = true)]
    pub qq: bool,
    /// Mail addresses.
    #[config(default = true)]
    pub email: bool,
    /// Where the ladder begins for it.
    #[config(default = Rung::Warn)]
    pub rung: Rung,
}

static PHONE: LazyLock<Regex> =
    LazyLock::new(|| compiled(r"(?:^|[^0-9])(?:\+?86[- ]?)?1[3-9][0-9](?:[- ]?[0-9]{4}){2}(?:[^0-9]|$)"));
/// An id needs a colon or the like before it, or a digit in it: 微信 support is no id.
static WECHAT: LazyLock<Regex> = LazyLock::new(|| {
    compiled(
        r"(?:微信|薇信|威信|v信|weixin|wechat|\bwx|\bvx)(?:(?:号|id)\s*[:=是为]?|\s*[:=是为])\s*[a-z][a-z0-9_-]{5,19}|(?:微信|薇信|威信|v信|weixin|wechat|\bwx|\bvx)\s*[a-z][a-z_-]{0,18}[0-9][a-z0-9_-]{3,}",
    )
});
static QQ: LazyLock<Regex> =
    LazyLock::new(|| compiled(r"(?:\bqq|扣扣|企鹅)\s*(?:群|号码|号)?\s*[:=是]?\s*[1-9][0-9]{4,11}(?:[^0-9]|$)"));
static EMAIL: LazyLock<Regex> =
    LazyLock::new(|| compiled(r"[a-z0-9][a-z0-9._%+-]{0,63}@[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63})*\.[a-z]{2,24}\b"));

#[expect(clippy::expect_used, reason = "the patterns above, which a test compiles")]
fn compiled(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a good pattern")
}

impl Contacts {
    pub(crate) fn judge(&self, texts: &[Folded]) -> Option<Offence> {
        let kinds = [
            (self.phone, &PHONE, "手机号"),
            (self.wechat, &WECHAT, "微信号"),
            (self.qq, &QQ, "QQ 号"),
            (self.email, &EMAIL, "邮箱"),
        ];
        let found =
            kinds.into_iter().find(|(on, pattern, _)| *on && texts.iter().any(|text| pattern.is_match(&text.plain)));
        found.map(|(_, _, why)| Offence::new("contacts", why, self.rung))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn ways_to_reach_somebody() {
        let all = Contacts::read(&json!({}), &Place::default()).unwrap();
        for (text, want) in [
            ("电话13800138000", Some("手机号")),
            ("138 0013 8000", Some("手机号")),
            ("+86-138-0013-8000 找我", Some("手机号")),
            ("１３８００１３８０００", Some("手机号")),
            ("订单号 213800138000123", None),
            ("12800138000", None),
            ("微信:abc_defg", Some("微信号")),
            ("微信号 wxid_x1y2", Some("微信号")),
            ("VX：hello-1", Some("微信号")),
            ("vx abc12345", Some("微信号")),
            ("wechat payments", None),
            ("微信支付", None),
            ("QQ群:123456789", Some("QQ 号")),
            ("扣扣 10001", Some("QQ 号")),
            ("qq 音乐 5", None),
            ("mail me: A.B@Example.COM", Some("邮箱")),
            ("@张三 你好", None),
            ("下午3点开会", None),
        ] {
            let offence = all.judge(&[Folded::of(text)]);
            assert_eq!(offence.as_ref().map(|offence| &*offence.why), want, "{text}");
        }
        let none = json!({ "phone": false, "wechat": false, "qq": false, "email": false });
        let none = Contacts::read(&none, &Place::default()).unwrap();
        assert!(none.judge(&[Folded::of("13800138000 qq 10001")]).is_none());
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in any::<String>()) {
            let all = Contacts::read(&json!({}), &Place::default()).unwrap();
            all.judge(&[Folded::of(&text)]);
        }
    }
}
