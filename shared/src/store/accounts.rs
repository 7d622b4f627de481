//! Account profiles and memberships.

use serde::Deserialize;

use super::items::{PROFILE, profile_key, user_key};
use super::table::{Store, key, parse, text};
use crate::aws::port_error;
use crate::domain::account::Account;
use crate::domain::id::{AccountId, UserId};
use crate::ports::{GetAccount, GetRecipients, ListMemberships, PortError};

impl GetAccount for Store {
    async fn get_account(&self, id: &AccountId) -> Result<Option<Account>, PortError> {
        let Some(item) = self.get_item(key(profile_key(id), PROFILE)).await? else {
            return Ok(None);
        };
        if item.contains_key("deletedAt") {
            return Ok(None);
        }
        parse(item).map(Some)
    }
}

impl GetRecipients for Store {
    async fn get_recipients(&self, id: &AccountId) -> Result<Option<Account>, PortError> {
        let item = self.get_item(key(profile_key(id), PROFILE)).await?;
        // The deletion marker of an account that was never known has no members.
        item.filter(|item| item.contains_key("members"))
            .map(parse)
            .transpose()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MembershipItem {
    account_id: AccountId,
}

impl ListMemberships for Store {
    async fn list_memberships(&self, user: &UserId) -> Result<Vec<AccountId>, PortError> {
        let mut pages = self
            .client
            .query()
            .table_name(&self.tables.tokens)
            .key_condition_expression("pk = :pk AND begins_with(sk, :prefix)")
            .expression_attribute_values(":pk", text(user_key(user)))
            .expression_attribute_values(":prefix", text("ACCOUNT#"))
            .consistent_read(true)
            .into_paginator()
            .items()
            .send();
        let mut accounts = Vec::new();
        while let Some(item) = pages.next().await {
            accounts.push(parse::<MembershipItem>(item.map_err(port_error)?)?.account_id);
        }
        Ok(accounts)
    }
}
