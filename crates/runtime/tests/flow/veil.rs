//! What if the service told less? A carrier that takes marks away from contacts, and pairs of ids from notices.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::Value;
use wxbot_core::transport::{HttpRequest, HttpResponse, Transport, TransportError};

/// People whose NickName begins with this are all called so, and nothing else is shown of them.
pub(crate) const TWIN: &str = "Twin";

#[derive(Debug)]
pub(crate) struct Veil {
    inner: Arc<dyn Transport>,
    /// No pairs of ids.
    pub(crate) no_pairs: AtomicBool,
    /// Whatever is asked vanishes: connections stay open, nothing comes, and not even a time limit is kept.
    swallows: AtomicBool,
    asked: AtomicUsize,
    /// The last pairs that were taken away: content and names.
    taken: Mutex<Option<(String, String)>>,
}

impl Veil {
    pub(crate) fn new(inner: Arc<dyn Transport>) -> Self {
        let (no_pairs, swallows) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { inner, no_pairs, swallows, asked: AtomicUsize::new(0), taken: Mutex::default() }
    }

    pub(crate) fn hide_pairs(&self) {
        self.no_pairs.store(true, Ordering::SeqCst);
    }

    pub(crate) fn show_pairs(&self) {
        self.no_pairs.store(false, Ordering::SeqCst);
    }

    pub(crate) fn swallow(&self, yes: bool) {
        self.swallows.store(yes, Ordering::SeqCst);
    }

    /// Requests so far.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    pub(crate) fn taken(&self) -> (String, String) {
        self.taken.lock().unwrap().clone().expect("a notice was taken away")
    }

    fn cover(&self, value: &mut Value) {
        match value {
            Value::Array(list) => list.iter_mut().for_each(|value| self.cover(value)),
            Value::Object(fields) => {
                let twin = fields.get("NickName").and_then(Value::as_str).is_some_and(|nick| nick.starts_with(TWIN));
                if twin {
                    fields.insert("NickName".into(), TWIN.into());
                    fields.insert("AttrStatus".into(), 7.into());
                    for mark in ["Alias", "HeadImgUrl", "PYInitial", "PYQuanPin"] {
                        fields.entry(mark).and_modify(|value| *value = "".into());
                    }
                }
                if self.no_pairs.load(Ordering::SeqCst) && fields.get("StatusNotifyCode") == Some(&4.into()) {
                    let text = |name: &str| fields[name].as_str().unwrap().to_owned();
                    *self.taken.lock().unwrap() = Some((text("Content"), text("StatusNotifyUserName")));
                    fields.insert("StatusNotifyUserName".into(), "".into());
                    fields.insert("StatusNotifyCode".into(), 2.into());
                }
                fields.values_mut().for_each(|value| self.cover(value));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
}

impl Transport for Veil {
    fn send(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, TransportError>> {
        async move {
            self.asked.fetch_add(1, Ordering::SeqCst);
            if self.swallows.load(Ordering::SeqCst) {
                return std::future::pending().await;
            }
            let mut answer = self.inner.send(request).await?;
            if let Ok(mut body) = serde_json::from_slice::<Value>(&answer.body)
                && body.is_object()
            {
                let before = body.clone();
                self.cover(&mut body);
                if body != before {
                    answer.body = serde_json::to_vec(&body).unwrap().into();
                }
            }
            Ok(answer)
        }
        .boxed()
    }
}
