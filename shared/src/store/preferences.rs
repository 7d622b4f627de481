//! The members' choices of mails. An account's are in one partition, so that one query reads them all.

use serde::{Deserialize, Serialize};

use super::items::{preferences_key, to_item, user_key};
use super::table::{Store, key, parse, text};
use crate::aws::port_error;
use crate::domain::id::{AccountId, UserId};
use crate::domain::preferences::MailPreferences;
use crate::ports::{GetPreferences, ListPreferences, PortError, PutPreferences};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PreferencesItem {
    user_id: UserId,
    #[serde(flatten)]
    preferences: MailPreferences,
}

impl GetPreferences for Store {
    async fn get_preferences(
        &self,
        account: &AccountId,
        user: &UserId,
    ) -> Result<Option<MailPreferences>, PortError> {
        let item = self
            .get_item(key(preferences_key(account), user_key(user)))
            .await?;
        let item = item.map(parse::<PreferencesItem>).transpose()?;
        Ok(item.map(|item| item.preferences))
    }
}

impl PutPreferences for Store {
    async fn put_preferences(
        &self,
        account: &AccountId,
        user: &UserId,
        preferences: &MailPreferences,
    ) -> Result<(), PortError> {
        let mut item = to_item(&PreferencesItem {
            user_id: user.clone(),
            preferences: *preferences,
        })?;
        item.extend(key(preferences_key(account), user_key(user)));
        self.client
            .put_item()
            .table_name(&self.tables.tokens)
            .set_item(Some(item))
            .send()
            .await
            .map(drop)
            .map_err(port_error)
    }
}

impl ListPreferences for Store {
    async fn list_preferences(
        &self,
        account: &AccountId,
    ) -> Result<Vec<(UserId, MailPreferences)>, PortError> {
        let mut items = self
            .client
            .query()
            .table_name(&self.tables.tokens)
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", text(preferences_key(account)))
            .consistent_read(true)
            .into_paginator()
            .items()
            .send();
        let mut chosen = Vec::new();
        while let Some(item) = items.next().await {
            let item: PreferencesItem = parse(item.map_err(port_error)?)?;
            chosen.push((item.user_id, item.preferences));
        }
        Ok(chosen)
    }
}
