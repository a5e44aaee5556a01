//! How are the account's own messages pushed back?
//!
//! Twice: when they leave (`sendorrecv` 1, no id), and when the server took them (2, with the id and a fixed text). The
//! samples show this for text, pictures, files and films; other kinds are not pushed back here, because nobody knows
//! how.

use std::time::Duration;

use tokio::time::Instant;

use crate::hook::entry::{self, Entry, Origin, RawMessage, Sloppy};
use crate::hook::send::{Sent, SentKind};
use crate::hook::{HookSim, Instance, PushMode, State};
use crate::service::outbox::Push;
use crate::service::when::local_time;

/// How long a receiver may take.
const RECEIVER_LIMIT: Duration = Duration::from_secs(30);

/// How the two pushes of a kind look.
struct Phases {
    local: u32,
    acknowledged: u32,
    text: &'static str,
    /// The key that names the file.
    path: &'static str,
    /// The second push does not say to whom.
    nowhere: bool,
}

fn phases(kind: SentKind) -> Option<Phases> {
    let of = |local, acknowledged, text, path, nowhere| Some(Phases { local, acknowledged, text, path, nowhere });
    match kind {
        SentKind::Text => of(1, 1, "PC发文本消息成功", "", false),
        SentKind::Image => of(3, 3, "PC发图片消息成功", "img_path", false),
        SentKind::File | SentKind::App => of(49, 99, "PC发app/文件消息成功", "file_path", false),
        SentKind::Video => of(4, 36, "PC发视频文件成功", "video_path", true),
        SentKind::Voice | SentKind::Emoji | SentKind::Card | SentKind::Location | SentKind::Pat => None,
    }
}

impl HookSim {
    /// Pushes an own message in two phases.
    pub(super) fn push_own(&self, instance: &Instance, state: &State, sent: &Sent, to: &str, path: Option<&str>) {
        let Some(phases) = phases(sent.kind) else { return };
        let time = local_time(sent.at_ms);
        let me = &state.town.me;
        let text = match (sent.kind, &sent.media) {
            (SentKind::Image, Some(media)) => media.md5.clone(),
            // The id of a film on the CDN: hex of something like DER.
            (SentKind::Video, _) => format!("3057020100044b3049020100{:016x}", sent.id),
            (_, Some(media)) => media.file_name.clone(),
            (_, None) => sent.text.clone(),
        };
        let mut first = Entry::new(&time, phases.local, "", &text).with("fromwxid", me).with("toid", to);
        if let Some(path) = path {
            // Its backslashes are doubled before the JSON doubles them.
            first = first.with(phases.path, path.replace('\\', "\\\\"));
        }
        let id = sent.id.to_string();
        let second = Entry::new(&time, phases.acknowledged, &id, phases.text)
            .with("fromwxid", me)
            .with("toid", if phases.nowhere { "" } else { to });
        let count = path.is_some().then_some(0);
        self.push_entries(instance, state, true, count, &[first], None);
        self.push_entries(instance, state, false, None, &[second], Some(self.shared.setup.ack_after));
    }

    /// Pushes entries in the form that is configured, as one push; raw ones go one by one.
    pub(super) fn push_entries(
        &self,
        instance: &Instance,
        state: &State,
        local: bool,
        count: Option<usize>,
        entries: &[Entry],
        later: Option<Duration>,
    ) {
        let origin = Origin { port: self.port_of(instance), me: &state.town.me, local };
        match state.mode {
            PushMode::Off => {}
            PushMode::Decoded => {
                self.push(instance, state, entry::list(origin, count, entries, state.sloppy), later);
            }
            PushMode::Raw => {
                for entry in entries {
                    let message = RawMessage {
                        msg_id: self.next_id() & 0x7fff_ffff,
                        from: entry.get("fromwxid"),
                        to: entry.get("toid"),
                        msg_type: entry.get("msgtype").parse().unwrap_or_default(),
                        content: entry.get("msg"),
                        create_time_s: self.shared.book.now_ms() / 1_000,
                        new_msg_id: entry.get("msgsvrid").parse().unwrap_or_default(),
                    };
                    // The sample of this form has the comma too much.
                    let sloppy = Sloppy { commas: true, ..state.sloppy };
                    self.push(instance, state, entry::raw(origin, &message.hex(), sloppy), later);
                }
            }
        }
    }

    /// Pushes a media message again in flattened form.
    pub(super) fn push_flat(&self, instance: &Instance, state: &State, entry: &Entry, key: &'static str) {
        if state.mode != PushMode::Decoded {
            return;
        }
        let origin = Origin { port: self.port_of(instance), me: &state.town.me, local: false };
        let flat = entry.flat(key, &self.next_id().to_string());
        self.push(instance, state, entry::flat(origin, &flat, state.sloppy), None);
    }

    fn push(&self, instance: &Instance, state: &State, body: String, later: Option<Duration>) {
        let not_before = later.filter(|later| !later.is_zero()).map(|later| Instant::now() + later);
        let push = Push {
            url: state.callback.clone(),
            kind: "application/json",
            body: body.clone().into(),
            plain: body,
            not_before,
            repeats: 0,
            pause: Duration::ZERO,
            limit: RECEIVER_LIMIT,
        };
        if let Err(error) = instance.outbox.put(push) {
            tracing::warn!(%error, "A push is lost.");
        }
    }

    fn port_of(&self, instance: &Instance) -> u16 {
        instance.port.load(std::sync::atomic::Ordering::Acquire)
    }
}
