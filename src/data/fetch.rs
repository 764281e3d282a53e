//! Downloads of known files: each is tried from one mirror after the other, written beside its
//! place under a name of its own, checked, and only then given its name. So a folder never holds
//! half a file, and two runs at once do no harm.
//!
//! It does not decide whether a download is wanted.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use tempfile::NamedTempFile;
use ureq::Agent;

use super::error::DataError;
use super::idx;

/// A file whose contents are known.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// Its name, without `.gz`.
    pub name: &'static str,
    /// The SHA-256 of what is unpacked, in hex.
    pub sum: &'static str,
}

/// How long a server may take to answer at all.
const CONNECT: Duration = Duration::from_secs(5);
/// How long a server may take between two pieces of a file.
const READ: Duration = Duration::from_secs(15);
/// No file is larger.
const MOST_BYTES: u64 = 64 << 20;

/// Gets `NAME.gz` for each file that a folder lacks. An error's `tried` has a line for each
/// mirror that failed.
pub fn fetch(files: &[Known], mirrors: &[&str], folder: &Path) -> Result<(), DataError> {
    let unwritable = |error: std::io::Error| {
        let message = format!("downloads cannot be written to {}: {error}", folder.display());
        DataError::new(message).path(folder)
    };
    fs::create_dir_all(folder).map_err(unwritable)?;
    let agent: Agent = Agent::config_builder()
        .timeout_resolve(Some(CONNECT))
        .timeout_connect(Some(CONNECT))
        .timeout_recv_response(Some(READ))
        .timeout_per_read(Some(READ))
        .build()
        .into();
    for known in files {
        let target = folder.join(format!("{}.gz", known.name));
        if target.is_file() {
            continue;
        }
        let mut tried = Vec::new();
        let file = mirrors.iter().find_map(|mirror| {
            let url = format!("{mirror}{}.gz", known.name);
            let result = get(&agent, &url, folder).and_then(|file| check(file, known));
            result.map_err(|reason| tried.push(format!("{url} ({reason})"))).ok()
        });
        let Some(file) = file else {
            return Err(DataError::new("no mirror could be used").tried(tried));
        };
        file.persist(&target).map_err(|failed| unwritable(failed.error))?;
    }
    Ok(())
}

/// Downloads to a temporary file in the folder.
fn get(agent: &Agent, url: &str, folder: &Path) -> Result<NamedTempFile, String> {
    let response = agent.get(url).call().map_err(|error| error.to_string())?;
    let mut body = response.into_body().into_reader().take(MOST_BYTES);
    let mut file = NamedTempFile::new_in(folder).map_err(|error| error.to_string())?;
    std::io::copy(&mut body, &mut file).map_err(|error| error.to_string())?;
    Ok(file)
}

/// Lets a file pass whose contents are the known ones.
fn check(file: NamedTempFile, known: &Known) -> Result<NamedTempFile, String> {
    let (_, sum) = idx::read(file.path()).map_err(|error| error.message.to_string())?;
    match sum == known.sum {
        true => Ok(file),
        false => Err(format!("its SHA-256 is {sum}, should be {}", known.sum)),
    }
}
