//! The requests to KMS, and the handling of its answers.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::*;
use crate::domain::token::Ciphertext;
use crate::ports::{DecryptSecret, EncryptSecret};
use crate::store::Vault;
use crate::testing::Service;
use crate::testing::{plain_secret, token};

#[expect(clippy::disallowed_methods, reason = "a test looks at what it made")]
fn plaintext() -> String {
    STANDARD.encode(plain_secret().expose_secret())
}

async fn vault(status: u16, answer: Value) -> (Service, Vault) {
    let (service, config) = Service::answering([(status, answer)]).await;
    (service, Vault::new(&config, "key-1".into()))
}

fn context() -> Value {
    json!({"accountId": token().account_id.as_str(), "tokenId": token().id.as_str()})
}

#[tokio::test]
async fn a_secret_is_encrypted_for_its_token_of_its_account() {
    let sealed = json!({"CiphertextBlob": STANDARD.encode(b"sealed"), "KeyId": "key-1"});
    let (service, vault) = vault(200, sealed).await;
    let Token { account_id, id, .. } = token();
    let ciphertext = vault
        .encrypt_secret(&account_id, &id, &plain_secret())
        .await;
    assert_eq!(ciphertext.unwrap(), Ciphertext(b"sealed".to_vec()));
    let request = &service.requests()[0];
    assert_eq!(request["KeyId"], "key-1");
    assert_eq!(request["EncryptionContext"], context());
    assert_eq!(request["Plaintext"], plaintext());
}

#[tokio::test]
async fn a_secret_is_decrypted_for_its_token_of_its_account() {
    let opened = json!({"Plaintext": plaintext(), "KeyId": "key-1"});
    let (service, vault) = vault(200, opened).await;
    let Token { account_id, id, .. } = token();
    let sealed = Ciphertext(b"sealed".to_vec());
    let plain = vault.decrypt_secret(&account_id, &id, &sealed).await;
    assert_eq!(plain.unwrap().hash(), plain_secret().hash());
    let request = &service.requests()[0];
    assert_eq!(request["KeyId"], "key-1");
    assert_eq!(request["EncryptionContext"], context());
    assert_eq!(request["CiphertextBlob"], STANDARD.encode(b"sealed"));
}

async fn refusal(status: u16, answer: Value) -> PortError {
    let (_, vault) = vault(status, answer).await;
    let Token { account_id, id, .. } = token();
    let sealed = Ciphertext(b"sealed".to_vec());
    let decrypted = vault.decrypt_secret(&account_id, &id, &sealed).await;
    decrypted.unwrap_err()
}

#[tokio::test]
async fn what_is_decrypted_to_anything_but_a_secret_is_broken_and_not_told() {
    for text in [&b"no secret of ours"[..], b"\xff\xfe"] {
        let answer = json!({"Plaintext": STANDARD.encode(text)});
        let error = refusal(200, answer).await;
        assert!(matches!(error, PortError::Broken(_)));
        assert!(!error.to_string().contains("no secret of ours"));
    }
    let error = refusal(200, json!({})).await;
    assert!(matches!(error, PortError::Broken(_)));
}

#[tokio::test]
async fn a_busy_key_service_or_a_disabled_key_is_unavailable_and_a_refusal_broken() {
    for code in [
        "ThrottlingException",
        "KMSInternalException",
        "DisabledException",
        "KMSInvalidStateException",
    ] {
        let error = refusal(400, json!({"__type": code})).await;
        assert!(matches!(error, PortError::Unavailable(_)), "{code}");
    }
    for code in ["AccessDeniedException", "InvalidCiphertextException"] {
        let error = refusal(400, json!({"__type": code})).await;
        assert!(matches!(error, PortError::Broken(_)), "{code}");
    }
}
