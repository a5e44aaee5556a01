//! Is it well, and how much has it done? For supervisors and Prometheus.

use std::fmt::Write as _;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};

use crate::push::Hall;

/// 200 while every account works, else 503; a line for each account: state, since when, why, what to do. With a keeper also
/// whether the core is there and how much waits for it: no account's name has brackets.
pub(crate) async fn healthz(State(hall): State<Hall>) -> Response {
    let states = hall.accounts.states();
    let mut text = hall.accounts.told().join("\n");
    if !text.is_empty() {
        text.push('\n');
    }
    let mut well = states.iter().all(|(_, _, works)| *works);
    if let Some(spool) = hall.accounts.spool() {
        well &= spool.core_up && spool.full.is_empty();
        let core = if spool.core_up { "up" } else { "down" };
        _ = writeln!(text, "(core) {core}\n(spool) {} waiting", spool.bodies());
        if !spool.full.is_empty() {
            _ = writeln!(text, "(spool) {}", spool.full);
        }
    }
    (if well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, text).into_response()
}

/// The text format of Prometheus (OpenMetrics).
pub(crate) async fn metrics(State(hall): State<Hall>) -> Response {
    match hall.figures.text(&hall.accounts.states(), hall.accounts.spool().as_ref()) {
        Ok(text) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, kind)], text).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "The figures cannot be written.");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
