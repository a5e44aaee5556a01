//! What does an answer of synccheck mean for the loop, and which push host is asked next?

use std::time::Duration;

use url::Url;

use super::endpoint::Hosts;
use super::ret::Ret;
use super::wire::script::SyncCheck;
use crate::error::{Advice, EndReason, Error};
use crate::transport::TransportError;

/// So many polls in a row without any answer are a dead connection and not a quiet account: the service answers an idle
/// poll after 25 s, and each is waited for 35 s.
const SILENT_POLLS: u32 = 3;

/// What the loop does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// There is something to fetch.
    Fetch,
    /// The window passed quietly.
    Wait,
    /// Poll again at once, at another host.
    PollAgain,
}

/// The push hosts of a session. The family's own is right for nearly everybody; a wrong one answers as if the session
/// had ended, so until one has given a good answer the end is believed only when all of them say it.
#[derive(Debug)]
pub(super) struct Push {
    hosts: Vec<Url>,
    at: usize,
    proven: bool,
    refused: Option<EndReason>,
    /// Polls in a row that nothing answered, and how long that took.
    silent: (u32, Duration),
}

impl Push {
    pub(super) fn new(hosts: &Hosts) -> Self {
        Self { hosts: hosts.push_candidates(), at: 0, proven: false, refused: None, silent: (0, Duration::ZERO) }
    }

    /// Where to poll.
    pub(super) fn host(&self) -> Option<&Url> {
        self.hosts.get(self.at)
    }

    /// Takes the answer of a poll.
    ///
    /// # Errors
    /// The end of the session, or what kept the poll from being answered.
    pub(super) fn judge(&mut self, answer: Result<SyncCheck, Error>) -> Result<Next, Error> {
        let probing = self.at > 0 && !self.proven;
        match answer {
            Ok(SyncCheck::Quiet) => Ok(self.answered(Next::Wait)),
            // Whatever the selector hints at, webwxsync tells.
            Ok(SyncCheck::News { .. }) => Ok(self.answered(Next::Fetch)),
            Ok(SyncCheck::Ended(reason @ (EndReason::LoggedOut | EndReason::CookiesRefused))) if !self.proven => {
                self.next_host(reason)
            }
            Ok(SyncCheck::Ended(reason)) => Err(Error::Ended(reason)),
            // Whoever says this says it of the account: another host is asked nothing.
            Ok(SyncCheck::Refused(ret)) if matches!(ret.advice(), Advice::Stop(_)) => {
                Err(Error::Refused { endpoint: "synccheck", refusal: ret.refusal("") })
            }
            // A host that is none, or says something else, is not the one we look for.
            Ok(SyncCheck::Refused(_)) | Err(_) if probing => self.next_host(EndReason::LoggedOut),
            Ok(SyncCheck::Refused(ret)) => {
                let refusal = Ret(-1).refusal(&format!("retcode {}", ret.0));
                Err(Error::Refused { endpoint: "synccheck", refusal })
            }
            // An open connection is not life: only an answer is. Nothing is told as quiet meanwhile.
            Err(Error::Transport { source: TransportError::Timeout { after, .. }, .. }) => {
                self.silent.0 += 1;
                self.silent.1 += after;
                if self.silent.0 < SILENT_POLLS {
                    return Ok(Next::PollAgain);
                }
                let (_, after) = std::mem::take(&mut self.silent);
                Err(Error::Silent { endpoint: "synccheck", after })
            }
            Err(error) => {
                self.silent = (0, Duration::ZERO);
                Err(error)
            }
        }
    }

    fn answered(&mut self, next: Next) -> Next {
        (self.proven, self.silent) = (true, (0, Duration::ZERO));
        next
    }

    /// On to the next host; after the last one the first refusal is believed.
    fn next_host(&mut self, reason: EndReason) -> Result<Next, Error> {
        let first = *self.refused.get_or_insert(reason);
        self.at += 1;
        if self.at < self.hosts.len() {
            return Ok(Next::PollAgain);
        }
        self.at = 0;
        Err(Error::Ended(first))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(source: TransportError) -> Result<SyncCheck, Error> {
        Err(Error::Transport { endpoint: "synccheck", source })
    }

    fn timeout() -> Result<SyncCheck, Error> {
        failed(TransportError::Timeout { host: "h".into(), after: std::time::Duration::from_secs(35) })
    }

    fn nowhere() -> Result<SyncCheck, Error> {
        failed(TransportError::NotSent { host: "h".into(), reason: "no such host".into() })
    }

    fn ended(reason: EndReason) -> Result<SyncCheck, Error> {
        Ok(SyncCheck::Ended(reason))
    }

    fn real() -> Push {
        Push::new(&Hosts::family("wx.qq.com"))
    }

    #[test]
    fn a_wrong_host_is_left_for_one_that_answers() {
        let mut push = real();
        let first = push.host().cloned();
        assert_eq!(push.judge(ended(EndReason::CookiesRefused)).unwrap(), Next::PollAgain);
        assert_eq!(push.judge(nowhere()).unwrap(), Next::PollAgain, "a host that does not exist");
        assert_eq!(push.judge(timeout()).unwrap(), Next::PollAgain, "or never answers");
        assert_eq!(push.judge(Ok(SyncCheck::Quiet)).unwrap(), Next::Wait);
        let found = push.host().cloned();
        assert_ne!(found, first);
        assert!(matches!(push.judge(ended(EndReason::LoggedOut)), Err(Error::Ended(EndReason::LoggedOut))));
        assert_eq!(push.host().cloned(), found, "from now on its word counts");
    }

    #[test]
    fn when_all_hosts_fail_the_first_refusal_is_believed() {
        let mut push = real();
        let hosts = push.hosts.len();
        assert_eq!(push.judge(ended(EndReason::CookiesRefused)).unwrap(), Next::PollAgain);
        for _ in 2..hosts {
            assert_eq!(push.judge(nowhere()).unwrap(), Next::PollAgain);
        }
        assert!(matches!(push.judge(nowhere()), Err(Error::Ended(EndReason::CookiesRefused))));
        let mut fixed = Push::new(&Hosts::fixed(&"http://127.0.0.1:1".parse().unwrap()));
        assert!(matches!(fixed.judge(ended(EndReason::LoggedOut)), Err(Error::Ended(EndReason::LoggedOut))));
        assert!(matches!(real().judge(ended(EndReason::Replaced)), Err(Error::Ended(EndReason::Replaced))));
    }

    #[test]
    fn silence_is_quiet_only_for_a_while() {
        let mut push = real();
        for _ in 0..2 {
            assert_eq!(push.judge(timeout()).unwrap(), Next::PollAgain);
            assert_eq!(push.judge(timeout()).unwrap(), Next::PollAgain);
            let error = push.judge(timeout()).unwrap_err();
            assert!(matches!(error, Error::Silent { after, .. } if after.as_secs() == 105), "{error}");
        }
        assert_eq!(push.judge(timeout()).unwrap(), Next::PollAgain);
        assert_eq!(push.judge(Ok(SyncCheck::News { selector: 2 })).unwrap(), Next::Fetch);
        assert_eq!(push.judge(timeout()).unwrap(), Next::PollAgain);
        assert_eq!(push.judge(timeout()).unwrap(), Next::PollAgain, "only in a row");
        assert!(push.judge(Ok(SyncCheck::Refused(Ret(7)))).unwrap_err().is_transient());
        assert!(push.judge(nowhere()).unwrap_err().is_transient());
    }

    #[test]
    fn risk_control_is_believed_of_every_host() {
        for ret in [1203, 1205] {
            let mut push = real();
            push.judge(ended(EndReason::CookiesRefused)).unwrap();
            let error = push.judge(Ok(SyncCheck::Refused(Ret(ret)))).unwrap_err();
            assert!(matches!(&error, Error::Refused { refusal, .. } if refusal.advice == Ret(ret).advice()), "{error}");
        }
    }
}
