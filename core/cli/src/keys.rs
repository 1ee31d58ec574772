//! `keys`: generates and inspects keys and secrets.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::{Args, Subcommand, ValueEnum};
use regrant::error::Error;
use regrant::keys::{Algorithm, KeyId, KeyKind, KeyPair, PublicKey, RsaBits};
use serde::Serialize;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::settings::{parse_algorithm, parse_key_id, read_text};
use crate::{Context, Exit, Failure, Reply};

/// Generates and inspects keys and secrets.
#[derive(Debug, Subcommand)]
pub(crate) enum Keys {
    Secret(Secret),
    Generate(Generate),
    Show(Show),
}

impl Keys {
    pub(crate) fn run(&self, context: &Context) -> Result<Reply, Failure> {
        match self {
            Self::Secret(command) => command.run(context),
            Self::Generate(command) => command.run(context),
            Self::Show(command) => command.run(context),
        }
    }
}

/// Generates a random secret and prints it as base64url text.
///
/// The text itself is the secret: use it as it is for `secret` or REGRANT_SECRET.
#[derive(Args, Debug)]
pub(crate) struct Secret {
    /// The number of random bytes: at least 32 for HS256, 48 for HS384, 64 for HS512.
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u16).range(32..=1024))]
    bytes: u16,
}

#[derive(Serialize)]
struct NewSecret<'a> {
    secret: &'a str,
    bytes: u16,
}

impl Secret {
    pub(crate) fn run(&self, context: &Context) -> Result<Reply, Failure> {
        let mut bytes = Zeroizing::new(vec![0; usize::from(self.bytes)]);
        getrandom::fill(&mut bytes).map_err(|_| Error::internal("no randomness available"))?;
        let secret = Zeroizing::new(URL_SAFE_NO_PAD.encode(&*bytes));
        let new = NewSecret { secret: &secret, bytes: self.bytes };
        context.reply(Exit::Yes, &new, |page| page.line(&secret))
    }
}

/// Generates a key pair in PEM (PKCS#8 and SPKI).
///
/// Prints both keys. With --out, writes the private key to FILE, readable by its owner only, and
/// the public key to a file beside it (signing.pem, signing.pub.pem). Existing files are never
/// overwritten.
#[derive(Args, Debug)]
pub(crate) struct Generate {
    /// The algorithm: ES256, ES384, EdDSA, RS256, RS384, RS512, PS256, PS384 or PS512.
    #[arg(long, value_parser = parse_algorithm)]
    alg: Algorithm,
    /// The key's name: the kid of the tokens that it signs. By default its thumbprint (RFC 7638).
    #[arg(long, value_parser = parse_key_id)]
    kid: Option<KeyId>,
    /// The size of an RSA key, in bits.
    #[arg(long, value_enum, value_name = "BITS")]
    bits: Option<Bits>,
    /// The file for the private key.
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
struct NewKeyPair<'a> {
    alg: Algorithm,
    kid: KeyId,
    public_key: String,
    /// Absent if it was written to a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    private_key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    private_key_file: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    public_key_file: Option<PathBuf>,
}

impl Generate {
    pub(crate) fn run(&self, context: &Context) -> Result<Reply, Failure> {
        if self.alg.is_symmetric() {
            let advice = "uses a secret, not a key pair: generate one with `regrant keys secret`";
            return Err(Failure::usage(format!("{} {advice}", self.alg)));
        }
        if self.bits.is_some() && KeyKind::of(self.alg) != Some(KeyKind::Rsa) {
            return Err(Failure::usage(format!("--bits is for RSA, not for {}", self.alg)));
        }
        let pair = match self.bits {
            Some(bits) => KeyPair::generate_rsa(self.alg, bits.into()),
            None => KeyPair::generate(self.alg),
        };
        let pair = pair.map_err(|error| match error {
            Error::ConfigInvalid { problem, .. } => Failure::usage(problem),
            other => other.into(),
        })?;
        let private = String::from_utf8(pair.private_pem().expose().to_vec())
            .map(Zeroizing::new)
            .map_err(|_| Error::internal("PEM is not text"))?;
        let mut made = NewKeyPair {
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

/// Writes both files or neither.
fn write_pair(
    private_file: &Path,
    private: &str,
    public_file: &Path,
    public: &str,
) -> Result<(), Failure> {
    write_new(private_file, private, true)?;
    write_new(public_file, public, false).inspect_err(|_| {
        // Created by this command. If it cannot be removed, the failure is still reported.
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
    let written = options.open(file).and_then(|mut created| {
        let written = created.write_all(text.as_bytes()).and_then(|()| created.sync_all());
        written.inspect_err(|_| {
            // A part of a key, which would be in the way of the next attempt.
            let _ = fs::remove_file(file);
        })
    });
    written.map_err(|error| {
        let failure = match error.kind() {
            std::io::ErrorKind::AlreadyExists => {
                Failure::usage("already exists and is not overwritten")
            }
            std::io::ErrorKind::NotFound => Failure::usage("no such directory"),
            _ => Failure::unavailable(format!("cannot write: {error}")),
        };
        failure.at(&file.display().to_string())
    })
}

/// Prints the type, the thumbprint (RFC 7638) and the public key of a key file.
///
/// The private part of a private key is not printed.
#[derive(Args, Debug)]
pub(crate) struct Show {
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
    pub(crate) fn run(&self, context: &Context) -> Result<Reply, Failure> {
        let pem = Zeroizing::new(read_text(&self.file)?);
        let key = PublicKey::from_pem(&pem).map_err(|error| self.failure(error))?;
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

    /// `error` about the file instead of a configuration field.
    fn failure(&self, error: Error) -> Failure {
        let failure = match error {
            Error::ConfigInvalid { problem, .. } => Failure::usage(problem),
            other => other.into(),
        };
        failure.at(&self.file.display().to_string())
    }
}
