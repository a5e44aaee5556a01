//! What friends and rooms answer, and what is learned from it.

use serde_json::{Value, json};
use wxbot_model::{Action, EventKind, Stranger, Ticket};

use super::super::testing::{Asked, Reply, Rig, rig, word};
use super::*;
use crate::error::SendError;
use crate::protocol::ActionSender;

const ROOM: &str = "@@45340ba1e520285af196cef99d2f41a2bdb5cc568569efa178354f08eb863d00";
const NIU: &str = "@2cbb226c459cc5203aa991942f41e19820f5ef3ccceb2dece598412f36406d1f";

fn contact(wire: Value) -> Contact {
    convert::contact(serde_json::from_value(wire).unwrap(), None).unwrap()
}

fn room_of(count: usize) -> Value {
    let members: Vec<_> = (0..count).map(|n| json!({"UserName": format!("@m{n}"), "NickName": "m"})).collect();
    json!({"UserName": ROOM, "NickName": "room", "MemberCount": count, "MemberList": members, "EncryChatRoomId": "@enc"})
}

fn described(wire: Value) -> Reply {
    Reply::json(json!({"BaseResponse": {"Ret": 0}, "Count": 1, "ContactList": [wire]}))
}

fn learned(rig: &Rig) -> Vec<String> {
    let learned = rig.sender.book.write().unwrap().take_learned();
    learned.iter().map(|contact| contact.peer.to_string()).collect()
}

fn create() -> Action {
    Action::CreateRoom { members: vec![], topic: "t".into() }
}

fn add() -> Action {
    Action::AddMembers { room: "r1".parse().unwrap(), members: vec![] }
}

// cov: 66
#[tokio::test(start_paused = true)]
async fn a_new_room_is_told_looked_up_and_kept() {
    let rig = rig(|asked| match asked.endpoint.as_str() {
        "webwxcreatechatroom" => Reply::fixture("webwxcreatechatroom.resp.json"),
        _ => described(room_of(4)),
    });
    let receipt = rig.act(create(), None, &["@a", NIU]).await.unwrap();
    assert_eq!(receipt.server_id.as_deref(), Some(ROOM));
    assert_eq!(rig.asked(), ["webwxcreatechatroom", "webwxbatchgetcontact"]);
    assert_eq!(rig.seen()[0].json()["Topic"], "t");
    assert!(rig.known(ROOM).is_some_and(|room| room.members.len() == 4));
    assert_eq!((learned(&rig), learned(&rig)), (vec![ROOM.to_owned()], vec![]), "told once");
}

#[tokio::test(start_paused = true)]
async fn a_room_is_made_or_not() {
    let named =
        |ret| Reply::json(json!({"BaseResponse": {"Ret": ret, "ErrMsg": ""}, "ChatRoomName": ROOM, "MemberList": []}));
    type Row = (&'static str, Box<dyn Fn() -> Reply + Send>, &'static str);
    let rows: Vec<Row> = vec![
        ("made", Box::new(move || named(0)), "sent"),
        ("-2013", Box::new(move || named(-2013)), "sent"),
        ("0 without a name", Box::new(|| Reply::fixture("x-webwxcreatechatroom-emptyname.resp.json")), "failed"),
        ("-2013 without a name", Box::new(|| Reply::ret(-2013)), "failed"),
        ("too often", Box::new(|| Reply::fixture("x-webwxcreatechatroom-freq.resp.json")), "stopped"),
        ("1 without words", Box::new(|| Reply::ret(1)), "not taken"),
        ("1205", Box::new(|| Reply::ret(1205)), "stopped"),
    ];
    for (name, made, want) in rows {
        // That it cannot be looked up changes nothing.
        let rig = rig(move |asked| if asked.endpoint == "webwxcreatechatroom" { made() } else { Reply::status(500) });
        let result = rig.act(create(), None, &["@a", NIU]).await;
        assert_eq!(word(&result), want, "{name}");
        if name == "0 without a name" {
            assert!(result.unwrap_err().to_string().contains("创建群聊失败"), "the service's words");
        }
    }
}

// cov: 68
#[tokio::test(start_paused = true)]
async fn people_come_into_small_rooms_and_are_invited_into_large_ones() {
    let answer = || Reply::fixture("webwxupdatechatroom-addmember.resp.json");
    for (present, want) in [(37, "addmember"), (38, "invitemember"), (100, "invitemember")] {
        let rig = rig(move |_: &Asked| answer());
        rig.knows(contact(room_of(present)));
        assert_eq!(word(&rig.act(add(), Some(ROOM), &["@a", NIU]).await), "done");
        let asked = rig.seen().remove(0);
        assert_eq!(asked.query("fun").as_deref(), Some(want), "{present}");
        let field = if want == "addmember" { "AddMemberList" } else { "InviteMemberList" };
        assert_eq!(asked.json(), json!({"ChatRoomName": ROOM, field: format!("@a,{NIU}")}));
    }
    // Nobody knows how many there are: the room is asked about first.
    let unknown =
        rig(move |asked| if asked.endpoint == "webwxbatchgetcontact" { described(room_of(40)) } else { answer() });
    assert_eq!(word(&unknown.act(add(), Some(ROOM), &[NIU]).await), "done");
    assert_eq!(unknown.seen()[1].query("fun").as_deref(), Some("invitemember"));
}

#[tokio::test(start_paused = true)]
async fn the_service_says_itself_from_when_on_people_are_invited() {
    let mut init: Value = serde_json::from_str(&super::super::testdata::fixture("webwxinit.resp.json")).unwrap();
    init["InviteStartCount"] = json!(100);
    let rig = rig(move |asked| if asked.endpoint == "webwxinit" { Reply::json(init.clone()) } else { Reply::ret(0) });
    rig.knows(contact(room_of(60)));
    rig.sender.client.init().await.unwrap();
    rig.act(add(), Some(ROOM), &[NIU]).await.unwrap();
    assert_eq!(rig.seen()[1].query("fun").as_deref(), Some("addmember"));
}

#[tokio::test(start_paused = true)]
async fn whom_a_room_does_not_take_is_invited_where_that_may_help() {
    type Row = (&'static str, fn() -> Reply, &'static str, &'static [&'static str]);
    let rows: [Row; 5] = [
        ("1", || Reply::ret(1), "done", &["addmember", "invitemember"]),
        ("too often", || Reply::fixture("x-webwxcreatechatroom-freq.resp.json"), "stopped", &["addmember"]),
        ("1205", || Reply::fixture("x-webwxupdatechatroom-1205.resp.json"), "stopped", &["addmember"]),
        ("-2013", || Reply::ret(-2013), "done", &["addmember"]),
        ("time-out", Reply::timeout, "uncertain", &["addmember"]),
    ];
    for (name, refusal, want, funs) in rows {
        let rig = rig(move |asked| if asked.nth == 0 { refusal() } else { Reply::ret(0) });
        rig.knows(contact(room_of(3)));
        assert_eq!(word(&rig.act(add(), Some(ROOM), &[NIU]).await), want, "{name}");
        let asked: Vec<_> = rig.seen().iter().map(|asked| asked.query("fun").unwrap()).collect();
        assert_eq!(asked, funs, "{name}");
    }
}

// cov: 67
#[tokio::test(start_paused = true)]
async fn only_an_owner_puts_people_out() {
    let rig = rig(|_: &Asked| Reply::ret(-66));
    let action = Action::RemoveMembers { room: "r1".parse().unwrap(), members: vec![] };
    let error = rig.act(action, Some(ROOM), &[NIU, "@a"]).await.unwrap_err();
    let plain = |why: &str| why.contains("only the owner of the room may do this");
    assert!(matches!(&error, SendError::Failed { why } if plain(why)), "{error}");
    assert_eq!(rig.seen()[0].json()["DelMemberList"], format!("{NIU},@a"));
}

// cov: 64, 65
#[tokio::test(start_paused = true)]
async fn a_friend_request_is_accepted_with_what_it_brought_and_its_sender_becomes_known() {
    let raw = super::super::testdata::fixture("msg-37-verify.json");
    let read = convert::Read::new(serde_json::from_str(&raw).unwrap());
    let rig = rig(|asked| match asked.endpoint.as_str() {
        "webwxverifyuser" => Reply::fixture("webwxverifyuser.resp.json"),
        _ => {
            let who = &asked.json()["List"][0]["UserName"];
            described(json!({"UserName": who, "NickName": "new friend", "ContactFlag": 1}))
        }
    });
    let told = {
        let book = rig.sender.book.read().unwrap();
        read.incoming(&book.view(&[]), 0)
    };
    let EventKind::FriendRequest(request) = told.kind else { panic!("{:?}", told.kind) };
    let (user, ticket) = (request.user.clone().unwrap(), request.ticket.clone());
    assert!(ticket.expose().ends_with("@stranger"));
    rig.act(Action::AcceptFriend { user: user.clone(), ticket: ticket.clone() }, None, &[]).await.unwrap();
    assert_eq!(rig.asked(), ["webwxverifyuser", "webwxbatchgetcontact"]);
    let entry = &rig.seen()[0].json()["VerifyUserList"][0];
    assert_eq!((&entry["Value"], &entry["VerifyUserTicket"]), (&json!(user.as_str()), &json!(ticket.expose())));
    assert_eq!(&*rig.known(user.as_str()).unwrap().nick_name, "new friend");
    assert_eq!(learned(&rig), [user.to_string()]);
}

#[tokio::test(start_paused = true)]
async fn a_stale_ticket_is_a_no_and_a_friend_who_is_not_described_is_no_error() {
    let stale = rig(|_: &Asked| Reply::ret(-14));
    let accept = || Action::AcceptFriend { user: NIU.parse().unwrap(), ticket: Ticket::new("v2_x@stranger") };
    let error = stale.act(accept(), None, &[]).await.unwrap_err();
    assert!(matches!(&error, SendError::Failed { why } if why.contains("ticket")), "{error}");
    let silent = rig(|asked| if asked.endpoint == "webwxverifyuser" { Reply::ret(0) } else { Reply::timeout() });
    assert_eq!(word(&silent.act(accept(), None, &[]).await), "done");
    let often = rig(|_: &Asked| Reply::ret(1205));
    let ask = Action::AddFriend { person: Stranger::Peer(NIU.parse().unwrap()), greeting: "hi".into() };
    assert_eq!(word(&often.act(ask, None, &[]).await), "stopped");
}

// cov: 70, 72
#[tokio::test(start_paused = true)]
async fn a_pin_repeats_the_name_that_was_given_last() {
    let rig = rig(|_: &Asked| Reply::ret(0));
    rig.knows(contact(json!({"UserName": NIU, "NickName": "niu", "RemarkName": "old"})));
    let pin = || Action::Pin { chat: "p1".parse().unwrap(), on: true };
    let name = |remark: &str| Action::SetRemark { contact: "p1".parse().unwrap(), remark: remark.into() };
    for action in [pin(), name("new"), pin(), name(""), pin()] {
        rig.act(action, Some(NIU), &[]).await.unwrap();
    }
    let said: Vec<_> = rig.seen().iter().map(|asked| asked.json().get("RemarkName").cloned()).collect();
    let text = |text: &str| Some(json!(text));
    assert_eq!(said, [text("old"), text("new"), text("new"), text(""), None]);
    assert_eq!(learned(&rig), [NIU, NIU]);
    // A name that was refused is not kept.
    let refused = self::rig(|_: &Asked| Reply::ret(1));
    refused.knows(contact(json!({"UserName": NIU, "NickName": "niu", "RemarkName": "old"})));
    refused.act(name("new"), Some(NIU), &[]).await.unwrap_err();
    assert_eq!(&*refused.known(NIU).unwrap().remark_name, "old");
}

#[tokio::test(start_paused = true)]
async fn somebody_is_looked_up_also_as_a_member_of_a_room() {
    let friend = rig(|_: &Asked| described(json!({"UserName": NIU, "NickName": "niu"})));
    let niu: PeerId = NIU.parse().unwrap();
    assert_eq!(&*friend.sender.look_up(&niu).await.unwrap().nick_name, "niu");
    assert_eq!(friend.seen()[0].json()["List"], json!([{"UserName": NIU, "EncryChatRoomId": ""}]));
    assert_eq!(&*friend.known(NIU).unwrap().nick_name, "niu");

    let member = rig(|asked| match asked.nth {
        0 => described(room_of(3)),
        _ => described(json!({"UserName": "@m2", "NickName": "member", "City": "海淀"})),
    });
    member.knows(contact(room_of(3)));
    let who = member.sender.look_up(&"@m2".parse().unwrap()).await.unwrap();
    assert_eq!(&*who.city, "海淀");
    assert_eq!(member.seen()[1].json()["List"], json!([{"UserName": "@m2", "EncryChatRoomId": "@enc"}]));

    type Row = (&'static str, fn() -> Reply, fn(&FetchError) -> bool);
    let rows: [Row; 5] = [
        ("nobody", || Reply::ret(0), |error| matches!(error, FetchError::Gone { .. })),
        ("another", || described(json!({"UserName": "@x"})), |error| matches!(error, FetchError::Gone { .. })),
        ("time-out", Reply::timeout, |error| matches!(error, FetchError::NotNow { .. })),
        ("over", || Reply::ret(1101), |error| matches!(error, FetchError::Ended(_))),
        ("no", || Reply::ret(-2), |error| matches!(error, FetchError::Refused { .. })),
    ];
    for (name, reply, fits) in rows {
        let rig = rig(move |_: &Asked| reply());
        assert!(fits(&rig.sender.look_up(&niu).await.unwrap_err()), "{name}");
    }
}
