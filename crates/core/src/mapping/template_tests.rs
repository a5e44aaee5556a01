//! Are templates filled once, with the kinds kept, and never with more than they name?

use proptest::prelude::*;
use serde_json::json;
use wxbot_model::Secret;

use super::*;
use crate::mapping::value::Values;

impl Scope for Values {
    fn find(&self, name: &str) -> Option<Datum> {
        self.get(name).cloned()
    }
}

fn values() -> Values {
    Values::new()
        .with("to", "wxid_a")
        .with("text", "say {{secret.KEY}} \"\n\0")
        .with("is_room", true)
        .with("id", 13_430_535_177_462_202_152_u64)
        .with("ids", vec!["a".to_owned(), "b".to_owned()])
        .with("none", "")
        .with("secret.KEY", Datum::Secret(Secret::new("canary".into())))
}

fn filled(text: &str) -> Result<Option<Value>, Unfilled> {
    Ok(Template::parse(text).unwrap().fill(&values())?.map(|piece| match piece {
        Piece::Json(value) => value,
        Piece::Bytes(_) => panic!("bytes"),
    }))
}

#[test]
fn what_templates_become() {
    for (text, want) in [
        ("", json!("")),
        ("plain } }} {", json!("plain } }} {")),
        ("{{to}}", json!("wxid_a")),
        ("{{ to }}", json!("wxid_a")),
        ("to: {{to}}!", json!("to: wxid_a!")),
        ("{{is_room}}", json!(true)),
        ("{{is_room}} {{id}}", json!("true 13430535177462202152")),
        ("{{id}}", json!(13_430_535_177_462_202_152_u64)),
        ("{{id|str}}", json!("13430535177462202152")),
        ("{{ids}}", json!(["a", "b"])),
        ("{{ids|csv}};", json!("a,b;")),
        ("{{none}}", json!("")),
        ("{{text}}", json!("say {{secret.KEY}} \"\n\0")),
        ("[{{text}}]{{to}}", json!("[say {{secret.KEY}} \"\n\0]wxid_a")),
        ("Bearer {{secret.KEY}}", json!("Bearer canary")),
    ] {
        assert_eq!(filled(text), Ok(Some(want)), "{text}");
    }
    for text in ["{{gone?}}", "a {{gone?}}", "{{none?}}", "{{gone?|int}}"] {
        assert_eq!(filled(text), Ok(None), "{text}");
    }
    for (text, why) in [
        ("{{gone}}", "it needs `{{gone}}`, which there is none of here"),
        ("{{to|int}}", "`{{to|int}}` cannot be filled: it is no whole number of 64 bits"),
        ("a {{ids}}", "`{{ids}}` is a list or a table and cannot stand within a text; add `|csv` or `|json`"),
    ] {
        assert_eq!(filled(text).unwrap_err().to_string(), why, "{text}");
    }
}

#[test]
fn sec_r20_what_cannot_be_filled_does_not_say_the_value() {
    let error = filled("{{secret.KEY|int}}").unwrap_err();
    assert!(!format!("{error} {error:?}").contains("canary"), "{error:?}");
}

#[test]
fn mistakes_are_told_with_a_cure() {
    for (text, message, help) in [
        ("{{to", "`{{` is never closed", "write `{{name}}`"),
        ("{{}}", "`{{}}` holds no name", "letters"),
        ("{{a b}}", "`{{a b}}` holds no name", "letters"),
        ("{{a..b}}", "`{{a..b}}` holds no name", "letters"),
        ("{{a|hexx}}", "there is no filter `hexx`", "did you mean `hex`?"),
        ("{{a|}}", "there is no filter ``", "the filters are"),
    ] {
        let flaw = Template::parse(text).unwrap_err();
        assert_eq!(flaw.message, message);
        assert!(flaw.help.contains(help), "{text}: {}", flaw.help);
    }
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "([{}|?. a-c]|int|你|\\{\\{to\\}\\}){0,24}") {
        if let Ok(template) = Template::parse(&text) {
            drop(template.fill(&values()));
        }
    }

    #[test]
    fn what_is_filled_in_is_never_filled(text in "(\\{\\{(secret\\.KEY|to|text)\\??\\}\\}|\\PC|[\"\\\\\n\0{}]){0,20}") {
        let scope = values().with("text", text.as_str());
        for (source, want) in [("{{text}}", text.clone()), ("<{{text}}>", format!("<{text}>"))] {
            let piece = Template::parse(source).unwrap().fill(&scope).unwrap();
            prop_assert!(piece == Some(Piece::Json(Value::String(want))));
        }
    }

    #[test]
    fn a_secret_never_shows(secret in "[a-z0-9]{8,16}", filter in 0usize..12) {
        let (word, _) = Filter::ALL[filter];
        let scope = values().with("secret.KEY", Datum::Secret(Secret::new(secret.clone())));
        let mut shown = format!("{scope:?}");
        for source in [format!("{{{{secret.KEY|{word}}}}}"), format!("a {{{{secret.KEY|{word}|int}}}}")] {
            let template = Template::parse(&source).unwrap();
            if let Err(error) = template.fill(&scope) {
                shown.push_str(&format!("{error} {error:?}"));
            }
            shown.push_str(&format!("{template:?}"));
        }
        prop_assert!(!shown.contains(&secret), "{}", shown);
    }
}
