//! Does each action of each profile ask exactly what the note says, and read the answer that it shows?
//!
//! One row of `*.rows.json` for each; the tables of `docs/protocol/` name them.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::json;
use wxbot_model::{Capability, Secret};

use super::*;
use crate::SendError;
use crate::mapping::testing::{Next, Service, engine};
use crate::mapping::{Availability, Datum, Values};
use crate::transport::HttpRequest;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    row: String,
    action: String,
    #[serde(default)]
    room: bool,
    /// In place of the usual values; null for none.
    #[serde(default)]
    values: BTreeMap<String, Value>,
    /// Method, path, body.
    sends: Vec<(String, String, Value)>,
    answers: Vec<String>,
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    fields: BTreeMap<String, String>,
    #[serde(default)]
    items: Vec<BTreeMap<String, String>>,
    #[serde(default)]
    next: Option<String>,
    /// Why the service refuses.
    #[serde(default)]
    fails: Option<String>,
}

fn rows(text: &str) -> Vec<Row> {
    serde_json::from_str(text).unwrap()
}

/// Everything that an action may be called with.
fn usual(profile: Profile, row: &Row, file: &std::path::Path) -> Values {
    let numbers = matches!(profile, Profile::WxWork | Profile::QwApi);
    let (person, room) = if numbers { ("7881300123456789", "10820914206954126") } else { ("wxid_a", "1@chatroom") };
    let room = profile.dialect().write(room, true);
    let values = json!({
        "to": if row.room { room.as_str() } else { person },
        "is_room": row.room,
        "room_id": row.room.then_some(&room),
        "room_id_or_zero": if row.room { room.as_str() } else { "0" },
        "text": "say \"{{secret.KEY}}\"\n}",
        "at_ids": ["wxid_b", "wxid_c"],
        "at_names": ["B", "C"],
        "at_text": "@B\u{2005}@C\u{2005}say \"{{secret.KEY}}\"\n}",
        "path": "Z:\\media\\a.jpg",
        "file_name": "a.jpg",
        "duration_ms": 2500,
        "width": 20,
        "height": 10,
        "title": "T<1>",
        "desc": "D",
        "link_url": "https://example.org/?a=1&b=2",
        "thumb_url": "",
        "data_url": "https://example.org/a.mp3",
        "app.id": "wxapp", "app.name": "App", "app.page": "p/index", "app.username": "gh_a@app",
        "app.icon_url": "https://example.org/i.png",
        "card_id": "wxid_card", "card_name": "Card", "card_company": "Corp",
        "lat": "39.9", "lon": "116.4", "address": "Street 1", "place_name": "Place",
    });
    let more = json!({
        "msg_id": "13430535177462202152",
        "quote.id": "13430535177462202152", "quote.from": "wxid_b", "quote.name": "B</displayname>",
        "quote.text": "was", "quote.app_info": "AppInfo==", "quote.kind": "2",
        "user_id": if numbers { "1688" } else { "wxid_b" },
        "user_ids": ["wxid_b", "wxid_c"],
        "name": "N", "notice": "notice\n2", "remark": "R",
        "friend.v3": "v3_b@stranger", "friend.v4": "v4_t@stranger", "friend.scene": "14", "friend.role": "0",
        "media.aeskey": "ae5", "media.fileid": "f1d", "media.save_path": "D:\\save\\b.jpg", "media.len": 99,
        "record.file_id": "fid", "record.aes_key": "ak", "record.size": 12, "record.md5": "m5",
        "db": "MicroMsg.db", "sql": "SELECT 'a\"b'",
        "callback_url": "http://127.0.0.1:30000/in/x", "callback_mode": "1",
        "invite_url": "https://example.org/join?k=1",
        "query": "13800000000",
        "code": "42",
    });
    let mut all = Values::new().with("bytes", Datum::File { path: file.to_owned(), len: 3 });
    for (name, value) in values.as_object().unwrap().iter().chain(more.as_object().unwrap()) {
        if name != "user_id" || profile != Profile::QwApi {
            all.set(name, value.clone());
        } else {
            all.set(name, "wxid_b");
        }
    }
    for (name, value) in &row.values {
        all.set(name, value.clone());
    }
    all
}

/// The body as the rows write it.
fn body(request: &HttpRequest) -> Value {
    let content_type = request.headers.get("content-type").map(|value| value.to_str().unwrap()).unwrap_or_default();
    if let Some(boundary) = content_type.strip_prefix("multipart/form-data; boundary=") {
        let text = String::from_utf8(request.body.to_vec()).unwrap();
        let line = format!("--{boundary}");
        let parts = text.split(&line).filter_map(|part| part.trim_matches(['\r', '\n']).split_once("\r\n\r\n"));
        let field = |(head, value): (&str, &str)| {
            let name = head.split("name=\"").nth(1).unwrap().split('"').next().unwrap();
            (name.to_owned(), Value::from(value))
        };
        return json!({ "multipart": parts.map(field).collect::<serde_json::Map<_, _>>() });
    }
    assert!(content_type.is_empty() || content_type == "application/json", "{content_type}");
    if request.body.is_empty() { Value::Null } else { serde_json::from_slice(&request.body).unwrap() }
}

async fn check(profile: Profile, actions: &ActionMap, rows: &[Row]) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a");
    std::fs::write(&file, "jpg").unwrap();
    for row in rows {
        let name = &row.row;
        let service = Service::new(row.answers.iter().map(|answer| Next::ok(answer)));
        let engine = engine(actions.clone(), &service);
        for (key, value) in
            [("self_id", "wxid_me"), ("instance", "uuid-1"), ("session_id", "token-1"), ("qr_key", "K0")]
        {
            engine.set_account(key, Secret::new(value.to_owned()));
        }
        let done = engine.perform(&row.action, &usual(profile, row, &file)).await;
        let asked = service.asked();
        let sent: Vec<_> = asked
            .iter()
            .map(|request| (request.method.to_string(), request.url.path().to_owned(), body(request)))
            .collect();
        assert_eq!(sent, row.sends, "{name}");
        assert!(asked.iter().all(|request| request.url.query().is_none()), "{name}: a query");
        assert!(asked.iter().all(|request| request.headers["authorization"] == "Bearer canary-secret"), "{name}");
        assert_eq!(service.left(), 0, "{name}: answers left");
        let done = match (&row.fails, done) {
            (Some(why), Err(SendError::Failed { why: said })) => {
                assert_eq!(&said, why, "{name}");
                continue;
            }
            (None, Ok(done)) => done,
            (_, done) => panic!("{name}: {done:?}"),
        };
        assert_eq!(done.message_id, row.id, "{name}");
        assert_eq!(done.fields, row.fields, "{name}");
        assert_eq!(done.items, row.items, "{name}");
        assert_eq!(done.next, row.next, "{name}");
        assert!(!done.unconfirmed, "{name}: {}", done.answer);
    }
    let tried: BTreeSet<_> = rows.iter().map(|row| row.action.as_str()).collect();
    let missing: Vec<_> =
        actions.names().filter(|(name, can)| *can == Availability::Ready && !tried.contains(name)).collect();
    assert!(missing.is_empty(), "without a row: {missing:?}");
}

#[tokio::test]
async fn pc_hook_v3() {
    check(Profile::V3, Profile::V3.actions(), &rows(include_str!("pc-hook-v3.rows.json"))).await;
}

#[tokio::test]
async fn pc_hook_v4() {
    check(Profile::V4, Profile::V4.actions(), &rows(include_str!("pc-hook-v4.rows.json"))).await;
}

#[tokio::test]
async fn wecom_wxwork() {
    check(Profile::WxWork, Profile::WxWork.actions(), &rows(include_str!("wecom-wxwork.rows.json"))).await;
}

#[tokio::test]
async fn wecom_qw_api_with_its_paths_given() {
    let profile = Profile::QwApi.actions();
    let given: serde_json::Map<_, _> =
        profile.names().map(|(name, _)| (name.to_owned(), json!({ "path": format!("/given/{name}") }))).collect();
    let actions = profile.with(&given.into(), &BTreeSet::new()).unwrap();
    check(Profile::QwApi, &actions, &rows(include_str!("wecom-qw-api.rows.json"))).await;
}

#[test]
fn every_table_is_read_without_a_mistake() {
    for text in [
        include_str!("pc-hook-v3.toml"),
        include_str!("pc-hook-v4.toml"),
        include_str!("wecom-wxwork.toml"),
        include_str!("wecom-qw-api.toml"),
    ] {
        let table: toml::Table = text.parse().unwrap();
        let actions = serde_json::to_value(&table["actions"]).unwrap();
        let read = ActionMap::profile(&actions).unwrap_or_else(|problems| panic!("{problems:#?}"));
        assert_eq!(read.shown().len(), actions.as_object().unwrap().len());
    }
    assert_eq!(Profile::None.actions().names().count(), 0);
    for profile in Profile::PC_HOOK.into_iter().chain(Profile::WECOM) {
        assert_eq!(profile.actions().names().count() == 0, profile == Profile::None, "{}", profile.word());
    }
}

/// The two matrices of the notes: `●` and `◐` are there, `○` and `–` are not.
#[test]
fn the_matrices() {
    const ALL: [&str; 42] = [
        "send_text",
        "send_at",
        "send_at_all",
        "send_image",
        "send_file",
        "send_video",
        "send_voice",
        "send_emoji",
        "send_card",
        "send_link",
        "send_miniapp",
        "send_music",
        "send_xml",
        "quote",
        "send_location",
        "pat",
        "forward",
        "revoke",
        "query_db",
        "list_contacts",
        "contact_info",
        "list_rooms",
        "room_members",
        "member_nickname",
        "room_create",
        "room_add",
        "room_invite",
        "room_kick",
        "room_rename",
        "room_notice",
        "room_quit",
        "self_room_nick",
        "accept_friend",
        "set_remark",
        "pin",
        "mute",
        "mark_read",
        "download_image",
        "download_file",
        "download_voice",
        "decode_image",
        "self_info",
    ];
    const LOGIN: [&str; 3] = ["login_status", "login_qr", "set_callback"];
    let v4 = [
        "send_text",
        "send_at",
        "send_image",
        "send_link",
        "send_miniapp",
        "send_music",
        "send_xml",
        "quote",
        "query_db",
        "decode_image",
        "self_info",
    ];
    let wxwork = [
        "send_text",
        "send_at",
        "send_at_all",
        "send_image",
        "send_file",
        "send_voice",
        "send_video",
        "send_link",
        "send_card",
        "send_emoji",
        "send_location",
        "send_miniapp",
        "quote",
        "revoke",
        "list_contacts",
        "contact_info",
        "list_rooms",
        "room_members",
        "room_create",
        "room_invite",
        "room_kick",
        "room_rename",
        "room_notice",
        "mark_read",
        "login_qr",
        "login_status",
        "set_callback",
    ];
    for name in ALL.into_iter().chain(LOGIN) {
        assert!(Profile::V3.actions().can(name), "v3 {name}");
        assert_eq!(Profile::V4.actions().can(name), v4.contains(&name), "v4 {name}");
        assert_eq!(Profile::WxWork.actions().can(name), wxwork.contains(&name), "wxwork {name}");
        assert!(!Profile::QwApi.actions().can(name), "qw-api {name}: no path is known");
    }
    for name in ["add_friend", "delete_friend", "block_friend"] {
        assert_eq!(Profile::V3.actions().availability(name), Availability::Off, "{name}");
    }
    let open = [
        "contact_info",
        "forward_image",
        "forward_video",
        "list_contacts",
        "login_qr",
        "revoke",
        "room_create",
        "send_link",
        "set_remark",
    ];
    let listed: Vec<_> = Profile::QwApi.actions().names().collect();
    assert_eq!(listed, open.map(|name| (name, Availability::NoPath)));
}

#[test]
fn the_documentation_names_every_row() {
    let hook = include_str!("../../../../../docs/protocol/pc-hook-actions.md");
    let wecom = include_str!("../../../../../docs/protocol/wecom-actions.md");
    for (page, text) in [
        (hook, include_str!("pc-hook-v3.rows.json")),
        (hook, include_str!("pc-hook-v4.rows.json")),
        (wecom, include_str!("wecom-wxwork.rows.json")),
        (wecom, include_str!("wecom-qw-api.rows.json")),
    ] {
        for Row { row, action, .. } in rows(text) {
            let line = page.lines().find(|line| line.starts_with(&format!("| `{action}` |")) && line.contains(&row));
            assert!(line.is_some(), "`{row}` is in no table of docs/protocol");
        }
    }
}

#[test]
fn what_the_profiles_make_an_account_able_to_do() {
    use Capability::{AddFriend, FetchMedia, LeaveRoom, Mention, Recall, SendFile, SendImage, SendLink, SendText};
    let v3 = Profile::V3.actions().capabilities();
    assert_eq!(v3.missing(&[SendText, Mention, SendImage, SendFile, SendLink, Recall, FetchMedia, LeaveRoom]), []);
    assert!(!v3.has(AddFriend));
    let v4 = Profile::V4.actions().capabilities();
    assert_eq!(v4.missing(&[SendText, Mention, SendImage, SendLink]), []);
    assert_eq!(v4.missing(&[SendFile, Recall, FetchMedia]), [SendFile, Recall, FetchMedia]);
    assert!(!Profile::QwApi.actions().capabilities().has(SendText));
    let changed = json!({ "add_friend": { "enabled": true }, "revoke": { "enabled": false } });
    let changed = Profile::V3.actions().with(&changed, &BTreeSet::new()).unwrap().capabilities();
    assert!(changed.has(AddFriend) && !changed.has(Recall));
}

#[tokio::test]
async fn a_text_for_every_hook() {
    for profile in [Profile::V3, Profile::V4] {
        let service = Service::new([Next::ok(r#"{"ret":0}"#)]);
        let engine = engine(profile.with_compat_keys(), &service);
        engine.perform("send_text", &Values::new().with("to", "wxid_a").with("text", "t")).await.unwrap();
        let want = json!({ "wxid": "wxid_a", "wxidorgid": "wxid_a", "toid": "wxid_a", "msg": "t" });
        assert_eq!(body(&service.asked()[0]), want);
    }
}
