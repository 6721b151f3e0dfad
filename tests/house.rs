//! The order of the house: who may name what.

use std::fs;
use std::path::{Path, PathBuf};

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Files of `src` whose code (comments aside) holds one of these words.
fn naming(words: &[&str]) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    sources(&root)
        .into_iter()
        .filter(|path| {
            let text = fs::read_to_string(path).unwrap();
            let code = text
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"));
            code.into_iter()
                .any(|line| words.iter().any(|word| line.contains(word)))
        })
        .map(|path| path.strip_prefix(&root).unwrap().display().to_string())
        .collect()
}

fn all_within(files: &[String], folders: &[&str]) {
    assert!(!files.is_empty(), "the search finds nothing");
    for file in files {
        assert!(
            folders.iter().any(|folder| file.starts_with(folder)),
            "{file} is not in {folders:?}"
        );
    }
}

#[test]
fn diesel_is_named_under_store_only() {
    all_within(&naming(&["diesel::", "use diesel"]), &["store/"]);
}

#[test]
fn actix_is_named_under_api_only() {
    all_within(&naming(&["actix_web"]), &["api/"]);
}

#[test]
fn the_pure_modules_know_neither_database_nor_server_nor_clock() {
    let outside = [
        "crate::store",
        "crate::conduct",
        "crate::analysis",
        "crate::api",
        "crate::cli",
        "crate::access",
        "crate::clock",
        "crate::config",
        "crate::secrets",
        "std::fs",
        "std::net",
        "std::env",
        "std::time",
    ];
    let pure = ["protocol/", "randomization/", "statistics/", "ledger/"];
    let guilty: Vec<String> = naming(&outside)
        .into_iter()
        .filter(|file| pure.iter().any(|folder| file.starts_with(folder)))
        .collect();
    assert_eq!(guilty, Vec::<String>::new());
}

#[test]
fn nobody_calls_upward() {
    let floors: [(&[&str], &[&str]); 2] = [
        (
            &["store/"],
            &[
                "crate::conduct",
                "crate::analysis",
                "crate::report",
                "crate::access",
                "crate::api",
                "crate::cli",
            ],
        ),
        (
            &["conduct/", "analysis/", "report/", "access/"],
            &["crate::api", "crate::cli"],
        ),
    ];
    for (folders, above) in floors {
        let guilty: Vec<String> = naming(above)
            .into_iter()
            .filter(|file| folders.iter().any(|folder| file.starts_with(folder)))
            .collect();
        assert_eq!(guilty, Vec::<String>::new());
    }
}
