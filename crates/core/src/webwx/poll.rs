//! What does an answer of synccheck mean for the loop, and which push host is asked next?

use url::Url;

use super::endpoint::Hosts;
use super::ret::Ret;
use super::wire::script::SyncCheck;
use crate::error::{EndReason, Error};
use crate::transport::TransportError;

/// Polls in a row without any answer that still count as quiet. The service answers an idle poll after 25 s, so three
/// times 35 s without a word is a dead connection and not a quiet account.
const SILENT_POLLS: u32 = 2;

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
    silent: u32,
}

impl Push {
    pub(super) fn new(hosts: &Hosts) -> Self {
        Self { hosts: hosts.push_candidates(), at: 0, proven: false, refused: None, silent: 0 }
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
            // A host that is none, or says something else, is not the one we look for.
            Ok(SyncCheck::Refused(_)) | Err(_) if probing => self.next_host(EndReason::LoggedOut),
            Ok(SyncCheck::Refused(ret)) => {
                let refusal = Ret(-1).refusal(&format!("retcode {}", ret.0));
                Err(Error::Refused { endpoint: "synccheck", refusal })
            }
            Err(Error::Transport { source: TransportError::Timeout { .. }, .. }) if self.silent < SILENT_POLLS => {
                self.silent += 1;
                Ok(Next::Wait)
            }
            Err(error) => {
                self.silent = 0;
                Err(error)
            }
        }
    }

    fn answered(&mut self, next: Next) -> Next {
        (self.proven, self.silent) = (true, 0);
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
            assert_eq!(push.judge(timeout()).unwrap(), Next::Wait);
            assert_eq!(push.judge(timeout()).unwrap(), Next::Wait);
            assert!(push.judge(timeout()).unwrap_err().is_transient());
        }
        assert_eq!(push.judge(timeout()).unwrap(), Next::Wait);
        assert_eq!(push.judge(Ok(SyncCheck::News { selector: 2 })).unwrap(), Next::Fetch);
        assert_eq!(push.judge(timeout()).unwrap(), Next::Wait);
        assert_eq!(push.judge(timeout()).unwrap(), Next::Wait, "only in a row");
        assert!(push.judge(Ok(SyncCheck::Refused(Ret(7)))).unwrap_err().is_transient());
        assert!(push.judge(nowhere()).unwrap_err().is_transient());
    }
}
