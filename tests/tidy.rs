//! Does the workspace still keep the rules of ARCHITECTURE.md: who depends on whom, and what may be written where?
//!
//! Each rule is one test; a failure names file and line and says what to do. A rule about files that are not there
//! passes.

#![expect(clippy::unwrap_used, reason = "the helpers of tests fail like tests")]

#[path = "support/files.rs"]
mod files;
#[path = "support/source.rs"]
mod source;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use files::rust_sources;
use serde_json::Value;
use source::{Finding, Source, has_word, word_at};

/// STYLE: near 600 lines, look for the second question inside.
const MOST_LINES: usize = 600;
/// Fewer lines of code than this are a placeholder.
const FEWEST_CODE_LINES: usize = 10;

/// Who may depend on whom; the first column is a package or a folder of packages. Dependencies of tests are free.
const MAY_DEPEND: [(&str, &[&str]); 12] = [
    ("wxbot-model", &[]),
    ("wxbot-core", &["wxbot-model"]),
    ("wxbot-plugin-macros", &[]),
    ("wxbot-plugin", &["wxbot-model", "wxbot-plugin-macros"]),
    ("wxbot-runtime", &["wxbot-model", "wxbot-core", "wxbot-plugin"]),
    ("wxbot-server", &["wxbot-model", "wxbot-core", "wxbot-plugin", "wxbot-runtime"]),
    ("wxbot-sim", &["wxbot-model", "wxbot-core"]),
    ("crates/runtime/tests/", &["wxbot-plugin"]),
    ("plugins/", &["wxbot-plugin"]),
    ("examples/", &["wxbot-plugin", "wxbot"]),
    (
        "fuzz/",
        &[
            "wxbot",
            "wxbot-model",
            "wxbot-core",
            "wxbot-plugin",
            "wxbot-runtime",
            "wxbot-server",
            "wxbot-auto-reply",
            "wxbot-group-admin",
            "wxbot-keyword",
        ],
    ),
    ("xtask", &[]),
];

/// What a plugin author must not have to compile.
const NOT_FOR_AUTHORS: [&str; 5] = ["hyper", "quick-xml", "libloading", "rusqlite", "tokio"];

/// What of the model may be named next to wire types: words that mean the same on both sides (docs/adr/0011).
const FREE_OF_MODEL: [&str; 8] =
    ["PeerId", "ClientMsgId", "MsgId", "EventKey", "Secret", "Action", "Capability", "Capabilities"];

const UNSAFE_PLACES: [&str; 2] = ["crates/plugin/src/abi/", "crates/runtime/src/plugin/dylib/"];

// ---- packages ----

#[test]
fn packages_depend_only_downwards() {
    let mut broken = Vec::new();
    for package in packages() {
        let (name, folder) = (text(&package, "name"), folder(&package));
        if name == "wxbot" {
            continue; // the binary knows them all
        }
        let rule = MAY_DEPEND.iter().find(|(who, _)| *who == name || (who.ends_with('/') && folder.starts_with(who)));
        let Some((_, allowed)) = rule else {
            broken.push(format!("{folder}Cargo.toml: no rule for `{name}`; add it to ARCHITECTURE.md and MAY_DEPEND"));
            continue;
        };
        for dependency in list(&package, "dependencies") {
            let (other, kind) = (text(dependency, "name"), text(dependency, "kind"));
            if dependency["path"].is_string() && kind != "dev" && !allowed.contains(&other) {
                broken.push(format!("{folder}Cargo.toml: `{name}` must not depend on `{other}`, only on {allowed:?}"));
            }
        }
    }
    report(&broken);
}

#[test]
fn a_plugin_author_compiles_no_machinery() {
    if !packages().iter().any(|package| text(package, "name") == "wxbot-plugin") {
        return;
    }
    let args = ["tree", "-p", "wxbot-plugin", "-e", "normal", "--prefix", "none", "--locked", "--offline"];
    let tree = cargo(&args);
    let tree: BTreeSet<_> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(tree.contains("wxbot-plugin"), "`cargo {}` did not list the package itself", args.join(" "));
    let broken: Vec<_> = NOT_FOR_AUTHORS.iter().filter(|name| tree.contains(*name)).collect();
    assert!(
        broken.is_empty(),
        "wxbot-plugin pulls in {broken:?}; see `cargo {}` and move the need to runtime",
        args.join(" ")
    );
}

#[test]
fn packages_say_who_they_are() {
    let mut broken = Vec::new();
    for package in packages() {
        let manifest = format!("{}Cargo.toml", folder(&package));
        for key in ["description", "license", "repository"] {
            if text(&package, key).is_empty() {
                broken.push(format!("{manifest}: `{key}` is missing; write it, or `{key}.workspace = true`"));
            }
        }
        let table: toml::Table = fs::read_to_string(root().join(&manifest)).unwrap().parse().unwrap();
        if table.get("lints").and_then(|lints| lints.get("workspace")).and_then(toml::Value::as_bool) != Some(true) {
            broken.push(format!("{manifest}: the workspace's lints are off; add `[lints]` with `workspace = true`"));
        }
    }
    report(&broken);
}

#[test]
fn members_are_listed_by_hand_and_hold_code() {
    let manifest: toml::Table = fs::read_to_string(root().join("Cargo.toml")).unwrap().parse().unwrap();
    let members = manifest["workspace"]["members"].as_array().unwrap();
    let mut broken: Vec<_> = members
        .iter()
        .filter_map(|member| member.as_str().filter(|member| member.contains(['*', '?', '['])))
        .map(|member| format!("Cargo.toml: member `{member}` is a pattern; list each folder"))
        .collect();
    let every = every_source();
    for package in packages() {
        let sources = list(&package, "targets").iter().filter(|target| !list(target, "kind").contains(&"test".into()));
        let folders: BTreeSet<_> = sources.filter_map(|target| Path::new(text(target, "src_path")).parent()).collect();
        let lines: usize = every
            .iter()
            .filter(|(path, _)| folders.iter().any(|folder| root().join(path).starts_with(folder)))
            .map(|(_, source)| source.code_lines())
            .sum();
        if lines < FEWEST_CODE_LINES {
            broken.push(format!(
                "{}Cargo.toml: {lines} lines of code; a package exists when it does something",
                folder(&package)
            ));
        }
    }
    report(&broken);
}

#[test]
fn licences_and_fixtures_are_complete() {
    let mut broken = Vec::new();
    for licence in ["LICENSE-MIT", "LICENSE-APACHE"] {
        if !root().join(licence).is_file() {
            broken.push(format!("{licence} is missing; the packages promise it"));
        }
    }
    let fixtures = fs::read_dir(root().join("tests/fixtures"));
    for folder in fixtures.into_iter().flatten().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()) {
        if !folder.join("README.md").is_file() {
            let folder = folder.strip_prefix(root()).unwrap().display();
            broken.push(format!("{folder}/README.md is missing; it says where the bodies come from"));
        }
    }
    report(&broken);
}

// ---- where what may be written ----

#[test]
fn the_simulator_sees_nothing_of_core_but_the_transport() {
    let cure = "say `wxbot_core::transport::…`; a shared wire type repeats the client's mistakes";
    Rule { inside: "crates/sim/src/", except: &[], tests: true, cure }.check(View::Code, |line| {
        let mut uses = word_at(line, "wxbot_core").map(|at| line.get(at..).unwrap_or_default());
        uses.find(|rest| !rest.starts_with("wxbot_core::transport")).map(str::to_owned)
    });
}

#[test]
fn protocols_do_not_use_each_other() {
    let protocols = protocols();
    for own in &protocols {
        let inside = format!("crates/core/src/{own}/");
        let cure = "protocol folders never `use` each other; share it above them";
        Rule { inside: &inside, except: &[], tests: true, cure }
            .check(View::Code, |line| other_protocol(line, own, &protocols));
    }
}

#[test]
fn unsafe_stays_in_the_two_abi_places() {
    let cure = "unsafe code lives in the two ABI places; find a safe way";
    Rule { inside: "", except: &UNSAFE_PLACES, tests: true, cure }
        .check(View::Code, |line| has_word(line, "unsafe").then(|| line.trim().to_owned()));
}

#[test]
fn sql_stays_in_the_store() {
    // Tests may look into the file behind the store's back, or break it.
    let except = ["crates/runtime/src/store/", "crates/runtime/src/store.rs"];
    Rule { inside: "crates/", except: &except, tests: false, cure: "ask through the `Store` trait" }
        .check(View::Literals, sql);
}

#[test]
fn urls_stay_in_the_endpoints() {
    let cure = "addresses live in the protocol's endpoint.rs or endpoint/";
    Rule { inside: "crates/core/src/", except: &["/endpoint.rs", "/endpoint/"], tests: false, cure }
        .check(View::Literals, url);
}

#[test]
fn only_convert_knows_both_wire_and_model() {
    for own in protocols() {
        let inside = format!("crates/core/src/{own}/");
        let cure = "wire ⇄ model content happens in convert.rs alone (docs/adr/0011)";
        let rule = Rule { inside: &inside, except: &["/convert.rs", "/convert/"], tests: false, cure };
        rule.check_files(|source| {
            let code: Vec<_> = source.in_code(false, |line| Some(line.to_owned()));
            let code: Vec<_> = code.iter().map(|line| line.what.as_str()).collect();
            let wire = source.in_code(false, |line| names_wire(line).then(|| line.trim().to_owned()));
            if names_content(&code.join("\n")) { wire } else { Vec::new() }
        });
    }
}

#[test]
fn libraries_neither_print_nor_read_the_environment() {
    let cure = "return it or trace it; only the binary (crates/cli) and xtask print and read the environment";
    // What `env = "NAME"` in a plugin's settings means is asked in one place, wherever the plugin was built.
    let except = &["crates/cli/", "crates/plugin/src/config/env.rs"];
    Rule { inside: "crates/", except, tests: false, cure }.check(View::Code, prints_or_reads_env);
    Rule { inside: "plugins/", except: &[], tests: false, cure }.check(View::Code, prints_or_reads_env);
}

#[test]
fn files_are_short_and_begin_with_their_question() {
    let mut broken = Vec::new();
    for (path, source) in every_source() {
        if !source.raw.first().is_some_and(|line| line.starts_with("//! ")) {
            broken.push(format!("{path}:1: the first line is not `//! …`; say which question the file answers"));
        }
        if source.raw.len() > MOST_LINES {
            broken
                .push(format!("{path}:{MOST_LINES}: {} lines; look for the second question inside", source.raw.len()));
        }
    }
    report(&broken);
}

// ---- what a line says ----

fn sql(line: &str) -> Option<String> {
    let statements = ["SELECT ", "INSERT INTO", "UPDATE ", "DELETE FROM", "CREATE TABLE", "PRAGMA "];
    statements.iter().find(|start| line.contains(**start)).map(|start| format!("`{start}…`"))
}

fn url(line: &str) -> Option<String> {
    ["https://", "cgi-bin"].iter().find(|part| line.contains(**part)).map(|part| format!("`{part}…`"))
}

fn prints_or_reads_env(line: &str) -> Option<String> {
    for name in ["print", "println", "eprint", "eprintln", "dbg"] {
        if word_at(line, name).any(|at| line.get(at + name.len()..).is_some_and(|rest| rest.starts_with('!'))) {
            return Some(format!("{name}!"));
        }
    }
    // Also var_os, vars and the import of one of them.
    line.contains("env::var").then(|| "env::var".to_owned())
}

fn other_protocol(line: &str, own: &str, protocols: &[String]) -> Option<String> {
    let grouped = line.trim_start().starts_with("use ") && (line.contains("crate::{") || line.contains("super::{"));
    let from_above =
        |at: usize| ["crate::", "super::"].iter().any(|path| line.get(..at).unwrap_or_default().ends_with(path));
    let mut others = protocols.iter().filter(|other| *other != own);
    others.find(|other| word_at(line, other).any(|at| grouped || from_above(at))).map(|other| format!("uses `{other}`"))
}

/// True when the code names something of the model that is made out of wire fields; ids, secrets and orders are not.
fn names_content(code: &str) -> bool {
    word_at(code, "wxbot_model").any(|at| {
        let rest = code.get(at + "wxbot_model".len()..).unwrap_or_default().trim_start();
        let Some(rest) = rest.strip_prefix("::") else { return true };
        let names = rest.strip_prefix('{').map_or(rest, |group| group.split('}').next().unwrap_or_default());
        let one = |name: &str| name.trim().split(|c: char| !c.is_alphanumeric() && c != '_').next().map(str::to_owned);
        let named: Vec<_> = if rest.starts_with('{') {
            names.split(',').filter(|name| !name.trim().is_empty()).filter_map(one).collect()
        } else {
            one(names).into_iter().collect()
        };
        named.is_empty() || named.iter().any(|name| !FREE_OF_MODEL.contains(&name.as_str()))
    })
}

/// True for a path through `wire`, false for `mod wire;` and for variables of that name.
fn names_wire(line: &str) -> bool {
    let import = line.trim_start().starts_with("use ");
    word_at(line, "wire").any(|at| {
        let (before, after) = (line.get(..at).unwrap_or_default(), line.get(at + 4..).unwrap_or_default());
        import || before.ends_with("::") || after.starts_with("::")
    })
}

#[test]
fn planted_violations_are_seen() {
    let protocols = ["webwx".to_owned(), "ilink".to_owned()];
    let other = |line: &str| other_protocol(line, "webwx", &protocols).is_some();
    for (line, sees, want) in [
        ("SELECT seq FROM inbox", sql("SELECT seq FROM inbox").is_some(), true),
        ("select a contact", sql("select a contact").is_some(), false),
        ("https://", url("https://wx.qq.com").is_some(), true),
        ("http://127.0.0.1", url("http://127.0.0.1").is_some(), false),
        ("println!", prints_or_reads_env("    println!(\"\");").is_some(), true),
        ("std::env::var_os", prints_or_reads_env("std::env::var_os(\"\")").is_some(), true),
        ("pretty_print", prints_or_reads_env("pretty_print!(x)").is_some(), false),
        ("env!", prints_or_reads_env("env!(\"\")").is_some(), false),
        ("crate::ilink", other("use crate::ilink::Session;"), true),
        ("group", other("use crate::{error::E, ilink::Session};"), true),
        ("own", other("use crate::webwx::wire;"), false),
        ("variable", other("let ilink = 1;"), false),
        ("wire::AddMsg", names_wire("fn f(m: &wire::AddMsg)"), true),
        ("use super::wire", names_wire("use super::wire;"), true),
        ("use super::{ret, wire}", names_wire("use super::{ret, wire};"), true),
        ("mod wire", names_wire("pub(crate) mod wire;"), false),
        ("let wire", names_wire("let wire = 1;"), false),
        ("ids", names_content("use wxbot_model::{PeerId, Secret};"), false),
        ("one id", names_content("fn f(id: &wxbot_model::MsgId)"), false),
        ("capabilities", names_content("use wxbot_model::{\n    Action, Capabilities,\n    Capability,\n};"), false),
        ("a message", names_content("use wxbot_model::{PeerId,\n Message};"), true),
        ("a contact", names_content("let c = wxbot_model::Contact::nameless(p);"), true),
        ("everything", names_content("use wxbot_model::*;"), true),
        ("all of it", names_content("use wxbot_model as model;"), true),
        ("no model", names_content("use crate::webwx::wire;"), false),
    ] {
        assert_eq!(sees, want, "{line}");
    }
}

// ---- how rules are checked ----

/// One rule about the text of files.
struct Rule<'a> {
    /// Which files: those whose path starts so.
    inside: &'a str,
    /// But not those whose path contains one of these.
    except: &'a [&'a str],
    /// Whether it binds tests too.
    tests: bool,
    /// What to do about a finding.
    cure: &'a str,
}

#[derive(Clone, Copy)]
enum View {
    Code,
    Literals,
}

impl Rule<'_> {
    /// Checks line by line; `wrong` says what it saw in a line that breaks the rule.
    fn check(&self, view: View, wrong: impl Fn(&str) -> Option<String>) {
        self.check_files(|source| match view {
            View::Code => source.in_code(self.tests, &wrong),
            View::Literals => source.in_literals(self.tests, &wrong),
        });
    }

    fn check_files(&self, look: impl Fn(&Source) -> Vec<Finding>) {
        let mut broken = Vec::new();
        for (path, source) in every_source() {
            let free = self.except.iter().any(|except| path.contains(except)) || (!self.tests && is_test_file(&path));
            if path.starts_with(self.inside) && !free {
                let found = look(&source);
                broken.extend(found.iter().map(|one| format!("{path}:{}: {}; {}", one.line, one.what, self.cure)));
            }
        }
        report(&broken);
    }
}

fn is_test_file(path: &str) -> bool {
    path.starts_with("tests/")
        || path.contains("/tests/")
        || path.contains("/benches/")
        || path.ends_with("/tests.rs")
        || path.ends_with("_tests.rs")
}

fn report(broken: &[String]) {
    assert!(broken.is_empty(), "{} finding(s):\n{}", broken.len(), broken.join("\n"));
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All sources with their paths from the root.
fn every_source() -> Vec<(String, Source)> {
    let read = |path: &Path| fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    let paths = rust_sources(root()).unwrap();
    paths.iter().map(|path| (path.to_string_lossy().into_owned(), Source::new(&read(path)))).collect()
}

/// The protocol folders of core: those that say where a service is asked.
fn protocols() -> Vec<String> {
    let entries = fs::read_dir(root().join("crates/core/src")).into_iter().flatten().map(|entry| entry.unwrap());
    let folders =
        entries.filter(|entry| entry.path().join("endpoint.rs").is_file() || entry.path().join("endpoint").is_dir());
    folders.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

fn packages() -> Vec<Value> {
    let metadata = cargo(&["metadata", "--format-version", "1", "--no-deps", "--locked", "--offline"]);
    let metadata: Value = serde_json::from_str(&metadata).unwrap();
    list(&metadata, "packages").to_vec()
}

fn cargo(args: &[&str]) -> String {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo).args(args).current_dir(root()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo {}: {said}", args.join(" "));
    String::from_utf8(output.stdout).unwrap()
}

fn text<'a>(of: &'a Value, key: &str) -> &'a str {
    of[key].as_str().unwrap_or_default()
}

fn list<'a>(of: &'a Value, key: &str) -> &'a [Value] {
    of[key].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// The package's folder from the root, with a slash at its end; empty for the root.
fn folder(package: &Value) -> String {
    let folder = Path::new(text(package, "manifest_path")).parent().and_then(|path| path.strip_prefix(root()).ok());
    let folder = folder.unwrap().to_string_lossy().into_owned();
    if folder.is_empty() { folder } else { folder + "/" }
}
