//! What does an account tell and ask its hook besides sending? Where to push to, again whenever the hook comes back; who it
//! is, and whom it knows.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use wxbot_model::{ContactKind, Secret};

use super::people;
use crate::error::FetchError;
use crate::mapping::call::Call;
use crate::mapping::engine::Engine;
use crate::push::Beside;

/// How often the hook is asked whether it is still there.
const LOOK: Duration = Duration::from_secs(60);
/// After the first, second, … failure in a row.
const BACK_OFF_S: [u64; 5] = [1, 2, 5, 10, 30];

/// What the hook is told about pushing.
#[derive(Debug, Clone)]
pub struct Callback {
    /// Our address, with its secret.
    pub url: Secret<String>,
    /// `isEnable`: `1` decoded, `2` raw.
    pub mode: &'static str,
}

/// Keeps the hook pushing to us and learns who is who, until dropped. What it finds goes into `known`.
pub(super) async fn attend(engine: Arc<Engine>, callback: Option<Callback>, known: watch::Sender<Beside>) {
    let mut failures = 0_usize;
    let mut introduced = false;
    loop {
        let asked = look(&engine, callback.as_ref(), &mut introduced, &known).await;
        let wait = match asked {
            Ok(()) => {
                failures = 0;
                known.send_if_modified(|known| {
                    known.silent = false;
                    !std::mem::take(&mut known.trouble).is_empty()
                });
                LOOK
            }
            Err(error) => {
                // It may have been started anew, and has forgotten where to push to.
                introduced = false;
                let trouble = error.to_string();
                tracing::warn!(%error, "The control side of a hook does not answer.");
                known.send_if_modified(|known| {
                    let silent = matches!(error, FetchError::NotNow { .. });
                    let changed = known.trouble != trouble || known.silent != silent;
                    (known.trouble, known.silent) = (trouble, silent);
                    changed
                });
                let wait = BACK_OFF_S.get(failures).or(BACK_OFF_S.last()).copied().unwrap_or(1);
                failures += 1;
                Duration::from_secs(wait)
            }
        };
        tokio::time::sleep(wait).await;
    }
}

async fn look(
    engine: &Engine,
    callback: Option<&Callback>,
    introduced: &mut bool,
    known: &watch::Sender<Beside>,
) -> Result<(), FetchError> {
    let can = |name: &str| engine.actions().can(name);
    if let Some(callback) = callback.filter(|_| can("set_callback")) {
        // Each time: nobody tells that a hook was started anew.
        engine.ask(&Call::set_callback(callback.url.expose(), callback.mode)).await?;
    } else if can("login_status") {
        engine.ask(&Call::login_status()).await?;
    } else if *introduced && can("self_info") {
        engine.ask(&Call::self_info()).await?;
    }
    if *introduced {
        return Ok(());
    }
    let mut contacts = Vec::new();
    if can("self_info") {
        let told = engine.ask(&Call::self_info()).await?;
        contacts.extend(people::from_fields(&told.fields, "self_id", ContactKind::Myself).map(Arc::new));
    }
    if can("list_contacts") {
        for item in engine.list(&Call::list_contacts()).await? {
            let Some(id) = item.get("id") else { continue };
            contacts.extend(people::from_fields(&item, "id", people::kind_of(id)).map(Arc::new));
        }
    }
    *introduced = true;
    known.send_modify(|known| known.contacts = contacts);
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::mapping::Profile;
    use crate::mapping::testing::{Next, Service, engine};
    use crate::pchook::testdata::{fixture, fixture_json};

    /// What a hook is asked first by an account that is told to push in this mode.
    async fn asked_first(mode: &'static str, answer: &str) -> (String, Value, Result<(), FetchError>) {
        let service = Service::new([Next::ok(answer), Next::ok("{}"), Next::ok("{}")]);
        let engine = engine(Profile::V3.actions().clone(), &service);
        let callback = Callback { url: Secret::new("http://localhost:1029/api/msg/recive".to_owned()), mode };
        let (known, _learnt) = watch::channel(Beside::default());
        let asked = look(&engine, Some(&callback), &mut true, &known).await;
        let request = service.asked().into_iter().next().unwrap();
        (request.url.path().to_owned(), serde_json::from_slice(&request.body).unwrap(), asked)
    }

    // cov: 107
    #[tokio::test(start_paused = true)]
    async fn a_hook_is_told_where_to_push_decoded_messages() {
        let (path, body, asked) = asked_first("1", &fixture("x-configure-msg-recive.resp")).await;
        assert_eq!((path.as_str(), &body), ("/ConfigureMsgRecive", &fixture_json("configure-msg-recive.req")));
        asked.unwrap();
    }

    // cov: 108
    #[tokio::test(start_paused = true)]
    async fn a_hook_is_told_where_to_push_raw_messages() {
        let (path, body, asked) = asked_first("2", &fixture("x-configure-msg-recive.resp")).await;
        assert_eq!((path.as_str(), &body), ("/ConfigureMsgRecive", &fixture_json("x-configure-msg-recive-raw.req")));
        asked.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_hook_that_refuses_is_in_trouble() {
        let (_, _, asked) = asked_first("1", r#"{"ConfigureMsgRecive":"0"}"#).await;
        assert!(asked.is_err());
    }
}
