//! The token of a server: who does not know it gets no answer.
//!
//! ```text
//! http://127.0.0.1:41235/5f1c…e0/      the page, for who was given the address
//! http://127.0.0.1:41235/              403
//! ```
//!
//! It is part of every path and not a cookie: cookies of one port are sent to all ports of a host, so any
//! other server on this machine would be told.

use crate::driver::Failure;

/// 128 random bits.
pub(super) struct AccessToken {
    text: String,
    hash: blake3::Hash,
}

impl AccessToken {
    /// A new one, from the system's generator.
    pub fn new() -> Result<AccessToken, Failure> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes)
            .map_err(|error| Failure::Io(format!("the system has no random numbers: {error}")))?;
        let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let hash = blake3::hash(text.as_bytes());
        Ok(AccessToken { text, hash })
    }

    /// The token as it stands in the address.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The part of a path behind the token; none where another stands there. How long that takes does not
    /// tell how much was right: hashes are compared, and those in constant time.
    pub fn strip<'p>(&self, path: &'p str) -> Option<&'p str> {
        let path = path.strip_prefix('/')?;
        let (given, rest) = path.split_once('/').unwrap_or((path, ""));
        (blake3::hash(given.as_bytes()) == self.hash).then_some(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_token_opens() {
        let token = AccessToken::new().unwrap();
        assert_eq!(token.text().len(), 32);
        let own = format!("/{}", token.text());
        assert_eq!(token.strip(&own), Some(""));
        assert_eq!(token.strip(&format!("{own}/run/x")), Some("run/x"));
        let other = AccessToken::new().unwrap();
        for wrong in ["", "/", "//", "/x", &own[1..], &own[..32], &format!("/{}/", other.text())] {
            assert_eq!(token.strip(wrong), None, "{wrong}");
        }
    }
}
