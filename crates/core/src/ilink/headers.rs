//! What does every request say about us? Headers and `base_info`: a random number, a version, a name.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::Serialize;
use wxbot_model::Secret;

use crate::error::Error;

const AUTHORIZATION_TYPE: HeaderName = HeaderName::from_static("authorizationtype");
const UIN: HeaderName = HeaderName::from_static("x-wechat-uin");
const APP_ID: HeaderName = HeaderName::from_static("ilink-app-id");
const CLIENT_VERSION: HeaderName = HeaderName::from_static("ilink-app-clientversion");
const ROUTE_TAG: HeaderName = HeaderName::from_static("skroutetag");

/// The longest `bot_agent`, in bytes.
const AGENT: usize = 256;
/// What the official client says when nothing of its `bot_agent` can be used.
const NOBODY: &str = "OpenClaw";

/// `base_info` of a bot call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct BaseInfo<'a> {
    /// The version that the header announces as a number.
    pub channel_version: &'a str,
    /// Who we are; for the vendor's statistics.
    pub bot_agent: &'a str,
}

/// Who we say we are.
#[derive(Clone)]
pub struct Identity {
    version: String,
    client_version: HeaderValue,
    agent: String,
    route_tag: Option<HeaderValue>,
}

impl Identity {
    /// By the settings of an account: the announced version, our own name, a tag for the service's routing.
    ///
    /// # Errors
    /// When the tag cannot stand in a header.
    pub fn new(version: &str, agent: &str, route_tag: Option<&str>) -> Result<Self, Error> {
        let tag = |tag: &str| {
            HeaderValue::from_str(tag).map_err(|_invalid| {
                Error::Settings("`route-tag` holds characters that cannot stand in a header".into())
            })
        };
        Ok(Self {
            version: version.to_owned(),
            client_version: HeaderValue::from(client_version(version)),
            agent: bot_agent(agent),
            route_tag: route_tag.filter(|tag| !tag.is_empty()).map(tag).transpose()?,
        })
    }

    /// What each bot call carries in its body.
    pub fn base_info(&self) -> BaseInfo<'_> {
        BaseInfo { channel_version: &self.version, bot_agent: &self.agent }
    }

    /// Of the poll for a login: it is a GET, and says least.
    pub fn qr_status(&self) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(8);
        headers.insert(APP_ID, HeaderValue::from_static("bot"));
        headers.insert(CLIENT_VERSION, self.client_version.clone());
        if let Some(tag) = &self.route_tag {
            headers.insert(ROUTE_TAG, tag.clone());
        }
        headers
    }

    /// Of the request for a QR code.
    pub fn qr_start(&self, number: u32) -> HeaderMap {
        let mut headers = self.qr_status();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(AUTHORIZATION_TYPE, HeaderValue::from_static("ilink_bot_token"));
        if let Ok(value) = HeaderValue::try_from(uin(number)) {
            headers.insert(UIN, value);
        }
        headers
    }

    /// Of a call in the name of a bot.
    ///
    /// # Errors
    /// [`Error::BadSavedSession`] for a token that cannot stand in a header.
    pub fn bot(&self, number: u32, token: &Secret<String>) -> Result<HeaderMap, Error> {
        let bearer = Secret::new(format!("Bearer {}", token.expose()));
        let mut value = HeaderValue::from_str(bearer.expose())
            .map_err(|_quotes_it| Error::BadSavedSession("the token holds characters that no token has".into()))?;
        value.set_sensitive(true);
        let mut headers = self.qr_start(number);
        headers.insert(AUTHORIZATION, value);
        Ok(headers)
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({} {})", self.version, self.agent)
    }
}

/// `X-WECHAT-UIN`: the number in decimal, as base64. It is another one in each request.
pub fn uin(number: u32) -> String {
    STANDARD.encode(number.to_string())
}

/// `iLink-App-ClientVersion`: three parts of a version in eight bits each; what is no number counts as 0.
pub fn client_version(version: &str) -> u32 {
    let part = |part: &str| {
        let digits: String = part.chars().take_while(char::is_ascii_digit).take(9).collect();
        digits.parse::<u32>().unwrap_or(0) & 255
    };
    version.split('.').map(part).chain([0, 0, 0]).take(3).fold(0, |all, part| all << 8 | part)
}

/// `bot_agent` without what its grammar does not know: products `name/version`, each with a `(comment)` or without.
pub fn bot_agent(text: &str) -> String {
    let mut out = String::new();
    for product in products(text) {
        let room = if out.is_empty() { 0 } else { out.len() + 1 };
        if room + product.len() > AGENT {
            break;
        }
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(&product);
    }
    if out.is_empty() { NOBODY.to_owned() } else { out }
}

fn products(text: &str) -> Vec<String> {
    let mut products: Vec<String> = Vec::new();
    // Whether a comment here would belong to the last product.
    let mut open = false;
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let comment = rest.strip_prefix('(').and_then(|inner| inner.split_once(')'));
        let (token, behind) = match comment {
            Some((inner, behind)) => {
                if let Some(product) = products.last_mut().filter(|_| open && is_comment(inner)) {
                    product.push_str(&format!(" ({inner})"));
                }
                open = false;
                rest = behind.trim_start();
                continue;
            }
            None => rest.split_once(char::is_whitespace).unwrap_or((rest, "")),
        };
        open = is_product(token);
        if open {
            products.push(token.to_owned());
        }
        rest = behind.trim_start();
    }
    products
}

fn is_product(token: &str) -> bool {
    let word = |text: &str, more: &str| {
        (1..=32).contains(&text.len())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c) || more.contains(c))
    };
    token.split_once('/').is_some_and(|(name, version)| word(name, "") && word(version, "+"))
}

fn is_comment(inner: &str) -> bool {
    (1..=64).contains(&inner.len()) && inner.bytes().all(|byte| matches!(byte, b' '..=b'~')) && !inner.contains('(')
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value};

    use super::*;
    use crate::ilink::testdata::fixture;

    fn told(headers: &HeaderMap) -> Vec<(String, String)> {
        let mut told: Vec<_> = headers
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), value.to_str().unwrap().to_owned()))
            .collect();
        told.sort();
        told
    }

    fn wanted(name: &str) -> Vec<(String, String)> {
        let object: Map<String, Value> = serde_json::from_value(fixture(name)).unwrap();
        let mut wanted: Vec<_> =
            object.into_iter().map(|(name, value)| (name.to_lowercase(), value.as_str().unwrap().to_owned())).collect();
        wanted.sort();
        wanted
    }

    // cov: vectors-headers
    #[test]
    fn vectors_of_the_official_functions() {
        let vectors = fixture("vectors-headers");
        let rows = |name: &str| vectors[name].as_array().unwrap().clone();
        for row in rows("uin") {
            let number = u32::try_from(row["u32"].as_u64().unwrap()).unwrap();
            assert_eq!(uin(number), row["header"].as_str().unwrap());
        }
        for row in rows("client_version") {
            let version = row["version"].as_str().unwrap();
            assert_eq!(client_version(version).to_string(), row["header"].as_str().unwrap(), "{version}");
        }
        for row in rows("bot_agent") {
            let text = row["in"].as_str().unwrap();
            assert_eq!(bot_agent(text), row["out"].as_str().unwrap(), "{text}");
        }
        assert_eq!((rows("uin").len(), rows("client_version").len(), rows("bot_agent").len()), (5, 4, 11));
    }

    // cov: headers-bot-post.req headers-qr-start.req headers-qr-status.req
    #[test]
    fn headers_of_each_kind_of_call() {
        let identity = Identity::new("2.4.9", "wxbot/0.1.0", None).unwrap();
        let token = Secret::new("0a1b2c3d4e5f@im.bot:060000aabbccddeeff00112233445566778899".to_owned());
        let bot = identity.bot(3_735_928_559, &token).unwrap();
        assert_eq!(told(&bot), wanted("headers-bot-post.req"));
        assert_eq!(told(&identity.qr_start(3_735_928_559)), wanted("headers-qr-start.req"));
        assert_eq!(told(&identity.qr_status()), wanted("headers-qr-status.req"));
        assert!(bot[AUTHORIZATION].is_sensitive() && !format!("{bot:?}").contains("0600"), "{bot:?}");

        let tagged = Identity::new("2.4.9", "wxbot/0.1.0", Some("7")).unwrap();
        for headers in [tagged.bot(1, &token).unwrap(), tagged.qr_start(1), tagged.qr_status()] {
            assert_eq!(headers[ROUTE_TAG], "7");
        }
        assert!(matches!(Identity::new("2.4.9", "a/1", Some("a\nb")), Err(Error::Settings(_))));
        assert!(matches!(identity.bot(1, &"a\nb".to_owned().into()), Err(Error::BadSavedSession(_))));
    }

    #[test]
    fn odd_versions_and_agents() {
        for (version, want) in
            [("2", 0x02_00_00), ("", 0), ("2.4.9.8", 132_105), ("2.4.9-rc1", 132_105), ("x.1.-2", 256)]
        {
            assert_eq!(client_version(version), want, "{version}");
        }
        let long = "a".repeat(33);
        for (text, want) in [
            (format!("{long}/1 b/2"), "b/2"),
            (format!("b/{long}"), NOBODY),
            ("a/1 () b/2".into(), "a/1 b/2"),
            ("a/1 (x) (y)".into(), "a/1 (x)"),
            ("a/1 (x".into(), "a/1"),
            ("bad (x) a/1".into(), "a/1"),
            ("a/1\r\nX-Evil: b/2".into(), "a/1 b/2"),
            (format!("a/1 ({})", "c".repeat(65)), "a/1"),
        ] {
            assert_eq!(bot_agent(&text), want, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_an_agent(text in "[ -~(/)]{0,400}") {
            let agent = bot_agent(&text);
            proptest::prop_assert!(!agent.is_empty() && agent.len() <= AGENT);
            proptest::prop_assert_eq!(bot_agent(&agent), agent);
        }
    }
}
