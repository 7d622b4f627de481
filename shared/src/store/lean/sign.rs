//! Signature Version 4 of requests to DynamoDB, with the day's signing key kept.
//!
//! The cryptography is that of `aws-sigv4`, the SDK's own crate. Only the text that is signed is composed here, and
//! [`super::learn`] compares the result with a signature of the SDK before it is used.

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::sign::v4::{calculate_signature, generate_signing_key};
use jiff::Timestamp;
use sha2::{Digest, Sha256};

/// Signs for one day, region and service with one set of credentials.
pub(super) struct Signer {
    access_key: String,
    /// `20261128/eu-west-1/dynamodb/aws4_request`.
    scope: String,
    key: Vec<u8>,
    /// The token of temporary credentials, as Lambda's are.
    pub(super) session_token: Option<String>,
}

/// The name of the scheme, with which the header starts.
const SCHEME: &str = "AWS4-HMAC-SHA256";

impl Signer {
    /// `time` lies in the day for which the key is derived.
    pub(super) fn new(
        credentials: &Credentials,
        time: SystemTime,
        region: &str,
        service: &str,
    ) -> Option<Self> {
        let stamp = stamp(time)?;
        let day = stamp.get(..8)?;
        let key = generate_signing_key(credentials.secret_access_key(), time, region, service);
        Some(Self {
            access_key: credentials.access_key_id().to_owned(),
            scope: format!("{day}/{region}/{service}/aws4_request"),
            key: key.as_ref().to_vec(),
            session_token: credentials.session_token().map(str::to_owned),
        })
    }

    /// Whether the key is that of this time's day.
    pub(super) fn is_of(&self, stamp: &str) -> bool {
        stamp.get(..8) == self.scope.get(..8)
    }

    /// The header `authorization` of a `POST /` with this body. The headers are those that are signed, with names in
    /// lower case and in order.
    pub(super) fn authorization(
        &self,
        headers: &[(&str, &str)],
        body: &[u8],
        stamp: &str,
    ) -> String {
        let mut text = String::with_capacity(2_048);
        text.push_str("POST\n/\n\n");
        for (name, value) in headers {
            for part in [name, ":", value, "\n"] {
                text.push_str(part);
            }
        }
        let mut names = String::with_capacity(128);
        for (name, _) in headers {
            if !names.is_empty() {
                names.push(';');
            }
            names.push_str(name);
        }
        for part in ["\n", &names, "\n", &hex::encode(Sha256::digest(body))] {
            text.push_str(part);
        }
        let request = hex::encode(Sha256::digest(text));
        let scope = &self.scope;
        let signed = format!("{SCHEME}\n{stamp}\n{scope}\n{request}");
        let signature = calculate_signature(&self.key, signed.as_bytes());
        let access_key = &self.access_key;
        format!(
            "{SCHEME} Credential={access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
        )
    }
}

/// What the header `authorization` says besides the signature.
pub(super) struct Claim<'a> {
    pub(super) region: &'a str,
    pub(super) service: &'a str,
    /// The names of the signed headers.
    pub(super) names: Vec<&'a str>,
}

impl<'a> Claim<'a> {
    /// `None` if the header is of another form.
    pub(super) fn of(authorization: &'a str) -> Option<Self> {
        let rest = authorization.strip_prefix(SCHEME)?;
        let rest = rest.strip_prefix(" Credential=")?;
        let (credential, rest) = rest.split_once(", SignedHeaders=")?;
        let (names, _) = rest.split_once(", Signature=")?;
        let mut scope = credential.rsplit('/');
        let ("aws4_request", service, region) = (scope.next()?, scope.next()?, scope.next()?)
        else {
            return None;
        };
        Some(Self {
            region,
            service,
            names: names.split(';').collect(),
        })
    }
}

/// A time as in the header `x-amz-date`: `20261128T163000Z`.
pub(super) fn stamp(time: SystemTime) -> Option<String> {
    let time = Timestamp::try_from(time).ok()?;
    Some(time.strftime("%Y%m%dT%H%M%SZ").to_string())
}
