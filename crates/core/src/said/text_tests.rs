//! Is text read as people see it, and the same after a round trip?

use super::*;

#[test]
fn a_prefix_is_split_off_once() {
    assert_eq!(split_prefix("@ab:<br/>@cd:<br/>x"), (Some("@ab"), "@cd:<br/>x"));
    assert_eq!(split_prefix("no prefix: at all"), (None, "no prefix: at all"));
}

#[test]
fn names_are_mentioned_up_to_a_separator() {
    for (text, name, me) in [
        ("@机器人\u{2005}你好", "机器人", true),
        ("@机器人 你好", "机器人", true),
        ("你好 @机器人", "机器人", true),
        ("@机器人二号\u{2005}你好", "机器人", false),
        ("@机器人 二号\u{2005}你好", "机器人", false),
        ("机器人 你好", "机器人", false),
        ("@a@b c\u{2005}", "a@b c", true),
        ("@", "机器人", false),
        ("@所有人 开会", "机器人", false),
    ] {
        assert_eq!(mentions(text, || Some(name)).me, me, "{text}");
    }
    assert!(mentions("@所有人 开会", || None).all);
}

#[test]
fn escapes_and_emoji() {
    for (raw, want) in [
        ("a&amp;lt;b", "a&lt;b"),
        ("a<br/>b<br>c", "a\nb\nc"),
        ("&#39;&#x4f60;&bogus;&", "'你&bogus;&"),
        (r#"x<span class="emoji emoji1f604"></span>y"#, "x😄y"),
        (r#"<span class="emoji emoji1f63b"></span>"#, "😍"),
        (r#"<span class="emoji emoji1f1e81f1f3"></span>"#, "🇨🇳"),
        (r#"<span class="emoji emoji2320e3"></span>"#, "#\u{20e3}"),
        (r#"<span class="emoji emoji1f450"></span"#, "👐"),
        (r#"<span class="emoji emoji1234567"></span>"#, r#"<span class="emoji emoji1234567"></span>"#),
        ("[微笑]", "[微笑]"),
    ] {
        assert_eq!(text(raw), want, "{raw}");
    }
}

proptest::proptest! {
    #[test]
    fn text_out_and_in_again_is_the_same(text in "[^<&]*") {
        let escaped = text.replace('\n', "<br/>");
        proptest::prop_assert_eq!(super::text(&escaped), text);
    }
}
