//! Which key are sessions sealed under? The environment says, and the first source that is set counts (security R18).
//!
//! The OS keyring is not one of them: a service has none, and the systemd credential is its better twin.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use wxbot_runtime::store::seal::KeySource;

use crate::words::Lang;

/// Where systemd puts the credentials of a service.
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";
/// The names of ours there: `LoadCredential=wxbot.key:/etc/wxbot/key`.
const CREDENTIAL_KEY: &str = "wxbot.key";
const CREDENTIAL_PASSPHRASE: &str = "wxbot.passphrase";
const DESCRIPTOR: &str = "WXBOT_KEY_FD";
const FILE: &str = "WXBOT_KEY_FILE";
const PASSPHRASE: &str = "WXBOT_PASSPHRASE_FILE";

/// The source that the environment of this process names; the key file beside the data where it names none.
pub(crate) fn source() -> Result<KeySource, String> {
    chosen(|name| std::env::var_os(name).filter(|value| !value.is_empty()), Path::exists)
}

fn chosen(env: impl Fn(&str) -> Option<OsString>, there: impl Fn(&Path) -> bool) -> Result<KeySource, String> {
    let credential = |name: &str| {
        let path = PathBuf::from(env(CREDENTIALS)?).join(name);
        there(&path).then_some(path)
    };
    if let Some(path) = credential(CREDENTIAL_KEY) {
        return Ok(KeySource::Credential(path));
    }
    if let Some(number) = env(DESCRIPTOR) {
        // 0 to 2 are the terminal's.
        let number = number.to_str().and_then(|number| number.parse().ok()).filter(|number| *number > 2);
        return number
            .map(KeySource::Descriptor)
            .ok_or_else(|| format!("{DESCRIPTOR} is the number of an open file descriptor above 2"));
    }
    if let Some(path) = env(FILE) {
        return Ok(KeySource::File(path.into()));
    }
    if let Some(path) = env(PASSPHRASE).map(PathBuf::from).or_else(|| credential(CREDENTIAL_PASSPHRASE)) {
        return Ok(KeySource::Passphrase(path));
    }
    Ok(KeySource::Beside)
}

/// For the first lines of a run: what the sessions are sealed with, and whom that keeps out. `None` where [`log`] says it
/// to the same place: once is enough.
pub(crate) fn told(source: &KeySource, lang: Lang) -> Option<&'static str> {
    if tracing::enabled!(tracing::Level::INFO) {
        return None;
    }
    Some(if *source == KeySource::Beside {
        lang.pick(
            "(sessions sealed with a key file there: that protects backups only)",
            "(会话用其中的密钥文件加密:只保护备份)",
        )
    } else {
        lang.pick("(sessions sealed with a key from elsewhere)", "(会话用别处的密钥加密)")
    })
}

/// The same for the log of a service, which nobody sees start.
pub(crate) fn log(source: &KeySource, data_dir: &Path, has_older: bool) {
    let key = source.shown(data_dir);
    if *source == KeySource::Beside {
        tracing::info!(%key, "Sessions are sealed with a key that lies beside the data: that protects backups without it, and not this machine.");
    } else {
        tracing::info!(%key, "Sessions are sealed with a key from elsewhere.");
    }
    if has_older {
        tracing::warn!(
            "The key beside the data still opens what it sealed before. Once all accounts were online, remove `seal.key` there."
        );
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn sec_r18_the_first_source_that_is_set_counts() {
        let all =
            [(CREDENTIALS, "/run/cred"), (DESCRIPTOR, "3"), (FILE, "/etc/wxbot/key"), (PASSPHRASE, "/etc/wxbot/words")];
        let of = |from: usize, there: &[&str]| {
            let env: BTreeMap<&str, &str> = all[from..].iter().copied().collect();
            chosen(|name| env.get(name).map(OsString::from), |path| there.iter().any(|one| Path::new(one) == path))
        };
        let key = "/run/cred/wxbot.key";
        assert_eq!(of(0, &[key]), Ok(KeySource::Credential(key.into())));
        assert_eq!(of(0, &[]), Ok(KeySource::Descriptor(3)), "a service with other credentials");
        assert_eq!(of(1, &[]), Ok(KeySource::Descriptor(3)));
        assert_eq!(of(2, &[]), Ok(KeySource::File("/etc/wxbot/key".into())));
        assert_eq!(of(3, &[]), Ok(KeySource::Passphrase("/etc/wxbot/words".into())));
        assert_eq!(of(4, &[]), Ok(KeySource::Beside));
        for wrong in ["0", "2", "-1", "x", "4294967296"] {
            let said = chosen(|name| (name == DESCRIPTOR).then(|| wrong.into()), |_| false).unwrap_err();
            assert!(said.contains(DESCRIPTOR), "{said}");
        }
        let words =
            chosen(|name| (name == CREDENTIALS).then(|| "/c".into()), |path| path.ends_with("wxbot.passphrase"));
        assert_eq!(words, Ok(KeySource::Passphrase("/c/wxbot.passphrase".into())));
    }
}
