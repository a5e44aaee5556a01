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
        let step = machine.step(refused(Advice::Stop), at(1));
        assert_eq!(word(&step), ("needs_login", Order::WaitForLogin));
        assert_eq!(step.phase.unwrap().1, "code 1203");
    }
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
    fn it_never_hangs(inputs in proptest::collection::vec(0u8..9, 0..60)) {
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
                6 => refused(Advice::Stop),
                7 => Input::Failed(Trouble::NotCompleted("x".into())),
                _ => Input::Failed(Trouble::Broken("x".into())),
            };
            if let Order::Wait(wait) = machine.step(input, at(n as u64)).order {
                proptest::prop_assert!(wait <= at(300));
            }
        }
    }
}
