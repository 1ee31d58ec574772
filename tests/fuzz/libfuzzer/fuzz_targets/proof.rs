#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| regrant_fuzz::run("proof", input));
