//! How do pictures, voices, films and files go out again?

use bytes::Bytes;
use http::header::{ACCEPT_RANGES, CONTENT_DISPOSITION, CONTENT_RANGE, RANGE};

use crate::Sim;
use crate::account::State;
use crate::check::{Checker, percent_decoded};
use crate::made;
use crate::media::Attached;
use crate::names::stable_hash;
use crate::request::{Answer, Endpoint, Query, Request};
use crate::upload::encry_file_name;

const IMAGE: i64 = 3;
const VOICE: i64 = 34;
const VIDEO: i64 = 43;
const STICKER: i64 = 47;
const SHORT_VIDEO: i64 = 62;
/// AppMsgType 8 and files travel in it.
const APP: i64 = 49;
const PARAMETER_ERROR: i64 = 1;
const SYSTEM_ERROR: i64 = -1;

impl Sim {
    /// webwxgetmsgimg, webwxgetvoice and webwxgetvideo: what hangs on a message.
    pub(crate) fn get_of_message(&self, request: &Request, checker: &Checker<'_>) -> Result<Answer, i64> {
        let account = self.account_of(request, checker)?;
        let checker = checker.of(&account.name);
        let query = request.query();
        let mut state = account.lock();
        state.admit(account.uin, request, &query, None, &checker)?;
        if query.get("skey").is_none() {
            checker.soft("query without skey");
        }
        state.check_query_skey(&query, &checker);
        let endpoint = checker.endpoint;
        let (usual, types): (&str, &[i64]) = if endpoint == Endpoint::GetVoice {
            ("msgid", &[VOICE])
        } else if endpoint == Endpoint::GetVideo {
            ("msgid", &[VIDEO, SHORT_VIDEO])
        } else {
            ("MsgID", &[IMAGE, STICKER, APP, VIDEO, SHORT_VIDEO])
        };
        // Clients spell it either way.
        let id = query.get(usual).or_else(|| query.get(if usual == "msgid" { "MsgID" } else { "msgid" }));
        if query.get(usual).is_none() {
            checker.soft("MsgID and msgid are mixed up");
        }
        let found = id.and_then(|id| id.parse::<u64>().ok()).and_then(|id| state.attached.get(&id));
        let Some(attached) = found.filter(|attached| types.contains(&attached.msg_type)) else {
            checker.soft("asked for media of a message that has none");
            return Ok(Answer::new(200, "text/plain", ""));
        };
        let attached = attached.clone();
        drop(state);
        Ok(if endpoint == Endpoint::GetVideo {
            ranged(&attached, request, &checker)
        } else if endpoint == Endpoint::GetVoice {
            whole(&attached)
        } else {
            picture(&attached, &query, &checker)
        })
    }

    /// webwxgetmedia: a file that somebody sent.
    pub(crate) fn get_media(&self, request: &Request, checker: &Checker<'_>) -> Result<Answer, i64> {
        let account = self.account_of(request, checker)?;
        let checker = checker.of(&account.name);
        let query = request.query();
        let mut state = account.lock();
        state.admit(account.uin, request, &query, None, &checker)?;
        let session = state.session.as_ref().ok_or(SYSTEM_ERROR)?;
        if query.get("webwx_data_ticket") != Some(session.data_ticket.as_str()) {
            checker.hard("webwx_data_ticket is missing or not the session's");
            return Err(PARAMETER_ERROR);
        }
        if query.get("pass_ticket").is_none() {
            checker.soft("query without pass_ticket");
        }
        match query.get("fromuser") {
            Some(user) if user == account.uin.to_string() => {}
            Some(user) if user == state.names.me => checker.soft("fromuser is the UserName and not the uin"),
            _ => checker.hard("fromuser is not the account's uin"),
        }
        if !request.headers.contains_key(http::header::REFERER) {
            checker.soft("no Referer");
        }
        let found = query
            .get("mediaid")
            .and_then(|media_id| state.files.get(media_id))
            .and_then(|id| state.attached.get(id))
            .cloned();
        let Some(attached) = found else {
            checker.hard("mediaid is of no file that was received");
            return Err(PARAMETER_ERROR);
        };
        if query.get("sender") != Some(sender(&state, &attached)) {
            checker.hard("sender is not the FromUserName of the file's message");
            return Err(PARAMETER_ERROR);
        }
        let encrypted = encry_file_name(&attached.item.name);
        match (query.get("encryfilename"), query.get("filename")) {
            (Some(name), _) if name == encrypted || name == percent_decoded(&encrypted) => {}
            (None, Some(name)) if name == attached.item.name => {}
            _ => checker.soft("neither filename nor encryfilename is that of the file's message"),
        }
        drop(state);
        let mut answer = whole(&attached);
        answer.header(CONTENT_DISPOSITION, &format!("attachment; filename=\"{encrypted}\""));
        Ok(answer)
    }

    /// webwxgetpubliclinkimg: the map of a location.
    pub(crate) fn get_public_link_img(&self, request: &Request, checker: &Checker<'_>) -> Result<Answer, i64> {
        let account = self.account_of(request, checker)?;
        let checker = checker.of(&account.name);
        let query = request.query();
        account.lock().admit(account.uin, request, &query, None, &checker)?;
        if query.get("pictype") != Some("location") {
            checker.soft("pictype is not location");
        }
        let seed = stable_hash(query.get("msgid").unwrap_or_default());
        Ok(Answer::new(200, "image/png", made::picture(seed, 200, 120)))
    }
}

/// FromUserName of the message that brought it.
fn sender<'a>(state: &'a State, attached: &Attached) -> &'a str {
    if attached.own { &state.names.me } else { state.names.of(attached.chat) }
}

fn whole(attached: &Attached) -> Answer {
    let blob = &attached.item.blob;
    Answer::new(200, blob.kind, Bytes::clone(&blob.bytes))
}

fn picture(attached: &Attached, query: &Query<'_>, checker: &Checker<'_>) -> Answer {
    match query.get("type") {
        None | Some("" | "big") if [IMAGE, STICKER, APP].contains(&attached.msg_type) => whole(attached),
        Some("slave") | None | Some("" | "big") => {
            let (width, height) = match attached.item.blob.thumb_size() {
                (0, _) | (_, 0) => (67, 120),
                size => size,
            };
            let seed = stable_hash(&attached.item.blob.md5);
            Answer::new(200, "image/png", made::picture(seed, width, height))
        }
        Some(_) => {
            checker.soft("type is neither slave nor big nor empty");
            whole(attached)
        }
    }
}

/// A film comes only in ranges; asked for without one, the service answers nothing.
fn ranged(attached: &Attached, request: &Request, checker: &Checker<'_>) -> Answer {
    let blob = &attached.item.blob;
    let asked = request.headers.get(RANGE).and_then(|range| range.to_str().ok());
    let Some(asked) = asked else {
        checker.soft("a video without a Range header");
        return Answer::new(200, blob.kind, "");
    };
    let total = blob.bytes.len();
    let Some((from, to)) = range(asked, total) else {
        checker.hard("Range cannot be satisfied");
        let mut answer = Answer::new(416, blob.kind, "");
        answer.header(CONTENT_RANGE, &format!("bytes */{total}"));
        return answer;
    };
    let mut answer = Answer::new(206, blob.kind, blob.bytes.slice(from..to));
    answer.header(CONTENT_RANGE, &format!("bytes {from}-{}/{total}", to - 1));
    answer.header(ACCEPT_RANGES, "bytes");
    answer
}

/// `bytes=0-`, `bytes=5-9`, `bytes=-4`: first byte and the one behind the last.
fn range(asked: &str, total: usize) -> Option<(usize, usize)> {
    let (first, last) = asked.strip_prefix("bytes=")?.split_once('-')?;
    let (from, to) = match (first.trim(), last.trim()) {
        ("", last) => (total.saturating_sub(last.parse().ok()?), total),
        (first, "") => (first.parse().ok()?, total),
        (first, last) => (first.parse().ok()?, last.parse::<usize>().ok()?.checked_add(1)?.min(total)),
    };
    (from < to).then_some((from, to))
}

#[cfg(test)]
mod tests {
    use super::range;

    #[test]
    fn ranges() {
        for (asked, want) in [
            ("bytes=0-", Some((0, 10))),
            ("bytes=3-5", Some((3, 6))),
            ("bytes=3-500", Some((3, 10))),
            ("bytes=-4", Some((6, 10))),
            ("bytes=-40", Some((0, 10))),
            ("bytes=10-", None),
            ("bytes=5-3", None),
            ("bytes=a-b", None),
            ("0-5", None),
        ] {
            assert_eq!(range(asked, 10), want, "{asked}");
        }
        assert_eq!(range("bytes=0-", 0), None);
    }
}
