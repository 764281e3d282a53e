//! Downloads of known files: each is tried from one mirror after the other, written beside its
//! place under a name of its own, checked, and only then given its name. So a folder never holds
//! half a file, and two runs at once do no harm.
//!
//! A server is not waited for without end: it must answer, send something now and then, send enough
//! in all, and be done in time ([`Patience`]); and no more is taken from it than a file can have.
//!
//! It does not decide whether a download is wanted.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use tempfile::NamedTempFile;
use ureq::Agent;

use super::error::DataError;
use super::idx;
use crate::base::shown::Show;
use crate::files;

/// A file whose contents are known.
#[derive(Clone, Copy, Debug)]
pub struct KnownFile {
    /// Its name, without `.gz`.
    pub name: &'static str,
    /// The SHA-256 of what is unpacked, in hex.
    pub sum: &'static str,
}

/// How long a server is waited for.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// To find it, and to be connected.
    connect: Duration,
    /// From one piece of a file to the next.
    piece: Duration,
    /// Before its speed counts.
    grace: Duration,
    /// Bytes a second, on the average, behind the grace.
    rate: u64,
    /// For a file as a whole.
    whole: Duration,
}

/// A modem's speed is enough; the largest file has 10 MB.
pub const PATIENCE: Patience = Patience {
    connect: Duration::from_secs(5),
    piece: Duration::from_secs(15),
    grace: Duration::from_secs(20),
    rate: 5_000,
    whole: Duration::from_secs(900),
};

/// No file is larger.
const MOST_BYTES: u64 = 64 << 20;

/// Gets `NAME.gz` for each file that a folder lacks. An error's `tried` has a line for each
/// mirror that failed.
pub fn fetch(files: &[KnownFile], mirrors: &[&str], folder: &Path) -> Result<(), DataError> {
    let unwritable = |error: std::io::Error| {
        let message = format!("downloads cannot be written to {}: {error}", folder.shown());
        DataError::new(message).path(folder)
    };
    fs::create_dir_all(folder).map_err(unwritable)?;
    for known in files {
        let target = folder.join(format!("{}.gz", known.name));
        if target.is_file() {
            continue;
        }
        let target = files::write::destination(&target).map_err(unwritable)?;
        let mut tried = Vec::new();
        let file = mirrors.iter().find_map(|mirror| {
            let url = format!("{mirror}{}.gz", known.name);
            let result = get(&url, &target, PATIENCE).and_then(|file| check(file, known));
            result.map_err(|reason| tried.push(format!("{url} ({reason})"))).ok()
        });
        let Some(file) = file else {
            return Err(DataError::new("no mirror could be used").tried(tried));
        };
        file.persist(&target).map_err(|failed| unwritable(failed.error))?;
    }
    Ok(())
}

/// Downloads to a temporary file beside a place.
fn get(url: &str, target: &Path, patience: Patience) -> Result<NamedTempFile, String> {
    let start = Instant::now();
    let agent: Agent = Agent::config_builder()
        .timeout_resolve(Some(patience.connect))
        .timeout_connect(Some(patience.connect))
        .timeout_recv_response(Some(patience.piece))
        .timeout_per_read(Some(patience.piece))
        .timeout_global(Some(patience.whole))
        .build()
        .into();
    let response = agent.get(url).call().map_err(|error| error.to_string())?;
    let mut body = response.into_body().into_reader();
    let mut file = files::write::beside(target).map_err(|error| error.to_string())?;
    let (mut piece, mut taken) = (vec![0; 1 << 16], 0u64);
    loop {
        let count = body.read(&mut piece).map_err(|error| error.to_string())?;
        if count == 0 {
            return Ok(file);
        }
        taken += count as u64;
        if taken > MOST_BYTES {
            return Err(format!("more than the {} MB that it can have", MOST_BYTES >> 20));
        }
        let elapsed = start.elapsed();
        if elapsed > patience.whole {
            return Err(format!("not done after {} s", patience.whole.as_secs()));
        }
        if elapsed > patience.grace && (taken as f64) < patience.rate as f64 * elapsed.as_secs_f64()
        {
            return Err(format!("too slow: {taken} bytes in {:.0} s", elapsed.as_secs_f64()));
        }
        file.write_all(&piece[..count]).map_err(|error| error.to_string())?;
    }
}

/// Lets a file pass whose contents are the known ones.
fn check(file: NamedTempFile, known: &KnownFile) -> Result<NamedTempFile, String> {
    let (_, sum) = idx::read(file.path()).map_err(|error| error.message.to_string())?;
    match sum == known.sum {
        true => Ok(file),
        false => Err(format!("its SHA-256 is {sum}, should be {}", known.sum)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    /// A server that answers one request by `serve`; its address.
    fn server(serve: impl FnOnce(&mut dyn Write) + Send + 'static) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 4096]);
            serve(&mut stream);
        });
        format!("http://{address}/x")
    }

    fn got(url: &str, patience: Patience) -> Result<Vec<u8>, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = get(url, &folder.path().join("x"), patience)?;
        Ok(fs::read(file.path()).unwrap())
    }

    #[test]
    fn what_a_server_sends_is_taken() {
        let url = server(|out| {
            out.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello").unwrap();
        });
        assert_eq!(got(&url, PATIENCE).unwrap(), b"hello");
    }

    #[test]
    fn one_that_trickles_or_never_ends_is_left() {
        let trickle = |out: &mut dyn Write| {
            let _ = out.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
            while out.write_all(b"x").and_then(|()| out.flush()).is_ok() {
                std::thread::sleep(Duration::from_millis(20));
            }
        };
        let short = Patience { grace: Duration::from_millis(200), ..PATIENCE };
        let error = got(&server(trickle), short).unwrap_err();
        assert!(error.starts_with("too slow"), "{error}");
        let short = Patience { whole: Duration::from_millis(300), ..PATIENCE };
        got(&server(trickle), short).unwrap_err();
        let endless = |out: &mut dyn Write| {
            let _ = out.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
            while out.write_all(&[0; 1 << 16]).is_ok() {}
        };
        let error = got(&server(endless), PATIENCE).unwrap_err();
        assert!(error.starts_with("more than the 64 MB"), "{error}");
    }
}
