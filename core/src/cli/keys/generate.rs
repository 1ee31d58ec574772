//! `keys generate`.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde::Serialize;
use zeroize::Zeroizing;

use crate::cli::arguments;
use crate::cli::context::{Context, Reply};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::error::Error;
use crate::keys::{Algorithm, KeyId, KeyKind, KeyPair, RsaBits};

/// Makes a key pair, in PEM (PKCS#8 and SPKI).
///
/// Without --out both keys are printed. With it, the private one goes into FILE, readable by its
/// owner alone, and the public one beside it (signing.pem, signing.pub.pem). Nothing is ever
/// overwritten.
#[derive(Args, Debug)]
pub(in crate::cli) struct Generate {
    /// The algorithm: ES256, ES384, EdDSA, RS256, RS384, RS512, PS256, PS384 or PS512.
    #[arg(long, value_parser = arguments::algorithm)]
    alg: Algorithm,
    /// The name of the key, the kid of the tokens that it signs; by default its thumbprint
    /// (RFC 7638).
    #[arg(long, value_parser = arguments::key_id)]
    kid: Option<KeyId>,
    /// The size of an RSA key, in bits.
    #[arg(long, value_enum, value_name = "BITS")]
    bits: Option<Bits>,
    /// Where the private key goes.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Bits {
    #[value(name = "2048")]
    B2048,
    #[value(name = "3072")]
    B3072,
    #[value(name = "4096")]
    B4096,
}

impl From<Bits> for RsaBits {
    fn from(bits: Bits) -> Self {
        match bits {
            Bits::B2048 => Self::B2048,
            Bits::B3072 => Self::B3072,
            Bits::B4096 => Self::B4096,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Made<'a> {
    alg: Algorithm,
    kid: KeyId,
    public_key: String,
    /// Absent where it went into a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    private_key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    private_key_file: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    public_key_file: Option<PathBuf>,
}

impl Generate {
    pub(super) fn run(&self, context: &Context) -> Result<Reply, Failure> {
        if self.alg.is_symmetric() {
            let advice = "takes a secret, not a key pair: make one with `regrant keys secret`";
            return Err(Failure::usage(format!("{} {advice}", self.alg)));
        }
        if self.bits.is_some() && KeyKind::of(self.alg) != Some(KeyKind::Rsa) {
            return Err(Failure::usage(format!("--bits is for RSA, not for {}", self.alg)));
        }
        let pair = KeyPair::generate(self.alg, self.bits.map(RsaBits::from).unwrap_or_default())
            .map_err(|error| match error {
                Error::ConfigInvalid { problem, .. } => Failure::usage(problem),
                other => other.into(),
            })?;
        let private = String::from_utf8(pair.private_pem().expose().to_vec())
            .map(Zeroizing::new)
            .map_err(|_| Error::internal("PEM is not text"))?;
        let mut made = Made {
            alg: self.alg,
            kid: match &self.kid {
                Some(kid) => kid.clone(),
                None => KeyId::new(pair.public().thumbprint())?,
            },
            public_key: pair.public().to_pem()?,
            private_key: None,
            private_key_file: None,
            public_key_file: None,
        };
        match &self.out {
            Some(file) => {
                let public_file = beside(file);
                write_pair(file, &private, &public_file, &made.public_key)?;
                made.private_key_file = Some(file.clone());
                made.public_key_file = Some(public_file);
            }
            None => made.private_key = Some(&private),
        }
        context.reply(Exit::Yes, &made, |page| {
            if let Some(private) = &made.private_key {
                page.line(private.trim_end());
                page.line(made.public_key.trim_end());
                return;
            }
            let name = |path: &Option<PathBuf>| {
                path.as_ref().map(|path| path.display().to_string()).unwrap_or_default()
            };
            page.rows(&[
                ("alg", made.alg.to_string()),
                ("kid", made.kid.to_string()),
                ("private key", name(&made.private_key_file)),
                ("public key", name(&made.public_key_file)),
            ]);
        })
    }
}

/// `signing.pem` → `signing.pub.pem`; `signing` → `signing.pub`.
fn beside(file: &Path) -> PathBuf {
    match file.extension() {
        Some(extension) => {
            let mut ending = std::ffi::OsString::from("pub.");
            ending.push(extension);
            file.with_extension(ending)
        }
        None => file.with_extension("pub"),
    }
}

/// Writes both files or none.
fn write_pair(
    private_file: &Path,
    private: &str,
    public_file: &Path,
    public: &str,
) -> Result<(), Failure> {
    write_new(private_file, private, true)?;
    write_new(public_file, public, false).inspect_err(|_| {
        // It is this command's own, made a moment ago. If it stays, the failure is told anyway.
        let _ = fs::remove_file(private_file);
    })
}

fn write_new(file: &Path, text: &str, private: bool) -> Result<(), Failure> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(if private { 0o600 } else { 0o644 });
    }
    #[cfg(not(unix))]
    let _ = private;
    let written = options.open(file).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    written.map_err(|error| {
        let failure = match error.kind() {
            std::io::ErrorKind::AlreadyExists => {
                Failure::usage("is there already, and is not overwritten")
            }
            std::io::ErrorKind::NotFound => Failure::usage("there is no such folder"),
            _ => Failure::outside(format!("cannot be written: {error}")),
        };
        failure.at(&file.display().to_string())
    })
}
