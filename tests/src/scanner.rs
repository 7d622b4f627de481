//! A scanner of secrets in GitHub's place: its keys and its signatures.

use std::process;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::Stack;

/// A key pair of the scanner, and its identifier.
#[derive(Debug)]
pub struct ScannerKey {
    id: String,
    pair: EcdsaKeyPair,
}

impl ScannerKey {
    /// Creates a key pair. `name` begins its identifier.
    ///
    /// # Panics
    /// If there is no source of random bits.
    pub fn new(name: &str) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).expect("a key pair");
        // A local cloud from an earlier run knows the keys of that run.
        let id = format!("{name}-{}", process::id());
        Self { id, pair }
    }

    /// Returns the key's identifier.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the key as GitHub publishes it.
    ///
    /// # Panics
    /// If the key can't be encoded.
    pub fn published(&self, current: bool) -> Value {
        let der = self.pair.public_key().as_der().expect("a public key");
        let base64 = STANDARD.encode(der.as_ref());
        let key = format!("-----BEGIN PUBLIC KEY-----\n{base64}\n-----END PUBLIC KEY-----\n");
        json!({"key_identifier": self.id, "key": key, "is_current": current})
    }

    /// Returns the signature of a body.
    ///
    /// # Panics
    /// If it can't be made.
    pub fn sign(&self, body: &str) -> String {
        let signature = self.pair.sign(&SystemRandom::new(), body.as_bytes());
        STANDARD.encode(signature.expect("a signature").as_ref())
    }

    /// Returns a report with a signature of this key.
    pub fn report(&self, stack: &Stack, body: &str) -> RequestBuilder {
        stack.leak_report(&self.id, &self.sign(body), body)
    }
}

impl Stack {
    /// Returns a leak report with that key's identifier and that signature.
    pub fn leak_report(&self, id: &str, signature: &str, body: &str) -> RequestBuilder {
        self.api(Method::POST, "/v1/leaks/github")
            .header("Github-Public-Key-Identifier", id)
            .header("Github-Public-Key-Signature", signature)
            .header("Content-Type", "application/json")
            .body(body.to_owned())
    }

    /// Publishes these keys in GitHub's place.
    pub async fn publish_scanner_keys(&self, keys: &[Value]) {
        let list = json!({"public_keys": keys}).to_string();
        self.put_object("leak-report-keys", "secret_scanning", list)
            .await;
    }
}
