//! What all mails have in common: the page that they link to, the product's look, and the lines at their end.

use super::value::DisplayText;
use crate::domain::account::{Account, Member};
use crate::domain::brand::Brand;
use crate::domain::id::{AccountId, TokenId};

/// The address of the console, for the links in mails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Console(String);

impl Console {
    /// A console at that URL.
    pub fn new(url: impl Into<String>) -> Self {
        Self(url.into())
    }

    fn link(&self, account: &AccountId, rest: &str) -> String {
        let base = self.0.trim_end_matches('/');
        format!("{base}/#/accounts/{account}{rest}")
    }

    /// The link to an account's tokens.
    pub(super) fn account(&self, account: &AccountId) -> String {
        self.link(account, "")
    }

    /// The link to an account's audit log.
    pub(super) fn audit(&self, account: &AccountId) -> String {
        self.link(account, "/audit")
    }

    /// The link to a member's choice of mails.
    fn preferences(&self, account: &AccountId) -> String {
        self.link(account, "/notifications")
    }

    /// The link to a token.
    pub(super) fn token(&self, account: &AccountId, token: &TokenId) -> String {
        self.link(account, &format!("/tokens/{token}"))
    }

    /// The link to the question whether to revoke a token.
    pub(super) fn revoke(&self, account: &AccountId, token: &TokenId) -> String {
        self.link(account, &format!("/tokens/{token}?do=revoke"))
    }

    /// The link to the audit log of a token.
    pub(super) fn token_audit(&self, account: &AccountId, token: &TokenId) -> String {
        self.link(account, &format!("/tokens/{token}/audit"))
    }
}

/// What the mails of a deployment have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) console: Console,
    pub(super) brand: Brand,
}

/// The values in a mail's frame.
pub(super) struct FrameView<'a> {
    /// The mail's title and heading.
    pub(super) title: String,
    /// What a mailbox shows beside the subject.
    pub(super) preview: String,
    pub(super) recipient: DisplayText,
    pub(super) account: DisplayText,
    pub(super) brand: &'a Brand,
    pub(super) preferences: String,
}

impl Frame {
    pub(super) fn view(
        &self,
        account: &Account,
        recipient: &Member,
        title: String,
        preview: String,
    ) -> FrameView<'_> {
        FrameView {
            title,
            preview,
            recipient: DisplayText::of(&recipient.name),
            account: DisplayText::of(&account.name),
            brand: &self.brand,
            preferences: self.console.preferences(&account.id),
        }
    }
}
