//! The structure of the core: dependencies between modules point one way, and no files import each other in a circle.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The modules from the ground up: each may use those on earlier lines, and those on its own line if no cycle
/// arises.
const LAYERS: &[&[&str]] = &[
    &["types", "error"],
    &["transport"],
    &["token"],
    &["keys"],
    &["access"],
    &["dpop"],
    &["session"],
    &["revocation"],
    &["store"],
    &["auth"],
    &["http"],
    &["client", "jwks"],
    &["migration"],
    &["config"],
    &["internal"],
];

/// One source file: its module path and its code.
struct Source {
    /// `["store", "redis", "address"]`.
    module: Vec<String>,
    /// The code without comments, string literals and tests.
    code: String,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    collect(&root, &mut paths);
    assert!(paths.len() > 40, "the sources have moved");
    let source = |path: &PathBuf| {
        let inside = path.strip_prefix(&root).unwrap().with_extension("");
        let mut module: Vec<_> =
            inside.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
        if module.last().is_some_and(|name| name == "mod" || name == "lib") {
            module.pop();
        }
        Source { module, code: code_of(&fs::read_to_string(path).unwrap()) }
    };
    paths.iter().map(source).collect()
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
}

/// What a file depends on outside its tests: without comments, string literals and `#[cfg(test)]` modules.
fn code_of(text: &str) -> String {
    let mut parts = text.split("#[cfg(test)]\nmod ");
    let mut outside = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let declaration = part.lines().next().unwrap_or_default();
        // A module in the file itself is its end.
        let Some(rest) = declaration.strip_suffix(';').map(|name| &part[name.len() + 1..]) else {
            break;
        };
        outside.push_str(rest);
    }
    let mut code = String::new();
    for line in outside.lines().filter(|line| !line.trim_start().starts_with("//")) {
        // A path in a string literal is not a dependency.
        for (index, piece) in line.split('"').enumerate() {
            code.push_str(if index % 2 == 0 { piece } else { "\"\"" });
        }
        code.push('\n');
    }
    code
}

/// Every path in `code`, as its segments: `use a::{b, c::D}` gives `a b` and `a c D`.
fn paths_in(code: &str) -> Vec<Vec<String>> {
    let mut paths = Vec::new();
    let mut prefixes: Vec<Vec<String>> = Vec::new();
    let mut current: Vec<String> = Vec::new();
    let mut characters = code.chars().peekable();
    while let Some(character) = characters.next() {
        if character.is_alphanumeric() || character == '_' {
            let mut word = character.to_string();
            while let Some(next) = characters.next_if(|next| next.is_alphanumeric() || *next == '_')
            {
                word.push(next);
            }
            current.push(word);
        } else if character == ':' && characters.next_if_eq(&':').is_some() {
            if characters.next_if_eq(&'{').is_some() {
                prefixes.push(std::mem::take(&mut current));
            }
        } else if !character.is_whitespace() || !prefixes.is_empty() || !current.is_empty() {
            let inside = prefixes.concat();
            if !current.is_empty() {
                paths.push([inside, std::mem::take(&mut current)].concat());
            }
            match character {
                '{' if !prefixes.is_empty() => prefixes.push(Vec::new()),
                '}' => drop(prefixes.pop()),
                _ => {}
            }
        }
    }
    paths
}

/// The file that a path names, seen from `from`. A name that a module only re-exports belongs to the file that
/// defines it.
fn resolve(
    tree: &BTreeMap<Vec<String>, &Source>,
    from: &[String],
    path: &[String],
) -> Option<Vec<String>> {
    let (mut at, rest): (Vec<String>, &[String]) = match path.first()?.as_str() {
        "crate" => (Vec::new(), &path[1..]),
        "self" => (from.to_vec(), &path[1..]),
        "super" => {
            let up = path.iter().take_while(|part| *part == "super").count();
            (from[..from.len().checked_sub(up)?].to_vec(), &path[up..])
        }
        child if tree.contains_key(&[from, &[child.to_owned()]].concat()) && path.len() > 1 => {
            (from.to_vec(), path)
        }
        _ => return None,
    };
    for (index, name) in rest.iter().enumerate() {
        let below = [&at[..], std::slice::from_ref(name)].concat();
        if tree.contains_key(&below) {
            at = below;
            continue;
        }
        // Re-exported by `pub use child::Name;`?
        let re_exported =
            tree.get(&at)?.code.split(';').filter(|one| one.contains("use ")).find_map(|one| {
                let after = &one[one.rfind("use ")? + 4..];
                paths_in(after).into_iter().find(|path| path.last() == Some(name) && path.len() > 1)
            });
        if let Some(target) =
            re_exported.filter(|target| target[0] != "super" && target[0] != "crate")
        {
            let target = if target[0] == "self" { &target[1..] } else { &target[..] };
            let child = [&at[..], &target[..1]].concat();
            if tree.contains_key(&child) {
                let mut full = vec!["crate".to_owned()];
                full.extend(at.iter().cloned());
                full.extend(target.iter().cloned());
                full.extend(rest[index + 1..].iter().cloned());
                return resolve(tree, from, &full);
            }
        }
        break;
    }
    Some(at)
}

/// From each file to the files that it uses. A `mod.rs` does not use what it only declares and re-exports.
fn dependencies(sources: &[Source]) -> BTreeMap<Vec<String>, BTreeSet<Vec<String>>> {
    let tree: BTreeMap<_, _> = sources.iter().map(|one| (one.module.clone(), one)).collect();
    let mut graph = BTreeMap::new();
    for source in sources.iter().filter(|source| !source.module.is_empty()) {
        let own: String = source
            .code
            .split_inclusive(';')
            .filter(|one| {
                let one = one.trim_start();
                !(one.starts_with("pub use")
                    || one.starts_with("pub(crate) use")
                    || one.starts_with("pub(super) use"))
            })
            .collect();
        let mut uses = BTreeSet::new();
        for path in paths_in(&own) {
            if let Some(target) = resolve(&tree, &source.module, &path) {
                // A file may use its parent module.
                if !source.module.starts_with(&target) {
                    uses.insert(target);
                }
            }
        }
        graph.insert(source.module.clone(), uses);
    }
    graph
}

fn layer(module: &str) -> usize {
    LAYERS
        .iter()
        .position(|layer| layer.contains(&module))
        .unwrap_or_else(|| panic!("add the module {module} to LAYERS"))
}

#[test]
fn dependencies_point_down_the_layers() {
    let sources = sources();
    let mut upward = BTreeSet::new();
    for (from, uses) in dependencies(&sources) {
        for target in uses {
            if layer(&from[0]) < layer(&target[0]) {
                upward.insert(format!("{} uses {}", from.join("::"), target.join("::")));
            }
        }
    }
    assert!(upward.is_empty(), "{upward:#?}");
}

#[test]
fn files_have_no_import_cycle() {
    let sources = sources();
    let graph = dependencies(&sources);
    let circles = circles(&graph);
    assert!(circles.is_empty(), "{circles:#?}");
}

#[test]
fn modules_have_no_import_cycle() {
    let mut graph: BTreeMap<Vec<String>, BTreeSet<Vec<String>>> = BTreeMap::new();
    for (from, uses) in dependencies(&sources()) {
        let entry = graph.entry(vec![from[0].clone()]).or_default();
        entry.extend(
            uses.iter().map(|target| vec![target[0].clone()]).filter(|target| target[0] != from[0]),
        );
    }
    let circles = circles(&graph);
    assert!(circles.is_empty(), "{circles:#?}");
}

/// The strongly connected components of more than one file.
fn circles(graph: &BTreeMap<Vec<String>, BTreeSet<Vec<String>>>) -> Vec<Vec<String>> {
    let reachable = |start: &Vec<String>| {
        let mut seen = BTreeSet::new();
        let mut open: Vec<_> = graph.get(start).into_iter().flatten().collect();
        while let Some(next) = open.pop() {
            if seen.insert(next) {
                open.extend(graph.get(next).into_iter().flatten());
            }
        }
        seen
    };
    let reach: BTreeMap<_, _> = graph.keys().map(|start| (start, reachable(start))).collect();
    let mut done = BTreeSet::new();
    let mut circles = Vec::new();
    for (start, reached) in &reach {
        if !reached.contains(*start) || !done.insert(*start) {
            continue;
        }
        let members: Vec<_> = reached
            .iter()
            .filter(|one| reach.get(*one).is_some_and(|back| back.contains(*start)))
            .collect();
        done.extend(members.iter().copied().copied());
        circles.push(members.iter().map(|one| one.join("::")).collect());
    }
    circles
}

#[test]
fn the_check_finds_imports_and_cycles() {
    let words = |path: &str| path.split(' ').map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(
        paths_in("use crate::a::{B, c::{D, E}, f::G};\nlet x = super::y();"),
        ["crate a B", "crate a c D", "crate a c E", "crate a f G", "let", "x", "super y"]
            .map(words)
            .into_iter()
            .fold(vec![words("use")], |mut all, one| {
                all.push(one);
                all
            })
    );
    let node = |name: &str| vec![name.to_owned()];
    let graph = BTreeMap::from([
        (node("a"), BTreeSet::from([node("b")])),
        (node("b"), BTreeSet::from([node("c")])),
        (node("c"), BTreeSet::from([node("b")])),
    ]);
    assert_eq!(circles(&graph), [vec!["b".to_owned(), "c".to_owned()]]);
}
