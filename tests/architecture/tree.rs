//! What the engine may not be built on: people embed it where there is no runtime and no network.

/// Packages, each with its family: `hyper` stands for `hyper-util` as well.
const SERVERS: [&str; 5] = ["axum", "hyper", "sqlx", "tokio", "tonic"];

/// What is wrong with a dependency tree, one package a line.
pub fn check(tree: &str) -> Vec<String> {
    if !tree.lines().any(|line| line.starts_with("tollgate-engine ")) {
        return vec![format!("`cargo tree` does not name `tollgate-engine`; correct the test:\n{tree}")];
    }
    let names = tree.lines().filter_map(|line| line.split_whitespace().next());
    let family = |name: &str| name.split('-').next().unwrap_or_default().to_owned();
    let servers = names.filter(|name| SERVERS.contains(&family(name).as_str()));
    let mut complaints: Vec<String> = servers
        .map(|name| {
            format!(
                "tollgate-engine depends on `{name}`; see how with `cargo tree -p tollgate-engine -e normal -i {name}` \
                 and move what needs it to the package `tollgate`"
            )
        })
        .collect();
    complaints.sort();
    complaints.dedup();
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_found_and_others_left_alone() {
        let fine = "tollgate-engine v0.1.0 (/x)\nregex v1.12.0\nhyperloglog v1.0.0\n";
        assert_eq!(check(fine), Vec::<String>::new());
        for name in ["tokio", "tokio-util", "tonic", "tonic-prost", "axum-core", "sqlx", "hyper"] {
            let found = check(&format!("{fine}{name} v1.0.0\n{name} v1.0.0 (*)\n"));
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(found[0].starts_with(&format!("tollgate-engine depends on `{name}`")), "{found:?}");
        }
    }

    #[test]
    fn a_tree_of_something_else_is_no_proof() {
        assert!(check("")[0].contains("correct the test"));
        assert!(check("regex v1.12.0\n")[0].contains("correct the test"));
    }
}
