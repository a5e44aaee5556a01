//! `wxbot contacts`: people and rooms by a part of their names; of the running wxbot, else as they were stored.

use serde_json::{Value, json};
use wxbot_plugin::ContactQuery;
use wxbot_runtime::config::Registry;
use wxbot_runtime::contacts::find_stored;

use crate::args::{Args, ContactsOptions};
use crate::control::{self, Request};
use crate::place::{Place, data_dir, read_config};
use crate::report::{Failure, OrExit, print, say};

pub(crate) fn run(registry: &Registry, args: &Args, options: &ContactsOptions) -> Result<(), Failure> {
    let config = read_config(registry, args)?;
    let Some(account) = config.accounts.iter().find(|account| account.name.as_str() == options.account) else {
        let names: Vec<&str> = config.accounts.iter().map(|account| account.name.as_str()).collect();
        return Err(Failure::new(format!("no account `{}`; there are: {}", options.account, names.join(", "))));
    };
    let query = query(options);
    let dir = data_dir(&config, args);
    let request = Request::Contacts { account: options.account.clone(), query: query.clone() };
    let (online, found) = match control::ask_patiently(&dir, &request)? {
        Some(lines) => answer(lines)?,
        None if dir.exists() => (false, from_store(&dir, &account.name, &query)?),
        None => (false, Vec::new()),
    };
    if !online {
        say("not logged in now: names are as they were last seen, and may be old");
    }
    if options.json {
        print(&Value::Array(found).to_string());
        return Ok(());
    }
    if found.is_empty() {
        say("nobody fits");
    }
    found.iter().for_each(|contact| print(&line(contact)));
    Ok(())
}

fn query(options: &ContactsOptions) -> ContactQuery {
    let query = ContactQuery::new(&*options.search).limit(options.limit);
    match (options.rooms, options.people) {
        (true, _) => query.rooms(),
        (_, true) => query.people(),
        (false, false) => query,
    }
}

/// First a line that says whether the account is online, then one per contact.
fn answer(mut lines: impl Iterator<Item = Value>) -> Result<(bool, Vec<Value>), Failure> {
    let head = lines.next().unwrap_or_default();
    if let Some(error) = head.get("error").and_then(Value::as_str) {
        return Err(Failure::new(error));
    }
    Ok((head.get("online").and_then(Value::as_bool).unwrap_or(false), lines.collect()))
}

fn from_store(
    dir: &std::path::Path,
    account: &wxbot_model::AccountName,
    query: &ContactQuery,
) -> Result<Vec<Value>, Failure> {
    crate::run::tokio_runtime()?.block_on(async {
        let place = Place::open(dir)?;
        let rows = place.store.contacts(account).await.or_exit("cannot read the contacts")?;
        place.store.close().await.ok();
        Ok(find_stored(&rows, query).into_iter().map(|contact| json!(contact)).collect())
    })
}

/// `p12  王总 (老王, wang_1)`: the id first, since that is what is copied.
fn line(contact: &Value) -> String {
    let text = |key: &str| contact.get(key).and_then(Value::as_str).unwrap_or_default();
    let mut more: Vec<String> = [text("nick_name"), text("alias")]
        .into_iter()
        .filter(|t| !t.is_empty() && *t != text("name"))
        .map(shown)
        .collect();
    if let Some(members @ 1..) = contact.get("members").and_then(Value::as_u64) {
        more.push(format!("{members} members"));
    }
    let more = if more.is_empty() { String::new() } else { format!("  ({})", more.join(", ")) };
    format!("{:<8} {}{more}", text("id"), shown(text("name")))
}

/// Names are anybody's text: what could move the cursor of a terminal is left out.
fn shown(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_of_each() {
        for (contact, want) in [
            (
                json!({"id": "p12", "name": "王总", "nick_name": "老王", "alias": "wang_1", "members": 0}),
                "p12      王总  (老王, wang_1)",
            ),
            (
                json!({"id": "r3", "name": "群", "nick_name": "群", "alias": "", "members": 7}),
                "r3       群  (7 members)",
            ),
            (json!({"id": "p1", "name": "\u{1b}[2Jx", "nick_name": "", "alias": "", "members": 0}), "p1       [2Jx"),
        ] {
            assert_eq!(line(&contact), want);
        }
    }
}
