//! Are codes told as what they mean, and texts cut where nothing breaks?

use serde_json::json;
use wxbot_model::ContactKind;

use super::*;
use crate::protocol::{Outgoing, Receipt};

#[test]
fn codes_say_whether_to_wait_or_what_to_do() {
    for (answer, want) in [
        (json!({ "errcode": 45009, "errmsg": "api freq out of limit" }), "not taken: too often"),
        (json!({ "errcode": -1, "errmsg": "system busy" }), "not taken: the service is busy"),
        (json!({ "errcode": 93000, "errmsg": "invalid webhook url" }), "refused: the robot's key is wrong"),
        (json!({ "errcode": 60020, "errmsg": "not allow to access from your ip" }), "refused: this machine's address"),
        (json!({ "errcode": 40001, "errmsg": "invalid credential" }), "refused: `corp_secret`"),
        (json!({ "errcode": 81013, "errmsg": "all invalid" }), "refused: none of the receivers"),
        (json!({ "errcode": 0, "errmsg": "ok", "invaliduser": "li" }), "refused: the receiver is no member"),
    ] {
        let error = judge(&answer).unwrap().to_string();
        assert!(error.starts_with(want), "{answer}: {error}");
    }
    assert!(judge(&json!({ "errcode": 0, "errmsg": "ok", "invaliduser": "" })).is_none());
    assert!(judge(&json!({ "errcode": 7, "errmsg": "new" })).is_none(), "what is not known says what it says");
    assert!(judge(&json!("text")).is_none());
    let Some(SendError::NotTaken { after, .. }) = judge(&json!({ "errcode": 45009 })) else { panic!() };
    assert_eq!(after, MINUTE);
}

#[tokio::test(start_paused = true)]
async fn an_account_that_cannot_send_says_so_until_it_can() {
    struct Mute;
    impl ActionSender for Mute {
        fn perform(&self, _: Outgoing) -> BoxFuture<'_, Result<Receipt, SendError>> {
            Box::pin(std::future::pending())
        }
    }
    let standing = Standing::new();
    let me = Contact::nameless("self".parse().unwrap(), ContactKind::Myself);
    let mut session = Silent { sender: Arc::new(Mute), me, contacts: Vec::new(), standing: standing.watch() };
    let no = |code: i64| Err::<Receipt, _>(judge(&json!({ "errcode": code, "errmsg": "no" })).unwrap());
    for code in OF_THE_ACCOUNT {
        standing.note(&no(code));
        let told = session.next_batch().await.unwrap().trouble.unwrap();
        assert!(told.starts_with("nothing can be sent: ") && told.contains(&code.to_string()), "{told}");
        // Of one message, of the pace: nothing new is known of the account.
        for code in [81013, 60111, 45009, -1] {
            standing.note(&no(code));
        }
        let quiet = tokio::time::timeout(Duration::from_secs(9), session.next_batch()).await;
        assert!(quiet.is_err(), "{code}");
        standing.note(&Ok(Receipt::default()));
        assert_eq!(session.next_batch().await.unwrap().trouble.as_deref(), Some(""));
    }
}

#[test]
fn texts_are_cut_at_lines_and_never_within_a_character() {
    for (text, want) in [
        ("", vec![""]),
        ("short", vec!["short"]),
        ("line 1\nline 2", vec!["line 1", "line 2"]),
        ("0123456789abc", vec!["0123456789", "abc"]),
        ("你好你好你", vec!["你好你", "好你"]),
        ("ab\n\n\n\n\n\n\n\n\n\ncd", vec!["ab\n\n\n\n\n\n\n", "\n\ncd"]),
    ] {
        assert_eq!(parts(text, 10), want, "{text:?}");
    }
    let refused = few_parts(&"x".repeat(TEXT * PARTS + 1)).unwrap_err().to_string();
    assert!(refused.contains("21 messages"), "{refused}");
}

proptest::proptest! {
    #[test]
    fn no_part_is_too_long_and_no_character_is_lost(text in "[a你\\n😀]{0,80}") {
        let parts = parts(&text, 12);
        proptest::prop_assert!(parts.iter().all(|part| part.len() <= 12));
        let kept = |text: &str| text.chars().filter(|c| *c != '\n').collect::<String>();
        proptest::prop_assert_eq!(kept(&parts.concat()), kept(&text));
    }
}
