//! Sets the linker flags of a Node addon.

fn main() -> std::io::Result<()> {
    // Without this line every file below, `node_modules` too, would count as an input.
    println!("cargo::rerun-if-changed=build.rs");
    if let Some(folder) = std::env::var_os("NAPI_TYPE_DEF_TMP_FOLDER") {
        // The macros write into it, and do not make it.
        std::fs::create_dir_all(folder)?;
    }
    napi_build::setup();
    Ok(())
}
