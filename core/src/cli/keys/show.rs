//! `keys show`.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::cli::context::{Context, Reply};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::input;
use crate::error::Error;
use crate::keys::{Algorithm, PublicKey};

/// Shows what a key file holds: its kind, its thumbprint (RFC 7638) and its public part.
///
/// Of a private key only the public part is shown.
#[derive(Args, Debug)]
pub(in crate::cli) struct Show {
    /// A private or public key in PEM, or - for standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    kind: &'static str,
    algorithms: &'static [Algorithm],
    /// Whether the file holds the private key.
    private: bool,
    rsa_bits: Option<usize>,
    thumbprint: String,
    public_key: String,
    jwk: Map<String, Value>,
}

impl Show {
    pub(super) fn run(&self, context: &Context) -> Result<Reply, Failure> {
        let pem = zeroize::Zeroizing::new(input::text(&self.file)?);
        let key = PublicKey::from_pem(&pem).map_err(|error| self.refused(error))?;
        let shown = Shown {
            kind: key.kind().as_str(),
            algorithms: key.kind().algorithms(),
            private: PublicKey::is_private_pem(&pem),
            rsa_bits: key.rsa_bits(),
            thumbprint: key.thumbprint(),
            public_key: key.to_pem()?,
            jwk: key.jwk(),
        };
        context.reply(Exit::Yes, &shown, |page| {
            let size = shown.rsa_bits.map(|bits| format!(", {bits} bits")).unwrap_or_default();
            let names: Vec<_> = shown.algorithms.iter().map(|alg| alg.as_str()).collect();
            let part = if shown.private { "private" } else { "public" };
            page.rows(&[
                ("kind", format!("{}{size}, {part}", shown.kind)),
                ("algorithms", names.join(" ")),
                ("thumbprint", shown.thumbprint.clone()),
            ]);
            page.line("");
            page.line(shown.public_key.trim_end());
        })
    }

    /// The field of a configuration that the core names is none here; the file is.
    fn refused(&self, error: Error) -> Failure {
        let failure = match error {
            Error::ConfigInvalid { problem, .. } => Failure::usage(problem),
            other => other.into(),
        };
        failure.at(&self.file.display().to_string())
    }
}
