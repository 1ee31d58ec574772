//! Writes the Swift sources, the C header and the module map from the built library, each kind
//! where it is wanted: uniffi's own generator, of the version that the library was built with.

fn main() {
    uniffi::uniffi_bindgen_swift();
}
