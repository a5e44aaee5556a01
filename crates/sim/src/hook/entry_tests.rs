//! Are pushes the samples, byte for byte?

use super::*;

/// The text of a fixture without the blanks between its tokens.
fn fixture(name: &str) -> String {
    let path = format!("{}/../../tests/fixtures/pc-hook/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let (mut compact, mut quoted, mut escaped) = (String::new(), false, false);
    for letter in text.chars() {
        if quoted || !letter.is_whitespace() {
            compact.push(letter);
        }
        if letter == '"' && !escaped {
            quoted = !quoted;
        }
        escaped = letter == '\\' && !escaped;
    }
    compact
}

/// Writes a fixture anew from what stands in it, by the parts the simulator uses.
fn rewritten(name: &str, keys: &[&'static str]) -> String {
    let value: serde_json::Value = serde_json::from_str(&fixture(name)).unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let origin = Origin {
        port: text(&value["ServerPort"]).parse().unwrap(),
        me: value["selfwxid"].as_str().unwrap(),
        local: value["sendorrecv"] == "1",
    };
    let entry = |of: &serde_json::Value, first: Entry, keys: &[&'static str]| {
        keys.iter().fold(first, |entry, key| entry.with(key, text(&of[*key])))
    };
    let Some(entries) = value["msglist"].as_array() else {
        let first = Entry::default();
        return flat(origin, &entry(&value, first, keys), Sloppy::default());
    };
    let entries: Vec<Entry> = entries
        .iter()
        .map(|of| {
            let (time, msg) = (text(&of["time"]), text(&of["msg"]));
            let msg_type = text(&of["msgtype"]).parse().unwrap();
            let first = match of["msgsvrid"].as_str() {
                Some(id) => Entry::new(&time, msg_type, id, &msg),
                None => Entry::nameless(&time, msg_type, &msg),
            };
            let there: Vec<&'static str> = keys.iter().copied().filter(|key| !of[*key].is_null()).collect();
            entry(of, first, &there)
        })
        .collect();
    let count = text(&value["msgnumber"]).parse().unwrap();
    list(origin, Some(count), &entries, Sloppy::default())
}

#[test]
fn pushes_are_the_samples_byte_for_byte() {
    for (name, keys) in [
        ("sent-text-1-local", &["fromwxid", "toid"][..]),
        ("sent-text-2-ack", &["fromwxid", "toid"]),
        ("sent-image-1-local", &["fromwxid", "toid", "img_path"]),
        ("sent-image-2-ack", &["fromwxid", "toid"]),
        ("sent-file-1-local", &["fromwxid", "toid", "file_path"]),
        ("sent-file-2-ack", &["fromwxid", "toid"]),
        ("sent-video-1-local", &["fromwxid", "toid", "video_path"]),
        ("sent-video-2-ack", &["fromwxid", "toid"]),
        ("switch-chat", &["current_wxid", "name", "nickname"]),
        ("logout", &[]),
        ("group-invite-result-20001", &["gid"]),
        ("recv-text-group-prefixed", &["fromtype", "fromgid", "toid"]),
        ("recv-text-group-fromid", &["fromtype", "fromgid", "fromid", "toid"]),
        ("recv-voice", &["voip_data", "fromwxid", "toid"]),
        ("recv-gif", &["gif_url", "fromwxid", "toid", "tonickname", "toname", "tohead"]),
        ("recv-gif-flat", &["msgsvrid", "gif_url", "time", "msg"]),
        ("recv-image-batch-with-51", &["img_path", "fromwxid", "toid"]),
        ("recv-image-flat", &["msgsvrid", "img_path", "time", "msg"]),
        ("x-recv-text-private", &["fromtype", "fromwxid", "toid"]),
        ("x-recv-revoke-10002", &["revoke_msg", "fromtype", "fromwxid", "toid"]),
    ] {
        assert_eq!(rewritten(name, keys), fixture(name), "{name}");
    }
}

#[test]
fn flattened_is_made_from_the_list_form() {
    let entry = Entry::new("2023-03-05 13:25:47", 3, "1", "<msg/>").with("img_path", "C:\\a.dat").with("toid", "me");
    let origin = Origin { port: 30_001, me: "themid", local: false };
    let text = flat(origin, &entry.flat("img_path", "2"), Sloppy::default());
    let want = r#"{"ServerPort":"30001","selfwxid":"themid","sendorrecv":"2","msgsvrid":"2","img_path":"C:\\a.dat","time":"2023-03-05 13:25:47","msg":"<msg/>"}"#;
    assert_eq!(text, want);
}

#[test]
fn raw_pushes_are_the_sample() {
    let message = RawMessage {
        msg_id: 1_040_356_095,
        from: "wxid_a",
        to: "wxid_123456",
        msg_type: 1,
        content: "hello",
        create_time_s: 1_678_000_000,
        new_msg_id: 7_773_749_793_478_223_190,
    };
    let sample: serde_json::Value = serde_json::from_str(&fixture("x-mode2-decodable")).unwrap();
    assert_eq!(message.hex(), sample["pb_data"]);
    let origin = Origin { port: 30_001, me: "wxid_123456", local: false };
    assert_eq!(raw(origin, "0A058C6EA223445F1C...", Sloppy::default()), fixture("mode2-raw-pb"));
    let commas = raw(origin, "00", Sloppy { commas: true, ..Sloppy::default() });
    assert!(commas.ends_with("\"pb_data\":\"00\",}"), "{commas}");
}

#[test]
fn sloppy_is_what_the_samples_are() {
    let origin = Origin { port: 30_001, me: "themid", local: false };
    let entry = || {
        [Entry::new("2023-03-05 13:07:54", 1, "7029814402633277009", "hi")
            .with("fromtype", "1")
            .with("fromwxid", "wxid_a")
            .with("toid", "themid")]
    };
    let numbers = Sloppy { numbers: true, ..Sloppy::default() };
    assert_eq!(list(origin, None, &entry(), numbers), fixture("x-numeric-scalars"));
    let all = Sloppy { commas: true, msgnumber: true, raw: true, ..Sloppy::default() };
    let entry = [Entry::new("t", 3, "1", "a\nb").with("img_path", "C:\\Users\\new")];
    assert_eq!(
        list(origin, None, &entry, all),
        "{\"ServerPort\":\"30001\",\"selfwxid\":\"themid\",\"sendorrecv\":\"2\",\"msgnumber\":\"0\",\"msglist\":[\
         {\"index\":\"1\",\"time\":\"t\",\"msgtype\":\"3\",\"msgsvrid\":\"1\",\"msg\":\"a\nb\",\
         \"img_path\":\"C:\\Users\\new\",},],}"
    );
}
