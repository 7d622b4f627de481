//! Kinds of tokens.

use super::string_enum::string_enum;

string_enum! {
    /// What a token acts as.
    pub enum Kind {
        /// Acts for the account.
        Account = "account",
        /// Acts inside one Integration App.
        IntegrationApp = "integrationApp",
    }
}
