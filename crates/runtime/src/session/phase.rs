//! Which state is a session in, and what comes next? A pure machine; the driver performs its one order at a time.
//!
//! It tells the truth: every state has since-when, why, and what a person can do. A session that can no longer work is
//! `NeedsLogin`, never a silent loop.

use std::collections::VecDeque;
use std::time::Duration;

use serde::Serialize;
use wxbot_core::error::{Advice, EndReason, Risk};

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
    /// The phone shows digits, and whoever asked for the login types them.
    AwaitingCode {
        /// Those typed before were wrong.
        wrong: bool,
        /// The how many-th question of this login it is, from 1: who typed wrong ones twice is asked a third time.
        number: u32,
    },
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

    /// What stands as the reason where nothing else is told. Being online needs none.
    pub fn usual_why(&self) -> &'static str {
        match self {
            Self::Starting => "it begins",
            Self::AwaitingScan { payload, .. } if payload.is_empty() => "the phone was asked to confirm",
            Self::AwaitingScan { .. } => "a QR code waits to be scanned",
            Self::AwaitingConfirm => "the code was scanned, and the phone asks for a confirmation",
            Self::AwaitingCode { wrong: false, .. } => "the phone shows digits, which must be typed here",
            Self::AwaitingCode { wrong: true, .. } => {
                "the digits were wrong; the phone shows those that must be typed here"
            }
            Self::Online => "",
            Self::Reconnecting { .. } | Self::Degraded => "it does not say why",
            Self::NeedsLogin => "it is not logged in",
            Self::LoggedOut => "somebody logged it out",
            Self::Stopped => "it was stopped",
        }
    }

    /// The word for lists and JSON.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::AwaitingScan { .. } => "awaiting_scan",
            Self::AwaitingConfirm => "awaiting_confirm",
            Self::AwaitingCode { .. } => "awaiting_code",
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
    /// The beginning of an account that a former run left to a person: nothing is tried before one acts.
    BeginStopped {
        /// Why it was left.
        why: String,
        /// Whether somebody logged it out, and nothing else was wrong.
        logged_out: bool,
        /// What risk control held against it.
        risk: Option<Risk>,
        /// The service no longer took its token.
        token: bool,
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
    /// Nothing is answered any more: what there is of the session is dropped at once.
    Silent(String),
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
    /// Risk control stopped a session that the service had not ended: whoever asks has it continued first. A new login is
    /// what makes risk control stricter.
    resume_first: bool,
    /// The session before this one went silent: it is not said to work before a poll was answered.
    unheard: bool,
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
    /// What risk control holds against the account, where it is why.
    pub risk: Option<Risk>,
    /// The service no longer takes the token, which is why.
    pub token: bool,
    /// The order.
    pub order: Order,
}

impl Step {
    /// An order under which the state stays.
    fn quietly(order: Order) -> Self {
        Self { phase: None, risk: None, token: false, order }
    }
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
            resume_first: false,
            unheard: false,
        }
    }

    /// The next step; `now` is any clock that only goes forward.
    pub fn step(&mut self, input: Input, now: Duration) -> Step {
        match input {
            Input::Begin { saved: true } => {
                self.go(Doing::Resuming, Phase::Starting, "continuing the saved session", Order::Resume)
            }
            Input::Begin { saved: false } => self.needs_login(Phase::NeedsLogin, "no saved session".into()),
            Input::BeginStopped { why, logged_out, risk, token, saved } => {
                self.resume_first = saved && risk.is_some();
                let phase = if logged_out { Phase::LoggedOut } else { Phase::NeedsLogin };
                Step { risk, token, ..self.needs_login(phase, why) }
            }
            Input::Entered => {
                self.asked = false;
                self.entered_at = now;
                self.resume_first = false;
                if self.unheard {
                    self.doing = Doing::Running;
                    return Step::quietly(Order::Poll { anew: false });
                }
                self.attempt = 0;
                self.go(Doing::Running, Phase::Online, "", Order::Poll { anew: false })
            }
            Input::LoginAsked => self.login_asked(),
            Input::WaitOver => match self.doing {
                Doing::Waiting { session: true } => {
                    self.doing = Doing::Running;
                    Step::quietly(Order::Poll { anew: self.attempt >= self.policy.patience })
                }
                Doing::Waiting { session: false }
                | Doing::Nothing
                | Doing::Resuming
                | Doing::Pushing
                | Doing::LoggingIn
                | Doing::Running
                | Doing::WaitingForLogin => {
                    self.doing = Doing::Resuming;
                    Step::quietly(Order::Resume)
                }
            },
            Input::Failed(trouble) => self.failed(trouble, now),
        }
    }

    fn go(&mut self, doing: Doing, phase: Phase, why: &str, order: Order) -> Step {
        self.doing = doing;
        Step { phase: Some((phase, why.to_owned())), risk: None, token: false, order }
    }

    fn login_asked(&mut self) -> Step {
        self.asked = true;
        match self.doing {
            Doing::WaitingForLogin if std::mem::take(&mut self.resume_first) => {
                self.go(Doing::Resuming, Phase::Starting, "continuing the saved session", Order::Resume)
            }
            Doing::WaitingForLogin | Doing::Nothing => {
                self.go(Doing::LoggingIn, Phase::Starting, "logging in", Order::QrLogin)
            }
            // The saved session was not refused: it is tried at once, and a code follows only if it is.
            Doing::Waiting { session: false } => {
                self.go(Doing::Resuming, Phase::Starting, "continuing the saved session", Order::Resume)
            }
            Doing::Waiting { session: true } => {
                self.doing = Doing::Running;
                Step::quietly(Order::Poll { anew: true })
            }
            // Under way already: never a second login while the first works.
            Doing::Running => Step::quietly(Order::Poll { anew: false }),
            Doing::Resuming => Step::quietly(Order::Resume),
            Doing::Pushing => Step::quietly(Order::PushLogin),
            Doing::LoggingIn => Step::quietly(Order::QrLogin),
        }
    }

    /// Nobody can help but a person; unless one is already asking.
    fn needs_login(&mut self, phase: Phase, why: String) -> Step {
        if self.asked && self.doing != Doing::LoggingIn {
            return self.go(Doing::LoggingIn, Phase::Starting, "logging in", Order::QrLogin);
        }
        self.asked = false;
        self.doing = Doing::WaitingForLogin;
        Step { phase: Some((phase, why)), risk: None, token: false, order: Order::WaitForLogin }
    }

    fn failed(&mut self, trouble: Trouble, now: Duration) -> Step {
        let before = self.doing;
        match trouble {
            Trouble::Transient(why) | Trouble::Refused { why, advice: Advice::TryLater } => self.again(why, now, false),
            Trouble::Silent(why) => {
                self.unheard = true;
                self.again(why, now, true)
            }
            Trouble::Refused { why, advice: Advice::Stop(risk) } => {
                // A person who asked meets the same refusal with any login: the reason comes first.
                self.resume_first = match before {
                    Doing::Running | Doing::Waiting { .. } => true,
                    Doing::Resuming => !self.asked,
                    Doing::Nothing | Doing::Pushing | Doing::LoggingIn | Doing::WaitingForLogin => false,
                };
                Step { risk: Some(risk), ..self.needs_login_now(Phase::NeedsLogin, why) }
            }
            Trouble::Refused { why, advice: Advice::GiveUp } => match before {
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
            // There is no phone to ask, and trying again is what the service refuses: a person scans, or nothing works.
            Trouble::Ended(reason @ EndReason::TokenRefused) => {
                let step = self.needs_login(Phase::NeedsLogin, reason.to_string());
                Step { token: step.order == Order::WaitForLogin, ..step }
            }
            Trouble::Ended(EndReason::LoggedOut) if before == Doing::Running => {
                self.needs_login(Phase::LoggedOut, EndReason::LoggedOut.to_string())
            }
            Trouble::Ended(reason) if matches!(before, Doing::Running | Doing::Resuming) => {
                self.go(Doing::Pushing, Phase::Starting, &format!("{reason}; asking the phone"), Order::PushLogin)
            }
            Trouble::Ended(reason) => self.needs_login(Phase::NeedsLogin, reason.to_string()),
            Trouble::NotCompleted(why) | Trouble::BadSaved(why) => self.needs_login(Phase::NeedsLogin, why),
            Trouble::Broken(why) => self.again(why, now, false),
        }
    }

    /// A refusal that a fresh QR code would meet again: even somebody who asks gets the reason first.
    fn needs_login_now(&mut self, phase: Phase, why: String) -> Step {
        self.asked = false;
        self.needs_login(phase, why)
    }

    /// Once more, later; with `dead` from what is stored, whatever there is of the session.
    fn again(&mut self, why: String, now: Duration, dead: bool) -> Step {
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
        let session = self.doing == Doing::Running && !dead;
        if self.failures.len() > self.policy.intensity {
            let wait = Order::Wait(self.policy.degraded_wait);
            return self.go(Doing::Waiting { session: false }, Phase::Degraded, &why, wait);
        }
        let wait = self.policy.first_wait.saturating_mul(1 << (self.attempt - 1).min(16)).min(self.policy.longest_wait);
        self.go(Doing::Waiting { session }, Phase::Reconnecting { attempt: self.attempt }, &why, Order::Wait(wait))
    }

    /// A poll that worked: whatever failed before is over.
    pub fn polled(&mut self) -> Option<Phase> {
        let healed = self.attempt > 0;
        self.attempt = 0;
        self.unheard = false;
        healed.then_some(Phase::Online)
    }
}

#[cfg(test)]
#[path = "phase_tests.rs"]
mod tests;
