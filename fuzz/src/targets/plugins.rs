//! Is what plugins are told and write read? Bytes of the border, texts of people, patterns, templates, lists, models.

use std::cell::RefCell;
use std::future::Future;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};
use wxbot_auto_reply::AutoReply;
use wxbot_group_admin::GroupAdmin;
use wxbot_keyword::fold::{Folder, Folding};
use wxbot_keyword::{Keyword, lists as files};
use wxbot_plugin::abi::{Fault, LogRecord, decode, encode};
use wxbot_plugin::host::{Answer, CallMeta};
use wxbot_plugin::prelude::*;
use wxbot_plugin::template::{Facts, Known, Shape, Template};
use wxbot_plugin::testing::Kit;
use wxbot_plugin::text::{command, fold, plain, regex, shortened, unaddressed};

thread_local! {
    static RUNTIME: RefCell<Option<Runtime>> = const { RefCell::new(None) };
}

/// Waits for a future on this thread's own runtime.
#[expect(clippy::expect_used, reason = "a runtime of one thread can be made")]
pub(super) fn wait<T>(work: impl Future<Output = T>) -> T {
    RUNTIME.with(|runtime| {
        let mut runtime = runtime.borrow_mut();
        let runtime =
            runtime.get_or_insert_with(|| Builder::new_current_thread().enable_all().build().expect("a runtime"));
        runtime.block_on(work)
    })
}

fn both_ways<T: DeserializeOwned + Serialize + PartialEq + std::fmt::Debug>(input: &[u8]) {
    let Ok(value) = decode::<T>(input) else { return };
    let Ok(bytes) = encode(&value) else { return };
    match decode::<T>(&bytes) {
        Ok(back) => assert_eq!(back, value, "what crosses twice stays as it is"),
        Err(fault) => panic!("what was written is not read: {fault}"),
    }
}

/// What crosses the border to a library, in either direction.
pub(super) fn abi(input: &[u8]) {
    let (which, rest) = super::choice(input, 8);
    match which {
        0 => both_ways::<Event>(rest),
        1 => both_ways::<Answer>(rest),
        2 => both_ways::<Effects>(rest),
        3 => both_ways::<CallMeta>(rest),
        4 => both_ways::<LogRecord>(rest),
        5 => both_ways::<Plan>(rest),
        6 => drop(decode::<Manifest>(rest)),
        _ => {
            let status = rest.first().copied().map_or(0, i32::from);
            drop(Fault::of_reply(status, rest.get(1..).unwrap_or_default().to_vec()));
            drop(decode::<Value>(rest));
        }
    }
}

/// A pattern, a template and a text, on a line each.
pub(super) fn words(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let mut lines = text.splitn(3, '\n');
    let (pattern, source, said) = (lines.next().unwrap_or(""), lines.next().unwrap_or(""), lines.next().unwrap_or(""));
    let mut known = Known::texts(&["sender", "text"]);
    let mut facts = Facts::new().text("sender", said).text("text", said);
    if let Ok(regex) = regex(pattern, true) {
        known = known.with_groups(&Shape::of(&regex));
        if let Some(found) = Captures::find(&regex, wxbot_plugin::text::head(said, 16 * 1024)) {
            facts = facts.captures(&found);
        }
    }
    if let Ok(template) = Template::compile(source, &known)
        && let Ok(Some(text)) = template.render(&facts)
    {
        assert!(text.len() <= 4096, "an answer has an end: {}", text.len());
    }
    let folded = fold(said);
    assert_eq!(fold(&folded), folded, "what is folded stays so");
    drop((plain(said), unaddressed(said, true)));
    _ = command(said, &["/".to_owned()], &["away", "离开"]);
    assert!(shortened(said, 64).len() <= 64);
}

fn settings() -> [Value; 3] {
    [
        json!({
            "away": { "text": "不在,稍后回" },
            "rules": [
                { "exact": ["你好", "hi"], "reply": "{{ sender }}: 你好" },
                { "regex": r"^天气\s*(?P<city>\S+)$", "reply": "{{ named.city }} {{ groups[1] }}" },
                { "any": true, "reply": "?" },
            ],
        }),
        json!({
            "simplify": true,
            "rules": [
                { "name": "adverts", "any": ["加微信", "代开发票"], "regex": [r"(?:qq|群)\s*\d{6,}"], "reply": "不" },
                { "name": "price", "any": ["价格"], "reply": "{{ sender }} 看公告" },
            ],
        }),
        json!({
            "links": { "allow": ["example.com"] },
            "ladder": { "remove": 3 },
            "flood": { "messages": 3 },
            "welcome": { "text": "欢迎 {{ name }}" },
            "rules": { "text": "不发广告" },
            "polls": {}, "checkin": {}, "stats": {},
        }),
    ]
}

/// Inputs that one instance hears before another takes its place: to make one takes a hundred times as long as to talk to
/// it, and what was said before is a part of life. A finding that needs more than its own input says so by not repeating.
const HEARS: u32 = 64;

/// Three plugins that have heard things, and how many each.
struct Stage {
    rules: Option<(Kit<AutoReply>, u32)>,
    words: Option<(Kit<Keyword>, u32)>,
    rooms: Option<(Kit<GroupAdmin>, u32)>,
}

thread_local! {
    static STAGE: RefCell<Stage> = const { RefCell::new(Stage { rules: None, words: None, rooms: None }) };
}

/// Each line is said by somebody, in a room and in private, to each of the bundled plugins; all of them may command.
pub(super) fn hear(input: &[u8]) {
    let (which, text) = super::choice(input, 3);
    let text = String::from_utf8_lossy(text);
    let [rules, words, rooms] = settings();
    STAGE.with(|stage| {
        // A panic leaves nothing borrowed: each is taken out, and put back when it has heard all.
        let take = || match stage.try_borrow_mut() {
            Ok(mut stage) => (stage.rules.take(), stage.words.take(), stage.rooms.take()),
            Err(_busy) => (None, None, None),
        };
        let (mut one, mut two, mut three) = take();
        wait(async {
            match which {
                0 => one = Some(talk(one.take(), rules, &text).await),
                1 => two = Some(talk(two.take(), words, &text).await),
                _ => three = Some(talk(three.take(), rooms, &text).await),
            }
        });
        if let Ok(mut stage) = stage.try_borrow_mut() {
            *stage = Stage { rules: one, words: two, rooms: three };
        }
    });
}

#[expect(clippy::expect_used, reason = "the settings above are good, or the target is wrong")]
async fn talk<P: Plugin>(before: Option<(Kit<P>, u32)>, settings: Value, text: &str) -> (Kit<P>, u32) {
    let (kit, heard) = match before {
        Some((kit, heard)) if heard < HEARS => (kit, heard),
        Some(_) | None => (Kit::<P>::start(settings).await.expect("good settings"), 0),
    };
    let (wang, zhang) = (kit.user("小王"), kit.user("老张"));
    let room = kit.room("茶友群", if heard == 0 { vec![&wang, &zhang] } else { Vec::new() });
    let (wang_there, zhang_there) = (wang.in_room(&room), zhang.in_room(&room));
    if heard == 0 {
        zhang.is(Role::Admin);
        zhang_there.is(Role::GroupAdmin);
    }
    for (nth, line) in text.split('\n').take(6).enumerate() {
        let heard = match nth % 3 {
            0 => wang_there.say(line).await,
            1 => zhang_there.say(line).await,
            _ => zhang.say(line).await,
        };
        drop(heard);
    }
    (kit, heard + 1)
}

/// A file of keywords, of each format.
pub(super) fn lists(input: &[u8]) {
    let (which, bytes) = super::choice(input, 4);
    let name =
        ["words.txt", "words.csv", "words.toml", "words.tsv"].get(usize::from(which)).copied().unwrap_or("words");
    let folder = Folder::new(Folding::default());
    if let Err(problems) = files::read_bytes(Path::new(name), bytes.to_vec(), folder) {
        assert!(!problems.is_empty(), "a refusal has a reason");
    }
}

/// What an endpoint of a language model streams, cut in two where the first byte says.
pub(super) fn stream(input: &[u8]) {
    let (_, bytes) = super::choice(input, 1);
    let at = usize::from(input.first().copied().unwrap_or(0)).min(bytes.len());
    let (one, two) = bytes.split_at(at);
    let whole = wxbot_auto_reply::llm::read_stream(&[bytes]);
    let cut = wxbot_auto_reply::llm::read_stream(&[one, two]);
    assert_eq!(whole, cut, "where the network cuts makes no difference");
    drop(wxbot_auto_reply::llm::read_whole(bytes));
}
