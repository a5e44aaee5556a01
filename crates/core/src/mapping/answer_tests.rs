//! Is each shape of answer understood, in the order of the note?

use std::collections::BTreeSet;

use serde_json::json;

use super::*;
use crate::mapping::ActionMap;

fn mapped(action: Value) -> Mapped {
    let map = ActionMap::read(&json!({ "x_any": action }), &BTreeSet::new()).unwrap();
    map.variants("x_any")[0].clone()
}

#[test]
fn the_tolerant_reading_in_its_order() {
    let yes = || Verdict::Yes(None);
    let no = |why: &str| Verdict::No(why.into());
    let question = json!({"path": "/x", "result": {"nick": "/nickname", "list": {"ptr": ["/friend", ""]}}});
    let order = json!({"path": "/x"});
    for (name, action, said, body, want) in [
        ("2: a gateway's wrapping", &order, "SendTextMsg", r#"[{"code":"0","message":"success"}]"#, yes()),
        ("2: no in it", &order, "SendTextMsg", r#"[{"code":"1","message":"bad"}]"#, no("bad")),
        ("3: ret", &order, "SendTextMsg", r#"{"ret":0,"retmsg":"success"}"#, yes()),
        ("3: ret as a text", &order, "SendTextMsg", r#"{"ret":"0"}"#, yes()),
        ("3: ret says no", &order, "SendTextMsg", r#"{"ret":1,"retmsg":"fail"}"#, no("fail")),
        ("3 before 5", &order, "SendTextMsg", r#"{"ret":-1,"msg":"invalid json","success":"1"}"#, no("invalid json")),
        ("4: the action's own key", &order, "SendTextMsg", r#"{"SendTextMsg":"1"}"#, yes()),
        ("4: as a number", &order, "SendTextMsg", r#"{"SendTextMsg":1}"#, yes()),
        ("4: no", &order, "SendTextMsg", r#"{"SendTextMsg":"0"}"#, no(r#"the service answered `{"SendTextMsg":"0"}`"#)),
        ("4: at under its other name", &order, "SendAtMsg", r#"{"SendAtAllMsg":"1"}"#, yes()),
        ("4: not for others", &order, "SendTextMsg", r#"{"SendAtAllMsg":"1"}"#, Verdict::Unconfirmed),
        ("5: success", &order, "StickyChat", r#"{"success":"1"}"#, yes()),
        ("5: as a number", &order, "StickyChat", r#"{"success":1}"#, yes()),
        ("5: as a truth", &order, "StickyChat", r#"{"success":true}"#, yes()),
        ("5: no", &order, "StickyChat", r#"{"success":"0","msg":"no"}"#, no("no")),
        ("6: code", &order, "x", r#"{"code":"0"}"#, yes()),
        ("6: code as a number", &order, "x", r#"{"code":0,"data":{}}"#, yes()),
        ("6: message", &order, "x", r#"{"message":"success"}"#, yes()),
        ("6: both", &order, "x", r#"{"code":"7","message":"too fast"}"#, no("too fast")),
        (
            "7: a server id",
            &order,
            "x",
            r#"{"MsgSvrID":"13430535177462202152"}"#,
            Verdict::Yes(Some("13430535177462202152".into())),
        ),
        (
            "7: as a number",
            &order,
            "x",
            r#"{"MsgSvrID":13430535177462202152}"#,
            Verdict::Yes(Some("13430535177462202152".into())),
        ),
        ("7: 1 is a no", &order, "x", r#"{"MsgSvrID":"1"}"#, no(r#"the service answered `{"MsgSvrID":"1"}`"#)),
        ("7: empty is a no", &order, "x", r#"{"MsgSvrID":""}"#, no(r#"the service answered `{"MsgSvrID":""}`"#)),
        (
            "7: an id beside another yes",
            &order,
            "x",
            r#"{"success":"1","MsgSvrID":"77"}"#,
            Verdict::Yes(Some("77".into())),
        ),
        ("8: revoked", &order, "RevokeMsg", r#"{"RevokeMsg":"已撤回"}"#, yes()),
        ("8: revoked, 1", &order, "RevokeMsg", r#"{"RevokeMsg":"1"}"#, yes()),
        (
            "8: not revoked",
            &order,
            "RevokeMsg",
            r#"{"RevokeMsg":"超时"}"#,
            no(r#"the service answered `{"RevokeMsg":"超时"}`"#),
        ),
        ("9: retstr", &order, "CreateChatRoom", r#"{"retstr":"Everything is OK","gid":"1@chatroom"}"#, yes()),
        ("9: retstatus", &order, "QueryBodyInfo", r#"{"retstatus":"User do not exist"}"#, no("User do not exist")),
        ("10: a list", &question, "x", r#"{"friend":[]}"#, yes()),
        ("10: a field", &question, "x", r#"{"nickname":"A"}"#, yes()),
        ("10: a list without wrapping", &question, "x", r#"[{"dbName":"a"}]"#, yes()),
        ("10: not there", &question, "x", r#"{"other":[]}"#, Verdict::Unconfirmed),
        ("11: anything else", &order, "x", r#"{"ok":"yes"}"#, Verdict::Unconfirmed),
        ("11: no JSON", &order, "x", "fine", Verdict::Unconfirmed),
        ("11: nothing", &order, "x", "", Verdict::Unconfirmed),
    ] {
        assert_eq!(Answer::read(body.as_bytes()).verdict(&mapped(action.clone()), said), want, "{name}");
    }
}

#[test]
fn a_mapping_s_own_tests_come_first() {
    let action = json!({
        "path": "/x",
        "success": [{"ptr": "/errcode", "eq": 0}, {"ptr": "", "eq": "done"}],
        "fail": [{"ptr": "/data/state", "in": ["bad", "worse"]}],
        "result": {"error": ["/errmsg"]},
    });
    for (name, body, want) in [
        ("yes", r#"{"errcode":"0"}"#, Verdict::Yes(None)),
        ("no", r#"{"errcode":500,"errmsg":"not logged in","ret":0}"#, Verdict::No("not logged in".into())),
        ("fail first", r#"{"errcode":0,"data":{"state":"worse"},"errmsg":"w"}"#, Verdict::No("w".into())),
        ("a text", "done", Verdict::Yes(None)),
        ("a page in its place", "<html>502</html>", Verdict::Unconfirmed),
    ] {
        assert_eq!(Answer::read(body.as_bytes()).verdict(&mapped(action.clone()), "x"), want, "{name}");
    }
}

#[test]
fn sloppy_json_is_read_as_it_was_meant() {
    let answer = Answer::read("{\"data\":[{\"dbpath\":\"C:\\temp\\new\\MSG0.db\",\"note\":\"a\nb\"},],}".as_bytes());
    assert!(answer.is_json);
    assert_eq!(answer.value.pointer("/data/0/dbpath"), Some(&json!(r"C:\temp\new\MSG0.db")));
    assert_eq!(answer.value.pointer("/data/0/note"), Some(&json!("a\nb")));
}

#[test]
fn lists_and_their_pages() {
    let action = json!({"path": "/x", "result": {"list": {
        "ptr": ["/a", "/b"], "id": ["/wxid", "/gid"], "next": "/seq", "more": "/more",
    }}});
    let mapped = mapped(action);
    let list = mapped.result.list.as_ref().unwrap();
    let answer = Answer::read(br#"{"a":[{"wxid":"w"},7],"b":[{"gid":9}],"seq":18446744073709551615,"more":1}"#);
    let items = answer.items(list);
    assert_eq!(items.len(), 3);
    assert_eq!(
        (items[0].get("id"), items[1].get("id"), items[2].get("id")),
        (Some(&"w".to_owned()), None, Some(&"9".to_owned()))
    );
    assert_eq!(answer.next(list, 3).as_deref(), Some("18446744073709551615"));
    assert_eq!(Answer::read(br#"{"seq":1,"more":false}"#).next(list, 3), None);
    let open = ListMap { more: None, ..list.clone() };
    assert_eq!(Answer::read(br#"{"seq":1}"#).next(&open, 0), None);
    assert_eq!(Answer::read(br#"{"seq":1}"#).next(&open, 1).as_deref(), Some("1"));
}

#[test]
fn what_cannot_be_read_is_shown_cut() {
    let long = "错".repeat(500);
    let shown = Answer::read(long.as_bytes()).beginning();
    assert!(shown.len() <= SHOWN + 2 && shown.starts_with('`'), "{}", shown.len());
    assert_eq!(Answer::read(b" ").beginning(), "nothing");
    assert!(!Answer::read(b"a\x1b[31mb\n").beginning().contains('\x1b'));
}

proptest::proptest! {
    #[test]
    fn any_answer_is_judged(bytes: Vec<u8>, text in "([\\[\\]{},:\"\\\\n0-9]|ret|code|MsgSvrID){0,40}") {
        let mapped = mapped(json!({"path": "/x", "result": {"a": "/a", "list": {"ptr": ""}}}));
        for body in [bytes.as_slice(), text.as_bytes()] {
            let answer = Answer::read(body);
            drop((answer.verdict(&mapped, "x"), answer.fields(&mapped), answer.beginning()));
        }
    }
}
