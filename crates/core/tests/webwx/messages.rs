//! What does a message become: who said it, where, to whom?

use serde_json::json;
use wxbot_core::protocol::Incoming;
use wxbot_model::{Content, EventKind, MediaHandle, Message, Who};
use wxbot_sim::{Deliver, FaultKind, RoomMet, World};

use crate::rig::{Rig, named, next, peer, quiet, settings, shop, texts};

fn message(incoming: &Incoming) -> &Message {
    let EventKind::Message(message) = &incoming.kind else { panic!("{:?} is no message", incoming.kind) };
    message
}

#[tokio::test(start_paused = true)]
async fn of_a_friend() {
    let rig = Rig::new();
    let mut session = rig.online().await;
    let typed = "你好 <b>&amp; \"x\"\n第二行 😄";
    let id = rig.sim.deliver("shop", Deliver::text("Alice", typed)).unwrap();
    let batch = next(&mut session).await;
    let [incoming] = &batch.events[..] else { panic!("{:?}", batch.events) };
    let alice = peer(&*session, "Alice");
    assert_eq!((&incoming.chat, incoming.sender.as_ref()), (&alice, Some(&alice)));
    assert_eq!((incoming.key.as_str(), message(incoming).id.as_str()), (id.as_str(), id.as_str()));
    assert_eq!(message(incoming).content.text(), Some(typed));
    assert!(!message(incoming).from_self && !message(incoming).mentions.me);
    rig.clean();
}

#[tokio::test(start_paused = true)]
async fn of_a_room_with_sender_and_mention() {
    let mut account = shop();
    account.rooms[0].display_names.insert("shop".into(), "掌柜".into());
    account.rooms[0].met = RoomMet::Chatset;
    let rig = Rig::with(World::default().with(account), settings());
    let mut session = rig.online().await;
    let room = named(&*session, "测试群");
    for (from, text, me, all) in [
        ("Alice", "大家好", false, false),
        ("路人", "@掌柜\u{2005}在吗", true, false),
        ("鲍勃", "在吗 @掌柜", true, false),
        ("鲍勃", "@小店\u{2005}不是这里的名字", false, false),
        ("Alice", "@所有人\u{2005}开会", false, true),
        ("Alice", "Alice: 看起来像前缀", false, false),
    ] {
        rig.sim.deliver("shop", Deliver::text(from, text).in_room("测试群")).unwrap();
        let batch = next(&mut session).await;
        let incoming = &batch.events[0];
        assert_eq!(incoming.chat, room.peer, "{text}");
        let speaker = room.member(incoming.sender.as_ref().unwrap()).unwrap();
        assert_eq!((speaker.nick_name.as_str(), message(incoming).content.text()), (from, Some(text)));
        assert_eq!((message(incoming).mentions.me, message(incoming).mentions.all), (me, all), "{text}");
    }
    rig.clean();
}

#[tokio::test(start_paused = true)]
async fn of_our_own_phone() {
    let rig = Rig::new();
    let mut session = rig.online().await;
    let me = session.myself().peer;
    for (order, chat) in [
        (Deliver::text("Alice", "from the phone").own(), "Alice"),
        (Deliver::text("", "from the phone").in_room("测试群").own(), "测试群"),
        (Deliver::text("filehelper", "from the phone").own(), "文件传输助手"),
    ] {
        rig.sim.deliver("shop", order).unwrap();
        let batch = next(&mut session).await;
        let incoming = &batch.events[0];
        assert_eq!((&incoming.chat, incoming.sender.as_ref()), (&peer(&*session, chat), Some(&me)), "{chat}");
        assert!(message(incoming).from_self, "{chat}");
    }
    rig.clean();
}

#[tokio::test(start_paused = true)]
async fn of_other_kinds() {
    let rig = Rig::new();
    let mut session = rig.online().await;
    let image = "&lt;?xml version=\"1.0\"?&gt;<br/>&lt;msg&gt;<br/>\t&lt;img length=\"6503\" hdlength=\"0\" /&gt;<br/>&lt;/msg&gt;";
    let id = rig.sim.deliver("shop", Deliver::raw("Alice", 3, image)).unwrap();
    let batch = next(&mut session).await;
    let Content::Image { media } = &message(&batch.events[0]).content else { panic!("{:?}", batch.events) };
    assert_eq!((media.reference.as_str(), media.stated_len), (id.as_str(), Some(6503)));

    rig.sim.deliver("shop", Deliver::raw("Alice", 777, "what&apos;s this")).unwrap();
    let batch = next(&mut session).await;
    let want = Content::Unknown { msg_type: 777, raw: "what&apos;s this".into() };
    assert_eq!(message(&batch.events[0]).content, want, "kept as it came");

    // A text of the service, in a room: nobody said it, and its own colon is no prefix.
    rig.sim.deliver("shop", Deliver::raw("", 10_000, "notice:<br/>\"Alice\"修改群名").in_room("测试群")).unwrap();
    let batch = next(&mut session).await;
    let want = Content::System { text: "notice:\n\"Alice\"修改群名".into() };
    assert_eq!((&message(&batch.events[0]).content, &batch.events[0].sender), (&want, &None));

    // A service that is in no address book.
    rig.sim.deliver("shop", Deliver::text("notification_messages", "您的订单")).unwrap();
    let batch = next(&mut session).await;
    assert_eq!((texts(&batch.events), batch.events[0].chat.as_str()), (vec!["您的订单"], "notification_messages"));

    let said = rig.sim.deliver("shop", Deliver::text("Alice", "oops")).unwrap();
    next(&mut session).await;
    rig.sim.recall("shop", &said).unwrap();
    let batch = next(&mut session).await;
    let EventKind::Recall { msg, notice, .. } = &batch.events[0].kind else { panic!("{:?}", batch.events) };
    assert_eq!((msg.as_ref().unwrap().as_str(), notice.as_str()), (said.as_str(), "\"Alice\" 撤回了一条消息"));
    rig.clean();
}

#[tokio::test(start_paused = true)]
async fn of_kinds_with_parts() {
    let rig = Rig::new();
    let mut session = rig.online().await;
    let alice = peer(&*session, "Alice");

    let order = Deliver::raw("Alice", 49, "").field("AppMsgType", json!(6)).field("FileName", json!("a.zip"));
    let order = order.field("FileSize", json!("7")).field("MediaId", json!("@crypt_1"));
    let id = rig.sim.deliver("shop", order).unwrap();
    let batch = next(&mut session).await;
    let Content::File(file) = &message(&batch.events[0]).content else { panic!("{:?}", batch.events) };
    assert_eq!((file.name.as_str(), file.len, file.media.reference.as_str()), ("a.zip", Some(7), id.as_str()));
    let param = |word: &str| file.media.params.get(word).map(String::as_str);
    assert_eq!(
        (param(MediaHandle::MEDIA_ID), param(MediaHandle::FROM_USER_NAME)),
        (Some("@crypt_1"), Some(alice.as_str()))
    );

    // An answer mentions whom it names, and is no plain text.
    let xml = "&lt;msg&gt;&lt;appmsg&gt;&lt;title&gt;@小店 在吗&lt;/title&gt;&lt;type&gt;57&lt;/type&gt;&lt;refermsg&gt;\
               &lt;displayname&gt;鲍勃&lt;/displayname&gt;&lt;/refermsg&gt;&lt;/appmsg&gt;&lt;/msg&gt;";
    rig.sim.deliver("shop", Deliver::raw("Alice", 49, xml).in_room("测试群")).unwrap();
    let batch = next(&mut session).await;
    let told = message(&batch.events[0]);
    let Content::Quote(quote) = &told.content else { panic!("{told:?}") };
    assert_eq!((quote.text.as_str(), told.content.text(), told.mentions.me), ("@小店 在吗", None, true));
    assert_eq!(batch.events[0].sender.as_ref(), Some(&alice));
    rig.clean();
}

#[tokio::test(start_paused = true)]
async fn of_the_service_about_people() {
    let rig = Rig::new();
    let mut session = rig.online().await;
    let room = peer(&*session, "测试群");
    let removed = "你将\"鲍勃\"移出了群聊";
    for (text, want) in [
        (
            "\"Alice\"修改群名为“新群名”",
            EventKind::TopicChanged {
                topic: "新群名".into(),
                by: Who::other("Alice"),
                notice: "\"Alice\"修改群名为“新群名”".into(),
            },
        ),
        (removed, EventKind::MembersRemoved { names: vec!["鲍勃".into()], by: Who::Me, notice: removed.into() }),
    ] {
        rig.sim.deliver("shop", Deliver::raw("", 10_000, text).in_room("测试群")).unwrap();
        let batch = next(&mut session).await;
        let [incoming] = &batch.events[..] else { panic!("{:?}", batch.events) };
        assert_eq!((&incoming.kind, &incoming.chat, &incoming.sender), (&want, &room, &None), "{text}");
    }
    // A person who types the same tells nothing.
    rig.sim.deliver("shop", Deliver::text("Alice", removed).in_room("测试群")).unwrap();
    assert_eq!(texts(&next(&mut session).await.events), [removed]);
    rig.clean();
}

#[tokio::test(start_paused = true)]
async fn of_the_phone_about_chats() {
    let rig = Rig::new();
    let mut session = rig.log_in().await;
    let first = quiet(&mut session).await;
    assert_eq!(first.events.iter().map(|e| &e.kind).collect::<Vec<_>>(), [&EventKind::Status { code: 4, op: Some(4) }]);
    assert_eq!((&first.events[0].chat, &first.events[0].sender), (&session.myself().peer, &None));
    for code in [1, 2, 5] {
        let order = Deliver::raw("Alice", 51, "").own().field("StatusNotifyCode", json!(code));
        rig.sim.deliver("shop", order).unwrap();
        let batch = next(&mut session).await;
        assert_eq!(
            (&batch.events[0].kind, &batch.events[0].chat),
            (&EventKind::Status { code, op: None }, &peer(&*session, "Alice"))
        );
    }
    rig.clean();
}

#[tokio::test(start_paused = true)]
async fn unknown_codes_of_the_poll_are_trouble_and_nothing_worse() {
    let rig = Rig::new();
    let mut session = rig.online().await;
    rig.sim.deliver("shop", Deliver::text("Alice", "1")).unwrap();
    for (endpoint, kind) in [
        ("synccheck", FaultKind::Ret { ret: 9999, msg: String::new() }),
        ("synccheck", FaultKind::Html),
        ("synccheck", FaultKind::Garbage),
        ("synccheck", FaultKind::Status { code: 502 }),
        ("webwxsync", FaultKind::Ret { ret: -1, msg: String::new() }),
        ("webwxsync", FaultKind::Html),
        ("webwxsync", FaultKind::Truncate { bytes: 300 }),
    ] {
        rig.fault(endpoint, kind.clone());
        let error = session.next_batch().await.unwrap_err();
        assert!(error.is_transient(), "{endpoint} {kind:?}: {error}");
    }
    rig.fault("webwxsync", FaultKind::Ret { ret: 4711, msg: "<![CDATA[新的规矩]]>".into() });
    let error = session.next_batch().await.unwrap_err();
    assert!(error.to_string().contains("code 4711 (新的规矩)"), "{error}");
    assert_eq!(texts(&next(&mut session).await.events), ["1"], "and nothing is lost by it");
    rig.clean();
}
