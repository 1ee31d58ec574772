//! Sets the linker flags of a Node addon.

fn main() {
    // Without this line every file below, `node_modules` too, would count as an input.
    println!("cargo::rerun-if-changed=build.rs");
    napi_build::setup();
}
