//! Are mistakes in a mapping told where they are, and is what an owner writes put over the profile as documented?

use serde_json::json;

use super::*;

fn read(value: Value) -> Result<ActionMap, Vec<Problem>> {
    ActionMap::read(&value, &["TOKEN".to_owned()].into_iter().collect())
}

/// The one problem of `value`.
fn problem(value: Value) -> Problem {
    let problems = read(value.clone()).err().unwrap_or_else(|| panic!("no problem with {value}"));
    assert_eq!(problems.len(), 1, "{problems:#?}");
    problems.into_iter().next().unwrap()
}

#[test]
fn every_mistake_at_its_place_with_a_cure() {
    for (value, pointer, message, help) in [
        (
            json!({"send_txt": {"path": "/a"}}),
            "/send_txt",
            "there is no action `send_txt`",
            "did you mean `send_text`?",
        ),
        (json!({"my_own": {"path": "/a"}}), "/my_own", "there is no action", "begin with `x_`"),
        (json!({"send_text": {}}), "/send_text", "`send_text` has no `path`", "path = "),
        (json!({"send_text": []}), "/send_text", "this is a list, not a table, or a list of tables", ""),
        (json!({"send_text": [7]}), "/send_text/0", "this is a number, not a table", ""),
        (json!({"send_text": {"path": 7}}), "/send_text/path", "this is a number, not a text", ""),
        (
            json!({"send_text": {"pfad": "/a", "path": "/a"}}),
            "/send_text/pfad",
            "a mapping has no `pfad`",
            "mapping has",
        ),
        (
            json!({"send_text": {"path": "/a", "sucess": []}}),
            "/send_text/sucess",
            "no `sucess`",
            "did you mean `success`?",
        ),
        (json!({"send_text": {"path": "a"}}), "/send_text/path", "this is no path", "begins with one `/`"),
        (json!({"send_text": {"path": "//evil/a"}}), "/send_text/path", "this is no path", ""),
        (json!({"send_text": {"path": "ftp://h/a"}}), "/send_text/path", "this is no path", ""),
        (json!({"send_text": {"path": "http://{{to}}/a"}}), "/send_text/path", "needs a fixed host", ""),
        (json!({"send_text": {"path": "http://h:{{to}}/a"}}), "/send_text/path", "needs a fixed host", ""),
        (json!({"send_text": {"path": "http://h{{to}}"}}), "/send_text/path", "needs a fixed host", ""),
        (json!({"send_text": {"path": "http://u@h/a"}}), "/send_text/path", "needs a fixed host", ""),
        (json!({"send_text": {"path": "/a#b"}}), "/send_text/path", "cannot stand in an address", ""),
        (
            json!({"send_text": {"path": "/a?t={{text}}"}}),
            "/send_text/path",
            "what people write",
            "encoding = \"query\"",
        ),
        (json!({"send_text": {"path": "/a", "method": "get"}}), "/send_text/method", "no method `get`", "GET"),
        (
            json!({"send_text": {"path": "/a", "encoding": "jsn"}}),
            "/send_text/encoding",
            "no encoding `jsn`",
            "`json`?",
        ),
        (json!({"send_text": {"path": "/a", "body": "x"}}), "/send_text/body", "a body is a table", "raw"),
        (
            json!({"send_text": {"path": "/a", "body": {"a": "x"}, "encoding": "raw"}}),
            "/send_text/body",
            "one text",
            "",
        ),
        (json!({"send_text": {"path": "/a", "body": ["x"], "encoding": "form"}}), "/send_text/body", "have names", ""),
        (
            json!({"send_text": {"path": "/a", "body": {"a": {"b/c": "{{tex}}"}}}}),
            "/send_text/body/a/b~1c",
            "there is no `{{tex}}`",
            "did you mean `text`?",
        ),
        (
            json!({"send_text": {"path": "/a", "body": {"a": ["{{path}}"]}}}),
            "/send_text/body/a/0",
            "`send_text` never has `{{path}}`",
            "it has to,",
        ),
        (
            json!({"send_text": {"path": "/a", "body": {"a": "{{text|hexx}}"}}}),
            "/send_text/body/a",
            "no filter `hexx`",
            "`hex`?",
        ),
        (json!({"send_text": {"path": "/a", "body": {"a": "{{text"}}}), "/send_text/body/a", "never closed", ""),
        (
            json!({"send_text": {"path": "/a", "body": {"{{text}}": "a"}}}),
            "/send_text/body/{{text}}",
            "a key takes no placeholder",
            "",
        ),
        (
            json!({"send_text": {"path": "/a", "body": {"a": "{{secret.TOKN}}"}}}),
            "/send_text/body/a",
            "no secret `TOKN`",
            "did you mean `TOKEN`?",
        ),
        (
            json!({"send_text": {"path": "/a", "body": {"a": "{{account.tokn}}"}}}),
            "/send_text",
            "nothing saves `{{account.tokn}}`",
            "the account has",
        ),
        (
            json!({"send_text": {"path": "/a", "headers": {"a b": "x"}}}),
            "/send_text/headers/a b",
            "no name of a header",
            "",
        ),
        (
            json!({"send_text": {"path": "/a", "headers": {"Host": "x"}}}),
            "/send_text/headers/Host",
            "written by wxbot",
            "",
        ),
        (
            json!({"send_text": {"path": "/a", "headers": {"x": "a\nb"}}}),
            "/send_text/headers/x",
            "no control characters",
            "",
        ),
        (
            json!({"send_text": {"path": "/a", "success": [{"ptr": "code", "eq": 0}]}}),
            "/send_text/success/0/ptr",
            "`code` is no JSON pointer",
            "`/code`",
        ),
        (
            json!({"send_text": {"path": "/a", "success": {"ptr": "$.data.code", "eq": 0}}}),
            "/send_text/success/ptr",
            "no JSON pointer",
            "`/data/code`",
        ),
        (
            json!({"send_text": {"path": "/a", "success": [{"ptr": "/a~2", "eq": 0}]}}),
            "/send_text/success/0/ptr",
            "no JSON pointer",
            "",
        ),
        (
            json!({"send_text": {"path": "/a", "success": [{"eq": 0}]}}),
            "/send_text/success/0",
            "without `ptr`",
            "ptr = ",
        ),
        (
            json!({"send_text": {"path": "/a", "success": [{"ptr": "/a"}]}}),
            "/send_text/success/0",
            "exactly one thing",
            "",
        ),
        (
            json!({"send_text": {"path": "/a", "fail": [{"ptr": "/a", "eq": 0, "ne": 1}]}}),
            "/send_text/fail/0",
            "exactly one thing",
            "",
        ),
        (
            json!({"send_text": {"path": "/a", "fail": [{"ptr": "/a", "eq": []}]}}),
            "/send_text/fail/0/eq",
            "this is a list",
            "",
        ),
        (
            json!({"send_text": {"path": "/a", "fail": [{"ptr": "/a", "in": "x"}]}}),
            "/send_text/fail/0/in",
            "a list of",
            "",
        ),
        (
            json!({"send_text": {"path": "/a", "fail": [{"ptr": "/a", "regex": "("}]}}),
            "/send_text/fail/0/regex",
            "no regular expression",
            "",
        ),
        (
            json!({"send_text": {"path": "/a", "fail": [{"ptr": "/a", "regex": "(a{1000}){1000}"}]}}),
            "/send_text/fail/0/regex",
            "no regular expression",
            "",
        ),
        (
            json!({"send_text": {"path": "/a", "result": {"message_id": "id"}}}),
            "/send_text/result/message_id",
            "no JSON pointer",
            "",
        ),
        (
            json!({"list_rooms": {"path": "/a", "result": {"list": {"id": "/a"}}}}),
            "/list_rooms/result/list",
            "without `ptr`",
            "",
        ),
        (
            json!({"send_text": {"path": "/a", "when": {"to_sufix": "x"}}}),
            "/send_text/when/to_sufix",
            "no `when` by",
            "`to_suffix`",
        ),
        (
            json!({"send_text": {"path": "/a", "when": {"has": "path"}}}),
            "/send_text/when/has",
            "never has `{{path}}`",
            "",
        ),
        (json!({"send_text": [{"path": "/a"}, {"path": "/b"}]}), "/send_text/0", "is ever used", "give it a `when`"),
        (json!({"send_text": {"path": "/a", "timeout": "10"}}), "/send_text/timeout", "no time limit", "10s"),
        (json!({"send_text": {"path": "/a", "timeout": "1ms"}}), "/send_text/timeout", "no time limit", ""),
        (json!({"send_text": {"path": "/a", "enabled": "no"}}), "/send_text/enabled", "not true or false", ""),
        (json!({"send_text": {"path": "/a", "before": ["x_up"]}}), "/send_text", "`before` names `x_up`", "map it"),
        (
            json!({"send_text": {"path": "/a", "before": ["x_a"]}, "x_a": {"path": "/b", "before": ["x_a"]}}),
            "/send_text",
            "comes back to itself",
            "",
        ),
        (
            json!({"send_text": {"path": "/a", "body": {"k": "{{x_a.key}}"}}, "x_a": {"path": "/b", "result": {"key": "/k"}}}),
            "/send_text",
            "needs `x_a`",
            "before = [\"x_a\"]",
        ),
        (
            json!({"send_text": {"path": "/a", "before": "x_a", "body": {"k": "{{x_a.key}}"}}, "x_a": {"path": "/b"}}),
            "/send_text",
            "has no result `key`",
            "result = ",
        ),
        (json!({"x_in": {"path": "/a", "save": {"self_id": "/a"}}}), "/x_in/save/self_id", "the account's own", ""),
    ] {
        // A loop of steps is a problem of each that is in it.
        let problems = read(value.clone()).err().unwrap_or_default();
        let found = problems
            .iter()
            .any(|one| one.pointer == pointer && one.message.contains(message) && one.help.contains(help));
        assert!(found, "{value}\nwant {pointer}: {message} ({help})\n got {problems:#?}");
        assert!(problems.len() == 1 || value.get("x_a").is_some(), "{value}: {problems:#?}");
        assert!(problems.iter().all(|one| !one.help.is_empty()), "{value}: no cure");
    }
}

#[test]
fn all_mistakes_are_told_at_once() {
    let value = json!({
        "send_text": {"path": "a", "body": {"x": "{{nope}}", "y": "{{text|zzz}}"}},
        "revok": {"path": "/a"},
    });
    assert_eq!(read(value).unwrap_err().len(), 4);
    assert_eq!(problem(json!(7)).pointer, "");
}

#[test]
fn what_is_written_stands_in_place_of_the_profile() {
    let profile = ActionMap::profile(&json!({
        "send_text": [
            {"when": {"to_suffix": "@openim"}, "path": "/Other", "body": {"a": "{{to}}"}},
            {"path": "/Text", "body": {"a": "{{to}}"}, "success": {"ptr": "/ok", "eq": 1}},
        ],
        "revoke": {"path": "/Revoke", "body": {"id": "{{msg_id}}"}, "success": {"ptr": "/ok", "eq": 1}},
        "send_link": {"body": {"title": "{{title}}"}, "success": {"ptr": "/code", "eq": 200}},
        "add_friend": {"path": "/Add", "enabled": false},
    }))
    .unwrap();
    let with = |value: Value| profile.with(&value, &BTreeSet::new()).unwrap();
    assert_eq!(profile.availability("send_link"), Availability::NoPath);
    assert_eq!(profile.availability("add_friend"), Availability::Off);
    assert_eq!(profile.availability("send_image"), Availability::Unknown);

    let whole = with(json!({"revoke": {"path": "/New"}}));
    assert!(whole.variants("revoke")[0].success.is_empty(), "with a path it stands for itself");
    assert_eq!(whole.variants("send_text").len(), 2, "the others stay");

    let completed = with(json!({"send_link": {"path": "/Link"}, "add_friend": {"enabled": true}}));
    assert!(completed.can("send_link") && completed.can("add_friend"));
    assert_eq!(completed.variants("send_link")[0].success.len(), 1, "what the profile knows is taken over");
    assert!(completed.uses("send_link", "title"));

    let other = with(json!({"send_link": {"path": "/Link", "body": {"u": "{{link_url}}"}}}));
    assert!(!other.uses("send_link", "title") && other.uses("send_link", "link_url"));

    let slower = with(json!({"send_text": {"timeout": "30s"}}));
    assert!(slower.variants("send_text").iter().all(|one| one.timeout.is_some_and(|limit| limit.as_secs() == 30)));
    assert_eq!(slower.variants("send_text").len(), 2);

    let off = with(json!({"revoke": {"enabled": false}, "send_image": {"enabled": false}}));
    assert_eq!((off.availability("revoke"), off.availability("send_image")), (Availability::Off, Availability::Off));
    assert_eq!(off.shown()["revoke"]["path"], "/Revoke", "what is in force can be shown");
    // An action whose path is still not known is no mistake.
    assert_eq!(with(json!({"send_link": {"timeout": "30s"}})).availability("send_link"), Availability::NoPath);
}

#[test]
fn the_ready_to_paste_tables_of_the_notes_are_read() {
    let notes: toml::Table = r#"
        [actions.revoke]
        path = "/RevokeMsg"
        body = { sid = "{{msg_id}}", to_wxid = "{{to?}}" }
        success = [ { ptr = "/success", eq = "1" } ]
        [actions.send_at]
        path = "/SendAtMsg"
        body = { gid = "{{room_id}}", wxid = "{{at_ids|csv}}", desc = "{{at_names|csv}}", msg = "{{text}}" }
        success = [ { ptr = "/SendAtMsg", eq = "1" } ]
        [[actions.send_text]]
        when = { is_room = true }
        path = "/v1/WeWork/SendMsg?Token={{secret.TOKEN|urlenc}}&Uid={{account.self_id|urlenc}}"
        body = { MsgType = 1, ToUserId = "{{to}}", ToUserType = 1, Content = "{{text}}" }
        success = [ { ptr = "/CgiBaseResponse/Ret", eq = 0 } ]
        [[actions.send_text]]
        path = "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key={{secret.TOKEN|urlenc}}"
        body = { msgtype = "text", text = { content = "{{text}}", mentioned_list = "{{at_ids?}}" } }
        success = [ { ptr = "/errcode", eq = 0 } ]
        [actions.send_link]
        path = "/"
        body = { type = 5000, data = { conversation_id = "{{to}}", content = "{{title}}", request_key = "{{uuid}}" } }
        success = [ { ptr = "/errno", eq = 0 } ]
    "#
    .parse()
    .unwrap();
    let actions = serde_json::to_value(&notes["actions"]).unwrap();
    let map = read(actions).unwrap_or_else(|problems| panic!("{problems:#?}"));
    assert_eq!(map.names().filter(|(_, can)| *can == Availability::Ready).count(), 4);
}

proptest::proptest! {
    #[test]
    fn any_table_is_read_or_refused(text in "([{}\\[\\],:\"]|send_text|path|/a|body|when|[0-9]|\\{\\{to\\}\\}){0,30}", value in 0u8..8) {
        let odd = [json!(null), json!(1.5), json!("{{"), json!([[]]), json!({"": {}}), json!(["a"]), json!(true), json!("/a")];
        let odd = &odd[usize::from(value)];
        let tables = [
            serde_json::from_str(&text).unwrap_or(Value::Null),
            json!({"send_text": {"path": odd, "body": odd, "when": odd, "result": odd, "success": odd, "headers": odd}}),
            json!({"send_text": {"path": text, "body": {"a": text, text.as_str(): odd}, "before": odd, "save": odd}}),
        ];
        for table in tables {
            drop(read(table));
        }
    }
}
