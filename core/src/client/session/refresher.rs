//! One refresh over the wire: its request, the proof that goes with it, and its answer.

use std::sync::Arc;
use std::time::Duration;

use super::driver::{TARGET, in_time, noted};
use super::proofs::Proofs;
use super::transport::Transport;
use crate::client::answer::Answer;
use crate::client::endpoint::Endpoint;
use crate::client::http::{Request, Response};
use crate::client::pair::{Binding, Pair};
use crate::client::reason::Trouble;

/// Asks the server. Clones share everything.
#[derive(Clone)]
pub(super) struct Refresher {
    pub(super) endpoint: Arc<Endpoint>,
    pub(super) transport: Arc<dyn Transport>,
    pub(super) proofs: Option<Proofs>,
    pub(super) request_timeout: Duration,
}

impl Refresher {
    /// What the server says to `pair`; `None` when it did not answer.
    pub(super) async fn refresh(&self, pair: &Pair) -> Option<Answer> {
        tracing::debug!(target: TARGET, "a refresh is sent");
        // A session that began without a key goes on without proofs.
        let proofs = self.proofs.as_ref().filter(|_| pair.binding() != Binding::None);
        let answer = match proofs {
            None => self.endpoint.read(&self.send(self.endpoint.request(pair)).await?),
            Some(proofs) => self.refresh_with(proofs, pair).await?,
        };
        match &answer {
            Answer::Granted(_) => tracing::debug!(target: TARGET, "a refresh was granted"),
            Answer::Superseded => {
                tracing::debug!(target: TARGET, "the refresh token is not the newest");
            }
            Answer::SignedOut(reason) => {
                tracing::info!(target: TARGET, %reason, "the server refused a refresh for good");
            }
            Answer::Unavailable { trouble, .. } => {
                tracing::warn!(target: TARGET, %trouble, "a refresh was not granted now");
            }
        }
        Some(answer)
    }

    /// Sends it once more where the server wanted another proof: a refusal of a proof is answered
    /// before anything is done with the token.
    async fn refresh_with(&self, proofs: &Proofs, pair: &Pair) -> Option<Answer> {
        let mut is_repeated = false;
        loop {
            let mut request = self.endpoint.request(pair);
            let proof = proofs.prove(request.method.to_owned(), request.url.clone(), None);
            let proof = in_time(self.request_timeout, proof).await;
            let Some(proof) = noted("a proof was not made", proof) else {
                return Some(Answer::Unavailable { trouble: Trouble::Key, retry_after: None });
            };
            request.headers.push(("dpop".to_owned(), proof));
            let url = request.url.clone();
            let response = self.send(request).await?;
            let may_repeat = proofs.learn(&url, &response) && !is_repeated;
            if !may_repeat {
                let answer = self.endpoint.read(&response);
                if let Answer::Granted(grant) = &answer
                    && let Some(issued_at) = grant.issued_at()
                {
                    proofs.set_time(issued_at);
                }
                return Some(answer);
            }
            tracing::debug!(target: TARGET, "the server wants another proof");
            is_repeated = true;
        }
    }

    async fn send(&self, request: Request) -> Option<Response> {
        let response = in_time(self.request_timeout, self.transport.send(request)).await;
        noted("a refresh was not answered", response)
    }
}
