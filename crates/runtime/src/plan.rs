//! What changes when `bot.toml` is read again? A pure comparison: for each account, what a reload has to do with it.

use wxbot_model::AccountName;

use crate::config::{AccountConfig, Config};

/// What a reload does, or did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// The accounts of the new file in its order, then those that leave.
    pub accounts: Vec<(AccountName, Change)>,
}

/// What a reload does with one account. The words are the keys of `bot.toml` whose values differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It starts.
    Added,
    /// It stops. A disabled account counts as removed.
    Removed,
    /// Its session begins anew, for it reaches the service in another way; inbox and outbox go on.
    Session(Vec<&'static str>),
    /// What is done with its messages changes, from the next one on; the session notices nothing.
    Work(Vec<&'static str>),
    /// Nothing.
    Unchanged,
}

impl Plan {
    /// What leads from the running accounts to those of a file.
    pub fn between<'a>(running: impl IntoIterator<Item = &'a AccountConfig>, wanted: &[AccountConfig]) -> Self {
        let running: Vec<&AccountConfig> = running.into_iter().filter(|account| account.enabled).collect();
        let enabled = || wanted.iter().filter(|account| account.enabled);
        let mut accounts: Vec<_> = enabled()
            .map(|new| {
                let old = running.iter().find(|old| old.name == new.name);
                (new.name.clone(), old.map_or(Change::Added, |old| change(old, new)))
            })
            .collect();
        let gone = running.iter().filter(|old| !enabled().any(|new| new.name == old.name));
        accounts.extend(gone.map(|old| (old.name.clone(), Change::Removed)));
        Self { accounts }
    }

    /// What happens to this account.
    pub fn change(&self, name: &AccountName) -> Option<&Change> {
        self.accounts.iter().find(|(known, _)| known == name).map(|(_, change)| change)
    }

    /// True when a reload has nothing to do.
    pub fn is_empty(&self) -> bool {
        self.accounts.iter().all(|(_, change)| *change == Change::Unchanged)
    }
}

fn change(old: &AccountConfig, new: &AccountConfig) -> Change {
    // Taken apart, so that a key that is added one day must be put into one of the two lists.
    let AccountConfig {
        name: _,
        enabled: _,
        protocol,
        profile,
        endpoint,
        proxy,
        options,
        secrets,
        plugins,
        middleware,
        guards,
        pacing,
        quiet,
        on_uncertain,
        typing,
        archive,
        roles,
        builtin,
        prefixes,
    } = new;
    let session = differing([
        ("protocol", old.protocol != *protocol),
        ("profile", old.profile != *profile),
        ("endpoint", old.endpoint != *endpoint),
        ("proxy", old.proxy != *proxy),
        ("options", old.options != *options),
        ("secrets", old.secrets != *secrets),
    ]);
    let work = differing([
        ("plugins", old.plugins != *plugins),
        ("middleware", old.middleware != *middleware || old.guards != *guards),
        ("pacing", old.pacing != *pacing || old.quiet != *quiet),
        ("on_uncertain", old.on_uncertain != *on_uncertain),
        ("typing", old.typing != *typing),
        ("archive", old.archive != *archive),
        ("roles", old.roles != *roles),
        ("builtin", old.builtin != *builtin),
        ("command_prefix", old.prefixes != *prefixes),
    ]);
    match (session.is_empty(), work.is_empty()) {
        (true, true) => Change::Unchanged,
        (true, false) => Change::Work(work),
        (false, _) => Change::Session([session, work].concat()),
    }
}

fn differing<const N: usize>(keys: [(&'static str, bool); N]) -> Vec<&'static str> {
    keys.into_iter().filter_map(|(key, differs)| differs.then_some(key)).collect()
}

/// The keys whose new values only a restart can put into force: those of the process, not of an account.
pub fn needs_restart(old: &Config, new: &Config) -> Vec<&'static str> {
    // The limits of the media folder, those of the store, and who is told are taken at once.
    let Config {
        file: _,
        data_dir,
        accounts: _,
        media: _,
        store: _,
        keep: _,
        libraries: _,
        server,
        archive,
        alerts: _,
    } = new;
    differing([
        ("data_dir", old.data_dir != *data_dir),
        ("server", old.server != *server),
        ("archive.keep", old.archive != *archive),
    ])
}

#[cfg(test)]
mod tests;
