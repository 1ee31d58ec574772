//! Bills of materials in CycloneDX 1.5: which crates are compiled into each artefact, and which packages npm and Maven
//! install beside it.
//!
//! Cargo has no such command, so this reads `cargo tree` and the checksums in `Cargo.lock`; for npm and Maven it takes their
//! own tools. Nothing in a bill depends on the time or the machine.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::checkout::{self, KOTLIN, NODE};
use crate::commands::version;
use crate::npm;
use crate::process::Invocation;

/// The artefacts of Cargo: the name of the bill, and the arguments that select what is compiled into it.
const CARGO: [(&str, &[&str]); 3] = [
    ("regrant-crate", &["-p", "regrant"]),
    ("regrant-addon", &["-p", "regrant-node"]),
    ("regrant-mobile", &["-p", "regrant-uniffi", "--no-default-features"]),
];
const MAVEN: &str = "org.cyclonedx:cyclonedx-maven-plugin:2.9.1:makeBom";

/// Writes all bills into a folder.
pub(super) fn write(folder: &Path) -> Result<()> {
    let _ = fs::remove_dir_all(folder);
    fs::create_dir_all(folder)?;
    let lock = fs::read_to_string(checkout::path("Cargo.lock"))?;
    for (name, selection) in CARGO {
        let tree = Invocation::new("cargo")
            .args(["tree", "--locked", "--target", "all", "--edges", "normal"])
            .args(["--prefix", "depth", "--format", " {p}|{l}"])
            .args(selection);
        let bill = of_cargo(&tree.run_and_read()?, &lock)?;
        save(folder, name, &bill)?;
    }
    npm::install(NODE)?;
    let sbom = ["sbom", "--omit=dev", "--sbom-format=cyclonedx", "--package-lock-only"];
    let bill = Invocation::new("npm").args(sbom).within(NODE).run_and_read()?;
    save(folder, "regrant-npm", &serde_json::from_str(&bill).context("npm printed no JSON")?)?;

    let out = folder.display();
    Invocation::new("mvn")
        .args(["-B", "-ntp", "-q", MAVEN, "-DoutputFormat=json", "-DincludeTestScope=false"])
        .args([format!("-DoutputDirectory={out}"), "-DoutputName=regrant-jar.cdx".to_owned()])
        .within(KOTLIN)
        .run_online()?;
    let jar = folder.join("regrant-jar.cdx.json");
    save(folder, "regrant-jar", &serde_json::from_str(&fs::read_to_string(jar)?)?)
}

/// Writes a bill without its time and its random number.
fn save(folder: &Path, name: &str, bill: &Value) -> Result<()> {
    let mut bill = bill.clone();
    if let Some(members) = bill.as_object_mut() {
        members.remove("serialNumber");
    }
    if let Some(metadata) = bill["metadata"].as_object_mut() {
        metadata.remove("timestamp");
    }
    let count = bill["components"].as_array().map_or(0, Vec::len);
    println!("{name}.cdx.json: {count} components");
    let text = serde_json::to_string_pretty(&bill)?;
    Ok(fs::write(folder.join(format!("{name}.cdx.json")), text + "\n")?)
}

/// The bill of a tree whose lines are `DEPTH NAME vVERSION (NOTES)|LICENCE`, the artefact first.
fn of_cargo(tree: &str, lock: &str) -> Result<Value> {
    let checksums = checksums(lock);
    let mut path: Vec<String> = Vec::new();
    let mut components: BTreeMap<String, Value> = BTreeMap::new();
    let mut dependencies: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in tree.lines().filter(|line| !line.is_empty()) {
        let (depth, rest) = line.split_once(' ').context("a line of the tree has no depth")?;
        let (package, licence) = rest.split_once('|').context("a line has no licence")?;
        let mut words = package.split(' ');
        let name = words.next().context("a line has no name")?;
        let version = words.next().and_then(|word| word.strip_prefix('v'));
        let version = version.context("a line has no version")?;
        let reference = format!("pkg:cargo/{name}@{version}");
        path.truncate(depth.parse().context("a line of the tree has no depth")?);
        if let Some(parent) = path.last() {
            dependencies.entry(parent.clone()).or_default().insert(reference.clone());
        }
        path.push(reference.clone());
        dependencies.entry(reference.clone()).or_default();
        let mut component = json!({
            "type": "library", "bom-ref": reference, "name": name, "version": version, "purl": reference,
        });
        // Repeated crates are marked after the licence. Some crates still have the older notation.
        let licence = licence.trim_end_matches(" (*)").trim();
        if !licence.is_empty() {
            let expression = licence.replace('/', " OR ");
            component["licenses"] = json!([{ "expression": expression }]);
        }
        if let Some(checksum) = checksums.get(&(name, version)) {
            component["hashes"] = json!([{ "alg": "SHA-256", "content": checksum }]);
        }
        components.insert(reference, component);
    }
    let root = path.first().cloned().context("the tree is empty")?;
    let artefact = components.remove(&root);
    let edges: Vec<_> = dependencies
        .iter()
        .map(|(reference, on)| json!({ "ref": reference, "dependsOn": on }))
        .collect();
    Ok(json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "tools": { "components": [
                { "type": "application", "name": "cargo xtask dist", "version": version::current()? },
            ] },
            "component": artefact,
        },
        "components": components.into_values().collect::<Vec<_>>(),
        "dependencies": edges,
    }))
}

/// The checksums in `Cargo.lock`, by name and version.
fn checksums(lock: &str) -> BTreeMap<(&str, &str), &str> {
    let mut checksums = BTreeMap::new();
    for package in lock.split("[[package]]") {
        let value = |name: &str| {
            let line = package.lines().find_map(|line| line.strip_prefix(name))?;
            line.strip_prefix(" = \"")?.strip_suffix('"')
        };
        if let (Some(name), Some(version), Some(checksum)) =
            (value("name"), value("version"), value("checksum"))
        {
            checksums.insert((name, version), checksum);
        }
    }
    checksums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_becomes_components_and_edges() {
        let tree = "0 app v0.1.0 (/app)|MIT OR Apache-2.0\n\
                    1 a v1.0.0|MIT/Apache-2.0\n\
                    2 b v2.0.0 (proc-macro)|ISC\n\
                    1 b v2.0.0|ISC (*)\n";
        let lock = "[[package]]\nname = \"a\"\nversion = \"1.0.0\"\nchecksum = \"0a\"\n\n\
                    [[package]]\nname = \"app\"\nversion = \"0.1.0\"\n";
        let bill = of_cargo(tree, lock).unwrap();
        assert_eq!(bill["metadata"]["component"]["name"], "app");
        let components = bill["components"].as_array().unwrap();
        assert_eq!(components.len(), 2);
        assert_eq!(components[0]["purl"], "pkg:cargo/a@1.0.0");
        assert_eq!(components[0]["hashes"][0]["content"], "0a");
        assert_eq!(components[0]["licenses"][0]["expression"], "MIT OR Apache-2.0");
        assert_eq!(components[1]["licenses"][0]["expression"], "ISC");
        assert_eq!(
            bill["dependencies"],
            json!([
                { "ref": "pkg:cargo/a@1.0.0", "dependsOn": ["pkg:cargo/b@2.0.0"] },
                { "ref": "pkg:cargo/app@0.1.0", "dependsOn": ["pkg:cargo/a@1.0.0", "pkg:cargo/b@2.0.0"] },
                { "ref": "pkg:cargo/b@2.0.0", "dependsOn": [] },
            ])
        );
    }

    #[test]
    fn a_bill_does_not_depend_on_time_or_chance() {
        let folder = tempfile::tempdir().unwrap();
        let bill =
            json!({ "serialNumber": "urn:uuid:1", "metadata": { "timestamp": "now", "x": 1 } });
        save(folder.path(), "bill", &bill).unwrap();
        let saved = fs::read_to_string(folder.path().join("bill.cdx.json")).unwrap();
        assert_eq!(
            serde_json::from_str::<Value>(&saved).unwrap(),
            json!({ "metadata": { "x": 1 } })
        );
    }
}
