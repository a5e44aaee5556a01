//! Where do links lead, and may they? Addresses with a scheme, bare domains, full-width dots, international names.
//!
//! Domains are compared in their ASCII form (punycode), with their subdomains: `example.com` stands for `a.example.com`
//! too, and not for `badexample.com`. What is not found: a domain with white space in it, and one under an ending that
//! is not in [`ENDINGS`] and has no `http://` or `www.` before it.

use std::collections::HashSet;
use std::ops::Range;

use serde_json::{Value, json};
use url::Host;
use wxbot_plugin::config::{At, ConfigValue};
use wxbot_plugin::prelude::*;
use wxbot_plugin::text::fold;

use super::Parts;
use crate::act::label;
use crate::guard::offence::Offence;
use crate::ladder::Rung;

/// Endings that make a bare `name.ending` a domain; without a list `v1.2` and `end.Next` would be some.
const ENDINGS: &[&str] = &[
    "com",
    "net",
    "org",
    "cn",
    "cc",
    "io",
    "co",
    "me",
    "tv",
    "info",
    "biz",
    "xyz",
    "top",
    "vip",
    "club",
    "shop",
    "store",
    "site",
    "online",
    "app",
    "dev",
    "link",
    "live",
    "fun",
    "pro",
    "work",
    "wang",
    "ltd",
    "group",
    "ink",
    "icu",
    "win",
    "red",
    "pub",
    "art",
    "asia",
    "mobi",
    "name",
    "hk",
    "tw",
    "mo",
    "jp",
    "kr",
    "us",
    "uk",
    "ru",
    "de",
    "fr",
    "eu",
    "in",
    "ai",
    "gg",
    "im",
    "is",
    "ly",
    "gl",
    "gd",
    "to",
    "tk",
    "ml",
    "ga",
    "cf",
    "gq",
    "ws",
    "la",
    "so",
    "sh",
    "su",
    "cyou",
    "buzz",
    "bond",
    "click",
    "loan",
    "bet",
    "game",
    "games",
    "ren",
    "tech",
    "space",
    "website",
    "cloud",
    "life",
    "today",
    "world",
    "中国",
    "中國",
    "公司",
    "网络",
    "網絡",
    "网址",
    "在线",
    "中文网",
    "商城",
    "集团",
    "我爱你",
    "香港",
    "台湾",
    "移动",
    "手机",
    "商店",
];
/// Services that hide where a link leads.
const SHORTENERS: &[&str] = &[
    "t.cn",
    "url.cn",
    "dwz.cn",
    "suo.im",
    "mrw.so",
    "suo.nz",
    "u6.gg",
    "m6z.cn",
    "3.cn",
    "rrd.me",
    "tb.cn",
    "bit.ly",
    "goo.gl",
    "tinyurl.com",
    "is.gd",
    "t.co",
    "ow.ly",
    "t.ly",
    "cutt.ly",
    "rb.gy",
    "rebrand.ly",
    "shorturl.at",
    "s.id",
    "t.me",
    "985.so",
    "sourl.cn",
    "ft12.com",
    "c7.gg",
    "0x3.me",
];
/// The longest name that a domain can have.
const LONGEST: usize = 253;

/// Which links may be posted.
#[derive(Debug, PluginConfig)]
pub struct Links {
    /// Whether all links are denied but those in `allow`, or only those in `deny`.
    #[config(default = Policy::AllowListed)]
    pub policy: Policy,
    /// Domains that links may lead to, with their subdomains.
    #[config(default, max_len = 5000)]
    pub allow: Vec<Domain>,
    /// Domains that links may not lead to, with their subdomains.
    #[config(default, max_len = 5000)]
    pub deny: Vec<Domain>,
    /// Whether short links are denied too, which hide where they lead.
    #[config(default = true)]
    pub short_links: bool,
    /// Whether a domain without `http://` is a link.
    #[config(default = true)]
    pub bare: bool,
    /// Where the ladder begins for it.
    #[config(default = Rung::Warn)]
    pub rung: Rung,
}

/// Which links are denied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PluginConfig)]
pub enum Policy {
    /// All but those that are allowed.
    AllowListed,
    /// Those that are denied.
    DenyListed,
}

/// A domain in its ASCII form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Domain(String);

impl ConfigValue for Domain {
    fn value_schema() -> Value {
        json!({ "type": "string", "minLength": 1, "examples": ["example.com"] })
    }

    fn want() -> String {
        "a domain like \"example.com\"".to_owned()
    }

    fn read_value(value: &Value, at: &At<'_>) -> Result<Self, Vec<ConfigProblem>> {
        let text = String::read_value(value, at)?;
        let name = text.trim().trim_start_matches("*.").trim_matches('.');
        let plain = !name.is_empty() && !name.contains(['/', ':', '@', ' ', '*']);
        match Host::parse(name) {
            Ok(host) if plain => Ok(Self(host.to_string())),
            Ok(_) | Err(_) => {
                let problem = at.problem(format!("{} is {}, not `{}`", at.name(), Self::want(), label(&text)));
                Err(vec![problem.help("only the name: no `https://`, no path, no `*`; subdomains are included")])
            }
        }
    }
}

impl Links {
    pub(crate) fn judge(&self, parts: &Parts<'_>) -> Option<Offence> {
        let texts = parts.texts.iter().flat_map(|text| hosts(text, self.bare));
        // The address of a card is one, with or without a scheme.
        let urls = parts.urls.iter().flat_map(|url| hosts(url, true));
        // All of them: among fifty that are allowed one more would not be seen.
        let found: HashSet<String> = texts.chain(urls).collect();
        if found.is_empty() {
            return None;
        }
        let set = |list: &'_ [Domain]| -> HashSet<String> { list.iter().map(|domain| domain.0.clone()).collect() };
        let (allow, deny) = (set(&self.allow), set(&self.deny));
        let mut found: Vec<String> = found.into_iter().collect();
        found.sort();
        let denied = found.into_iter().find_map(|host| Some((self.denies(&host, &allow, &deny)?, host)));
        let (why, host) = denied?;
        Some(Offence::new("links", why, self.rung).in_detail(format!("({})", label(&host))))
    }

    fn denies(&self, host: &str, allow: &HashSet<String>, deny: &HashSet<String>) -> Option<&'static str> {
        // `a.b.c` is covered by itself, by `b.c` and by `c`.
        let names = || std::iter::successors(Some(host), |name| name.split_once('.').map(|(_, rest)| rest));
        let listed = |list: &HashSet<String>| names().any(|name| list.contains(name));
        if listed(deny) {
            return Some("禁止的链接");
        }
        if listed(allow) {
            return None;
        }
        if self.short_links && SHORTENERS.contains(&host) {
            return Some("短链接");
        }
        (self.policy == Policy::AllowListed).then_some("链接")
    }
}

/// Where the links of a text lead: hosts in their ASCII form, in the order of the text.
pub(crate) fn hosts(text: &str, bare: bool) -> Vec<String> {
    let text = dotted(&fold(text));
    let mut found = Vec::new();
    // Where addresses with a scheme stand: what follows their hosts is a path, and no domain.
    let mut addresses = Vec::new();
    // Wherever a scheme stands, also within another address: that is where a redirect leads.
    for (at, _) in text.match_indices("://") {
        let rest = text.get(at + 3..).unwrap_or_default();
        found.extend(authority(rest));
        addresses.push(at..at + 3 + path_end(rest));
    }
    if let Some(stripped) = text.strip_prefix("//") {
        found.extend(authority(stripped));
        addresses.push(0..2 + path_end(stripped));
    }
    if bare {
        bare_hosts(&text, &addresses, &mut found);
    }
    found
}

/// Where an address ends: at white space, or where Chinese begins.
fn path_end(text: &str) -> usize {
    text.find(|c: char| c.is_whitespace() || !c.is_ascii()).unwrap_or(text.len())
}

/// A folded text with other dots than `.` between Latin letters or digits made such: `a。com`, `a点com`.
fn dotted(folded: &str) -> String {
    let mut out = String::with_capacity(folded.len());
    let mut chars = folded.chars().peekable();
    let mut before = ' ';
    while let Some(c) = chars.next() {
        let between = before.is_ascii_alphanumeric() && chars.peek().is_some_and(char::is_ascii_alphanumeric);
        let dot = matches!(c, '\u{FF61}' | '\u{FE52}' | '\u{2024}')
            || between && matches!(c, '\u{3002}' | '点' | '點' | '\u{B7}' | '\u{2022}');
        out.push(if dot { '.' } else { c });
        before = c;
    }
    out
}

/// The host of what follows `://`: up to the path, without user and port.
fn authority(rest: &str) -> Option<String> {
    let named = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '@' | '%' | '[' | ']');
    let end = rest.find(|c| !named(c)).unwrap_or(rest.len());
    let run = rest.get(..end)?;
    // What people see of `https://good.com@bad.com` is not where it leads.
    let run = run.rsplit('@').next().unwrap_or(run);
    let run = if run.starts_with('[') { run } else { run.split(':').next().unwrap_or(run) };
    normal(latin_part(run))
}

/// `example.com看这里` is `example.com`: the name ends where Chinese follows a known ending.
fn latin_part(run: &str) -> &str {
    let end = run.find(|c: char| !c.is_ascii()).unwrap_or(run.len());
    let head = run.get(..end).unwrap_or(run);
    let ends = head.rsplit('.').next().is_some_and(|last| ENDINGS.contains(&last));
    if head.contains('.') && ends { head } else { run }
}

/// Domains without a scheme.
fn bare_hosts(text: &str, addresses: &[Range<usize>], found: &mut Vec<String>) {
    let mut from = 0;
    let mut addresses = addresses.iter().peekable();
    while let Some(dot) = text.get(from..).and_then(|rest| rest.find('.')).map(|at| at + from) {
        from = dot + 1;
        while addresses.next_if(|address| address.end <= dot).is_some() {}
        if let Some(address) = addresses.peek().filter(|address| address.contains(&dot)) {
            from = address.end;
            continue;
        }
        let Some((start, end)) = name_around(text, dot) else { continue };
        let (Some(before), Some(name), Some(after)) = (text.get(..start), text.get(start..end), text.get(end..)) else {
            continue;
        };
        from = end.max(from);
        let before = before.chars().next_back();
        // `a@b.com` is a mail address.
        if before == Some('@') {
            continue;
        }
        let name = latin_part(name.trim_matches(['.', '-', '_']));
        let ending = name.rsplit('.').next().unwrap_or_default();
        let www = name.starts_with("www.") && name.len() > 4;
        if name.contains('.') && (www || ENDINGS.contains(&ending) || ending.starts_with("xn--")) {
            found.extend(normal(name));
            // `_` may belong to the name, and may stand before it.
            found
                .extend(name.rsplit_once('_').and_then(|(_, behind)| normal(behind)).filter(|name| name.contains('.')));
            // The path is no domain: `/a.com` leads nowhere.
            let path = path_end(after);
            from = if after.starts_with(['/', '?', '#', ':']) { end + path } else { from };
        }
    }
}

/// The run of letters, digits, `-` and `.` around a dot. Chinese belongs to it only where the ending is Chinese: in
/// 看example.com吧 it does not.
fn name_around(text: &str, dot: usize) -> Option<(usize, usize)> {
    let (before, after) = (text.get(..dot)?, text.get(dot..)?);
    let latin = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    let any = |c: char| c.is_alphanumeric() || matches!(c, '-' | '.' | '_');
    let chinese =
        after.get(1..).is_some_and(|rest| ENDINGS.iter().any(|ending| !ending.is_ascii() && rest.starts_with(ending)));
    let fits = |c: char| if chinese { any(c) } else { latin(c) };
    let start =
        before.char_indices().rev().take(LONGEST).take_while(|(_, c)| fits(*c)).last().map_or(dot, |(at, _)| at);
    let len: usize = if chinese {
        let ending = ENDINGS
            .iter()
            .filter(|ending| !ending.is_ascii() && after.get(1..).is_some_and(|rest| rest.starts_with(**ending)));
        1 + ending.map(|ending| ending.len()).max()?
    } else {
        after.chars().take(LONGEST).take_while(|c| latin(*c)).map(char::len_utf8).sum()
    };
    (start < dot && len > 1).then_some((start, dot + len))
}

/// A host in its ASCII form.
fn normal(host: &str) -> Option<String> {
    let host = host.trim_matches('.');
    if host.is_empty() {
        return None;
    }
    // What is no good name leads somewhere all the same, as far as some browser is concerned.
    Some(Host::parse(host).map_or_else(|_bad| host.to_owned(), |host| host.to_string()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn where_links_lead() {
        for (name, text, want) in [
            ("plain", "see https://example.com/a?b", &["example.com"][..]),
            ("capitals", "HTTPS://Example.COM", &["example.com"]),
            ("full-width", "ｈｔｔｐ：／／ｅｘａｍｐｌｅ．ｃｏｍ", &["example.com"]),
            ("bare among Chinese", "看example.com吧", &["example.com"]),
            ("scheme among Chinese", "看https://example.com吧", &["example.com"]),
            ("ideographic stop", "example。com", &["example.com"]),
            ("half-width ideographic stop", "example｡com", &["example.com"]),
            ("the word for dot", "example点com", &["example.com"]),
            ("invisible inside", "exam\u{200B}ple.com", &["example.com"]),
            ("www", "www.example.unknown", &["www.example.unknown"]),
            ("punycode", "http://xn--fsqu00a.xn--0zwm56d/", &["xn--fsqu00a.xn--0zwm56d"]),
            ("international", "https://例子.中国/x", &["xn--fsqu00a.xn--fiqs8s"]),
            ("international, bare", "去 例子.中国 看", &["xn--fsqu00a.xn--fiqs8s"]),
            ("user and port", "https://good.com@bad.com:8080/x", &["bad.com"]),
            ("redirect", "https://good.com/?to=http://bad.com", &["good.com", "bad.com"]),
            ("address", "http://127.0.0.1/x", &["127.0.0.1"]),
            ("percent", "http://ex%61mple.com", &["example.com"]),
            ("short link", "t.cn/Abc12", &["t.cn"]),
            ("path is no domain", "example.com/other.com/x.cn", &["example.com"]),
            ("path of a full address", "https://example.com/other.com/x.cn y", &["example.com"]),
            ("behind a full address", "https://example.com/a b.cn", &["example.com", "b.cn"]),
            ("slash before", "看/evil.com", &["evil.com"]),
            ("underscore before", "看_evil.com 吧", &["evil.com"]),
            ("underscore within", "x_evil.com", &["x_evil.com", "evil.com"]),
            ("percent before", "100%evil.com", &["evil.com"]),
            ("two", "a.com b.cn", &["a.com", "b.cn"]),
            ("mail", "a@example.com", &[]),
            ("version", "v1.2.3 is out", &[]),
            ("money", "3.14元", &[]),
            ("time", "下午3点30开会", &[]),
            ("sentences", "好的。明天见。", &[]),
            ("file", "a.pdf main.rs", &[]),
            ("dots", "... .com 。。。", &[]),
        ] {
            let mut got = hosts(text, true);
            got.dedup();
            assert_eq!(got, want, "{name}: {text}");
        }
        assert!(hosts("example.com", false).is_empty(), "bare domains may be left alone");
    }

    #[test]
    fn which_are_denied() {
        let judge = |settings: Value, text: &str| {
            let links = Links::read(&settings, &Place::default()).unwrap();
            links.judge(&Parts { texts: vec![text], urls: Vec::new() }).map(|offence| offence.why)
        };
        let allow = json!({ "allow": ["example.com", "例子.中国"] });
        let deny = json!({ "policy": "deny-listed", "deny": ["bad.com"], "allow": ["t.cn"] });
        for (settings, text, want) in [
            (&allow, "https://a.example.com/x", None),
            (&allow, "badexample.com", Some("链接")),
            (&allow, "example.com.bad.com", Some("链接")),
            (&allow, "https://xn--fsqu00a.xn--fiqs8s", None),
            (&allow, "https://example.com@bad.com", Some("链接")),
            (&allow, &*format!("{}https://bad.com", "https://example.com ".repeat(60)), Some("链接")),
            (&allow, &*format!("{}bad.com", "example.com ".repeat(300)), Some("链接")),
            (&deny, "/bad.com", Some("禁止的链接")),
            (&deny, "x_bad.com", Some("禁止的链接")),
            (&deny, "https://fine.com", None),
            (&deny, "x.BAD.com", Some("禁止的链接")),
            (&deny, "bit.ly/x", Some("短链接")),
            (&deny, "t.cn/x", None),
        ] {
            assert_eq!(judge(settings.clone(), text).as_deref(), want, "{text}");
        }
    }

    #[test]
    fn wrong_domains_are_told_at_their_place() {
        let settings = json!({ "allow": ["fine.com", "https://a.com/x", ""] });
        let problems = Links::read(&settings, &Place::default()).unwrap_err();
        let pointers: Vec<&str> = problems.iter().map(|problem| &*problem.pointer).collect();
        assert_eq!(pointers, ["/allow/1", "/allow/2"]);
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in any::<String>()) {
            prop_assert!(hosts(&text, true).len() <= text.len());
        }

        #[test]
        fn a_link_is_found_wherever_it_stands(before in "[你好吗 ,。]{0,8}", after in "[你好吗 ,!]{0,8}", name in "[a-z][a-z0-9]{2,9}") {
            let want = format!("{name}.com");
            let bare = hosts(&format!("{before}{want}{after}"), true);
            prop_assert!(bare.contains(&want), "{:?}", bare);
            let full = hosts(&format!("{before}https://{want}{after}"), false);
            prop_assert_eq!(full, vec![want]);
        }
    }
}
