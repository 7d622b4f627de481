//! Queries and pages of lists.

use jiff::Timestamp;

use super::action::Action;
use super::audit::{AuditRecord, Source};
use super::id::{AuditId, IntegrationId, TokenId};
use super::integration::Integration;
use super::kind::Kind;
use super::resource::{Resource, ResourceRef, ResourceType};
use super::string_enum::string_enum;
use super::text::fold;
use super::token::{Status, Token};

/// The page size if the caller asks for none.
pub const DEFAULT_LIMIT: usize = 50;
/// The largest page.
pub const MAX_LIMIT: usize = 100;

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T, K> {
    /// The items, in the list's order.
    pub items: Vec<T>,
    /// The id after which the next page starts; `None` on the last page. A page may be short or even empty and still
    /// have a next one, since a search reads a bounded number of items per request.
    pub next: Option<K>,
}

string_enum! {
    /// The orders of a list of tokens, by their creation.
    pub enum TokenOrder {
        /// The last one first.
        Newest = "newest",
        /// The first one first.
        Oldest = "oldest",
    }
}

/// Which tokens to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenQuery {
    /// The filter.
    pub filter: TokenFilter,
    /// The order.
    pub order: TokenOrder,
    /// The maximum number of items.
    pub limit: usize,
    /// Only tokens after this one.
    pub after: Option<TokenId>,
}

/// Which tokens a list shows. Every given condition must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TokenFilter {
    /// The status.
    pub status: Option<Status>,
    /// The kind.
    pub kind: Option<Kind>,
    /// The Integration App.
    pub integration_id: Option<IntegrationId>,
    /// Words separated by white space. The name or the description must contain each, in any case.
    pub keywords: Option<String>,
}

impl TokenFilter {
    /// Whether the list shows the token.
    pub fn matches(&self, token: &Token) -> bool {
        fn same<T: PartialEq>(wanted: Option<&T>, actual: Option<&T>) -> bool {
            wanted.is_none_or(|wanted| Some(wanted) == actual)
        }
        same(self.status.as_ref(), Some(&token.status()))
            && same(self.kind.as_ref(), Some(&token.kind))
            && same(self.integration_id.as_ref(), token.integration_id.as_ref())
            && self.keywords.as_deref().is_none_or(|words| {
                contains_words(words, &format!("{}\n{}", token.name, token.description))
            })
    }
}

/// Whether a text contains each of the words, in any case and normalization form.
pub fn contains_words(words: &str, text: &str) -> bool {
    let text = fold(text);
    fold(words)
        .split_whitespace()
        .all(|word| text.contains(word))
}

/// Which audit records to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditQuery {
    /// Only records of this token.
    pub token_id: Option<TokenId>,
    /// The filter.
    pub filter: AuditFilter,
    /// Only records of this instant or later.
    pub from: Option<Timestamp>,
    /// Only records before this instant.
    pub to: Option<Timestamp>,
    /// The maximum number of records.
    pub limit: usize,
    /// Only records after this one.
    pub after: Option<AuditId>,
}

/// Which audit records a list shows. Every given condition must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// The action.
    pub action: Option<Action>,
    /// The actor's id.
    pub user_id: Option<String>,
    /// The source.
    pub source: Option<Source>,
}

impl AuditFilter {
    /// Whether the list shows the record.
    pub fn matches(&self, record: &AuditRecord) -> bool {
        self.action.is_none_or(|action| action == record.action)
            && self
                .source
                .is_none_or(|source| source == record.origin.source)
            && self
                .user_id
                .as_ref()
                .is_none_or(|id| *id == record.origin.actor.id)
    }
}

/// Which resources to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceQuery {
    /// Only resources of this type.
    pub kind: Option<ResourceType>,
    /// The filter.
    pub filter: ResourceFilter,
    /// The maximum number of resources.
    pub limit: usize,
    /// Only resources after this one.
    pub after: Option<ResourceRef>,
}

/// Which resources a list shows. Every given condition must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResourceFilter {
    /// The Integration App.
    pub integration_id: Option<IntegrationId>,
    /// Words separated by white space. The name or the id must contain each, in any case.
    pub keywords: Option<String>,
}

impl ResourceFilter {
    /// Whether the list shows the resource.
    pub fn matches(&self, resource: &Resource) -> bool {
        let app = resource.integration_id.as_ref();
        self.integration_id
            .as_ref()
            .is_none_or(|wanted| Some(wanted) == app)
            && self.keywords.as_deref().is_none_or(|words| {
                contains_words(words, &format!("{}\n{}", resource.name, resource.id))
            })
    }
}

/// Which Integration Apps to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntegrationQuery {
    /// Words separated by white space. The name or the id must contain each, in any case.
    pub keywords: Option<String>,
    /// The maximum number of Integration Apps.
    pub limit: usize,
    /// Only Integration Apps after this one.
    pub after: Option<IntegrationId>,
}

impl IntegrationQuery {
    /// Whether the list shows the Integration App.
    pub fn matches(&self, integration: &Integration) -> bool {
        self.keywords.as_deref().is_none_or(|words| {
            contains_words(words, &format!("{}\n{}", integration.name, integration.id))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn every_condition_must_hold() {
        let token = testing::token();
        let filter = |keywords: &str| TokenFilter {
            status: Some(Status::Active),
            kind: Some(Kind::Account),
            keywords: Some(keywords.into()),
            ..TokenFilter::default()
        };
        assert!(TokenFilter::default().matches(&token));
        assert!(filter("WAREHOUSE sync").matches(&token));
        assert!(
            filter("sync vault").matches(&token),
            "words may stand in name and description"
        );
        assert!(!filter("warehouse other").matches(&token));
        let revoked = TokenFilter {
            status: Some(Status::Revoked),
            ..filter("")
        };
        assert!(!revoked.matches(&token));
        let app = TokenFilter {
            integration_id: Some("app1".parse().unwrap()),
            ..TokenFilter::default()
        };
        assert!(!app.matches(&token));
    }
}
