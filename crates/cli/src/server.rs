//! Where do services push to while wxbot runs, and what stands in their addresses?

use std::fs;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
use wxbot_core::wecom::Tokens;
use wxbot_model::Secret;
use wxbot_runtime::config::{AccountConfig, SecretSource, ServerConfig};
use wxbot_server::{Inherited, Places, Server, Settings};

use crate::report::{Failure, chain, say};
use crate::wecom;

/// Whether an account's service pushes to us.
pub(crate) fn is_pushed(account: &AccountConfig) -> bool {
    match account.protocol.as_str() {
        "pc-hook" => true,
        "wecom" => wecom::is_pushed(account),
        _ => false,
    }
}

/// Where secrets are that wxbot made itself, in the data directory.
pub(crate) const MADE: &str = "push";
/// The shortest secret that is taken: 128 bit in hexadecimal digits.
const SHORTEST: usize = 32;

/// What accounts that are pushed to need to know of their surroundings.
#[derive(Debug, Clone)]
pub(crate) struct Around {
    /// The folder of `bot.toml`.
    pub(crate) folder: PathBuf,
    /// The data directory.
    pub(crate) data: PathBuf,
    /// The media folder.
    pub(crate) media: PathBuf,
    /// How this server is reached from the same machine.
    pub(crate) base: String,
    /// Whether a server listens.
    pub(crate) listens: bool,
    /// Which login of a WeCom gateway is whose.
    pub(crate) tokens: Arc<Tokens>,
}

impl Around {
    /// Where nothing listens.
    pub(crate) fn of(file: &Path, data: &Path) -> Self {
        Self {
            folder: file.parent().unwrap_or(Path::new("")).to_owned(),
            data: data.to_owned(),
            media: std::path::absolute(data.join("media")).unwrap_or_else(|_| data.join("media")),
            base: String::new(),
            listens: false,
            tokens: Tokens::new(),
        }
    }
}

/// Whether there is a server: an account needs one, or the file asks for it.
pub(crate) fn is_wanted(config: &ServerConfig, accounts: &[AccountConfig]) -> bool {
    config.wanted || accounts.iter().any(|account| account.enabled && is_pushed(account))
}

/// What `[server]` says, for the server.
pub(crate) fn settings(config: &ServerConfig) -> Settings {
    Settings {
        listen: config.listen,
        default_path: config.default_path_listen,
        plain_is_known: config.plain_is_known,
        hosts: config.hosts.clone(),
        allow: config.allow.clone(),
        ..Settings::default()
    }
}

/// Takes the server's places, when there is to be one: those that were handed to us, and what is missing.
pub(crate) async fn bind(
    config: &ServerConfig,
    accounts: &[AccountConfig],
    inherited: Vec<Inherited>,
) -> Result<Option<Server>, Failure> {
    if !is_wanted(config, accounts) {
        if !inherited.is_empty() {
            tracing::warn!("Listening sockets were handed to wxbot, and no account is pushed to; they are closed.");
        }
        return Ok(None);
    }
    let settings = settings(config);
    let server = Places::take(&settings, inherited).and_then(|places| Server::at(places, settings));
    server.map(Some).map_err(|error| {
        Failure::new(format!("{}; is another wxbot running? `listen` in `[server]` says where", chain(&error)))
    })
}

/// What stands for the address of a server that only listens at sockets of the file system: whoever passes requests on to
/// them knows it, and says it as `callback_base`.
pub(crate) const UNKNOWN_BASE: &str = "http://localhost";

/// The address of a server from the same machine, where it has one.
pub(crate) fn base_of(address: Option<SocketAddr>) -> String {
    address.map_or_else(|| UNKNOWN_BASE.to_owned(), base)
}

/// The address of a server from the same machine.
pub(crate) fn base(address: SocketAddr) -> String {
    let local = if address.ip().is_unspecified() { "127.0.0.1".to_owned() } else { address.ip().to_string() };
    let host = if local.contains(':') { format!("[{local}]") } else { local };
    format!("http://{host}:{}", address.port())
}

/// A secret from where `bot.toml` says that it is.
///
/// # Errors
/// When it is not there; the text never holds it.
pub(crate) fn secret(name: &str, from: &SecretSource) -> Result<Secret<String>, String> {
    let read = match from {
        SecretSource::Env(variable) => std::env::var(variable)
            .map_err(|_absent| format!("the secret `{name}`: the environment variable {variable} is not set")),
        SecretSource::File(path) => fs::read_to_string(path)
            .map(|text| text.trim().to_owned())
            .map_err(|error| format!("the secret `{name}`: {} cannot be read: {error}", path.display())),
    }?;
    if read.is_empty() { Err(format!("the secret `{name}` is empty")) } else { Ok(Secret::new(read)) }
}

/// What stands in the address that an account's service pushes to, the present one first. One that wxbot made is kept in
/// the data directory, and its address is shown when it is made.
///
/// # Errors
/// When one cannot be read, is too short, or cannot be kept.
pub(crate) fn push_secrets(account: &AccountConfig, around: &Around) -> Result<Vec<Secret<String>>, String> {
    let mut secrets = Vec::new();
    for key in ["push_secret", "old_push_secret"] {
        let Some(from) = account.options.get(key).and_then(|value| source(value, &around.folder)) else { continue };
        let secret = secret(key, &from)?;
        let plain = secret.expose().bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        if secret.expose().len() < SHORTEST || !plain {
            return Err(format!(
                "`{key}` of account `{}` must be at least {SHORTEST} letters, digits, `-` or `_`: `openssl rand -hex 16` makes one",
                account.name
            ));
        }
        secrets.push(secret);
    }
    if secrets.is_empty() {
        secrets.push(made(account, around)?);
    }
    Ok(secrets)
}

pub(crate) fn source(value: &Value, folder: &Path) -> Option<SecretSource> {
    let text = |key: &str| value.get(key).and_then(Value::as_str);
    match (text("env"), text("file")) {
        (Some(name), _) => Some(SecretSource::Env(name.to_owned())),
        (None, Some(path)) => Some(SecretSource::File(folder.join(path))),
        (None, None) => None,
    }
}

fn made(account: &AccountConfig, around: &Around) -> Result<Secret<String>, String> {
    let folder = around.data.join(MADE);
    let path = folder.join(account.name.as_str());
    let failed = |error: io::Error| {
        format!("the address of account `{}` cannot be kept in {}: {error}", account.name, path.display())
    };
    match fs::read_to_string(&path) {
        Ok(text) if text.trim().len() >= SHORTEST => return Ok(Secret::new(text.trim().to_owned())),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| failed(io::Error::other(error.to_string())))?;
    let secret = Secret::new(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    fs::create_dir_all(&folder).map_err(failed)?;
    // Whole or not at all, and never over another one: two processes may make it at the same moment.
    let part = folder.join(format!(".{}.{}", account.name, std::process::id()));
    let write = || {
        let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part)?;
        file.write_all(secret.expose().as_bytes()).and_then(|()| file.sync_all())?;
        if fs::metadata(&path).is_ok_and(|found| found.len() < SHORTEST as u64) {
            fs::remove_file(&path)?;
        }
        fs::hard_link(&part, &path)
    };
    let written = write();
    fs::remove_file(&part).ok();
    match written {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return fs::read_to_string(&path).map(|text| Secret::new(text.trim().to_owned())).map_err(failed);
        }
        written => written.map_err(failed)?,
    }
    // Shown once: whoever has it can push to this account.
    let said = account.options.get("callback_base").and_then(Value::as_str).unwrap_or(&around.base);
    let base = said.trim_end_matches('/');
    say(&format!("{}: pushes go to {base}/push/{}/{}", account.name, account.name, secret.expose()));
    Ok(secret)
}
