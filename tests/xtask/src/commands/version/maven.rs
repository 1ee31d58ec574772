//! The version in `pom.xml`: `<project><version>`, and none of the many deeper ones.

use std::ops::Range;

use anyhow::{Context, Result};

/// The version that a `pom.xml` says.
pub(super) fn versions(text: &str) -> Result<Vec<String>> {
    Ok(vec![text.get(file(text)?).unwrap_or_default().trim().to_owned()])
}

/// The `pom.xml` with another version.
pub(super) fn with_version(text: &str, version: &str) -> Result<String> {
    let mut edited = text.to_owned();
    edited.replace_range(file(text)?, version);
    Ok(edited)
}

/// Where the project's own version stands.
fn file(text: &str) -> Result<Range<usize>> {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = text;
    while let Some((_, from_tag)) = rest.split_once('<') {
        let end = if from_tag.starts_with("!--") { "-->" } else { ">" };
        let (tag, after) = from_tag.split_once(end).context("a tag that does not end")?;
        let name = tag.split_whitespace().next().unwrap_or_default();
        if name.starts_with('/') {
            open.pop();
        } else if !name.starts_with(['!', '?']) && !tag.ends_with('/') {
            open.push(name);
            if open == ["project", "version"] {
                let start = text.len() - after.len();
                let length = after.find('<').context("a version that does not end")?;
                return Ok(start..start + length);
            }
        }
        rest = after;
    }
    anyhow::bail!("no <version> in <project>")
}

#[cfg(test)]
mod tests {
    use super::*;

    const POM: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<!-- <project><version>9.9.9</version> -->
<project xmlns="x">
  <parent><version>7</version></parent>
  <relativePath/>
  <version>0.1.0</version>
  <dependencies><dependency><version>0.1.0</version></dependency></dependencies>
</project>
"#;

    #[test]
    fn only_the_version_of_the_project_is_used() {
        assert_eq!(versions(POM).unwrap(), ["0.1.0"]);
        assert_eq!(with_version(POM, "2.0.0").unwrap(), POM.replacen("0.1.0", "2.0.0", 1));
    }

    #[test]
    fn a_project_without_a_version_is_an_error() {
        assert!(versions("<project><parent><version>1</version></parent></project>").is_err());
        assert!(versions("<project").is_err());
        assert!(versions("").is_err());
    }
}
