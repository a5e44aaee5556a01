//! What becomes of a pushed request? Its account is found, its door judges it, it is kept, it is answered.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::SystemTime;

use axum::Extension;
use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use bytes::Bytes;
use http::{StatusCode, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use subtle::ConstantTimeEq as _;
use tokio::time::timeout;
use wxbot_core::push::{Door, Knock, Knocked, NotKept, Refused, Reply};

use crate::figures::Figures;
use crate::settings::Settings;
use crate::{Accounts, gate, health};

/// Where hooks push whose address cannot be set. The spelling is the vendor's.
const DEFAULT_PATH: &str = "/api/user/recive_msg";
/// What a secret is compared with that belongs to no account, so that its absence takes as long as a wrong one.
const NOBODYS: &str = "00000000000000000000000000000000";

/// What all requests share.
#[derive(Clone)]
pub(crate) struct Hall {
    pub(crate) accounts: Arc<dyn Accounts>,
    pub(crate) settings: Arc<Settings>,
    pub(crate) figures: Arc<Figures>,
}

/// Who is at the other end of a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// All that is served where the server listens.
pub(crate) fn everything(hall: Hall) -> Router {
    let mut routes = Router::new()
        .route("/push/{account}/{secret}", any(pushed))
        .route("/healthz", get(health::healthz))
        .route("/metrics", get(health::metrics));
    if hall.settings.listen.ip().is_loopback() {
        routes = routes.route(DEFAULT_PATH, any(pushed_to_all));
    }
    guarded(routes, hall)
}

/// What is served at the second place.
pub(crate) fn default_path_alone(hall: Hall) -> Router {
    guarded(Router::new().route(DEFAULT_PATH, any(pushed_to_all)), hall)
}

fn guarded(routes: Router<Hall>, hall: Hall) -> Router {
    let gate = axum::middleware::from_fn_with_state(hall.clone(), gate::gate);
    routes.fallback(nothing).layer(gate).with_state(hall)
}

async fn nothing() -> Response {
    not_found()
}

async fn pushed(
    State(hall): State<Hall>,
    Extension(Peer(peer)): Extension<Peer>,
    Path((account, secret)): Path<(String, String)>,
    request: Request,
) -> Response {
    let door = hall.accounts.door(&account);
    let secrets = door.as_ref().map(|door| door.secrets()).unwrap_or_default();
    let mut right = subtle::Choice::from(0);
    for known in secrets {
        right |= known.expose().as_bytes().ct_eq(secret.as_bytes());
    }
    if secrets.is_empty() {
        // Nobody's secret: the comparison is only made.
        let _never = NOBODYS.as_bytes().ct_eq(secret.as_bytes());
    }
    let Some(door) = door.filter(|_| bool::from(right) && hall.settings.lets_in(peer)) else {
        hall.figures.turned_away("address");
        tracing::warn!(from = %peer, "A push to an address that is nobody's.");
        return not_found();
    };
    let (knock, body) = match Asked::read(request, &hall.settings).await {
        Ok(asked) => asked,
        Err(refused) => return hall.refused(&account, refused),
    };
    let knocked = door.knock(&knock.of(&body, peer, false));
    hall.follow(&account, &*door, knocked).await
}

/// At an address without a secret what is pushed says itself whose it is (security R03): only from this machine.
async fn pushed_to_all(State(hall): State<Hall>, Extension(Peer(peer)): Extension<Peer>, request: Request) -> Response {
    let shared = hall.accounts.shared();
    if shared.is_empty() || !hall.settings.lets_in(peer) {
        hall.figures.turned_away("address");
        return not_found();
    }
    let (asked, body) = match Asked::read(request, &hall.settings).await {
        Ok(asked) => asked,
        Err(refused) => return hall.refused("", refused),
    };
    for (account, door) in shared {
        match door.knock(&asked.of(&body, peer, true)) {
            Knocked::NotOurs | Knocked::Refuse(Refused::WrongAccount) => {}
            knocked @ (Knocked::Keep { .. } | Knocked::Answer(_) | Knocked::Refuse(_) | _) => {
                return hall.follow(&account, &*door, knocked).await;
            }
        }
    }
    hall.refused("", Refusal::ByDoor(Refused::WrongAccount))
}

/// The parts of a request that are not its body.
struct Asked {
    method: http::Method,
    query: String,
}

/// Why a request is answered with a no.
enum Refusal {
    TooLarge,
    TooSlow,
    Cut,
    ByDoor(Refused),
}

impl Asked {
    async fn read(request: Request, settings: &Settings) -> Result<(Self, Bytes), Refusal> {
        let (parts, body) = request.into_parts();
        let asked = Self { method: parts.method, query: parts.uri.query().unwrap_or_default().to_owned() };
        let limited = Limited::new(body, settings.limits.body);
        match timeout(settings.limits.arrival, limited.collect()).await {
            Ok(Ok(collected)) => Ok((asked, collected.to_bytes())),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Refusal::TooLarge),
            Ok(Err(_)) => Err(Refusal::Cut),
            Err(_elapsed) => Err(Refusal::TooSlow),
        }
    }

    fn of<'a>(&'a self, body: &'a Bytes, from: IpAddr, unproved: bool) -> Knock<'a> {
        Knock { method: self.method.as_str(), query: &self.query, body, from, now_ms: now_ms(), unproved }
    }
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

impl Hall {
    async fn follow(&self, account: &str, door: &dyn Door, knocked: Knocked) -> Response {
        let (body, reply, mark) = match knocked {
            Knocked::Keep { body, answer, mark } => (body, answer, mark),
            Knocked::Answer(reply) => {
                self.figures.pushed(account, "answered");
                return said(reply);
            }
            Knocked::Refuse(refused) => return self.refused(account, Refusal::ByDoor(refused)),
            Knocked::NotOurs | _ => return self.refused(account, Refusal::ByDoor(Refused::WrongAccount)),
        };
        let began = tokio::time::Instant::now();
        let (outcome, response) = match timeout(self.settings.limits.keeping, door.mailbox().put(body)).await {
            Ok(Ok(())) => {
                door.kept(&mark, now_ms());
                ("kept", said(reply))
            }
            // Its reader knows better than its door: it has read who else pushes.
            Ok(Err(NotKept::NotOurs)) => return self.refused(account, Refusal::ByDoor(Refused::WrongAccount)),
            Ok(Err(error)) => {
                tracing::error!(account, %error, "A push was not kept; its sender was told.");
                ("not_kept", unavailable())
            }
            Err(_elapsed) => {
                tracing::error!(account, "A push waited too long to be kept; its sender was told.");
                ("late", unavailable())
            }
        };
        self.figures.pushed(account, outcome);
        self.figures.took(account, began.elapsed());
        response
    }

    fn refused(&self, account: &str, refusal: Refusal) -> Response {
        let (word, status) = match refusal {
            Refusal::TooLarge => ("too_large", StatusCode::PAYLOAD_TOO_LARGE),
            Refusal::TooSlow => ("too_slow", StatusCode::REQUEST_TIMEOUT),
            Refusal::Cut => ("cut_off", StatusCode::BAD_REQUEST),
            Refusal::ByDoor(refused) => {
                (refused.word(), StatusCode::from_u16(refused.status()).unwrap_or(StatusCode::BAD_REQUEST))
            }
        };
        self.figures.pushed(account, word);
        tracing::warn!(account, why = word, "A push was refused.");
        (status, format!("{word}\n")).into_response()
    }
}

fn said(reply: Reply) -> Response {
    let kind = if reply.content_type.is_empty() { "text/plain; charset=utf-8" } else { reply.content_type };
    ([(header::CONTENT_TYPE, kind)], Body::from(reply.body)).into_response()
}

fn not_found() -> Response {
    (StatusCode::NOT_FOUND, "not found\n").into_response()
}

fn unavailable() -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "5")], "not kept\n").into_response()
}
