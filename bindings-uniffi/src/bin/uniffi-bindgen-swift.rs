//! Generates the Swift sources, the C header and the module map, each separately, from the built
//! library: uniffi's generator, of the version that the library was built with.

fn main() {
    uniffi::uniffi_bindgen_swift();
}
