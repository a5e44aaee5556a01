//! What is kept of a session, and how does it go on?

use std::collections::HashSet;

use wxbot_core::Error;
use wxbot_core::protocol::Protocol;
use wxbot_core::webwx::Settings;
use wxbot_model::EventKind;
use wxbot_sim::{Deliver, FaultKind, World};

use crate::rig::{Rig, Watcher, endpoint, failure, json, next, query, quiet, saved_after, settings, shop, texts};

#[tokio::test(start_paused = true)]
async fn what_came_while_away_arrives_once() {
    let rig = Rig::new();
    let session = rig.online().await;
    let saved = session.saved().unwrap();
    drop(session);
    for text in ["1", "2", "3"] {
        rig.sim.deliver("shop", Deliver::text("Alice", text)).unwrap();
    }
    let mut session = rig.web.resume(&saved).await.unwrap_or_else(|error| panic!("{error}"));
    let batch = quiet(&mut session).await;
    assert_eq!(texts(&batch.events), ["1", "2", "3"]);
    assert!(batch.cursor.is_some());
    // From a batch that was not stored it begins again where the store stands.
    let mut again = rig.web.resume(&saved).await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(quiet(&mut again).await.events, batch.events, "the same keys, so that they can be absorbed");
    let mut after = rig.web.resume(&saved_after(&*session, &batch)).await.unwrap_or_else(|error| panic!("{error}"));
    assert!(quiet(&mut after).await.events.is_empty());
    assert_eq!(rig.sim.journal().logins.len(), 1);
    rig.clean();
}

#[tokio::test(start_paused = true)]
async fn a_refused_position_is_a_gap() {
    let rig = Rig::new();
    let saved = rig.online().await.saved().unwrap();
    rig.sim.deliver("shop", Deliver::text("Alice", "lost")).unwrap();
    let mut session = rig.web.resume(&saved).await.unwrap_or_else(|error| panic!("{error}"));
    // The first try at the new position fails as well: the gap must be told by the one that works.
    let refused = FaultKind::Ret { ret: -2, msg: String::new() };
    for kind in [refused.clone(), FaultKind::DropAfter, refused] {
        rig.fault("webwxsync", kind);
    }
    assert!(session.next_batch().await.unwrap_err().is_transient());
    let batch = next(&mut session).await;
    assert!(
        matches!(batch.events[0].kind, EventKind::Gap { from_s, to_s } if from_s > 0 && to_s >= from_s),
        "{:?}",
        batch.events
    );
    assert_eq!(batch.events[0].chat, session.myself().peer);
    assert!(batch.cursor.is_some(), "the new position is kept");
    rig.sim.deliver("shop", Deliver::text("Alice", "after")).unwrap();
    let batch = next(&mut session).await;
    assert_eq!(texts(&batch.events), ["after"]);
    assert!(!batch.events.iter().any(|incoming| matches!(incoming.kind, EventKind::Gap { .. })), "told once");
    rig.clean();
}

#[tokio::test(start_paused = true)]
async fn a_passing_trouble_costs_no_message() {
    for ret in [-1, 1, 1205, 1203] {
        let rig = Rig::new();
        let saved = rig.online().await.saved().unwrap();
        rig.sim.deliver("shop", Deliver::text("Alice", "kept")).unwrap();
        let mut session = rig.web.resume(&saved).await.unwrap_or_else(|error| panic!("{error}"));
        rig.fault("webwxsync", FaultKind::Ret { ret, msg: String::new() });
        let batch = match session.next_batch().await {
            Ok(batch) => batch,
            Err(error) => {
                assert!(matches!(error, Error::Refused { .. }), "{ret}: {error}");
                next(&mut session).await
            }
        };
        assert_eq!(texts(&batch.events), ["kept"], "{ret}");
        assert!(!batch.events.iter().any(|incoming| matches!(incoming.kind, EventKind::Gap { .. })), "{ret}");
        rig.clean();
    }
}

#[tokio::test(start_paused = true)]
async fn sec_r15_a_session_goes_on_only_where_it_was_saved() {
    let at = |endpoint: Option<&str>| Settings { endpoint: endpoint.map(|e| e.parse().unwrap()), ..settings() };
    for (saved_at, now_at, may) in [
        (Some("http://sim.invalid"), Some("http://sim.invalid"), true),
        (Some("http://sim.invalid"), Some("http://sim.invalid:8080"), false),
        (Some("http://sim.invalid"), Some("http://other.invalid"), false),
        (Some("http://sim.invalid"), None, false),
        (None, None, true),
        (None, Some("http://sim.invalid"), false),
    ] {
        let case = format!("from {saved_at:?} to {now_at:?}");
        let rig = Rig::with(World::default().with(shop()), at(saved_at));
        let saved = rig.online().await.saved().unwrap();
        let before = rig.seen().len();
        let web = rig.reconfigured(at(now_at));
        if may {
            assert!(web.resume(&saved).await.is_ok(), "{case}");
            continue;
        }
        for error in [failure(web.resume(&saved).await), failure(web.push_login(&saved, &Watcher::new()).await)] {
            assert!(matches!(error, Error::BadSavedSession(_)), "{case}: {error}");
            assert!(error.to_string().contains("log in anew"), "{case}: {error}");
        }
        assert_eq!(rig.seen().len(), before, "{case}: not one request, so not one key, leaves");
        rig.clean();
    }
}

#[tokio::test(start_paused = true)]
async fn saved_text_of_another_kind_is_refused() {
    let rig = Rig::new();
    let saved = rig.online().await.saved().unwrap();
    for text in ["", "{}", "[]", r#"{"version":2}"#] {
        let bad = wxbot_core::SavedSession { credentials: text.as_bytes().to_vec().into(), ..saved.clone() };
        assert!(matches!(failure(rig.web.resume(&bad).await), Error::BadSavedSession(_)), "{text}");
        let bad = wxbot_core::SavedSession { cursor: text.as_bytes().to_vec().into(), ..saved.clone() };
        assert!(matches!(failure(rig.web.resume(&bad).await), Error::BadSavedSession(_)), "{text}");
    }
    rig.clean();
}

// cov: 9
#[tokio::test(start_paused = true)]
async fn cookies_of_the_login_go_with_every_later_call() {
    // At the real service's names: cookies of the API host are sent to its push host too.
    for (endpoint_of, push) in
        [(None, "webpush.wx.qq.com"), (Some("http://sim.invalid".parse().unwrap()), "sim.invalid")]
    {
        let rig = Rig::with(World::default().with(shop()), Settings { endpoint: endpoint_of, ..settings() });
        let mut session = rig.online().await;
        rig.sim.deliver("shop", Deliver::text("Alice", "1")).unwrap();
        next(&mut session).await;
        let saved = session.saved().unwrap();
        let mut session = rig.web.resume(&saved).await.unwrap_or_else(|error| panic!("{error}"));
        quiet(&mut session).await;
        let seen = rig.seen();
        let page = seen.iter().position(|request| endpoint(request) == "webwxnewloginpage").unwrap();
        let later = &seen[page + 1..];
        let names: HashSet<_> = later.iter().map(endpoint).collect();
        for name in
            ["webwxinit", "webwxstatusnotify", "webwxgetcontact", "webwxbatchgetcontact", "synccheck", "webwxsync"]
        {
            assert!(names.contains(name), "{name} was never asked");
        }
        for request in later {
            let cookies = request.headers.get("cookie").map(|c| c.to_str().unwrap().to_owned()).unwrap_or_default();
            for name in ["wxuin=", "wxsid=", "webwx_data_ticket=", "webwx_auth_ticket=", "webwxuvid="] {
                assert!(cookies.contains(name), "{name} is missing at {request:?}");
            }
        }
        let polls = later.iter().filter(|request| endpoint(request) == "synccheck");
        assert!(polls.clone().count() > 2 && polls.clone().all(|poll| poll.url.host_str() == Some(push)), "{push}");
        rig.clean();
    }
}

// cov: 13
#[tokio::test(start_paused = true)]
async fn device_ids_are_e_and_15_digits_and_new_for_each_request() {
    let rig = Rig::new();
    let mut session = rig.online().await;
    rig.sim.deliver("shop", Deliver::text("Alice", "1")).unwrap();
    next(&mut session).await;
    let (mut ids, mut places) = (Vec::new(), HashSet::new());
    for request in &rig.seen() {
        let in_body = json(request).and_then(|body| body["BaseRequest"]["DeviceID"].as_str().map(str::to_owned));
        if let Some(id) = in_body.or_else(|| query(request, "deviceid")) {
            places.insert(endpoint(request).to_owned());
            ids.push(id);
        } else {
            assert!(json(request).is_none(), "{request:?} has a body without a DeviceID");
        }
    }
    assert!(["webwxinit", "webwxstatusnotify", "synccheck", "webwxsync"].iter().all(|place| places.contains(*place)));
    for id in &ids {
        let digits = id.strip_prefix('e').unwrap();
        assert!(digits.len() == 15 && digits.bytes().all(|b| b.is_ascii_digit()), "{id}");
    }
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len(), "{ids:?}");
    rig.clean();
}

// cov: 42
#[tokio::test(start_paused = true)]
async fn a_fresh_skey_is_used_at_once_and_saved() {
    let rig = Rig::new();
    let mut session = rig.online().await;
    let skey = |request: &wxbot_core::transport::HttpRequest| {
        json(request)
            .and_then(|body| body["BaseRequest"]["Skey"].as_str().map(str::to_owned))
            .or_else(|| query(request, "skey"))
    };
    let old = skey(rig.seen_at("webwxsync").last().unwrap()).unwrap();
    rig.sim.deliver("shop", Deliver::text("Alice", "1")).unwrap();
    rig.fault("webwxsync", FaultKind::SkeyRefresh);
    let batch = next(&mut session).await;
    assert!(batch.credentials.is_some(), "what is not saved is lost at the next start");
    let saved = saved_after(&*session, &batch);

    let before = rig.seen().len();
    rig.sim.deliver("shop", Deliver::text("Alice", "2")).unwrap();
    let batch = next(&mut session).await;
    assert!(batch.credentials.is_none(), "nothing new to save");
    let later = rig.seen().split_off(before);
    let fresh = skey(&later[0]).unwrap();
    assert_ne!(fresh, old);
    assert!(later.iter().all(|request| skey(request).as_deref() == Some(&fresh)));

    let before = rig.seen().len();
    let mut session = rig.web.resume(&saved).await.unwrap_or_else(|error| panic!("{error}"));
    next(&mut session).await;
    let resumed = rig.seen().split_off(before);
    assert!(resumed.iter().filter_map(skey).all(|skey| skey == fresh), "after a restart as well");
    // Past the time in which the service bears the old one.
    tokio::time::sleep(std::time::Duration::from_secs(60)).await;
    quiet(&mut session).await;
    rig.clean();
}

#[tokio::test(start_paused = true)]
async fn an_skey_that_is_met_while_resuming_is_saved_too() {
    let rig = Rig::new();
    let mut session = rig.online().await;
    let saved = session.saved().unwrap();
    rig.sim.deliver("shop", Deliver::text("Alice", "1")).unwrap();
    rig.fault("webwxsync", FaultKind::SkeyRefresh);
    // This batch is never stored, as after a crash: the next start knows the old key only.
    drop(next(&mut session).await);
    let mut session = rig.web.resume(&saved).await.unwrap_or_else(|error| panic!("{error}"));
    let batch = next(&mut session).await;
    assert_eq!(texts(&batch.events), ["1"]);
    assert!(batch.credentials.is_some(), "webwxinit told the new key");
    assert!(quiet(&mut session).await.credentials.is_none());
    rig.clean();
}
