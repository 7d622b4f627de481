//! GitHub's protocol: the reports, and the feedback to them.

use latchkey::domain::leak::Find;
use latchkey::domain::secret::PlainSecret;
use latchkey::domain::text::redact;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// One find, as GitHub reports it. There is no `Debug`, because it would show the secret.
#[derive(Deserialize)]
pub(crate) struct Match {
    pub(crate) token: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    url: Option<String>,
    #[serde(default)]
    source: Option<String>,
}

/// The feedback to a find: whether the secret is a token's. It never contains the secret.
#[derive(Debug, Serialize)]
pub(crate) struct Feedback {
    /// The SHA-256 of the secret, as hexadecimal digits.
    token_hash: String,
    /// The type of the report, redacted.
    token_type: String,
    label: Label,
}

#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Label {
    TruePositive,
    FalsePositive,
}

impl Match {
    /// Returns the find if the reported text is a well-formed secret.
    pub(crate) fn find(&self) -> Option<Find> {
        let secret = PlainSecret::parse(&self.token).ok()?;
        Some(Find {
            secret: secret.hash(),
            url: self.url.clone().unwrap_or_default(),
            source_kind: self.source.clone().unwrap_or_default(),
        })
    }

    pub(crate) fn feedback(&self, known: bool) -> Feedback {
        Feedback {
            token_hash: hex::encode(Sha256::digest(&self.token)),
            token_type: redact(&self.kind),
            label: if known {
                Label::TruePositive
            } else {
                Label::FalsePositive
            },
        }
    }
}
