//! Waiting for a replica to become the master.

use std::time::Duration;

use redis::{ErrorKind, RedisResult, ServerErrorKind, Value, cmd, from_redis_value};
use tokio::time::{Instant, sleep};

use crate::store::redis::address::Node;
use crate::store::redis::connector::{Connector, no_answer, unexpected};

/// So often it is asked.
const ASK_EVERY: Duration = Duration::from_millis(20);
/// So often it is connected to, where that fails.
const CONNECT_EVERY: Duration = Duration::from_millis(100);
/// For so long: Sentinels give a failover up some time.
const PATIENCE: Duration = Duration::from_secs(10);

/// Asks the server until it says that it is the master; tells whether it did.
pub(super) async fn awaited(connector: &Connector, node: &Node) -> bool {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        match ask(connector, node, deadline).await {
            Ok(is_master) => return is_master,
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoPerm) => {
                tracing::debug!(target: "regrant::store", %node, %error, "a chosen replica may not be asked for its role");
                return false;
            }
            // Another connection, and not at once: it may be away.
            Err(_) => sleep(CONNECT_EVERY).await,
        }
    }
    false
}

async fn ask(connector: &Connector, node: &Node, deadline: Instant) -> RedisResult<bool> {
    let (mut connection, driver) = connector.open(node).await?;
    let asking = async {
        while Instant::now() < deadline {
            let role: Vec<Value> = cmd("ROLE").query_async(&mut connection).await?;
            let role = role.into_iter().next().ok_or_else(|| unexpected("an empty role"))?;
            if from_redis_value::<String>(role)? == "master" {
                return Ok(true);
            }
            sleep(ASK_EVERY).await;
        }
        Ok(false)
    };
    tokio::select! {
        outcome = asking => outcome,
        () = driver => Err(no_answer()),
    }
}
