//! Which links may a model's answer hold? Those to hosts that the owner named (R33).
//!
//! A model repeats what it was told, also by somebody who wants the others in a room to open a page. WeChat makes links
//! out of plain text, so that each word that it would make one of is looked at.

use regex::{Captures, Regex, RegexBuilder};
use wxbot_plugin::PluginError;

/// In the place of a link.
const INSTEAD: &str = "[链接]";

/// With a scheme, with `www.`, or a name that ends as most names of hosts do. Without the last list `main.rs` and
/// `e.g.` would be links; with it, a host under a rare end is one only if `://` or `www.` stands before it.
const PATTERN: &str = r"(?x)
    (?-u:\b)[a-z][a-z0-9+.-]*://[^\s\p{Han}，。！？、；：”’）》】<>]*
    | (?: (?-u:\b)[a-z0-9] (?: [a-z0-9-]* [a-z0-9] )? \. )+
      (?: com|cn|net|org|edu|gov|info|biz|top|xyz|vip|shop|store|site|online|club|link|live|wang|fun|icu|ltd|ink|cc|tv|io
        | me|app|dev|ai|co|hk|tw|ru|tk|ml|la|im|gg|ly|xn--[a-z0-9-]+ ) (?-u:\b)
      (?: [:/?\#] [^\s\p{Han}，。！？、；：”’）》】<>]* )?
    | (?-u:\b)www\.[^\s\p{Han}，。！？、；：”’）》】<>]+";

/// Looks for links.
#[derive(Debug)]
pub(crate) struct Links {
    pattern: Regex,
    /// `None`: all may stand.
    hosts: Option<Vec<String>>,
}

impl Links {
    /// Lets links to these hosts and what is below them stand; `*` is all.
    pub(crate) fn new(hosts: &[String]) -> Result<Self, PluginError> {
        let pattern = RegexBuilder::new(PATTERN).case_insensitive(true).build()?;
        let all = hosts.iter().any(|host| host == "*");
        Ok(Self { pattern, hosts: (!all).then(|| hosts.iter().map(|host| host.to_ascii_lowercase()).collect()) })
    }

    /// The text with the other links taken out.
    pub(crate) fn without<'t>(&self, text: &'t str) -> std::borrow::Cow<'t, str> {
        let Some(hosts) = &self.hosts else { return text.into() };
        self.pattern.replace_all(text, |found: &Captures<'_>| {
            let link = found.get(0).map_or("", |link| link.as_str());
            if leads_to(link).is_some_and(|host| allows(hosts, &host)) { link.to_owned() } else { INSTEAD.to_owned() }
        })
    }
}

/// The host of a link; `None` when it is none of the web, or hides where it leads.
fn leads_to(link: &str) -> Option<String> {
    let rest = match link.split_once("://") {
        Some((scheme, rest)) if ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) => rest,
        Some(_) => return None,
        None => link,
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    // `https://good.com@bad.com` and `https://good.com\@bad.com` lead to bad.com.
    if authority.contains(['@', '\\', '%']) {
        return None;
    }
    let host = authority.split(':').next().unwrap_or_default();
    Some(host.trim_end_matches('.').to_ascii_lowercase())
}

fn allows(hosts: &[String], host: &str) -> bool {
    hosts
        .iter()
        .any(|allowed| host.strip_suffix(allowed.as_str()).is_some_and(|sub| sub.is_empty() || sub.ends_with('.')))
}

/// Whether a text is a host as `links` wants it.
pub(crate) fn is_host(text: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') && !label.starts_with('-')
    };
    text.len() <= 253 && text.contains('.') && text.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links(hosts: &[&str]) -> Links {
        Links::new(&hosts.iter().map(|host| (*host).to_owned()).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn sec_r33_links_lead_only_where_the_owner_says() {
        let links = links(&["example.com"]);
        for (text, want) in [
            ("看 https://evil.com/a?b=c 吧", "看 [链接] 吧"),
            ("看https://evil.com/a。好", "看[链接]。好"),
            ("HTTPS://EVIL.com", "[链接]"),
            ("evil.com", "[链接]"),
            ("去evil.top/x看", "去[链接]看"),
            ("www.evil.rs", "[链接]"),
            ("weixin://dl/business", "[链接]"),
            ("javascript://example.com", "[链接]"),
            ("https://example.com@evil.com/", "[链接]"),
            ("https://example.com.evil.com/", "[链接]"),
            ("https://notexample.com/", "[链接]"),
            ("https://192.0.2.1/x", "[链接]"),
            ("https://example.com/a", "https://example.com/a"),
            ("Docs: shop.example.com:8080/a", "Docs: shop.example.com:8080/a"),
            ("[这里](https://evil.com/)", "[这里]([链接]"),
            ("3.14, e.g. main.rs 和 Node.js", "3.14, e.g. main.rs 和 Node.js"),
            ("没有链接", "没有链接"),
        ] {
            assert_eq!(links.without(text), want, "{text}");
        }
    }

    #[test]
    fn all_or_none() {
        assert_eq!(links(&["*"]).without("https://a.com b.cn"), "https://a.com b.cn");
        assert_eq!(links(&[]).without("https://a.com b.cn"), "[链接] [链接]");
    }

    #[test]
    fn hosts() {
        for (text, want) in [
            ("example.com", true),
            ("a.b-c.cn", true),
            ("com", false),
            ("a..b", false),
            ("a.com/x", false),
            ("*.a.com", false),
        ] {
            assert_eq!(is_host(text), want, "{text}");
        }
    }
}
