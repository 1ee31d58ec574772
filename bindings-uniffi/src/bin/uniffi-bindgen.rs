//! Writes the Kotlin and Swift sources from the built library: uniffi's own generator, of the
//! version that the library was built with.

fn main() {
    uniffi::uniffi_bindgen_main();
}
