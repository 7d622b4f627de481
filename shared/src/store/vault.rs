//! The encryption of secrets by KMS, bound to token and account.

use aws_config::SdkConfig;
use aws_sdk_kms::Client;
use aws_sdk_kms::primitives::Blob;
use secrecy::ExposeSecret;

use crate::aws::port_error;
use crate::domain::id::{AccountId, TokenId};
use crate::domain::secret::PlainSecret;
use crate::domain::token::Ciphertext;
use crate::ports::{DecryptSecret, EncryptSecret, PortError};

/// A client of the KMS key that encrypts secrets.
#[derive(Debug, Clone)]
pub struct Vault {
    client: Client,
    key_id: String,
}

impl Vault {
    /// A vault that uses the KMS key with the ARN `key_id`.
    pub fn new(config: &SdkConfig, key_id: String) -> Self {
        Self {
            client: Client::new(config),
            key_id,
        }
    }
}

impl EncryptSecret for Vault {
    #[expect(clippy::disallowed_methods, reason = "hands the secret over to KMS")]
    async fn encrypt_secret(
        &self,
        account: &AccountId,
        token: &TokenId,
        secret: &PlainSecret,
    ) -> Result<Ciphertext, PortError> {
        let output = self
            .client
            .encrypt()
            .key_id(&self.key_id)
            .encryption_context("accountId", account.as_str())
            .encryption_context("tokenId", token.as_str())
            .plaintext(Blob::new(secret.expose_secret()))
            .send()
            .await
            .map_err(port_error)?;
        let blob = output.ciphertext_blob;
        let missing = || PortError::Broken("kms:Encrypt answered without a ciphertext".into());
        Ok(Ciphertext(blob.ok_or_else(missing)?.into_inner()))
    }
}

impl DecryptSecret for Vault {
    async fn decrypt_secret(
        &self,
        account: &AccountId,
        token: &TokenId,
        ciphertext: &Ciphertext,
    ) -> Result<PlainSecret, PortError> {
        let output = self
            .client
            .decrypt()
            .key_id(&self.key_id)
            .encryption_context("accountId", account.as_str())
            .encryption_context("tokenId", token.as_str())
            .ciphertext_blob(Blob::new(ciphertext.0.as_slice()))
            .send()
            .await
            .map_err(port_error)?;
        let broken = |what: &str| PortError::Broken(format!("a decrypted secret is {what}").into());
        let plaintext = output
            .plaintext
            .ok_or_else(|| broken("missing"))?
            .into_inner();
        let text = std::str::from_utf8(&plaintext).map_err(|_| broken("no text"))?;
        PlainSecret::parse(text).map_err(|_| broken("malformed"))
    }
}
