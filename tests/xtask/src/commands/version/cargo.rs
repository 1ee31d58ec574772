//! The version in `Cargo.toml`: of the package, of the workspace's packages, and of dependencies
//! by path.

use anyhow::Result;
use toml_edit::{DocumentMut, Item, TableLike, value};

/// The versions that a manifest says of our own crates.
pub(super) fn versions(text: &str) -> Result<Vec<String>> {
    let mut manifest: DocumentMut = text.parse()?;
    let mut found = Vec::new();
    visit(&mut manifest, |item| found.extend(item.as_str().map(str::to_owned)));
    Ok(found)
}

/// The manifest with another version for our own crates.
pub(super) fn with_version(text: &str, version: &str) -> Result<String> {
    let mut manifest: DocumentMut = text.parse()?;
    visit(&mut manifest, |item| {
        let decor = item.as_value().map(|value| value.decor().clone());
        *item = value(version);
        if let (Some(value), Some(decor)) = (item.as_value_mut(), decor) {
            *value.decor_mut() = decor;
        }
    });
    Ok(manifest.to_string())
}

/// Calls `seen` with every version of ours that is written out (`version.workspace` is not).
fn visit(manifest: &mut DocumentMut, mut seen: impl FnMut(&mut Item)) {
    let mut own = |table: Option<&mut Item>| {
        let version = table.and_then(Item::as_table_like_mut).and_then(|it| it.get_mut("version"));
        version.filter(|version| version.is_str()).map(&mut seen);
    };
    own(manifest.get_mut("package"));
    if let Some(workspace) = manifest.get_mut("workspace").and_then(Item::as_table_like_mut) {
        own(workspace.get_mut("package"));
        by_path(workspace, &mut own);
    }
    by_path(manifest.as_table_mut(), &mut own);
}

fn by_path(parent: &mut dyn TableLike, own: &mut impl FnMut(Option<&mut Item>)) {
    for kind in ["dependencies", "dev-dependencies", "build-dependencies"] {
        let Some(table) = parent.get_mut(kind).and_then(Item::as_table_like_mut) else { continue };
        for (_, dependency) in table.iter_mut() {
            if dependency.get("path").is_some() {
                own(Some(dependency));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORKSPACE: &str = r#"
[workspace.package]
version = "0.1.0" # the one

[workspace.dependencies]
regrant = { path = "core", version = "0.1.0", default-features = false }
support = { path = "support" }
serde = { version = "1.0.0" }
"#;

    #[test]
    fn only_versions_of_workspace_crates_are_changed() {
        assert_eq!(versions(WORKSPACE).unwrap(), ["0.1.0", "0.1.0"]);
        let expected = WORKSPACE.replace("0.1.0", "2.0.0");
        assert_eq!(with_version(WORKSPACE, "2.0.0").unwrap(), expected);
    }

    #[test]
    fn an_inherited_version_is_not_listed() {
        assert!(versions("[package]\nversion.workspace = true\n").unwrap().is_empty());
        assert_eq!(versions("[package]\nversion = \"3.0.0\"\n").unwrap(), ["3.0.0"]);
        assert!(versions("[package\n").is_err());
    }
}
