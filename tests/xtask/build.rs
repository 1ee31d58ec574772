//! Tells the program for which machine it is built, which is the machine that it runs on.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-env=REGRANT_HOST={}", std::env::var("TARGET").unwrap_or_default());
}
