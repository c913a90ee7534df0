//! Private keys of approvers, as files.

use super::exit::{Exit, Failure, OrExit as _};
use anyhow::Context as _;
use std::io::Read as _;
use std::path::Path;
use tollgate_engine::sign::PrivateKey;
use zeroize::Zeroizing;

/// A longer file is no key.
const MOST_BYTES: u64 = 16 << 10;

/// Reads a private key.
///
/// # Errors
/// With code 3 when the file cannot be read, 2 when it holds no private key of ed25519.
pub fn private(path: &Path) -> Result<PrivateKey, Failure> {
    let shown = path.display();
    let mut text = Zeroizing::new(String::new());
    std::fs::File::open(path)
        .and_then(|file| file.take(MOST_BYTES).read_to_string(&mut text))
        .with_context(|| format!("{shown}: the private key cannot be read"))
        .or_exit(Exit::Unreachable)?;
    PrivateKey::from_pem(&text).ok_or_else(|| {
        Failure::usage(format!(
            "{shown}: is no private key of ed25519 in PEM (PKCS#8); make one with `tollgate keygen`"
        ))
    })
}
