//! Which links may a model's answer hold? Those to hosts that the owner named (R33).
//!
//! A model repeats what it was told, also by somebody who wants the others in a room to open a page. WeChat makes links
//! out of plain text, so that each word that it would make one of is looked at.

use regex::{Captures, Regex, RegexBuilder};
use wxbot_plugin::PluginError;

/// In the place of a link.
const INSTEAD: &str = "[链接]";

/// With any scheme, with `www.`, or a dotted name (labels of ASCII, or one of Han characters before an end that many have)
/// with what follows it in a link. Names begin and end wherever something else stands, `_` too; whether one is a link is
/// for [`is_link`] to say. What a link may hold besides is left out where phones end it: brackets, commas, quotes.
const PATTERN: &str = r"(?x)
    [a-z][a-z0-9+.-]*://[a-z0-9._~:/?\#@&=%+\\-]*
    | www\.[a-z0-9._~:/?\#@&=%+\\-]+
    | (?P<name> (?: [a-z0-9-]+\. )+ [a-z0-9-]+ ) (?P<tail> \.? (?: :[0-9]+ )? (?: [/?\#] [a-z0-9._~:/?\#@&=%+\\-]* )? )
    | \p{Han}+\.(?: com|cn|net|org|top|xyz|中国|公司|网络|网址|在线|商城|集团 ) (?: [:/] [a-z0-9._~:/?\#@&=%+\\-]* )?";

/// Ends of host names besides those of countries (two letters). Of another one a name is a link with a path or a port.
const ENDS: &str = "\
    academy africa agency app art asia auction baby band bar beauty best bet bid bike bingo bio biz black blog blue \
    boats bond bot boutique build business buzz cab cafe cam camera camp capital car cards care cars casa cash casino \
    cat center chat cheap christmas church city claims click clinic clothing cloud club coach codes coffee com \
    community company computer contact cool country coupons courses credit cricket cyou dance date dating day deals \
    delivery design dev diamonds diet digital direct directory discount doctor dog domains download earth edu \
    education email energy equipment estate events exchange expert express fail faith family fans farm fashion film \
    finance financial fish fit fitness flights flowers foo football forex forum foundation fun fund furniture fyi \
    gallery game games garden gay gift gifts gives glass global gold golf google gov graphics gratis green gripe group \
    guide guru hair health help hiphop hockey holdings holiday homes horse host hosting house how icu immo inc \
    industries info ing ink institute int international investments jewelry jobs kim kitchen land lat law lawyer lease \
    legal lgbt life lighting limited limo link live llc loan loans lol lotto love ltd luxury makeup management market \
    marketing markets mba media memorial men menu mil mobi moda moe mom money monster mortgage mov movie name nasa net \
    network new news ninja observer one onion online ooo org organic page partners parts party pay pet phd photo \
    photography photos pics pictures pink pizza plumbing plus poker porn press pro productions prof promo properties \
    property pub qpon quest racing realty recipes red rehab ren rent rentals repair report republican rest restaurant \
    review reviews rich rip rocks rodeo run sale salon sarl sbs school science security services sex sexy shoes shop \
    shopping show singles site ski skin soccer social software solar solutions space sport storage store stream studio \
    study style sucks supplies supply support surf surgery systems tattoo tax taxi team tech technology tel tennis \
    theater tickets tienda tips tires today tokyo tools top tours town toys trade trading training travel tube \
    university uno vacations ventures vet viajes video villas vin vip vision vodka vote voting voto voyage wang watch \
    watches webcam website wedding wien wiki win wine work works world wtf xin xxx xyz yachts yoga zip zone";
/// Two letters that are the end of files and of no country.
const FILES: &[&str] = &["cs", "db", "gz", "hs", "js", "kt", "rb", "ts", "vb", "xz"];

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
            let part = |name: &str| found.name(name).map(|part| part.as_str());
            let harmless = match (part("name"), part("tail")) {
                (Some(name), tail) => !is_link(name, tail.unwrap_or_default()),
                (None, _) => false,
            };
            let behind = found.get(0).and_then(|link| text.get(link.end()..)).and_then(|rest| rest.chars().next());
            let stands =
                harmless || (ends_there(link, behind) && leads_to(link).is_some_and(|host| allows(hosts, &host)));
            if stands { link.to_owned() } else { INSTEAD.to_owned() }
        })
    }
}

/// Whether a phone may make a link of a dotted name: `main.rs` and `3.14/2` hide none, `evil.work/x` does.
fn is_link(name: &str, tail: &str) -> bool {
    let labels: Vec<String> = name.split('.').map(str::to_ascii_lowercase).collect();
    if labels.iter().all(|label| label.bytes().all(|byte| byte.is_ascii_digit())) {
        return labels.len() == 4 && labels.iter().all(|label| label.parse::<u8>().is_ok());
    }
    if tail.contains(['/', ':']) || labels.iter().any(|label| label.ends_with("www")) {
        return true;
    }
    // Behind the end of a host something else may follow, so that each label may be one: `evil.com-x`, `evil.com.x`.
    labels.iter().skip(1).any(|label| {
        let end = if label.starts_with("xn--") { return true } else { label.split('-').next().unwrap_or_default() };
        let country = end.len() == 2 && end.bytes().all(|byte| byte.is_ascii_lowercase()) && !FILES.contains(&end);
        country || ENDS.split(' ').any(|one| one == end)
    })
}

/// Whether the host of a link ends where we read its end: a phone may read on where a letter of another script follows,
/// or one of the dots that names may be written with, and `example.com` becomes `example.comа.evil`.
fn ends_there(link: &str, behind: Option<char>) -> bool {
    let host_alone = !link.split_once("://").map_or(link, |(_, rest)| rest).contains(['/', '?', '#']);
    let is_han = |c: char| matches!(c, '\u{2E80}'..='\u{A4CF}' | '\u{F900}'..='\u{FAFF}' | '\u{20000}'..='\u{3FFFF}');
    let reads_on = |c: char| (c.is_alphanumeric() && !is_han(c)) || matches!(c, '\u{FF0E}' | '\u{FF61}');
    !(host_alone && behind.is_some_and(reads_on))
}

/// The host of a link; `None` when it is none of the web, or hides where it leads.
fn leads_to(link: &str) -> Option<String> {
    let rest = match link.split_once("://") {
        Some((scheme, rest)) if ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) => rest,
        Some(_) => return None,
        None => link,
    };
    // A second link in its path or query is where it leads in the end.
    if rest.contains("://") {
        return None;
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.split(':').next().unwrap_or_default();
    // `https://good.com@bad.com`, `https://good.com\@bad.com` and `https://bad.com|.good.com` lead to bad.com.
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:".contains(&byte));
    plain(authority).then(|| host.trim_end_matches('.').to_ascii_lowercase())
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
            ("[这里](https://evil.com/)", "[这里]([链接])"),
            ("3.14, e.g. 1.5/2 版本 2.0.1 和 Node.js", "3.14, e.g. 1.5/2 版本 2.0.1 和 Node.js"),
            ("main.py.", "[链接]"),
            ("src/lib.toml", "src/lib.toml"),
            // What stands before or behind hides none.
            ("1https://evil.work/x", "1[链接]"),
            ("x_https://evil.work/x", "x_[链接]"),
            ("__evil.com__", "__[链接]__"),
            ("evil.com_x", "[链接]_x"),
            ("evil.com-x", "[链接]"),
            ("evil.com.", "[链接]"),
            ("xevil.comé", "[链接]é"),
            ("evil.work/x", "[链接]"),
            ("evil.thisendisnew/x", "[链接]"),
            ("evil.thisendisnew:8080", "[链接]"),
            ("evil.de", "[链接]"),
            ("EVIL.DE", "[链接]"),
            ("1.2.3.4/x", "[链接]"),
            ("1.2.3.4", "[链接]"),
            ("1.2.3.444", "1.2.3.444"),
            ("xn--fiqs8s.xn--55qx5d", "[链接]"),
            ("上例子.公司看", "[链接]看"),
            ("xwww.evil", "[链接]"),
            // Nor does a good one beside it.
            ("https://evil.com|.example.com/", "[链接]|.example.com/"),
            ("https://evil.com\\.example.com/", "[链接]"),
            ("https://example.com/,https://evil.com/", "https://example.com/,[链接]"),
            ("https://example.com/(evil.com)", "https://example.com/([链接])"),
            ("https://example.com/?to=https://evil.com", "[链接]"),
            ("https://example.com/a(b),c.html", "https://example.com/a(b),c.html"),
            ("1https://example.com/a", "1https://example.com/a"),
            ("(www.example.com) 好", "(www.example.com) 好"),
            ("去example.com看", "去example.com看"),
            ("https://example.com/é", "https://example.com/é"),
            ("https://example.comа.dentist", "[链接]а.dentist"),
            ("https://example.com\u{FF0E}evil.dentist", "[链接]\u{FF0E}evil.dentist"),
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
