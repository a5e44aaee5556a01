//! Every edge of the session machine, without a runtime.

use super::*;

fn at(s: u64) -> Duration {
    Duration::from_secs(s)
}

fn word(step: &Step) -> (&'static str, Order) {
    (step.phase.as_ref().map_or("-", |(p, _)| p.word()), step.order.clone())
}

fn transient() -> Input {
    Input::Failed(Trouble::Transient("no answer".into()))
}

const STOP: Advice = Advice::Stop(Risk::Forbidden);

fn refused(advice: Advice) -> Input {
    Input::Failed(Trouble::Refused { why: "code 1203".into(), advice })
}

fn online() -> Machine {
    let mut machine = Machine::new(Policy::default());
    machine.step(Input::Begin { saved: true }, at(0));
    assert_eq!(word(&machine.step(Input::Entered, at(0))), ("online", Order::Poll { anew: false }));
    machine
}

#[test]
fn without_a_saved_session_a_person_must_ask() {
    let mut machine = Machine::new(Policy::default());
    assert_eq!(word(&machine.step(Input::Begin { saved: false }, at(0))), ("needs_login", Order::WaitForLogin));
    assert_eq!(word(&machine.step(Input::LoginAsked, at(1))), ("starting", Order::QrLogin));
    assert_eq!(
        word(&machine.step(Input::Failed(Trouble::NotCompleted("nobody scanned".into())), at(9))),
        ("needs_login", Order::WaitForLogin)
    );
}

#[test]
fn a_refused_session_asks_the_phone_once_and_then_a_person() {
    let mut machine = Machine::new(Policy::default());
    machine.step(Input::Begin { saved: true }, at(0));
    assert_eq!(
        word(&machine.step(Input::Failed(Trouble::Ended(EndReason::Replaced)), at(1))),
        ("starting", Order::PushLogin)
    );
    assert_eq!(word(&machine.step(refused(Advice::GiveUp), at(2))), ("needs_login", Order::WaitForLogin));

    let mut machine = online();
    assert_eq!(
        word(&machine.step(Input::Failed(Trouble::Ended(EndReason::CookiesRefused)), at(1))).1,
        Order::PushLogin
    );
    assert_eq!(word(&machine.step(Input::Entered, at(2))).0, "online");
}

#[test]
fn logged_out_on_the_phone_is_not_argued_with() {
    let mut machine = online();
    assert_eq!(
        word(&machine.step(Input::Failed(Trouble::Ended(EndReason::LoggedOut)), at(1))),
        ("logged_out", Order::WaitForLogin)
    );
}

#[test]
fn risk_control_stops_without_retry() {
    for doing in [true, false] {
        let mut machine = if doing { online() } else { Machine::new(Policy::default()) };
        if !doing {
            machine.step(Input::LoginAsked, at(0));
        }
        let step = machine.step(refused(STOP), at(1));
        assert_eq!(word(&step), ("needs_login", Order::WaitForLogin));
        assert_eq!(step.phase.unwrap().1, "code 1203");
    }
}

#[test]
fn risk_control_is_left_to_a_person_who_has_the_session_continued_before_a_new_login() {
    let mut machine = online();
    let step = machine.step(refused(Advice::Stop(Risk::TooOften)), at(1));
    assert_eq!((step.risk, step.order), (Some(Risk::TooOften), Order::WaitForLogin));
    assert_eq!(word(&machine.step(Input::LoginAsked, at(99))), ("starting", Order::Resume));
    // The same again: the next one to ask gets a code.
    assert_eq!(word(&machine.step(refused(STOP), at(100))), ("needs_login", Order::WaitForLogin));
    assert_eq!(word(&machine.step(Input::LoginAsked, at(101))), ("starting", Order::QrLogin));
    assert_eq!(word(&machine.step(refused(STOP), at(102))), ("needs_login", Order::WaitForLogin));

    // After a start that nobody asked for, too.
    let mut machine = Machine::new(Policy::default());
    let stopped = |logged_out, risk, saved| Input::BeginStopped {
        why: "code 1205".into(),
        logged_out,
        risk,
        token: false,
        saved,
    };
    let step = machine.step(stopped(false, Some(Risk::TooOften), true), at(0));
    assert_eq!((word(&step), step.risk), (("needs_login", Order::WaitForLogin), Some(Risk::TooOften)));
    assert_eq!(machine.step(Input::LoginAsked, at(1)).order, Order::Resume);
    // Whoever was logged out needs a code.
    let mut machine = Machine::new(Policy::default());
    assert_eq!(word(&machine.step(stopped(true, None, true), at(0))), ("logged_out", Order::WaitForLogin));
    assert_eq!(machine.step(Input::LoginAsked, at(1)).order, Order::QrLogin);
    // A phone that is not asked for risk control is not asked again by a code.
    let mut machine = online();
    machine.step(Input::Failed(Trouble::Ended(EndReason::Replaced)), at(1));
    machine.step(Input::LoginAsked, at(2));
    assert_eq!(word(&machine.step(refused(STOP), at(3))), ("needs_login", Order::WaitForLogin));
}

#[test]
fn silence_drops_the_session_and_is_over_when_a_poll_is_answered() {
    let mut machine = online();
    let silent = || Input::Failed(Trouble::Silent("synccheck was not answered for 105 s".into()));
    for attempt in 1..=3 {
        let step = machine.step(silent(), at(attempt * 110));
        if attempt == 1 {
            assert_eq!(step.phase.unwrap().0, Phase::Reconnecting { attempt: 1 });
        }
        assert_eq!(machine.step(Input::WaitOver, at(attempt * 110 + 1)).order, Order::Resume, "never the same session");
        // That a login page answers does not mean that polls are answered.
        assert_eq!(word(&machine.step(Input::Entered, at(attempt * 110 + 2))), ("-", Order::Poll { anew: false }));
    }
    assert_eq!(machine.polled(), Some(Phase::Online));
    machine.step(transient(), at(1_000));
    machine.step(Input::WaitOver, at(1_001));
    machine.step(Input::Failed(Trouble::Ended(EndReason::Replaced)), at(1_002));
    assert_eq!(word(&machine.step(Input::Entered, at(1_003))).0, "online");
}

#[test]
fn failures_back_off_on_the_same_session_then_anew() {
    let mut machine = online();
    let mut orders = Vec::new();
    for round in 1..=4 {
        let step = machine.step(transient(), at(round * 20));
        assert_eq!(step.phase.as_ref().unwrap().0.word(), "reconnecting");
        orders.push(step.order);
        orders.push(machine.step(Input::WaitOver, at(round * 20 + 1)).order);
    }
    assert_eq!(
        orders,
        [
            Order::Wait(at(1)),
            Order::Poll { anew: false },
            Order::Wait(at(2)),
            Order::Poll { anew: false },
            Order::Wait(at(4)),
            Order::Poll { anew: true },
            Order::Wait(at(8)),
            Order::Poll { anew: true },
        ]
    );
    assert_eq!(machine.polled(), Some(Phase::Online));
    assert_eq!(machine.polled(), None);
}

#[test]
fn too_many_failures_in_a_minute_degrade() {
    let mut machine = online();
    let steps: Vec<_> = (0..6)
        .map(|n| {
            let step = machine.step(transient(), at(n));
            machine.step(Input::WaitOver, at(n));
            word(&step)
        })
        .collect();
    assert_eq!(steps[4].0, "reconnecting");
    assert_eq!(steps[5], ("degraded", Order::Wait(at(300))));
    assert_eq!(word(&machine.step(Input::Failed(Trouble::Transient("again".into())), at(400))).0, "reconnecting");
}

#[test]
fn a_login_that_fails_is_not_repeated_by_itself() {
    let mut machine = Machine::new(Policy::default());
    machine.step(Input::LoginAsked, at(0));
    assert_eq!(word(&machine.step(transient(), at(1))), ("needs_login", Order::WaitForLogin));
}

#[test]
fn asking_while_it_works_starts_no_second_login() {
    let mut machine = online();
    assert_eq!(word(&machine.step(Input::LoginAsked, at(1))), ("-", Order::Poll { anew: false }));
    // A saved session that only cannot be reached is tried again, not replaced.
    let mut machine = Machine::new(Policy::default());
    machine.step(Input::Begin { saved: true }, at(0));
    machine.step(transient(), at(1));
    assert_eq!(machine.step(Input::LoginAsked, at(2)).order, Order::Resume);
    assert_eq!(word(&machine.step(Input::Failed(Trouble::Ended(EndReason::Replaced)), at(3))).1, Order::PushLogin);
    assert_eq!(word(&machine.step(refused(Advice::TryLater), at(4))).1, Order::QrLogin);
    // A request during a push becomes a code when the push fails.
    let mut machine = online();
    machine.step(Input::Failed(Trouble::Ended(EndReason::Replaced)), at(1));
    assert_eq!(machine.step(Input::LoginAsked, at(2)).order, Order::PushLogin);
    assert_eq!(word(&machine.step(refused(Advice::GiveUp), at(3))).1, Order::QrLogin);
}

proptest::proptest! {
    /// Whatever happens, there is always exactly one next order, and waits stay within the policy.
    #[test]
    fn it_never_hangs(inputs in proptest::collection::vec(0u8..11, 0..60)) {
        let mut machine = Machine::new(Policy::default());
        machine.step(Input::Begin { saved: true }, at(0));
        for (n, input) in inputs.into_iter().enumerate() {
            let input = match input {
                0 => Input::Entered,
                1 => Input::WaitOver,
                2 => Input::LoginAsked,
                3 => transient(),
                4 => Input::Failed(Trouble::Ended(EndReason::Replaced)),
                5 => Input::Failed(Trouble::Ended(EndReason::LoggedOut)),
                6 => refused(STOP),
                7 => Input::Failed(Trouble::NotCompleted("x".into())),
                8 => Input::Failed(Trouble::Silent("x".into())),
                9 => refused(Advice::GiveUp),
                _ => Input::Failed(Trouble::Broken("x".into())),
            };
            let stops = matches!(&input, Input::Failed(Trouble::Refused { advice: Advice::Stop(_), .. }));
            let step = machine.step(input, at(n as u64));
            if let Order::Wait(wait) = step.order {
                proptest::prop_assert!(wait <= at(300));
            }
            // Risk control is never met with anything but waiting for a person.
            proptest::prop_assert!(!stops || (step.order == Order::WaitForLogin && step.risk.is_some()));
        }
    }
}
