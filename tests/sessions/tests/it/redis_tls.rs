//! Redis over TLS: only the certificates in the configured file are trusted, and those that they
//! have issued.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use regrant::Error;
use regrant::store::redis::{RedisOptions, RedisStore};
use regrant_session_tests::device::{Device, redis_at, user};
use regrant_test_support::{Certificates, ClusterOptions, SentinelOptions};

fn trusting(ca_file: PathBuf) -> impl FnOnce(&mut RedisOptions) {
    move |options| options.tls.ca_file = Some(ca_file)
}

async fn works(url: &str, ca_file: PathBuf) {
    assert!(url.starts_with("rediss"), "{url}");
    let store = redis_at(url, trusting(ca_file));
    let mut device = Device::login(&store, user(0)).await.unwrap();
    device.refresh(&store).await.unwrap();
    assert!(store.health().await.reachable);
}

async fn is_refused(url: &str, ca_file: PathBuf) {
    let source = refusal(url, trusting(ca_file)).await;
    assert!(source.contains("certificate"), "{source}");
}

/// Why the server cannot be used. It says what to do, in words for operators.
async fn refusal(url: &str, change: impl FnOnce(&mut RedisOptions)) -> String {
    let store = redis_at(url, change);
    let error = Device::login(&store, user(0)).await.unwrap_err();
    assert!(matches!(error, Error::StoreUnavailable { .. }), "{error:?}");
    let source = std::error::Error::source(&error).unwrap().to_string();
    for debug in ["(", "{", "::", "Other", "Context"] {
        assert!(!source.contains(debug), "{source}");
    }
    source
}

fn named(ca_file: PathBuf, name: &str) -> impl FnOnce(&mut RedisOptions) {
    move |options| {
        options.tls.ca_file = Some(ca_file);
        options.tls.server_name = Some(name.to_owned());
    }
}

/// As `openssl req -x509` makes it, which is what most people do first.
#[tokio::test]
async fn a_self_signed_certificate_is_pinned() {
    let ours = Arc::new(Certificates::self_signed().unwrap());
    let other = Certificates::self_signed().unwrap();
    let options = regrant_test_support::RedisOptions::new().tls(&ours);
    let server = options.setting("bind", "127.0.0.1 127.0.0.2").start().unwrap();
    works(&server.url(), ours.ca_file()).await;
    works(&server.url().replace("127.0.0.1", "127.0.0.2"), ours.ca_file()).await;
    works(&server.url().replace("127.0.0.1", "localhost"), ours.ca_file()).await;
    // With others in the same file, before and after.
    let folder = tempfile::tempdir().unwrap();
    let all = folder.path().join("all.pem");
    let pem = |certificates: &Certificates| std::fs::read(certificates.ca_file()).unwrap();
    std::fs::write(&all, [pem(&other), pem(&ours), pem(&other)].concat()).unwrap();
    works(&server.url(), all).await;
    // Not pinned: one with the same names and another key.
    let source = refusal(&server.url(), trusting(other.ca_file())).await;
    assert!(source.contains("redis.caFile"), "{source}");
    // The key of a pinned certificate is still required: its bytes alone are public.
    let chain = Arc::new(Certificates::new().unwrap());
    let server = regrant_test_support::RedisOptions::new().tls(&chain).start().unwrap();
    is_refused(&server.url(), ours.ca_file()).await;
}

#[tokio::test]
async fn the_name_of_the_certificate_can_be_configured() {
    let ours = Arc::new(Certificates::new().unwrap());
    let options = regrant_test_support::RedisOptions::new().tls(&ours);
    let server = options.setting("bind", "127.0.0.1 127.0.0.2").start().unwrap();
    let elsewhere = server.url().replace("127.0.0.1", "127.0.0.2");
    for name in ["localhost", "127.0.0.1"] {
        let store = redis_at(&elsewhere, named(ours.ca_file(), name));
        Device::login(&store, user(0)).await.unwrap();
    }
    let source = refusal(&elsewhere, trusting(ours.ca_file())).await;
    assert!(source.contains("redis.serverName") && source.contains("localhost"), "{source}");
    // It replaces the host, it does not add to it.
    let source = refusal(&server.url(), named(ours.ca_file(), "redis.example")).await;
    assert!(source.contains("redis.serverName"), "{source}");
    let mut options = RedisOptions::default();
    options.tls.ca_file = Some(ours.ca_file());
    options.tls.server_name = Some("not a name".to_owned());
    match RedisStore::new("rediss://127.0.0.1", options) {
        Err(Error::ConfigInvalid { field, .. }) => assert_eq!(field, "redis.serverName"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn errors_of_tls_say_what_to_do() {
    let ours = Arc::new(Certificates::new().unwrap());
    let options = regrant_test_support::RedisOptions::new().tls(&ours);
    let server = options.setting("tls-auth-clients", "yes").start().unwrap();
    let source = refusal(&server.url(), trusting(ours.ca_file())).await;
    assert!(source.contains("redis.certFile"), "{source}");
    let crossed = server.plain_url().replace("redis://", "rediss://");
    let source = refusal(&crossed, trusting(ours.ca_file())).await;
    assert!(source.contains("does not speak TLS"), "{source}");
}

#[tokio::test]
async fn one_server() {
    let (ours, other) = (Arc::new(Certificates::new().unwrap()), Certificates::new().unwrap());
    let options = regrant_test_support::RedisOptions::new().password("secret1").tls(&ours);
    let server = options.setting("bind", "127.0.0.1 127.0.0.2").start().unwrap();
    works(&server.url(), ours.ca_file()).await;
    works(&server.url().replace("127.0.0.1", "localhost"), ours.ca_file()).await;
    is_refused(&server.url(), other.ca_file()).await;
    // A name that the certificate does not have.
    is_refused(&server.url().replace("127.0.0.1", "127.0.0.2"), ours.ca_file()).await;
    // Plaintext to the TLS port, and TLS to the plaintext port.
    let plain = redis_at(&server.url().replace("rediss", "redis"), |_| ());
    assert!(Device::login(&plain, user(0)).await.is_err());
    let crossed = server.plain_url().replace("redis://", "rediss://");
    let crossed = redis_at(&crossed, trusting(ours.ca_file()));
    assert!(Device::login(&crossed, user(0)).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sentinels_and_the_servers_behind_them() {
    let (ours, other) = (Arc::new(Certificates::new().unwrap()), Certificates::new().unwrap());
    let setup = SentinelOptions::new().replicas(1).tls(&ours).start().unwrap();
    works(&setup.url(), ours.ca_file()).await;
    is_refused(&setup.url(), other.ca_file()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster() {
    let (ours, other) = (Arc::new(Certificates::new().unwrap()), Certificates::new().unwrap());
    let cluster = ClusterOptions::new().tls(&ours).start().unwrap();
    works(&cluster.url(), ours.ca_file()).await;
    is_refused(&cluster.url(), other.ca_file()).await;
}

#[test]
fn an_unusable_certificate_file_is_named() {
    let ours = Certificates::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let text = file("text.pem", "not PEM");
    let nonsense = file("x.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    let refused = |ca: &Path, cert: Option<&Path>, key: Option<&Path>| {
        let mut options = RedisOptions::default();
        options.tls.ca_file = Some(ca.to_owned());
        options.tls.cert_file = cert.map(Path::to_owned);
        options.tls.key_file = key.map(Path::to_owned);
        match RedisStore::new("rediss://:planted@127.0.0.1", options) {
            Err(Error::ConfigInvalid { field, problem }) => {
                assert!(!problem.contains("planted"), "{problem}");
                field
            }
            other => panic!("{other:?}"),
        }
    };
    let ca = ours.ca_file();
    for bad in [&text, &nonsense, &folder.path().join("absent.pem")] {
        assert_eq!(refused(bad, None, None), "redis.caFile", "{bad:?}");
        assert_eq!(refused(&ca, Some(&ca), Some(bad)), "redis.keyFile", "{bad:?}");
    }
    assert_eq!(refused(&ca, Some(&text), Some(&ca)), "redis.keyFile");
    assert_eq!(refused(&ca, Some(&ca), None), "redis.keyFile");
    assert_eq!(refused(&ca, None, Some(&ca)), "redis.certFile");
}
