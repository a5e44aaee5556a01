//! How does a client in the same process reach the simulator?

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use wxbot_core::transport::{HttpRequest, HttpResponse, MAX_BODY, Transport, TransportError};

use crate::request::{Answer, Delivery, Outcome, Request};
use crate::{IlinkSim, Sim};

/// A service that can be reached without a socket.
trait Service: Send + Sync + 'static {
    fn answer(&self, request: &Request) -> impl Future<Output = Outcome> + Send;
}

impl Service for Sim {
    async fn answer(&self, request: &Request) -> Outcome {
        self.handle(request).await
    }
}

impl Service for IlinkSim {
    async fn answer(&self, request: &Request) -> Outcome {
        self.handle(request).await
    }
}

/// Carries requests into the simulator without a socket.
struct InMemory<S>(S);

impl<S> fmt::Debug for InMemory<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InMemory")
    }
}

impl Sim {
    /// A transport that stays in memory and lives in tokio's time, paused or not. Every host is this server.
    pub fn transport(&self) -> Arc<dyn Transport> {
        Arc::new(InMemory(self.clone()))
    }
}

impl IlinkSim {
    /// A transport that stays in memory and lives in tokio's time, paused or not. Every host is this server.
    pub fn transport(&self) -> Arc<dyn Transport> {
        Arc::new(InMemory(self.clone()))
    }
}

impl<S: Service> Transport for InMemory<S> {
    fn send(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, TransportError>> {
        async move {
            let (host, after) = (request.host(), request.timeout);
            // A client whose every await is answered at once would never let other tasks run.
            tokio::task::coop::consume_budget().await;
            let request = seen_by_server(request);
            let answered = async {
                match self.0.answer(&request).await {
                    Outcome::Answer(answer) => delivered(answer).await,
                    outcome @ (Outcome::Broken | Outcome::Refused) => outcome,
                }
            };
            let outcome = tokio::time::timeout(after, answered).await;
            match outcome {
                Err(_elapsed) => Err(TransportError::Timeout { host, after }),
                Ok(Outcome::Refused) => Err(TransportError::NotSent { host, reason: "refused by a fault".to_owned() }),
                Ok(Outcome::Broken) => Err(TransportError::Broken { host, reason: "closed by a fault".to_owned() }),
                Ok(Outcome::Answer(answer)) if answer.body.len() > MAX_BODY => {
                    Err(TransportError::TooLarge { host, limit: MAX_BODY })
                }
                Ok(Outcome::Answer(answer)) => Ok(HttpResponse {
                    status: answer.status,
                    headers: answer.headers.into_iter().fold(http::HeaderMap::new(), |mut all, (name, value)| {
                        all.append(name, value);
                        all
                    }),
                    body: answer.body,
                }),
            }
        }
        .boxed()
    }
}

/// What a socket would make of an answer that does not come as it should.
async fn delivered(mut answer: Answer) -> Outcome {
    match answer.delivery {
        Delivery::Whole => {}
        Delivery::Stalls { pause, .. } => tokio::time::sleep(pause).await,
        Delivery::Claims(told) => {
            let told = usize::try_from(told).unwrap_or(usize::MAX);
            if told > answer.body.len() {
                return Outcome::Broken;
            }
            answer.body.truncate(told);
        }
    }
    Outcome::Answer(answer)
}

fn seen_by_server(request: HttpRequest) -> Request {
    let host = request.host();
    let scheme = if request.url.scheme() == "http" { "http" } else { "https" };
    Request {
        method: request.method,
        scheme,
        host,
        path: request.url.path().to_owned(),
        query: request.url.query().unwrap_or_default().to_owned(),
        headers: request.headers,
        body: Bytes::clone(&request.body),
    }
}
