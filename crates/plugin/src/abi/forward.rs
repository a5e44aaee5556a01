//! Where do a library's logs and panics go? To the host, each with the instance whose call it was.
//!
//! The library has its own copies of std, `tracing` and `log`, so what the host installed for itself is not seen here.

use std::fmt;
use std::panic::PanicHookInfo;
use std::sync::{Once, PoisonError, RwLock};

use tracing_core::field::{Field, Visit};
use tracing_core::span;
use tracing_core::subscriber::Interest;
use tracing_core::{Dispatch, Event, Level, Metadata, Subscriber};

use super::link::{CURRENT, HostLink};
use super::words::{LogLevel, LogRecord};

/// The instances that are there, the youngest last. What no call said goes there.
static LINKS: RwLock<Vec<HostLink>> = RwLock::new(Vec::new());

/// Installs subscriber, logger and panic hook, once for the library.
pub(super) fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // Somebody in the library may have been first; then it is theirs.
        _ = tracing_core::dispatcher::set_global_default(Dispatch::new(Forward));
        if log::set_logger(&Forward).is_ok() {
            log::set_max_level(log::LevelFilter::Trace);
        }
        std::panic::set_hook(Box::new(tell_panic));
    });
}

/// Knows an instance.
pub(super) fn attach(link: HostLink) {
    LINKS.write().unwrap_or_else(PoisonError::into_inner).push(link);
}

/// Forgets it.
pub(super) fn detach(link: &HostLink) {
    LINKS.write().unwrap_or_else(PoisonError::into_inner).retain(|known| !known.is(link));
}

fn current() -> Option<HostLink> {
    let youngest = || LINKS.read().unwrap_or_else(PoisonError::into_inner).last().copied();
    CURRENT.try_with(|link| *link).ok().or_else(youngest)
}

fn wanted(level: LogLevel) -> Option<HostLink> {
    current().filter(|link| level.0 <= link.log_level().0)
}

fn tell_panic(info: &PanicHookInfo<'_>) {
    let Some(link) = wanted(LogLevel::ERROR) else { return };
    let what = info.payload_as_str().unwrap_or("something that is no text");
    let message = match info.location() {
        Some(place) => format!("panicked at {place}: {what}"),
        None => format!("panicked: {what}"),
    };
    link.log(&LogRecord { level: LogLevel::ERROR, target: "panic".into(), message, fields: Vec::new() });
}

/// The subscriber and logger of a library: events only. Spans cost nothing and say nothing.
struct Forward;

impl Subscriber for Forward {
    /// Asked each time, since the host's level may change.
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if metadata.is_event() { Interest::sometimes() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && wanted(level_of(metadata.level())).is_some()
    }

    fn event(&self, event: &Event<'_>) {
        let metadata = event.metadata();
        let Some(link) = wanted(level_of(metadata.level())) else { return };
        let level = level_of(metadata.level());
        let mut record = LogRecord { level, target: metadata.target().to_owned(), ..LogRecord::default() };
        event.record(&mut Fields(&mut record));
        link.log(&record);
    }

    fn new_span(&self, _attributes: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _span: &span::Id, _values: &span::Record<'_>) {}

    fn record_follows_from(&self, _span: &span::Id, _follows: &span::Id) {}

    fn enter(&self, _span: &span::Id) {}

    fn exit(&self, _span: &span::Id) {}
}

impl log::Log for Forward {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        wanted(level_of_log(metadata.level())).is_some()
    }

    fn log(&self, said: &log::Record<'_>) {
        let level = level_of_log(said.level());
        if let Some(link) = wanted(level) {
            let (target, message) = (said.target().to_owned(), said.args().to_string());
            link.log(&LogRecord { level, target, message, fields: Vec::new() });
        }
    }

    fn flush(&self) {}
}

/// Reads the fields of an event into a record.
struct Fields<'a>(&'a mut LogRecord);

impl Visit for Fields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.keep(field, value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.keep(field, format!("{value:?}"));
    }
}

impl Fields<'_> {
    fn keep(&mut self, field: &Field, value: String) {
        if field.name() == "message" {
            self.0.message = value;
        } else {
            self.0.fields.push((field.name().to_owned(), value));
        }
    }
}

fn level_of(level: &Level) -> LogLevel {
    match *level {
        Level::ERROR => LogLevel::ERROR,
        Level::WARN => LogLevel::WARN,
        Level::INFO => LogLevel::INFO,
        Level::DEBUG => LogLevel::DEBUG,
        Level::TRACE => LogLevel::TRACE,
    }
}

fn level_of_log(level: log::Level) -> LogLevel {
    match level {
        log::Level::Error => LogLevel::ERROR,
        log::Level::Warn => LogLevel::WARN,
        log::Level::Info => LogLevel::INFO,
        log::Level::Debug => LogLevel::DEBUG,
        log::Level::Trace => LogLevel::TRACE,
    }
}
