//! What does `bot.toml` say, and what is wrong with it? All mistakes at once, each with its exact place.
//!
//! Reading order: [`settings`] (what a good file says) → [`registry`] (what this binary knows) → [`keys`] (which keys
//! there are) → `tree` (text → values with places) → `check` (one key alone) → `view` (which table covers which) →
//! `accounts` (the file as a whole), `roles` (who is named there) → `plugins` and `stations` (what plugins and middleware say
//! about their settings) → `build` and `pacing` (the result) →
//! [`diagnostic`] (how it is told) → `redact` (what is not shown) → [`schema`](mod@schema) (for editors).

use std::path::{Path, PathBuf};

mod accounts;
mod alerts;
mod build;
mod check;
pub mod diagnostic;
pub mod keys;
mod libraries;
mod pacing;
mod plugins;
mod redact;
pub mod registry;
mod roles;
pub mod schema;
mod server;
pub mod settings;
mod stations;
mod tree;
mod view;

#[cfg(test)]
mod tests;

pub use diagnostic::{ConfigError, Diagnostic, Mistakes, line_col, suggest};
pub use keys::{DEFAULT_MIDDLEWARE, Key, Kind, Preset};
pub use libraries::{Libraries, Refusal};
pub use registry::{Judge, ProtocolSpec, Registry, Said};
pub use schema::schema;
pub use settings::{
    AccountConfig, ArchivePolicy, ArchiveSettings, Config, Endpoint, Loaded, MediaSettings, MiddlewareUse, OnUncertain,
    Pacing, PluginUse, Quiet, SecretSource, ServerConfig, StoreSettings,
};

use diagnostic::{Report, codes};
use tree::Reading;

/// Reads and checks a file.
///
/// # Errors
/// The file cannot be read, or it holds mistakes: then all of them.
pub fn read(path: &Path, registry: &Registry) -> Result<Loaded, ConfigError> {
    let bytes = std::fs::read(path).map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(parse(&text, path, registry)?),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
            let mistake = Diagnostic::new(codes::NOT_UTF8, &(at..at + 1), "the file is not UTF-8 from here on")
                .label("not UTF-8")
                .help("save it as UTF-8; some Windows editors write GBK unless told");
            let report = Report { mistakes: vec![mistake], ..Report::default() };
            Err(mistakes(text, path, &tree::Table::default(), report).into())
        }
    }
}

/// The registry with those plugins of files that `file` names and that can be opened, whatever else is wrong with it.
pub fn registry_with_files(file: &Path, registry: &Registry) -> Registry {
    let text = std::fs::read(file).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    libraries::with(&tree::read(&text).root, file, registry, &mut Report::default())
}

/// The data directory of a file that may hold mistakes, as far as it can be told: where to ask for the wxbot that runs
/// with an earlier state of it.
pub fn data_dir(file: &Path) -> PathBuf {
    let text = std::fs::read(file).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    build::data_dir(&tree::read(&text).root, file)
}

/// What a file says of accounts that are pushed to and of the server, for a process that takes pushes and runs nothing: no
/// plugin is opened, accounts have none, and mistakes that touch neither the server nor the text as a whole are left to
/// those who run the accounts. Of two accounts of one name the first counts.
///
/// # Errors
/// The file cannot be read, is no TOML, or its `[server]` must not be.
pub fn read_for_pushes(path: &Path, registry: &Registry) -> Result<Config, ConfigError> {
    let text = std::fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let text = text.map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
    let mut reading = tree::read(&text);
    let mut report = Report::default();
    server::check(&reading.root, &mut report);
    report.mistakes.append(&mut reading.syntax);
    if !report.mistakes.is_empty() {
        return Err(mistakes(text, path, &reading.root, report).into());
    }
    let bare = Registry { plugins: Vec::new(), libraries: None, ..registry.clone() };
    let mut config = build::config(&reading.root, path, &bare);
    let mut names = std::collections::BTreeSet::new();
    config.accounts.retain(|account| names.insert(account.name.clone()));
    Ok(config)
}

/// Checks a text as if it stood in `file`, which is not touched.
///
/// # Errors
/// All mistakes of the text.
pub fn parse(text: &str, file: &Path, registry: &Registry) -> Result<Loaded, Mistakes> {
    let mut reading = tree::read(text);
    let mut report = Report::default();
    let registry = &libraries::with(&reading.root, file, registry, &mut report);
    accounts::check(&reading.root, registry, &mut report);
    plugins::check(&reading.root, file, registry, &mut report);
    stations::check(&reading.root, file, registry, &mut report);
    server::check(&reading.root, &mut report);
    alerts::check(&reading.root, &mut report);
    report.mistakes.append(&mut reading.limits);
    report.mistakes.retain(|mistake| !is_noise(mistake, &reading));
    report.mistakes.append(&mut reading.syntax);
    if !report.mistakes.is_empty() {
        return Err(mistakes(text.to_owned(), file, &reading.root, report));
    }
    diagnostic::tidy(text, &mut report.warnings);
    Ok(Loaded { config: build::config(&reading.root, file, registry), warnings: report.warnings })
}

fn mistakes(text: String, file: &Path, root: &tree::Table, report: Report) -> Mistakes {
    let Report { mistakes: mut list, hidden, .. } = report;
    diagnostic::tidy(&text, &mut list);
    Mistakes { file: file.to_owned(), text: redact::redact(&text, root, &hidden), list }
}

/// Whether a mistake may only be the echo of a syntax error.
fn is_noise(mistake: &Diagnostic, reading: &Reading) -> bool {
    const ABSENT: &[&str] = &[
        codes::EMPTY_FILE,
        codes::NO_ACCOUNTS,
        codes::MISSING_KEY,
        codes::MISSING_PROFILE,
        codes::PLUGIN_SETTINGS,
        codes::MIDDLEWARE_SETTINGS,
        codes::BAD_SECRET,
    ];
    let on_bad_line =
        |lines: &std::ops::Range<usize>| mistake.span.start <= lines.end && lines.start <= mistake.span.end;
    reading.torn
        && (ABSENT.contains(&mistake.code)
            || mistake.span.start >= reading.sure_until
            || reading.bad_lines.iter().any(on_bad_line))
}
