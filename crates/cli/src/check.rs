//! `wxbot check`: is the configuration good?

use serde_json::json;
use wxbot_runtime::config::{self, ConfigError, Registry};

use crate::args::Args;
use crate::place::read_config;
use crate::report::{Failure, print};

pub(crate) fn run(registry: &Registry, args: &Args, as_json: bool) -> Result<(), Failure> {
    if as_json {
        return in_json(registry, args);
    }
    let config = read_config(registry, args)?;
    let on = config.accounts.iter().filter(|a| a.enabled).count();
    print(&format!("{}: good. {on} of {} accounts enabled.", args.config.display(), config.accounts.len()));
    for account in &config.accounts {
        let plugins: Vec<&str> = account.plugins.iter().map(|p| p.id.as_str()).collect();
        let off = if account.enabled { "" } else { " (disabled)" };
        print(&format!("  {} · {} · {}{off}", account.name, account.protocol, plugins.join(", ")));
    }
    Ok(())
}

fn in_json(registry: &Registry, args: &Args) -> Result<(), Failure> {
    match config::read(&args.config, registry) {
        Ok(loaded) => {
            let text = std::fs::read_to_string(&args.config).unwrap_or_default();
            print(&json!({ "good": true, "mistakes": [], "warnings": listed(&text, &loaded.warnings) }).to_string());
            Ok(())
        }
        Err(ConfigError::Mistakes(mistakes)) => {
            print(&json!({ "good": false, "mistakes": listed(&mistakes.text, &mistakes.list) }).to_string());
            Err(Failure::Config(ConfigError::Mistakes(mistakes)))
        }
        // Unreadable: said as for people, hint included.
        Err(_) => read_config(registry, args).map(drop),
    }
}

/// Diagnostics as JSON, with their places in the text.
pub(crate) fn listed(text: &str, list: &[config::Diagnostic]) -> Vec<serde_json::Value> {
    list.iter()
        .map(|d| {
            let (line, column) = config::line_col(text, d.span.start);
            json!({ "code": d.code, "message": d.message, "line": line, "column": column, "help": d.help })
        })
        .collect()
}
