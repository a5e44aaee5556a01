//! Is it well, and how much has it done? For supervisors and Prometheus.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};

use crate::push::Hall;

/// 200 while every account works, else 503; a line for each account: state, since when, why, what to do.
pub(crate) async fn healthz(State(hall): State<Hall>) -> Response {
    let states = hall.accounts.states();
    let mut text = hall.accounts.told().join("\n");
    if !text.is_empty() {
        text.push('\n');
    }
    let well = states.iter().all(|(_, _, works)| *works);
    (if well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, text).into_response()
}

/// The text format of Prometheus (OpenMetrics).
pub(crate) async fn metrics(State(hall): State<Hall>) -> Response {
    match hall.figures.text(&hall.accounts.states()) {
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
