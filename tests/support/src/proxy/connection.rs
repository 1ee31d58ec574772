//! One connection: forwards data between both sides, as the faults allow.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::Control;
use super::faults::{Fate, Way};

/// Forwards in both directions until one side closes or a fault closes the connection.
pub(super) async fn carry(
    client: TcpStream,
    control: watch::Receiver<Control>,
    lost_answers: &AtomicU64,
) {
    let Control { server: Some(port), faults, closed, dropped, .. } = *control.borrow() else {
        return;
    };
    if faults.cut {
        return;
    }
    let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await else { return };
    // Small requests and responses: send each at once.
    if client.set_nodelay(true).and_then(|()| server.set_nodelay(true)).is_err() {
        return;
    }
    let watched = control.clone();
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let up = pump(from_client, to_server, Way::ToServer, watched.clone(), lost_answers);
    let down = pump(from_server, to_client, Way::ToClient, watched.clone(), lost_answers);
    tokio::pin!(up, down);
    tokio::select! {
        () = &mut up => {}
        () = &mut down => {}
        () = until(watched.clone(), |control| control.faults.cut || control.closed > closed) => {}
        // Both sides stay open, and nothing passes.
        () = until(watched, |control| control.dropped > dropped) => {
            until(control, |control| control.faults.cut || control.closed > closed).await;
        }
    }
}

async fn until(mut control: watch::Receiver<Control>, holds: impl Fn(&Control) -> bool) {
    let _ = control.wait_for(|control| holds(control)).await;
}

/// Forwards in one direction until the stream ends or must be closed.
async fn pump(
    mut from: OwnedReadHalf,
    to: OwnedWriteHalf,
    way: Way,
    control: watch::Receiver<Control>,
    lost: &AtomicU64,
) {
    // Keep reading while earlier data is delayed, so that a delay adds latency and does not reduce
    // throughput.
    let (sender, pieces) = mpsc::unbounded_channel();
    let read = async {
        let mut buffer = vec![0; 64 * 1024];
        // An error ends the stream as well.
        while let Ok(length @ 1..) = from.read(&mut buffer).await {
            if sender.send((Instant::now(), buffer[..length].to_vec())).is_err() {
                break;
            }
        }
        drop(sender);
        // The rest is still to be delivered.
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = read => {}
        () = deliver(pieces, to, way, control, lost) => {}
    }
}

async fn deliver(
    mut pieces: mpsc::UnboundedReceiver<(Instant, Vec<u8>)>,
    mut to: OwnedWriteHalf,
    way: Way,
    mut control: watch::Receiver<Control>,
    lost: &AtomicU64,
) {
    while let Some((came, piece)) = pieces.recv().await {
        loop {
            let fate = control.borrow_and_update().faults.fate(way);
            match fate {
                Fate::Pass(delay) => {
                    tokio::time::sleep_until(came + delay).await;
                    if to.write_all(&piece).await.is_err() {
                        return;
                    }
                    break;
                }
                Fate::Hold => {
                    if control.changed().await.is_err() {
                        return;
                    }
                }
                Fate::Lose => {
                    lost.fetch_add(1, Ordering::Relaxed);
                    // From here on the stream has a gap and must never continue.
                    let loses = |control: &Control| control.faults.fate(way) == Fate::Lose;
                    let _ = control.wait_for(|control| !loses(control)).await;
                    return;
                }
                Fate::Cut => {
                    lost.fetch_add(1, Ordering::Relaxed);
                    return;
                }
            }
        }
    }
}
