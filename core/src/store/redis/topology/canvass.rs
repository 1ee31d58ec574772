//! Asking several servers the same at once.

use std::time::Duration;

use redis::{RedisError, RedisResult};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use crate::store::redis::address::Node;
use crate::store::redis::connector::no_answer;

/// Once one has answered, the others have this long.
pub(super) const GRACE: Duration = Duration::from_millis(75);

/// What those say who answer within `grace` of the first: a slow or cut-off one holds nobody up,
/// and yet the first is not simply believed. At least one answer, or the error of the last who failed.
pub(super) async fn canvass<T, F>(
    nodes: impl IntoIterator<Item = Node>,
    ask: impl Fn(Node) -> F,
    (patience, grace): (Duration, Duration),
) -> RedisResult<Vec<T>>
where
    T: Send + 'static,
    F: Future<Output = RedisResult<T>> + Send + 'static,
{
    let mut asked: JoinSet<RedisResult<T>> = JoinSet::new();
    for node in nodes {
        asked.spawn(ask(node));
    }
    let mut deadline = Instant::now() + patience;
    let mut answers = Vec::new();
    let mut failure: RedisError = no_answer();
    while let Ok(Some(answer)) = timeout_at(deadline, asked.join_next()).await {
        match answer {
            Ok(Ok(answer)) => {
                if answers.is_empty() {
                    deadline = deadline.min(Instant::now() + grace);
                }
                answers.push(answer);
            }
            Ok(Err(error)) => failure = error,
            // Its task was ended along with the runtime.
            Err(_) => {}
        }
    }
    if answers.is_empty() { Err(failure) } else { Ok(answers) }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn answer_of(node: Node) -> RedisResult<u16> {
        match node.port() {
            1 => std::future::pending().await,
            2 => Err(no_answer()),
            port => Ok(port),
        }
    }

    fn nodes(ports: &[u16]) -> Vec<Node> {
        ports.iter().map(|port| Node::new("h", *port)).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn the_silent_hold_nobody_up() {
        let patience = Duration::from_secs(60);
        let began = Instant::now();
        let mut answers =
            canvass(nodes(&[1, 7, 2, 8]), answer_of, (patience, GRACE)).await.unwrap();
        answers.sort_unstable();
        assert_eq!(answers, [7, 8]);
        assert_eq!(began.elapsed(), GRACE);
        assert!(canvass(nodes(&[2, 2]), answer_of, (patience, GRACE)).await.is_err());
        assert!(canvass(nodes(&[]), answer_of, (patience, GRACE)).await.is_err());
        let began = Instant::now();
        assert!(canvass(nodes(&[1, 2]), answer_of, (patience, GRACE)).await.is_err());
        assert_eq!(began.elapsed(), patience);
    }
}
