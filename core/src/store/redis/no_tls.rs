//! In the place of TLS where it is left out.

use std::convert::Infallible;

use redis::RedisResult;
use tokio::net::TcpStream;

use super::connector::Stream;
use crate::error::{Error, Result};
use crate::store::RedisTls;

/// There is none.
#[derive(Clone)]
pub(super) struct Tls(Infallible);

impl Tls {
    pub(super) fn new(_: &RedisTls) -> Result<Self> {
        Err(Error::config("store", "this build of regrant has no TLS (feature redis-tls)"))
    }

    pub(super) async fn over(&self, _: TcpStream, _: &str) -> RedisResult<Box<dyn Stream>> {
        match self.0 {}
    }
}
