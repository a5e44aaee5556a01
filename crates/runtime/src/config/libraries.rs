//! Which plugins come from files, and what is wrong with those? `path` and `sha256` in `[plugins.*]`.

use std::fmt;
use std::path::Path;

use wxbot_plugin::host::PluginFactory;

use super::diagnostic::{Diagnostic, Report, codes, quote};
use super::registry::Registry;
use super::tree::{Entry, Table};
use super::view::{accounts_tables, plugin_entries};

/// Opens plugins that are files.
pub trait Libraries: fmt::Debug + Send + Sync {
    /// The plugin in this file; the same as before while its content is the same.
    ///
    /// # Errors
    /// Why it is not taken.
    fn open(&self, path: &Path, sha256: Option<&str>) -> Result<PluginFactory, Refusal>;
}

/// Why a file is not taken as a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What is wrong, one sentence without a full stop.
    pub message: String,
    /// What to do.
    pub help: String,
    /// True when it is the pinned hash that does not fit.
    pub hash: bool,
}

/// The registry with the plugins of files in it. A file goes before a built-in plugin of its name.
pub(super) fn with(root: &Table, file: &Path, registry: &Registry, report: &mut Report) -> Registry {
    let mut registry = registry.clone();
    let folder = file.parent().unwrap_or(Path::new(""));
    for entry in plugin_entries(root) {
        let Some(table) = entry.node.as_table() else { continue };
        match (text(table, "path"), text(table, "sha256")) {
            (Text::Absent, Text::Absent) => {}
            (Text::Absent, Text::Wrong(key) | Text::Is(key, _)) => report.mistake(
                Diagnostic::new(codes::LIBRARY, &key.key_span, "`sha256` without `path`")
                    .label("of which file?")
                    .help("give the plugin's file as `path`, or remove the line"),
            ),
            (Text::Wrong(key), _) | (_, Text::Wrong(key)) => report.mistake(
                Diagnostic::new(codes::WRONG_TYPE, &key.node.span, format!("{} is not a text", quote(&key.key)))
                    .label("not a text")
                    .help("write it in quotes"),
            ),
            (Text::Is(path, text), hash) => {
                let (hash_key, sha256) =
                    if let Text::Is(key, text) = hash { (Some(key), Some(text)) } else { (None, None) };
                let opened = match &registry.libraries {
                    Some(libraries) => libraries.open(&folder.join(text), sha256),
                    None => Err(Refusal {
                        message: "this binary loads no plugins from files".into(),
                        help: "build it with the feature `dylib`, or link the plugin statically".into(),
                        hash: false,
                    }),
                };
                match opened.and_then(|plugin| named(plugin, &entry.key)) {
                    Ok(plugin) => registry.put(plugin),
                    Err(Refusal { message, help, hash }) => {
                        let at = hash_key.filter(|_| hash).unwrap_or(path);
                        report.mistake(
                            Diagnostic::new(
                                codes::LIBRARY,
                                &at.node.span,
                                format!("plugin `{}`: {message}", entry.key),
                            )
                            .label("not taken")
                            .help(help),
                        );
                    }
                }
            }
        }
    }
    for table in accounts_tables(root) {
        for key in plugin_entries(table).iter().filter_map(|entry| entry.node.as_table()?.entry("path")) {
            report.mistake(
                Diagnostic::new(codes::LIBRARY, &key.key_span, "an account cannot have a file of its own for a plugin")
                    .label("only in `[plugins.…]`")
                    .help("move the line to the plugin's table at the top level, under another name if it is another plugin"),
            );
        }
    }
    registry
}

/// A file must hold what its table says.
fn named(plugin: PluginFactory, id: &str) -> Result<PluginFactory, Refusal> {
    if plugin.id() == id {
        return Ok(plugin);
    }
    Err(Refusal {
        message: format!("the file holds plugin `{}`", plugin.id()),
        help: format!("call the table `[plugins.{}]`", plugin.id()),
        hash: false,
    })
}

enum Text<'t> {
    Absent,
    Wrong(&'t Entry),
    Is(&'t Entry, &'t str),
}

fn text<'t>(table: &'t Table, key: &str) -> Text<'t> {
    match table.entry(key) {
        None => Text::Absent,
        Some(entry) => entry.node.as_text().map_or(Text::Wrong(entry), |text| Text::Is(entry, text)),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::tests::rig::{registry, told_by, web};
    use super::*;

    /// Holds `greeter` in each file that is called so, and knows one hash.
    #[derive(Debug)]
    struct Shelf;

    impl Libraries for Shelf {
        fn open(&self, path: &Path, sha256: Option<&str>) -> Result<PluginFactory, Refusal> {
            let refused = |message: &str, hash| Refusal { message: message.into(), help: "…".into(), hash };
            if !path.ends_with("plugins/libgreeter.so") || !path.starts_with("/etc/wxbot") {
                return Err(refused("there is no such file", false));
            }
            match sha256 {
                None | Some("abc") => Ok(registry().plugin("greeter").unwrap().clone()),
                Some(_) => Err(refused("its SHA-256 is another", true)),
            }
        }
    }

    #[test]
    fn files_are_opened_and_what_is_wrong_is_told_at_its_line() {
        let mut all = registry();
        all.plugins.retain(|plugin| plugin.id() != "greeter");
        let without = all.clone();
        all.libraries = Some(Arc::new(Shelf));
        let good = "path = \"plugins/libgreeter.so\"";
        let at_good = [("library", "\"plugins/libgreeter.so\"")];
        let greeter = |lines: &str| format!("use = [\"greeter\"]\n[plugins.greeter]\n{lines}");
        for (name, registry, lines, want) in [
            ("good", &all, greeter(&format!("{good}\nsha256 = \"abc\"")), &[][..]),
            ("no loader", &without, greeter(good), &at_good),
            ("no file", &all, greeter("path = \"x.so\""), &[("library", "\"x.so\"")]),
            ("hash", &all, greeter(&format!("{good}\nsha256 = \"0\"")), &[("library", "\"0\"")]),
            ("other id", &all, format!("use = [\"mine\"]\n[plugins.mine]\n{good}"), &at_good),
            ("no path", &all, greeter("sha256 = \"0\""), &[("library", "sha256")]),
            ("number", &all, greeter("path = 3"), &[("wrong_type", "3")]),
            ("of an account", &all, format!("[accounts.plugins.greeter]\n{good}"), &[("library", "path")]),
        ] {
            let text = web(&lines);
            let want: Vec<_> = want.iter().map(|(code, at)| ((*code).to_owned(), (*at).to_owned())).collect();
            let told = told_by(&text, registry);
            assert!(
                want.iter().all(|one| told.contains(one)) && want.is_empty() == told.is_empty(),
                "{name}: {told:?}"
            );
        }
    }
}
