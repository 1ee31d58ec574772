//! The certificates of servers (rustls): which are trusted, and what to do about the others.

use std::sync::Arc;

use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::CryptoProvider;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    CertificateError, DigitallySignedStruct, Error as TlsError, RootCertStore, SignatureScheme,
};

/// Accepts certificates that a trusted authority has issued for the server's name, and any
/// certificate that is itself in the file of trusted ones.
///
/// The second rule is for self-signed certificates as `openssl req -x509` makes them: without a
/// name, and marked as an authority. It weakens nothing: by the first rule, the private key of a
/// certificate in that file can already sign certificates for every name.
#[derive(Debug)]
pub(super) struct PinningVerifier {
    authorities: Arc<WebPkiServerVerifier>,
    pinned: Vec<CertificateDer<'static>>,
}

impl PinningVerifier {
    /// `None` without a usable root.
    pub(super) fn new(
        roots: Arc<RootCertStore>,
        pinned: Vec<CertificateDer<'static>>,
        provider: Arc<CryptoProvider>,
    ) -> Option<Self> {
        let authorities = WebPkiServerVerifier::builder_with_provider(roots, provider).build();
        Some(Self { authorities: authorities.ok()?, pinned })
    }
}

impl ServerCertVerifier for PinningVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        if self.pinned.iter().any(|pinned| pinned.as_ref() == end_entity.as_ref()) {
            return Ok(ServerCertVerified::assertion());
        }
        self.authorities.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        )
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.authorities.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.authorities.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.authorities.supported_verify_schemes()
    }
}

/// What to do about the certificate of a server. `trusted` is the option for the file of trusted
/// certificates, and `name` that for the server's name, if there is one.
pub(super) fn certificate_problem(
    problem: &CertificateError,
    trusted: &str,
    name: Option<&str>,
) -> String {
    let use_name = |name_of_server: &str| match name {
        Some(option) => format!("set {option} to {name_of_server}"),
        None => format!("connect by {name_of_server}"),
    };
    match problem {
        CertificateError::UnknownIssuer => format!(
            "the server's certificate is not from a trusted authority: set {trusted} to its \
             authority's certificate, or to the server's own"
        ),
        CertificateError::NotValidForName => {
            format!("the server's certificate is for another name: {}", use_name("its name"))
        }
        CertificateError::NotValidForNameContext { presented, .. } if presented.is_empty() => {
            format!(
                "the server's certificate names no host: set {trusted} to that certificate itself"
            )
        }
        CertificateError::NotValidForNameContext { presented, .. } => format!(
            "the server's certificate is for {}: {}",
            names(presented),
            use_name("that name")
        ),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "the server's certificate has expired: renew it".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the server's certificate is not valid yet: check the clock of this machine".to_owned()
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "the server's certificate is not for servers".to_owned()
        }
        // webpki reports a certificate of an authority in this way.
        CertificateError::Other(_) => format!(
            "the server's certificate is self-signed or unusual: set {trusted} to that \
             certificate itself"
        ),
        _ => format!(
            "the server's certificate is invalid: set {trusted} to that certificate itself, or \
             replace it"
        ),
    }
}

/// The names of a certificate, which rustls formats as `DnsName("redis.example")` and
/// `IpAddress(10.0.0.1)`.
fn names(presented: &[String]) -> String {
    let bare = presented.iter().map(|name| {
        let inner = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
        inner.unwrap_or(name).trim_matches('"')
    });
    bare.collect::<Vec<_>>().join(", ")
}
