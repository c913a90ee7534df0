//! `tollgate keygen`

use super::exit::{Exit, OrExit as _, Outcome};
use super::output::{self, Output};
use crate::clock;
use anyhow::Context as _;
use serde_json::{Value, json};
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use tollgate_engine::sign::PrivateKey;
use zeroize::Zeroizing;

/// Make the pair of keys that an approver signs with
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The private key is written to a file that only you can read, and never over another. The line
with the public key goes to stdout, for the file that `tollgate serve --approver-keys` reads.

Exit codes: 0 made, 2 wrong use, 3 the file exists or cannot be written.

Examples:
  tollgate keygen --owner ann@example.com --role approver --out ann.key >> approvers.yaml
  tollgate keygen --owner bob@example.com --role approver --role treasurer --out bob.key"
)]
pub struct Keygen {
    /// Whose key it is, as requests name users: nobody approves their own
    #[arg(long, value_name = "NAME")]
    owner: String,
    /// What the owner may approve; may be repeated
    #[arg(long, value_name = "ROLE", default_value = "approver")]
    role: Vec<String>,
    /// Where the private key is written
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    output: Output,
}

impl Keygen {
    /// Makes both keys.
    pub fn run(&self) -> Outcome {
        let seed = Zeroizing::new(clock::secret_bytes().or_exit(Exit::Unreachable)?);
        let key = PrivateKey::from_seed(&seed);
        write(&self.out, &key).or_exit(Exit::Unreachable)?;
        let (public, id) = (key.public().to_string(), key.public().id());
        if self.output.is_json() {
            output::print_json(
                &json!({"owner": self.owner, "roles": self.role, "key": public, "key_id": id}),
            );
        } else {
            // JSON is YAML, and quotes whatever a name holds.
            let roles: Vec<String> = self.role.iter().map(|role| quoted(role)).collect();
            let (owner, roles) = (quoted(&self.owner), roles.join(", "));
            output::print(&format!("- {{owner: {owner}, roles: [{roles}], key: \"{public}\"}}"));
            output::note(&format!("{}: the private key {id}; keep it to yourself", self.out.display()));
        }
        Ok(Exit::Fine)
    }
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// For its owner alone, and never over a file that is there.
fn write(path: &Path, key: &PrivateKey) -> anyhow::Result<()> {
    let shown = path.display();
    let pem = key.to_pem().context("the key has no PEM form")?;
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).with_context(|| {
            format!("{shown}: the private key cannot be written; it is never written over a file")
        })?;
    file.write_all(pem.as_bytes())
        .and_then(|()| file.sync_all())
        .with_context(|| format!("{shown}: the private key cannot be written"))
}
