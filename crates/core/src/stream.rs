//! How does a body come piece by piece over the real carrier, however long it is?

use futures_util::stream::{self, StreamExt};
use reqwest::{Client, Response};
use tokio::time::timeout;

use crate::http::without_url;
use crate::transport::{HttpRequest, HttpStream, TransportError};

/// What a request came to nothing by. A connection that is not made within its own time counts as not sent.
fn failed(host: &str, error: reqwest::Error) -> TransportError {
    let host = host.to_owned();
    if error.is_connect() || error.is_builder() {
        TransportError::NotSent { host, reason: without_url(error) }
    } else {
        TransportError::Broken { host, reason: without_url(error) }
    }
}

/// Sends a request and waits for the headers. Its timeout holds for them, and again for each piece: the whole may take
/// as long as it comes.
pub(crate) async fn open(client: &Client, request: HttpRequest) -> Result<HttpStream, TransportError> {
    let (host, after) = (request.host(), request.timeout);
    let sent = client.request(request.method, request.url).headers(request.headers).body(request.body).send();
    let mut answer = match timeout(after, sent).await {
        Ok(answer) => answer.map_err(|error| failed(&host, error))?,
        Err(_) => return Err(TransportError::Timeout { host, after }),
    };
    let (status, headers) = (answer.status().as_u16(), std::mem::take(answer.headers_mut()));
    let body = stream::unfold(Some((answer, host)), move |state| async move {
        let (mut answer, host): (Response, String) = state?;
        match timeout(after, answer.chunk()).await {
            Ok(Ok(Some(piece))) => Some((Ok(piece), Some((answer, host)))),
            Ok(Ok(None)) => None,
            Ok(Err(error)) => Some((Err(failed(&host, error)), None)),
            Err(_) => Some((Err(TransportError::Timeout { host, after }), None)),
        }
    });
    Ok(HttpStream { status, headers, body: body.boxed() })
}
