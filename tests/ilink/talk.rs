//! What comes in as what it is, and what goes out as the phone opens it?

use md5::{Digest as _, Md5};
use wxbot_sim::{IlinkFile, IlinkOutcome, IlinkQuote, IlinkQuoteForm, IlinkSay, IlinkSetup, UploadUrls};

use crate::town::{LIFTED, RULES, Town};

/// Bytes that are no multiple of a block, and begin like no known kind.
fn bytes(len: usize, first: u8) -> bytes::Bytes {
    (0..=250).cycle().take(len).map(|at| at ^ first).collect::<Vec<u8>>().into()
}

/// The same behind what a picture or a film begins with.
fn begun(with: &[u8], len: usize) -> bytes::Bytes {
    [with, &bytes(len - with.len(), 0x55)].concat().into()
}

fn picture(len: usize) -> bytes::Bytes {
    begun(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", len)
}

fn film(len: usize) -> bytes::Bytes {
    begun(b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2avc1mp41", len)
}

fn md5_of(data: &[u8]) -> String {
    use std::fmt::Write as _;
    Md5::digest(data).iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").unwrap();
        hex
    })
}

fn file(name: &str, data: &bytes::Bytes) -> IlinkFile {
    IlinkFile { data: Some(data.clone()), name: name.to_owned(), ..IlinkFile::default() }
}

#[test]
fn a_friend_is_answered_from_the_first_scan_on() {
    let town = Town::open(&format!("{LIFTED}{RULES}"), "");
    let running = town.run_bound();
    town.writes("q1");
    town.sees(&running, "a1");
    town.writes("what nobody has a rule for");
    town.writes("q2");
    town.sees(&running, "a2");
    assert_eq!(town.seen(), ["a1", "a2"]);
    let people = town.call(&["accounts"]);
    assert!(people.out.contains("ilink") && people.out.contains("out sent 2"), "{}", people.out);
    let left = || town.sim.journal().asked_at("notifystop").count();
    assert_eq!(left(), 0);
    town.ends_well(running);
    assert_eq!(left(), 1, "the service is told that nobody listens");
}

#[test]
fn all_kinds_of_media_come_in_and_are_kept() {
    for (name, urls, full_urls) in
        [("by full addresses", UploadUrls::Both, true), ("by parameters", UploadUrls::Param, false)]
    {
        let setup = IlinkSetup { upload_urls: urls, full_urls, ..IlinkSetup::default() };
        let town = Town::mirrored(setup, "");
        let running = town.run_bound();
        let (film, paper, speech) = (film(70_001), bytes(40_000, 2), bytes(5_003, 3));
        town.says(IlinkSay::Image(IlinkFile::default()));
        town.says(IlinkSay::Video { file: file("", &film), seconds: 7 });
        town.says(IlinkSay::File(file("../../账单 1.pdf", &paper)));
        town.says(IlinkSay::Voice {
            file: file("", &speech),
            ms: 2_380,
            encode_type: 6,
            text: Some("明天见".to_owned()),
        });
        let journal = town.until(&running, "all of it to come back", |journal| journal.shown("home").count() >= 7);
        let texts: Vec<&str> = journal.texts_to("home", "home").collect();
        assert_eq!(texts[..2], ["film of 7 s", "file 账单 1.pdf"], "{name}");
        assert_eq!(texts[2], "2380 ms, heard: 明天见", "{name}");
        let media: Vec<_> =
            journal.shown("home").filter_map(|send| Some((send.kind.as_str(), send.media.clone()?))).collect();
        let kinds: Vec<&str> = media.iter().map(|(kind, _)| *kind).collect();
        assert_eq!(kinds, ["image", "video", "file", "file"], "{name}: as it came, speech as a file");
        for (at, wanted) in [(1, &film), (2, &paper), (3, &speech)] {
            assert_eq!(media[at].1.len, wanted.len() as u64, "{name}");
            assert_eq!(media[at].1.md5, md5_of(wanted), "{name}: the bytes came through both ways");
        }
        assert_eq!(media[2].1.file_name, "账单 1.pdf", "{name}: no folders");
        assert!(journal.shown("home").all(|send| send.grey.is_empty()), "{name}: {:#?}", journal.sends);
        assert!(journal.uploads.iter().all(|upload| upload.flaw.is_empty()), "{name}: {:#?}", journal.uploads);
        assert!(journal.uploads.iter().all(|upload| upload.full_url == full_urls), "{name}: {:#?}", journal.uploads);
        let kept = town.call(&["media", "--json"]);
        let listing: serde_json::Value = serde_json::from_str(&kept.out).unwrap();
        assert!(listing["files"].as_array().unwrap().len() >= 4, "{name}: {listing}");
        town.ends_well(running);
    }
}

#[test]
fn media_goes_out_as_the_phone_opens_it() {
    let rules = "[[plugins.auto-reply.rules]]\nexact = \"all\"\n\
        reply = [{ image = \"a.png\" }, { video = \"b.mp4\" }, { file = \"报告.pdf\" }, \"done\"]\n";
    let town = Town::open(&format!("{LIFTED}{rules}"), "");
    let picture = picture(3_001);
    for (name, data) in [("a.png", &picture), ("b.mp4", &film(120_000)), ("报告.pdf", &bytes(16, 7))] {
        std::fs::write(town.path().join(name), data).unwrap();
    }
    let running = town.run_bound();
    town.writes("all");
    town.sees(&running, "done");
    let journal = town.sim.journal();
    let shown: Vec<_> = journal.shown("home").collect();
    let kinds: Vec<&str> = shown.iter().map(|send| send.kind.as_str()).collect();
    assert_eq!(kinds, ["image", "video", "file", "text"], "in the order of the rule, one item each");
    for (send, len) in shown.iter().zip([3_001, 120_000, 16]) {
        let media = send.media.as_ref().unwrap();
        assert_eq!((media.len, send.grey.as_slice()), (len, [].as_slice()), "{send:?}");
    }
    assert_eq!(shown[0].media.as_ref().unwrap().md5, md5_of(&picture));
    assert_eq!(shown[2].media.as_ref().unwrap().file_name, "报告.pdf");
    let ids: std::collections::HashSet<_> = shown.iter().map(|send| send.client_id.as_str()).collect();
    assert_eq!(ids.len(), 4, "an id each");
    town.ends_well(running);
}

#[test]
fn speech_goes_out_as_a_file() {
    // What is experimental is sent as speech, and the phone shows nothing of it.
    for (lines, kind, outcome) in
        [("", "file", IlinkOutcome::Shown), ("experimental_voice = true", "voice", IlinkOutcome::Hidden)]
    {
        let town = Town::mirrored(IlinkSetup::default(), lines);
        let running = town.run_bound();
        // Fifty packets of ten bytes: a second, as phones record it.
        let speech: bytes::Bytes =
            [&b"\x02#!SILK_V3"[..], &[[10, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]; 50].concat()].concat().into();
        town.says(IlinkSay::Voice { file: file("", &speech), ms: 1_000, encode_type: 6, text: None });
        let journal = town
            .until(&running, "the speech to come back", |journal| journal.sends.iter().any(|send| send.kind != "text"));
        let back = journal.sends.iter().find(|send| send.kind != "text").unwrap();
        assert_eq!((back.kind.as_str(), back.outcome), (kind, outcome), "{lines}: {back:?}");
        assert_eq!(back.media.as_ref().unwrap().md5, md5_of(&speech), "{lines}");
        assert_eq!(town.seen(), ["1000 ms, heard: nothing"], "{lines}");
        town.ends_well(running);
    }
}

#[test]
fn emoji_are_text_and_what_has_no_way_is_refused_by_name() {
    let town = Town::mirrored(IlinkSetup::default(), "");
    let running = town.run_bound();
    town.writes("👋🏽 [微笑]");
    town.sees(&running, "👋🏽 [微笑]");
    town.writes("link");
    let refused = "it asked for what account `home` (ilink) cannot do: `send-link`";
    let told = crate::support::wait::until("the link to be refused", crate::town::WITHIN, || {
        Ok(running.err()?.contains(refused).then_some(()))
    });
    told.unwrap_or_else(|error| panic!("{error} {}\n{}", town.account(), running.err().unwrap()));
    assert!(town.sim.journal().sends.iter().all(|send| send.kind == "text"));
    town.ends_well(running);
}

#[test]
fn a_quote_finds_what_it_means() {
    let town = Town::mirrored(IlinkSetup::default(), "");
    let running = town.run_bound();
    let theirs = town.writes("几点开会？三点可以吗");
    town.sees(&running, "几点开会？三点可以吗");
    let ours = town.sim.journal().shown("home").next().unwrap().message_id.clone();
    let quote = |text: &str, of: &str, form, part: &str| {
        let (text, of, part) = (text.to_owned(), of.to_owned(), part.to_owned());
        IlinkSay::Quote(IlinkQuote { text, of, quoted: None, form, part, relative: false })
    };
    for (text, of, form, part, want) in [
        ("1", theirs.as_str(), IlinkQuoteForm::SvrId, "", "1 | text | 几点开会？三点可以吗"),
        ("2", ours.as_str(), IlinkQuoteForm::SvrId, "", "2 | text | 几点开会？三点可以吗"),
        ("3", theirs.as_str(), IlinkQuoteForm::ItemId, "", "3 | text | 几点开会？三点可以吗"),
        ("4", theirs.as_str(), IlinkQuoteForm::Full, "", "4 | text | 几点开会？三点可以吗"),
        ("5", theirs.as_str(), IlinkQuoteForm::Partial, "三点可以", "5 | text | 三点可以"),
    ] {
        town.says(quote(text, of, form, part));
        town.sees(&running, want);
    }
    // From before, or from nobody: there is nothing to find, and the words are there all the same.
    town.says(quote("6", "1", IlinkQuoteForm::SvrId, ""));
    town.until(&running, "the words of a quote of nothing", |journal| {
        journal.texts_to("home", "home").any(|text| text.starts_with("6 | ") && text.ends_with("| "))
    });
    town.ends_well(running);
}

#[test]
fn the_phone_shows_that_an_answer_is_written_and_that_it_is_there() {
    let town = Town::mirrored(IlinkSetup::default(), "");
    let running = town.run_bound();
    town.writes("slow");
    town.sees(&running, "slow");
    let journal = town.until(&running, "typing to end", |journal| journal.typing.last().is_some_and(|one| !one.on));
    assert!(journal.typing.first().is_some_and(|one| one.on && one.to == "home"), "{:?}", journal.typing);
    town.ends_well(running);
}

#[test]
fn ids_are_all_there_is_of_people() {
    let town = Town::mirrored(IlinkSetup::default(), "");
    let running = town.run_bound();
    town.writes("who");
    town.until(&running, "an answer", |journal| journal.texts_to("home", "home").next().is_some());
    let said = town.seen().remove(0);
    assert!(said.starts_with("[] p"), "no name, and an id of ours: {said}");
    let people = town.call(&["contacts", "home", "--people", "--json"]);
    assert_eq!(people.code, Some(0), "{}", people.err);
    let all: serde_json::Value = serde_json::from_str(&people.out).unwrap();
    let [owner] = all.as_array().unwrap().as_slice() else { panic!("{all}") };
    assert_eq!((owner["name"].as_str(), owner["nick_name"].as_str()), (Some(""), Some("")), "{all}");
    assert!(said.ends_with(owner["id"].as_str().unwrap()), "{said}: {all}");
    town.ends_well(running);
}

#[test]
fn what_came_in_goes_out_again() {
    let town = Town::mirrored(IlinkSetup::default(), "");
    let running = town.run_bound();
    let paper = bytes(4_097, 5);
    town.says(IlinkSay::File(file("a.bin", &paper)));
    let journal =
        town.until(&running, "the file to come back", |journal| journal.shown("home").any(|send| send.kind == "file"));
    let back = journal.shown("home").find(|send| send.kind == "file").unwrap().media.clone().unwrap();
    assert_eq!((back.md5, back.len, back.file_name.as_str()), (md5_of(&paper), 4_097, "a.bin"));
    assert_eq!((journal.uploads.len(), journal.downloads.len()), (1, 1), "fetched, and put there anew");
    // A key that does not fit opens nothing, and the bot goes on.
    let wrong = IlinkFile { key: Some(wxbot_sim::IlinkKey::Wrong), ..file("b.bin", &paper) };
    town.says(IlinkSay::File(wrong));
    town.writes("still there");
    town.sees(&running, "still there");
    assert_eq!(town.sim.journal().uploads.len(), 1);
    town.ends_well(running);
}

#[test]
fn what_nobody_knows_is_kept_and_stops_nothing() {
    let town = Town::mirrored(IlinkSetup::default(), "");
    let running = town.run_bound();
    town.says(IlinkSay::Raw(serde_json::json!({ "type": 99, "future_item": { "a": 1 } })));
    town.sees(&running, "a unknown");
    town.writes("after it");
    town.sees(&running, "after it");
    town.ends_well(running);
}
