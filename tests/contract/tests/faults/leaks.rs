//! The scanner that reports leaks.

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lambda_http::Request;
use latchkey::testing::Event;
use serde_json::json;

/// A scanner with a key.
pub(crate) struct Scanner(EcdsaKeyPair);

impl Scanner {
    pub(crate) fn new() -> Self {
        Self(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap())
    }

    /// The list of its keys.
    pub(crate) fn published(&self) -> String {
        let der = self.0.public_key().as_der().unwrap();
        let key = format!(
            "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----",
            STANDARD.encode(der.as_ref())
        );
        let key = json!({"key_identifier": "one", "key": key, "is_current": true});
        json!({"public_keys": [key]}).to_string()
    }

    /// A signed report of a secret.
    pub(crate) fn report(&self, secret: &str) -> Request {
        let found = json!({
            "token": secret,
            "type": "latchkey",
            "url": "https://github.com/a",
            "source": "content",
        });
        let body = json!([found]).to_string();
        let signature = self.0.sign(&SystemRandom::new(), body.as_bytes()).unwrap();
        Event::sample(include_str!(
            "../../../../events/receive-leak-report/found.json"
        ))
        .raw_body(&body)
        .header("github-public-key-identifier", "one")
        .header("github-public-key-signature", &STANDARD.encode(signature))
        .request()
    }
}
