//! Bills of materials in CycloneDX 1.5: which crates are compiled into each artefact, and which packages npm and Maven
//! install beside it.
//!
//! Cargo has no such command, so this reads `cargo tree` and the checksums in `Cargo.lock`; `npm sbom` omits packages that are
//! development dependencies too, so this reads `package-lock.json`; for Maven there is a plugin. Nothing in a bill depends on
//! the time or the machine.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::checkout::{self, KOTLIN, NODE};
use crate::commands::version;
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
            .args(["tree", "--locked", "--target", "all", "--edges", "normal,no-proc-macro"])
            .args(["--prefix", "depth", "--format", " {p}|{l}"])
            .args(selection);
        let bill = of_cargo(&tree.run_and_read()?, &lock)?;
        save(folder, name, &bill)?;
    }
    let lock = fs::read_to_string(checkout::path(NODE).join("package-lock.json"))?;
    save(folder, "regrant-npm", &of_npm(&serde_json::from_str(&lock)?)?)?;

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
    bill(&root, components, &dependencies)
}

/// The bill of the npm package: what `npm install` installs beside it on every platform, by a lock file. The addons are in
/// `regrant-addon`.
fn of_npm(lock: &Value) -> Result<Value> {
    let packages = &lock["packages"];
    let mut components = BTreeMap::new();
    let mut dependencies: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut waiting = vec![(String::new(), None::<String>)];
    while let Some((place, parent)) = waiting.pop() {
        let package = &packages[&place];
        let version =
            package["version"].as_str().with_context(|| format!("no {place} in the lock"))?;
        let name = package["name"].as_str().or(place.rsplit("node_modules/").next());
        let name = name.context("a package has no name")?;
        let reference = format!("pkg:npm/{}@{version}", name.replace('@', "%40"));
        if let Some(parent) = parent {
            dependencies.entry(parent).or_default().insert(reference.clone());
        }
        dependencies.entry(reference.clone()).or_default();
        let mut component = json!({
            "type": "library", "bom-ref": reference, "name": name, "version": version, "purl": reference,
        });
        if let Some(licence) = package["license"].as_str() {
            component["licenses"] = json!([{ "expression": licence }]);
        }
        if let Some(sum) = package["integrity"].as_str().and_then(|it| it.strip_prefix("sha512-")) {
            let sum: String =
                STANDARD.decode(sum)?.iter().map(|byte| format!("{byte:02x}")).collect();
            component["hashes"] = json!([{ "alg": "SHA-512", "content": sum }]);
        }
        if components.insert(reference.clone(), component).is_some() {
            continue;
        }
        for needed in package["dependencies"].as_object().into_iter().flat_map(|map| map.keys()) {
            // The nearest of that name, as Node.js looks for it.
            let nested = format!("{place}/node_modules/{needed}");
            let place = match packages[&nested].is_object() && !place.is_empty() {
                true => nested,
                false => format!("node_modules/{needed}"),
            };
            waiting.push((place, Some(reference.clone())));
        }
    }
    let root = components.keys().find(|key| key.starts_with("pkg:npm/regrant@")).cloned();
    bill(&root.context("the lock file is not of regrant")?, components, &dependencies)
}

fn bill(
    root: &str,
    mut components: BTreeMap<String, Value>,
    dependencies: &BTreeMap<String, BTreeSet<String>>,
) -> Result<Value> {
    let artefact = components.remove(root);
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
    fn the_bill_of_npm_has_what_is_installed_and_no_development_dependencies() {
        let lock = fs::read_to_string(checkout::path(NODE).join("package-lock.json")).unwrap();
        let bill = of_npm(&serde_json::from_str(&lock).unwrap()).unwrap();
        let names = bill["components"].as_array().unwrap().iter().map(|it| it["name"].as_str());
        assert_eq!(names.flatten().collect::<Vec<_>>(), ["cookie", "detect-libc", "ms"]);
        assert_eq!(bill["components"][0]["hashes"][0]["alg"], "SHA-512");
        assert_eq!(bill["metadata"]["component"]["name"], "regrant");
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
