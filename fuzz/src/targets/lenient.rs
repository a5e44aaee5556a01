//! Is what others write carelessly read or refused?

use serde::de::IgnoredAny;
use serde_json::Value;
use wxbot_core::lenient::{hex, json as lenient, protobuf as wire, time};
use wxbot_core::wecom::extension::Extension;

pub(super) fn json(input: &[u8]) {
    let sound = lenient::sound(input);
    if let Ok(text) = &sound {
        assert!(serde_json::from_str::<IgnoredAny>(text).is_ok(), "what is sound is read strictly");
        let again = lenient::sound(text.as_bytes());
        assert_eq!(again.ok().as_deref(), Some(&**text), "what is sound stays as it is");
    }
    let strict = std::str::from_utf8(input).ok().and_then(|text| serde_json::from_str::<Value>(text).ok());
    if let (Some(strict), Ok(_)) = (strict, &sound) {
        assert_eq!(lenient::read::<Value>(input), Ok(strict), "what is right means the same");
    }
}

pub(super) fn protobuf(input: &[u8]) {
    if let Some(fields) = wire::fields(input) {
        assert!(fields.len() <= wire::MAX_FIELDS);
        for field in &fields {
            _ = (
                wire::number(&fields, field.number),
                wire::bytes(&fields, field.number),
                wire::text(&fields, field.number),
            );
            if fields.len() > 64 {
                break;
            }
        }
    }
    drop(wire::pretty(input));
    let digits = hex::encode(input);
    assert_eq!(hex::decode(&digits).as_deref(), Some(input), "bytes come back");
    drop(Extension::read(&digits));
    let text = String::from_utf8_lossy(input);
    drop((Extension::read(&text), hex::decode(&text)));
    _ = time::local(&text, 28_800);
}
