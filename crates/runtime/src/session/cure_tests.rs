//! Every state, whatever leads to it, has a reason and a cure.

use wxbot_core::error::{Advice, EndReason};

use super::super::phase::{Input, Machine, Order, Policy, Step, Trouble};
use super::*;

fn at(s: u64) -> std::time::Duration {
    std::time::Duration::from_secs(s)
}

fn reasons() -> Vec<(&'static str, Trouble)> {
    let why = || "because of x".to_owned();
    let refused = |advice| Trouble::Refused { why: why(), advice };
    vec![
        ("transient", Trouble::Transient(why())),
        ("silent", Trouble::Silent(why())),
        ("logged out", Trouble::Ended(EndReason::LoggedOut)),
        ("replaced", Trouble::Ended(EndReason::Replaced)),
        ("cookies", Trouble::Ended(EndReason::CookiesRefused)),
        ("token", Trouble::Ended(EndReason::TokenRefused)),
        ("try later", refused(Advice::TryLater)),
        ("give up", refused(Advice::GiveUp)),
        ("forbidden", refused(Advice::Stop(Risk::Forbidden))),
        ("too often", refused(Advice::Stop(Risk::TooOften))),
        ("not completed", Trouble::NotCompleted(why())),
        ("bad saved", Trouble::BadSaved(why())),
        ("broken", Trouble::Broken(why())),
    ]
}

/// What the machine may be doing, by the inputs that lead there.
fn places() -> Vec<(&'static str, Vec<Input>)> {
    let begin = || Input::Begin { saved: true };
    let failed = |trouble| Input::Failed(trouble);
    let ended = || failed(Trouble::Ended(EndReason::Replaced));
    vec![
        ("resuming", vec![begin()]),
        ("running", vec![begin(), Input::Entered]),
        ("asked while resuming", vec![begin(), Input::LoginAsked]),
        ("pushing", vec![begin(), Input::Entered, ended()]),
        ("asked while pushing", vec![begin(), Input::Entered, ended(), Input::LoginAsked]),
        ("logging in", vec![Input::Begin { saved: false }, Input::LoginAsked]),
        ("waiting", vec![begin(), Input::Entered, failed(Trouble::Transient("x".into()))]),
        (
            "resumed by a person",
            vec![
                begin(),
                failed(Trouble::Refused { why: "x".into(), advice: Advice::Stop(Risk::TooOften) }),
                Input::LoginAsked,
            ],
        ),
    ]
}

#[test]
fn every_state_says_why_and_what_to_do() {
    for (place, inputs) in places() {
        for (reason, trouble) in reasons() {
            let mut machine = Machine::new(Policy::default());
            inputs.iter().cloned().for_each(|input| drop(machine.step(input, at(0))));
            let Step { phase, risk, token, order } = machine.step(Input::Failed(trouble.clone()), at(1));
            let name = format!("{reason} while {place}");
            let (phase, why) = phase.unwrap_or_else(|| panic!("{name}: a failure is told"));
            assert!(!why.is_empty() && why != "x", "{name}");
            let cure = if token { Cure::Bind } else { Cure::of(&phase, risk) };
            let (en, zh) = (cure.tell("shop", Lang::En), cure.tell("shop", Lang::Zh));
            match &order {
                // Nothing happens by itself any more: the state says so, and what a person does.
                Order::WaitForLogin => {
                    assert!(matches!(phase, Phase::NeedsLogin | Phase::LoggedOut), "{name}: {phase:?}");
                    for words in [en, zh] {
                        assert!(words.contains("`wxbot login shop`"), "{name}: {words}");
                    }
                }
                Order::Wait(_) => {
                    assert!(matches!(phase, Phase::Reconnecting { .. } | Phase::Degraded), "{name}: {phase:?}");
                    assert!(!en.is_empty() && !zh.is_empty(), "{name}");
                }
                Order::Resume | Order::PushLogin | Order::QrLogin | Order::Poll { .. } => {
                    assert_eq!(phase, Phase::Starting, "{name}: on the way");
                }
            }
            if reason == "token" {
                // Neither the token nor the phone is tried again: a person scans, at once where one has asked.
                assert!(matches!(order, Order::WaitForLogin | Order::QrLogin), "{name}: {order:?}");
                assert_eq!(order == Order::WaitForLogin, token, "{name}");
            } else {
                assert!(!token, "{name}");
            }
            let stopped = matches!(trouble, Trouble::Refused { advice: Advice::Stop(_), .. });
            assert_eq!(stopped, risk.is_some(), "{name}");
            if stopped {
                assert_eq!(order, Order::WaitForLogin, "{name}: never by itself");
                assert_eq!(cure, if reason == "forbidden" { Cure::Trust } else { Cure::Rest }, "{name}");
            }
        }
    }
}

#[test]
fn every_state_has_words() {
    let scan = |payload: &str| Phase::AwaitingScan {
        payload: payload.into(),
        image_url: String::new(),
        uuid: "u".into(),
        number: 1,
    };
    for (phase, cure) in [
        (Phase::Starting, Cure::Nothing),
        (scan("https://x"), Cure::Scan),
        (scan(""), Cure::Confirm),
        (Phase::AwaitingConfirm, Cure::Confirm),
        (Phase::AwaitingCode { wrong: false, number: 1 }, Cure::Code),
        (Phase::AwaitingCode { wrong: true, number: 2 }, Cure::Code),
        (Phase::Online, Cure::Nothing),
        (Phase::Reconnecting { attempt: 1 }, Cure::Network),
        (Phase::Degraded, Cure::Network),
        (Phase::NeedsLogin, Cure::LogIn),
        (Phase::LoggedOut, Cure::LogIn),
        (Phase::Stopped, Cure::Start),
    ] {
        assert_eq!(Cure::of(&phase, None), cure, "{phase:?}");
        assert_eq!(phase.usual_why().is_empty(), phase == Phase::Online, "{phase:?}");
        assert_ne!(state_word(phase.word(), Lang::Zh), phase.word(), "{phase:?}");
        let nothing = cure == Cure::Nothing;
        assert_eq!(cure.tell("a", Lang::En).is_empty(), nothing, "{phase:?}");
        assert_eq!(cure.tell("a", Lang::Zh).is_empty(), nothing, "{phase:?}");
    }
}
