//! The modules of the crate and the paths between them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use super::sources;

/// `["services", "posts"]` for `services/posts/mod.rs`; empty for `lib.rs`.
pub type Module = Vec<String>;

/// A path after `use` or in an expression, from the root of the crate.
struct UsedPath {
    path: Module,
    /// For `pub use`.
    exported: bool,
}

/// Which module uses which. A path through a `pub use` counts as a use of the module that defines
/// the item, and the `pub use` itself does not count.
pub fn uses(source: &Path) -> BTreeMap<Module, BTreeSet<Module>> {
    let mut texts = BTreeMap::new();
    for path in sources(source) {
        let inside = path.strip_prefix(source).expect("outside");
        let module: Module = inside
            .with_extension("")
            .components()
            .map(|part| part.as_os_str().to_string_lossy().into_owned())
            .filter(|part| part != "mod" && part != "lib")
            .collect();
        if module.last().is_none_or(|name| name != "tests") {
            texts.insert(module, fs::read_to_string(&path).expect("not UTF-8"));
        }
    }
    let modules: BTreeSet<Module> = texts.keys().cloned().collect();
    let paths: BTreeMap<Module, Vec<UsedPath>> = texts
        .iter()
        .map(|(module, text)| (module.clone(), used_paths(text, module, &modules)))
        .collect();
    let mut exports = BTreeMap::new();
    for (module, paths) in &paths {
        for path in paths.iter().filter(|path| path.exported) {
            let name = path.path.last().cloned().unwrap_or_default();
            let mut exported = module.clone();
            exported.push(name);
            exports.insert(exported, path.path.clone());
        }
    }
    let resolve = |paths: &[UsedPath]| {
        let paths = paths.iter().filter(|path| !path.exported);
        paths
            .filter_map(|path| defining_module(&path.path, &modules, &exports))
            .collect()
    };
    let mut uses: BTreeMap<Module, BTreeSet<Module>> = paths
        .iter()
        .map(|(module, paths)| (module.clone(), resolve(paths)))
        .collect();
    for (module, used) in &mut uses {
        used.remove(module);
    }
    uses
}

/// In each folder, a cycle of the files and folders in it. A `mod.rs` and its children may use each
/// other.
pub fn cycles(uses: &BTreeMap<Module, BTreeSet<Module>>) -> Vec<String> {
    let folders: BTreeSet<&[String]> = uses
        .keys()
        .flat_map(|module| (0..module.len()).map(|depth| &module[..depth]))
        .collect();
    let in_folder = |folder: &[String]| {
        let mut edges: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let part = |module: &Module| module.strip_prefix(folder)?.first().cloned();
        for (module, used) in uses {
            for used in used {
                if let (Some(from), Some(to)) = (part(module), part(used))
                    && from != to
                {
                    edges.entry(from).or_default().insert(to);
                }
            }
        }
        let found = find_cycle(&edges)?;
        let name = |part: &String| format!("{}/{part}", folder.join("/"));
        Some(found.iter().map(name).collect::<Vec<_>>().join(" -> "))
    };
    folders.into_iter().filter_map(in_folder).collect()
}

fn find_cycle(edges: &BTreeMap<String, BTreeSet<String>>) -> Option<Vec<String>> {
    fn visit(
        node: &String,
        edges: &BTreeMap<String, BTreeSet<String>>,
        path: &mut Vec<String>,
        done: &mut BTreeSet<String>,
    ) -> Option<Vec<String>> {
        if let Some(index) = path.iter().position(|other| other == node) {
            let mut cycle = path[index..].to_vec();
            cycle.push(node.clone());
            return Some(cycle);
        }
        if done.contains(node) {
            return None;
        }
        path.push(node.clone());
        let next = edges.get(node).into_iter().flatten();
        let found = next
            .into_iter()
            .find_map(|next| visit(next, edges, path, done));
        path.pop();
        done.insert(node.clone());
        found
    }
    let mut done = BTreeSet::new();
    edges
        .keys()
        .find_map(|node| visit(node, edges, &mut Vec::new(), &mut done))
}

/// The module in which the item of `path` is defined, if it is in this crate.
fn defining_module(
    path: &[String],
    modules: &BTreeSet<Module>,
    exports: &BTreeMap<Module, Module>,
) -> Option<Module> {
    let mut module = Module::new();
    for (index, name) in path.iter().enumerate() {
        let mut next = module.clone();
        next.push(name.clone());
        if modules.contains(&next) {
            module = next;
        } else if let Some(exported) = exports.get(&next) {
            let mut exported = exported.clone();
            exported.extend_from_slice(&path[index + 1..]);
            return defining_module(&exported, modules, exports);
        } else {
            break;
        }
    }
    (!module.is_empty()).then_some(module)
}

/// Every path that begins with `crate`, `super`, `self` or the name of a child module.
fn used_paths(text: &str, module: &Module, modules: &BTreeSet<Module>) -> Vec<UsedPath> {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or("");
    let code: String = text
        .lines()
        .map(|line| line.split("//").next().unwrap_or(""))
        .collect::<Vec<_>>()
        .join("\n");
    let mut used = Vec::new();
    let mut from = 0;
    while let Some(index) = code[from..].find("::").map(|offset| from + offset) {
        from = index + 2;
        let before = &code[..index];
        let first = before
            .rfind(|letter: char| !is_name_character(letter))
            .map_or(before, |end| &before[end + 1..]);
        let before = &before[..before.len() - first.len()];
        if before.ends_with("::") {
            continue;
        }
        let start = match first {
            "crate" => Module::new(),
            "self" => module.clone(),
            "super" => module[..module.len().saturating_sub(1)].to_vec(),
            child => {
                let mut path = module.clone();
                path.push(child.to_owned());
                if !modules.contains(&path) {
                    continue;
                }
                path
            }
        };
        let statement = before.rsplit([';', '}']).next().unwrap_or("").trim();
        let exported = statement.starts_with("pub") && statement.ends_with("use");
        for path in tree(&code[from..], start) {
            used.push(UsedPath { path, exported });
        }
    }
    used
}

/// The paths of `a::b`, `{a, b::c}` and so on, which begin with `start`.
fn tree(code: &str, mut start: Module) -> Vec<Module> {
    let Some(list) = code.strip_prefix('{') else {
        let end = code.find(|letter| !is_name_character(letter));
        let (name, rest) = code.split_at(end.unwrap_or(code.len()));
        match name {
            "super" => drop(start.pop()),
            "self" | "" => {}
            name => start.push(name.to_owned()),
        }
        return match rest.strip_prefix("::") {
            Some(rest) => tree(rest, start),
            None => vec![start],
        };
    };
    let (mut depth, mut begin, mut paths) = (0, 0, Vec::new());
    for (index, letter) in list.char_indices() {
        if depth == 0 && (letter == ',' || letter == '}') {
            let member = list[begin..index].trim();
            if !member.is_empty() {
                paths.extend(tree(member, start.clone()));
            }
            begin = index + 1;
        }
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            _ => {}
        }
    }
    paths
}

fn is_name_character(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}
