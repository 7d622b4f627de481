//! The audit log's records. The log is append-only.

use std::net::IpAddr;

use ipnet::IpNet;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::action::Action;
use super::actor::Actor;
use super::entropy::{Entropy, EntropyError};
use super::id::{AccountId, AuditId, TokenId, TraceId};
use super::resource::ResourceType;
use super::scope::Scope;
use super::string_enum::string_enum;
use super::text::recorded;
use super::time::rfc3339;
use super::token::Token;
use super::verification::is_refusal_mailed;

string_enum! {
    /// The way in which the action was taken.
    pub enum Source {
        /// The API tokens page. This is only claimed: any client can send the page's client id and a browser's headers.
        Ui = "ui",
        /// Any other client of the API.
        Api = "api",
        /// The system itself.
        System = "system",
        /// A report by a secret scanner.
        LeakReport = "leakReport",
    }
}

/// One field's change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    /// The field's name in the token's JSON.
    pub field: String,
    /// The old value as text, if there was one.
    pub old: Option<String>,
    /// The new value as text, if there is one.
    pub new: Option<String>,
}

impl Change {
    /// A change from one text to another.
    pub fn new(field: &str, old: Option<String>, new: Option<String>) -> Self {
        Self {
            field: field.into(),
            old,
            new,
        }
    }
}

/// The field of a refusal's record that counts the days with such a refusal.
pub const DAYS_REFUSED: &str = "daysRefused";

/// The field of a compromise's record that names the secret: `current`, `previous` or `ended`.
pub const COMPROMISED: &str = "compromisedSecret";

/// The maximum length of a client's name in a record, in characters.
const MAX_USER_AGENT: usize = 256;

/// A client's name as a record stores it: redacted, with invisible characters escaped, and cut.
pub(crate) fn kept_user_agent(name: &str) -> String {
    recorded(name, MAX_USER_AGENT)
}

/// Where a request came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The way in which the request was made.
    pub source: Source,
    /// The actor.
    pub actor: Actor,
    /// The caller's address.
    pub ip: Option<IpAddr>,
    /// The name that the client gives itself, cut to 256 characters. It is only claimed.
    pub user_agent: Option<String>,
    /// The request's id, for finding it in the logs.
    pub request_id: String,
    /// The trace that the request belongs to, if it is known.
    pub trace_id: Option<TraceId>,
}

impl Origin {
    /// The origin of what the system does by itself, because of an event with that id.
    pub fn system(event_id: impl Into<String>) -> Self {
        Self {
            source: Source::System,
            actor: Actor::system(),
            ip: None,
            user_agent: None,
            request_id: event_id.into(),
            trace_id: None,
        }
    }
}

/// One record of the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRecord {
    /// The id. Ids sort by time.
    pub id: AuditId,
    /// The token's account.
    pub account_id: AccountId,
    /// When the action was taken.
    pub time: Timestamp,
    /// The action.
    pub action: Action,
    /// Where the request came from.
    pub origin: Origin,
    /// The bearer's address as the API that introspected the token asserts it.
    pub asserted_ip: Option<IpAddr>,
    /// The token.
    pub token_id: TokenId,
    /// The token's name at that time.
    pub token_name: String,
    /// The token's hint at that time, for the mail.
    pub token_hint: String,
    /// The fields that changed.
    pub changes: Vec<Change>,
}

impl AuditRecord {
    /// The record of an action on a token.
    ///
    /// # Errors
    /// The system's random generator failed.
    pub fn new(
        action: Action,
        token: &Token,
        changes: Vec<Change>,
        origin: Origin,
        now: Timestamp,
        entropy: &impl Entropy,
    ) -> Result<Self, EntropyError> {
        Ok(Self {
            id: AuditId::generate(now, entropy)?,
            account_id: token.account_id.clone(),
            time: now,
            action,
            origin,
            asserted_ip: None,
            token_id: token.id.clone(),
            token_name: token.name.clone(),
            token_hint: token.hint.clone(),
            changes,
        })
    }
}

impl AuditRecord {
    /// Whether a mail is sent about the record: always, except for most days of repeated refusals.
    pub fn is_mailed(&self) -> bool {
        let days = self
            .changes
            .iter()
            .find(|change| change.field == DAYS_REFUSED);
        let days = days.and_then(|days| days.new.as_ref()?.parse().ok());
        self.action != Action::Refused || days.is_none_or(is_refusal_mailed)
    }
}

/// The fields in which two states of a token differ, in the order of its JSON. If `before` is `None`, the token is
/// new and every field is a change.
pub fn changes(before: Option<&Token>, after: &Token) -> Vec<Change> {
    let before = before.map(fields);
    fields(after)
        .into_iter()
        .enumerate()
        .filter_map(|(index, (field, new))| {
            let old = before
                .as_ref()
                .and_then(|fields| fields.get(index))
                .and_then(|(_, value)| value.clone());
            (old != new).then(|| Change::new(field, old, new))
        })
        .collect()
}

/// The fields of a token that people set, as text.
fn fields(token: &Token) -> Vec<(&'static str, Option<String>)> {
    let text = |value: &str| (!value.is_empty()).then(|| value.to_owned());
    let mut fields = vec![
        ("name", text(&token.name)),
        ("kind", text(token.kind.as_str())),
        (
            "integrationId",
            token.integration_id.as_ref().map(ToString::to_string),
        ),
        ("description", text(&token.description)),
        ("autoPurge", text(token.auto_purge.as_str())),
        ("purgeAt", token.purge_at.map(rfc3339)),
        ("scope", text(token.scope.type_name())),
    ];
    for kind in ResourceType::ALL {
        let listed = match &token.scope {
            Scope::Full => None,
            Scope::Custom(lists) => {
                let ids: Vec<_> = lists.of(kind).iter().map(|id| id.as_str()).collect();
                text(&ids.join(", "))
            }
        };
        fields.push((scope_field(kind), listed));
    }
    let cidrs: Vec<_> = token.allowed_cidrs.iter().map(IpNet::to_string).collect();
    fields.push(("allowedCidrs", text(&cidrs.join(", "))));
    fields.push(("status", text(token.status().as_str())));
    let reason = token
        .revocation
        .as_ref()
        .and_then(|revocation| revocation.reason.clone());
    fields.push(("revocationReason", reason));
    let time = |time: Timestamp| Some(rfc3339(time));
    fields.push((
        "compromisedAt",
        token.compromised.and_then(|it| time(it.at)),
    ));
    let previous = token.previous_secret.as_ref();
    let hint = previous.and_then(|previous| text(&previous.hint));
    fields.push(("previousSecret.hint", hint));
    let end = previous.and_then(|previous| time(previous.valid_until));
    fields.push(("previousSecret.validUntil", end));
    fields
}

fn scope_field(kind: ResourceType) -> &'static str {
    match kind {
        ResourceType::Connection => "scope.connections",
        ResourceType::Export => "scope.exports",
        ResourceType::Import => "scope.imports",
        ResourceType::Api => "scope.apis",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn names_agree_with_json() {
        for action in Action::ALL {
            assert_eq!(serde_json::to_value(action).unwrap(), action.as_str());
            assert_eq!(Action::parse(action.as_str()), Some(action));
        }
        for source in Source::ALL {
            assert_eq!(serde_json::to_value(source).unwrap(), source.as_str());
            assert_eq!(Source::parse(source.as_str()), Some(source));
        }
    }

    #[test]
    fn changes_name_each_field_with_old_and_new() {
        let before = testing::token();
        let mut after = before.clone();
        after.name = "renamed".into();
        after.allowed_cidrs = vec![
            "10.0.0.0/8".parse().unwrap(),
            "2001:db8::/32".parse().unwrap(),
        ];
        assert_eq!(
            changes(Some(&before), &after),
            [
                Change::new("name", Some(before.name), Some("renamed".into())),
                Change::new(
                    "allowedCidrs",
                    None,
                    Some("10.0.0.0/8, 2001:db8::/32".into())
                ),
            ]
        );
    }

    #[test]
    fn a_new_token_lists_every_field_that_has_a_value() {
        let fields: Vec<_> = changes(None, &testing::token())
            .into_iter()
            .map(|change| change.field)
            .collect();
        assert_eq!(
            fields,
            [
                "name",
                "kind",
                "description",
                "autoPurge",
                "scope",
                "scope.exports",
                "status"
            ]
        );
    }

    #[test]
    fn equal_states_have_no_changes() {
        assert_eq!(changes(Some(&testing::token()), &testing::token()), []);
    }
}
