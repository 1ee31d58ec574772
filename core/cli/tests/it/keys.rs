//! `regrant keys`.

use regrant::keys::{Algorithm, Key, PublicKey};

use crate::Program;

#[test]
fn secrets_are_random_and_have_the_given_length() {
    let program = Program::new();
    let first = program.run(&["keys", "secret"]).fine();
    let second = program.run(&["keys", "secret"]).fine();
    assert_ne!(first.stdout, second.stdout);
    assert_eq!(first.stdout.len(), 43 + 1);
    let long = program.run(&["--json", "keys", "secret", "--bytes", "64"]).fine().json();
    assert_eq!((long["secret"].as_str().unwrap().len(), &long["bytes"]), (86, &64.into()));
    program.run(&["keys", "secret", "--bytes", "16"]).ended(2).complains(&["32..=1024"]);
}

#[test]
fn printed_key_pairs_are_valid() {
    let program = Program::new();
    for alg in ["ES256", "ES384", "EdDSA", "RS256", "PS512"] {
        let made = program.run(&["keys", "generate", "--alg", alg, "--json"]).fine().json();
        let (algorithm, text) = (alg.parse().unwrap(), |name: &str| made[name].as_str().unwrap());
        assert!(Key::private_pem(algorithm, text("privateKey")).unwrap().can_sign());
        assert!(!Key::public_pem(algorithm, text("publicKey")).unwrap().can_sign());
        let public = PublicKey::from_pem(text("privateKey")).unwrap();
        assert_eq!(public.to_pem().unwrap(), text("publicKey"));
        assert_eq!((text("alg"), text("kid")), (alg, public.thumbprint().as_str()));
    }
    let both = program.run(&["keys", "generate", "--alg", "EdDSA"]).fine();
    both.says(&["-----BEGIN PRIVATE KEY-----", "-----BEGIN PUBLIC KEY-----"]);
}

#[test]
fn files_are_private_and_never_overwritten() {
    let program = Program::new();
    let generate = ["keys", "generate", "--alg", "ES256", "--kid", "2026-11", "--out", "a.pem"];
    let made = program.run(&generate).fine().says(&["2026-11", "a.pem", "a.pub.pem"]);
    assert!(!made.stdout.contains("PRIVATE KEY"));
    let (private, public) = (program.read("a.pem"), program.read("a.pub.pem"));
    assert!(Key::private_pem(Algorithm::ES256, &private).is_ok());
    assert!(Key::public_pem(Algorithm::ES256, &public).is_ok());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(program.path("a.pem")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    program.run(&generate).ended(2).complains(&["a.pem", "already exists"]);
    assert_eq!((program.read("a.pem"), program.read("a.pub.pem")), (private, public.clone()));

    // Both files or none.
    std::fs::remove_file(program.path("a.pem")).unwrap();
    program.run(&generate).ended(2).complains(&["a.pub.pem", "already exists"]);
    assert!(!program.path("a.pem").exists());
    assert_eq!(program.read("a.pub.pem"), public);
}

#[test]
fn only_key_pairs_are_generated() {
    let program = Program::new();
    let refused = |arguments: &[&str]| program.run(arguments).ended(2);
    refused(&["keys", "generate", "--alg", "HS256"]).complains(&["regrant keys secret"]);
    refused(&["keys", "generate", "--alg", "none"]).complains(&["expected one of HS256"]);
    refused(&["keys", "generate", "--alg", "ES256", "--bits", "3072"]).complains(&["for RSA"]);
    refused(&["keys", "generate", "--alg", "ES256", "--kid", "a b"]).complains(&["visible ASCII"]);
    refused(&["keys", "generate"]).complains(&["--alg"]);
    let rsa = ["keys", "generate", "--alg", "PS256", "--bits", "3072", "--out", "rsa"];
    program.run(&rsa).fine().says(&["rsa.pub"]);
    program.run(&["keys", "show", "rsa"]).fine().says(&["RSA, 3072 bits, private", "PS256"]);
}

#[test]
fn a_key_is_shown_without_its_private_part() {
    let program = Program::new();
    let pem = include_str!("../../../../tests/vectors/keys/test-only-p256-a.private.pem");
    let public = include_str!("../../../../tests/vectors/keys/test-only-p256-a.public.pem");
    program.write("key.pem", pem);
    let thumbprint = PublicKey::from_pem(public).unwrap().thumbprint();
    let shown = program.run(&["keys", "show", "key.pem"]).fine();
    let shown = shown.says(&["P-256, private", "ES256", &thumbprint, public]);
    assert!(!shown.stdout.contains("PRIVATE"));
    let shown = program.run_with_input(&["keys", "show", "-", "--json"], public).fine().json();
    assert_eq!(shown["private"], false);
    assert_eq!((&shown["jwk"]["kty"], &shown["jwk"]["crv"]), (&"EC".into(), &"P-256".into()));
    assert_eq!((&shown["thumbprint"], &shown["publicKey"]), (&thumbprint.into(), &public.into()));
}

#[test]
fn a_file_without_a_key_is_rejected_by_name() {
    let program = Program::new();
    program.run(&["keys", "show", "none.pem"]).ended(2).complains(&["none.pem: no such file"]);
    program.write("text.pem", "hello");
    program.run(&["keys", "show", "text.pem"]).ended(2).complains(&["text.pem: is not a PEM file"]);
    let certificate =
        include_str!("../../../../tests/vectors/keys/test-only-p256-a.certificate.pem");
    program.write("c.pem", certificate);
    program.run(&["keys", "show", "c.pem"]).ended(2).complains(&["c.pem", "openssl x509"]);
    let failed = program.run(&["keys", "show", "text.pem", "--json"]).ended(2);
    let error: serde_json::Value = serde_json::from_str(&failed.stderr).unwrap();
    assert_eq!(error["error"]["message"], "text.pem: is not a PEM file");
}
