//! `wxbot plugin build`: from a crate to a library that `bot.toml` can name.

use std::path::{Path, PathBuf};

use serde_json::json;
use wxbot_runtime::config::Registry;

use super::args::BuildOptions;
use super::cargo::Crate;
use super::install::{as_named, install};
use super::known::{self, Known};
use super::sdk::quoted;
use crate::args::Args;
use crate::report::{Failure, OrExit, print};

pub(super) fn run(registry: &Registry, args: &Args, options: &BuildOptions) -> Result<(), Failure> {
    let built = crate::run::tokio_runtime()?.block_on(async {
        let krate = Crate::look(&options.dir).await?;
        krate.build(options.release).await
    })?;
    // Before anything of it is in its place: what cannot be loaded must not replace what can.
    let mut known = known::in_file(registry, &built)?;
    let folder = place(args, options);
    let path = match &folder {
        Some(folder) => install(&built, folder)?,
        None => built,
    };
    let size = std::fs::metadata(&path).or_exit(&format!("cannot read {}", path.display()))?.len();
    known.library = Some(path.clone());
    if options.json {
        print(&in_json(&known, &path, size, folder.is_some()));
    } else {
        print(&in_words(&known, &path, size, &args.config));
    }
    Ok(())
}

/// Where it is copied; nowhere when there is no bot and nobody asked for it.
fn place(args: &Args, options: &BuildOptions) -> Option<PathBuf> {
    match &options.out {
        Some(folder) => Some(folder.clone()),
        None if options.install || args.config.is_file() => Some(args.config.with_file_name("plugins")),
        None => None,
    }
}

fn in_json(known: &Known, path: &Path, size: u64, installed: bool) -> String {
    let manifest = known.plugin.manifest();
    json!({
        "id": manifest.id, "version": manifest.version, "path": path, "size": size, "sha256": known.sha256(),
        "installed": installed,
    })
    .to_string()
}

fn in_words(known: &Known, path: &Path, size: u64, config: &Path) -> String {
    let (id, sha256) = (known.id(), known.sha256().unwrap_or_default());
    let manifest = known.plugin.manifest();
    format!(
        "{id} {} · {} · {}\nsha256 {sha256}\n\nin bot.toml:\n\n[plugins.{id}]\npath = {}\n# sha256 = \"{sha256}\"   # then no other build is taken",
        manifest.version,
        path.display(),
        size_in_words(size),
        quoted(&as_named(path, config)),
    )
}

fn size_in_words(bytes: u64) -> String {
    let tenths = |unit: u64| format!("{}.{}", bytes / unit, bytes % unit * 10 / unit);
    match bytes {
        0..1_024 => format!("{bytes} B"),
        1_024..1_048_576 => format!("{} KiB", tenths(1_024)),
        _ => format!("{} MiB", tenths(1_048_576)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (bytes, want) in [(0, "0 B"), (1_023, "1023 B"), (1_536, "1.5 KiB"), (2_726_298, "2.6 MiB")] {
            assert_eq!(size_in_words(bytes), want);
        }
    }
}
