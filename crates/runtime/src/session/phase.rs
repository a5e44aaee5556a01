//! Which state is a session in, and what comes next? A pure machine; the driver performs its one order at a time.
//!
//! It tells the truth: every state has since-when, why, and what a person can do. A session that can no longer work is
//! `NeedsLogin`, never a silent loop.

use std::collections::VecDeque;
use std::time::Duration;

use serde::Serialize;
use wxbot_core::error::{Advice, EndReason};

/// The state of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Phase {
    /// Beginning, or continuing a saved session.
    Starting,
    /// A QR code waits to be scanned, or the phone was asked.
    AwaitingScan {
        /// The text of the QR code; a secret for some minutes. Empty when the phone was asked instead.
        payload: String,
        /// Where the service has it as a picture.
        image_url: String,
        /// The service's id of this login.
        uuid: String,
        /// Which code this is, from 1.
        number: u32,
    },
    /// Scanned; waiting for the confirmation on the phone.
    AwaitingConfirm,
    /// Receiving and sending.
    Online,
    /// Something failed; it is tried again.
    Reconnecting {
        /// Tries since it last worked.
        attempt: u32,
    },
    /// It failed too often; one try in five minutes.
    Degraded,
    /// The service refused us: a person must act. No retry by itself.
    NeedsLogin,
    /// Somebody logged it out.
    LoggedOut,
    /// By configuration or command.
    Stopped,
}

impl Phase {
    /// Whether messages come in and go out, or will without anybody doing anything soon.
    pub fn works(&self) -> bool {
        matches!(self, Self::Starting | Self::Online | Self::Reconnecting { .. })
    }

    /// The word for lists and JSON.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::AwaitingScan { .. } => "awaiting_scan",
            Self::AwaitingConfirm => "awaiting_confirm",
            Self::Online => "online",
            Self::Reconnecting { .. } => "reconnecting",
            Self::Degraded => "degraded",
            Self::NeedsLogin => "needs_login",
            Self::LoggedOut => "logged_out",
            Self::Stopped => "stopped",
        }
    }
}

/// What happened to the driver's last order, or to the world.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// The beginning.
    Begin {
        /// There is a saved session that was not refused.
        saved: bool,
    },
    /// A session is there (resumed or logged in).
    Entered,
    /// The order failed, or the running session did.
    Failed(Trouble),
    /// The wait is over.
    WaitOver,
    /// A person asks for a login.
    LoginAsked,
}

/// Why something failed, by what follows from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// It may work later.
    Transient(String),
    /// The session is over.
    Ended(EndReason),
    /// The service said no.
    Refused {
        /// Its words.
        why: String,
        /// What the code means.
        advice: Advice,
    },
    /// A login that nobody completed.
    NotCompleted(String),
    /// Saved state that cannot be used.
    BadSaved(String),
    /// Settings that make no sense, or a bug of ours.
    Broken(String),
}

/// What the driver does next. Exactly one at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// Continue the saved session.
    Resume,
    /// Put the saved session aside and ask the phone for a confirmation.
    PushLogin,
    /// Log in by QR code.
    QrLogin,
    /// Poll. With `anew` the session is dropped and resumed from what is stored.
    Poll {
        /// Whether to begin from the stored state.
        anew: bool,
    },
    /// Wait; a login request ends the wait.
    Wait(Duration),
    /// Wait for a login request.
    WaitForLogin,
}

/// Numbers of the policy.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    /// The first wait; it doubles.
    pub first_wait: Duration,
    /// The longest wait between tries.
    pub longest_wait: Duration,
    /// So many failures …
    pub intensity: usize,
    /// … within so long make it `Degraded`.
    pub within: Duration,
    /// The wait then.
    pub degraded_wait: Duration,
    /// Failures of a running session before it is dropped and resumed.
    pub patience: u32,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            first_wait: Duration::from_secs(1),
            longest_wait: Duration::from_secs(300),
            intensity: 5,
            within: Duration::from_secs(60),
            degraded_wait: Duration::from_secs(300),
            patience: 3,
        }
    }
}

/// The machine.
#[derive(Debug)]
pub struct Machine {
    policy: Policy,
    doing: Doing,
    attempt: u32,
    failures: VecDeque<Duration>,
    /// Somebody asked for a login: after a refusal a QR code follows instead of waiting.
    asked: bool,
    entered_at: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doing {
    Nothing,
    Resuming,
    Pushing,
    LoggingIn,
    Running,
    Waiting { session: bool },
    WaitingForLogin,
}

/// What the machine answers: a state to show and an order to perform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The state, `None` when it stays.
    pub phase: Option<(Phase, String)>,
    /// The order.
    pub order: Order,
}

impl Machine {
    /// A machine that has not begun.
    pub fn new(policy: Policy) -> Self {
        Self {
            policy,
            doing: Doing::Nothing,
            attempt: 0,
            failures: VecDeque::new(),
            asked: false,
            entered_at: Duration::ZERO,
        }
    }

    /// The next step; `now` is any clock that only goes forward.
    pub fn step(&mut self, input: Input, now: Duration) -> Step {
        match input {
            Input::Begin { saved: true } => {
                self.go(Doing::Resuming, Phase::Starting, "continuing the saved session", Order::Resume)
            }
            Input::Begin { saved: false } => self.needs_login(Phase::NeedsLogin, "no saved session".into()),
            Input::Entered => {
                self.asked = false;
                self.attempt = 0;
                self.entered_at = now;
                self.go(Doing::Running, Phase::Online, "", Order::Poll { anew: false })
            }
            Input::LoginAsked => self.login_asked(),
            Input::WaitOver => match self.doing {
                Doing::Waiting { session: true } => {
                    self.doing = Doing::Running;
                    Step { phase: None, order: Order::Poll { anew: self.attempt >= self.policy.patience } }
                }
                Doing::Waiting { session: false }
                | Doing::Nothing
                | Doing::Resuming
                | Doing::Pushing
                | Doing::LoggingIn
                | Doing::Running
                | Doing::WaitingForLogin => {
                    self.doing = Doing::Resuming;
                    Step { phase: None, order: Order::Resume }
                }
            },
            Input::Failed(trouble) => self.failed(trouble, now),
        }
    }

    fn go(&mut self, doing: Doing, phase: Phase, why: &str, order: Order) -> Step {
        self.doing = doing;
        Step { phase: Some((phase, why.to_owned())), order }
    }

    fn login_asked(&mut self) -> Step {
        self.asked = true;
        match self.doing {
            Doing::WaitingForLogin | Doing::Nothing => {
                self.go(Doing::LoggingIn, Phase::Starting, "logging in", Order::QrLogin)
            }
            // The saved session was not refused: it is tried at once, and a code follows only if it is.
            Doing::Waiting { session: false } => {
                self.go(Doing::Resuming, Phase::Starting, "continuing the saved session", Order::Resume)
            }
            Doing::Waiting { session: true } => {
                self.doing = Doing::Running;
                Step { phase: None, order: Order::Poll { anew: true } }
            }
            // Under way already: never a second login while the first works.
            Doing::Running => Step { phase: None, order: Order::Poll { anew: false } },
            Doing::Resuming => Step { phase: None, order: Order::Resume },
            Doing::Pushing => Step { phase: None, order: Order::PushLogin },
            Doing::LoggingIn => Step { phase: None, order: Order::QrLogin },
        }
    }

    /// Nobody can help but a person; unless one is already asking.
    fn needs_login(&mut self, phase: Phase, why: String) -> Step {
        if self.asked && self.doing != Doing::LoggingIn {
            return self.go(Doing::LoggingIn, Phase::Starting, "logging in", Order::QrLogin);
        }
        self.asked = false;
        self.doing = Doing::WaitingForLogin;
        Step { phase: Some((phase, why)), order: Order::WaitForLogin }
    }

    fn failed(&mut self, trouble: Trouble, now: Duration) -> Step {
        let before = self.doing;
        match trouble {
            Trouble::Transient(why) | Trouble::Refused { why, advice: Advice::TryLater } => self.again(why, now, None),
            Trouble::Refused { why, advice: Advice::CoolDown(wait) } => self.again(why, now, Some(wait)),
            Trouble::Refused { why, advice: Advice::GiveUp | Advice::Stop } => match before {
                // A refused push says nothing new: the session was refused before it.
                Doing::Pushing => self.needs_login(
                    Phase::NeedsLogin,
                    format!("the session was refused, and the phone was not asked: {why}"),
                ),
                Doing::Nothing
                | Doing::Resuming
                | Doing::LoggingIn
                | Doing::Running
                | Doing::Waiting { .. }
                | Doing::WaitingForLogin => self.needs_login_now(Phase::NeedsLogin, why),
            },
            Trouble::Ended(EndReason::LoggedOut) if before == Doing::Running => {
                self.needs_login(Phase::LoggedOut, EndReason::LoggedOut.to_string())
            }
            Trouble::Ended(reason) if matches!(before, Doing::Running | Doing::Resuming) => {
                self.go(Doing::Pushing, Phase::Starting, &format!("{reason}; asking the phone"), Order::PushLogin)
            }
            Trouble::Ended(reason) => self.needs_login(Phase::NeedsLogin, reason.to_string()),
            Trouble::NotCompleted(why) | Trouble::BadSaved(why) => self.needs_login(Phase::NeedsLogin, why),
            Trouble::Broken(why) => self.again(why, now, None),
        }
    }

    /// A refusal that a fresh QR code would meet again: even somebody who asks gets the reason first.
    fn needs_login_now(&mut self, phase: Phase, why: String) -> Step {
        self.asked = false;
        self.needs_login(phase, why)
    }

    fn again(&mut self, why: String, now: Duration, at_least: Option<Duration>) -> Step {
        match self.doing {
            // A login is not repeated by itself: each one is a code on somebody's screen.
            Doing::LoggingIn => return self.needs_login_now(Phase::NeedsLogin, why),
            Doing::Pushing => return self.needs_login(Phase::NeedsLogin, why),
            Doing::Nothing | Doing::Resuming | Doing::Running | Doing::Waiting { .. } | Doing::WaitingForLogin => {}
        }
        // What ran well for a while begins to count anew.
        if self.doing == Doing::Running
            && now.saturating_sub(self.entered_at) >= self.policy.within
            && self.attempt == 0
        {
            self.failures.clear();
        }
        self.attempt += 1;
        self.failures.push_back(now);
        while self.failures.front().is_some_and(|t| now.saturating_sub(*t) > self.policy.within) {
            self.failures.pop_front();
        }
        let session = self.doing == Doing::Running;
        if self.failures.len() > self.policy.intensity {
            let wait = self.policy.degraded_wait.max(at_least.unwrap_or_default());
            return self.go(Doing::Waiting { session: false }, Phase::Degraded, &why, Order::Wait(wait));
        }
        let doubled =
            self.policy.first_wait.saturating_mul(1 << (self.attempt - 1).min(16)).min(self.policy.longest_wait);
        let wait = doubled.max(at_least.unwrap_or_default());
        self.go(Doing::Waiting { session }, Phase::Reconnecting { attempt: self.attempt }, &why, Order::Wait(wait))
    }

    /// A poll that worked: whatever failed before is over.
    pub fn polled(&mut self) -> Option<Phase> {
        let healed = self.attempt > 0;
        self.attempt = 0;
        healed.then_some(Phase::Online)
    }
}

/// What a person can do about a state.
pub fn advice(phase: &Phase, account: &str) -> String {
    match phase {
        Phase::NeedsLogin | Phase::LoggedOut => format!("run `wxbot login {account}`"),
        Phase::AwaitingScan { payload, .. } if payload.is_empty() => "confirm on the phone".to_owned(),
        Phase::AwaitingScan { .. } => "scan the QR code with the phone".to_owned(),
        Phase::AwaitingConfirm => "confirm on the phone".to_owned(),
        Phase::Degraded => "check network and endpoint; it is tried every 5 min".to_owned(),
        Phase::Starting | Phase::Online | Phase::Reconnecting { .. } | Phase::Stopped => String::new(),
    }
}

#[cfg(test)]
#[path = "phase_tests.rs"]
mod tests;
