//! Accounts, their plans and their members, and what these may do on the management side.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::auto_purge::AutoPurge;
use super::id::{AccountId, UserId};
use super::text::{mended, redact};

/// The account's plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Plan {
    /// API Management is an add-on.
    Standard,
    /// API Management is an add-on.
    Professional,
    /// API Management is an add-on.
    Premium,
    /// API Management is included.
    Enterprise,
}

/// A member's role in the account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Role {
    /// Owns the account.
    Owner,
    /// Administers the account.
    Administrator,
    /// Builds integrations; has no access to API tokens.
    Manage,
    /// Watches integrations; has no access to API tokens.
    Monitor,
}

impl Role {
    /// Whether the role may use the management routes. Members with such a role get the mails.
    ///
    /// The product shows the API tokens page to owners and administrators only.
    pub fn administers_tokens(self) -> bool {
        matches!(self, Self::Owner | Self::Administrator)
    }
}

/// A person's membership in an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Member {
    /// The person.
    pub id: UserId,
    /// The address for mails; empty if there is none.
    pub email: String,
    /// The name shown in audit records.
    pub name: String,
    /// The role in this account.
    pub role: Role,
    /// Whether the person may see secrets in plain text.
    #[serde(default)]
    pub developer_mode: bool,
}

/// An account's profile, projected from the platform's events. The account is the tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    /// The account.
    pub id: AccountId,
    /// Its display name.
    pub name: String,
    /// Its plan.
    pub plan: Plan,
    /// Whether the account has the API Management add-on. It has no effect on the enterprise plan, which includes it.
    #[serde(default)]
    pub api_management: bool,
    /// Its members.
    pub members: Vec<Member>,
}

impl Account {
    /// The account with its names as they are stored. The platform's names are corrected and not refused: their author
    /// wouldn't learn of a refusal, and the membership must not wait for a better name.
    #[must_use]
    pub fn mended(mut self) -> Self {
        self.name = mended(&self.name);
        for member in &mut self.members {
            member.name = mended(&member.name);
            member.email = redact(&member.email);
        }
        self
    }

    /// The membership of a person, or `None` if there is none.
    pub fn member(&self, user: &UserId) -> Option<&Member> {
        self.members.iter().find(|member| member.id == *user)
    }

    /// Whether the account has the API Management licence, which longer lifetimes need.
    pub fn has_api_management(&self) -> bool {
        self.plan == Plan::Enterprise || self.api_management
    }

    /// Whether the licence covers a lifetime. One hour is always covered, longer ones need API Management.
    pub fn licenses(&self, auto_purge: AutoPurge) -> bool {
        auto_purge == AutoPurge::OneHour || self.has_api_management()
    }

    /// The members who get a mail about every event: the owner and the administrators, except those without an address,
    /// which are programs.
    pub fn notified(&self) -> impl Iterator<Item = &Member> {
        self.members
            .iter()
            .filter(|member| member.role.administers_tokens() && !member.email.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(plan: Plan, api_management: bool) -> Account {
        Account {
            id: "acme".parse().unwrap(),
            name: "Acme".into(),
            plan,
            api_management,
            members: vec![],
        }
    }

    #[test]
    fn longer_lifetimes_need_api_management() {
        for plan in [Plan::Standard, Plan::Professional, Plan::Premium] {
            for choice in AutoPurge::ALL {
                assert!(account(plan, true).licenses(choice));
                assert_eq!(
                    account(plan, false).licenses(choice),
                    choice == AutoPurge::OneHour,
                    "{plan:?} {choice:?}"
                );
            }
        }
        assert!(account(Plan::Enterprise, false).licenses(AutoPurge::Never));
    }

    #[test]
    fn who_administers_tokens_gets_mail_and_needs_an_address_for_it() {
        let member = |id: &str, role, email: &str| Member {
            id: id.parse().unwrap(),
            email: email.into(),
            name: id.into(),
            role,
            developer_mode: false,
        };
        let mut account = account(Plan::Standard, false);
        account.members = vec![
            member("owner", Role::Owner, "owner@acme.example"),
            member("admin", Role::Administrator, "admin@acme.example"),
            member("manage", Role::Manage, "manage@acme.example"),
            member("program", Role::Owner, ""),
        ];
        let notified: Vec<_> = account
            .notified()
            .map(|member| member.id.as_str())
            .collect();
        assert_eq!(notified, ["owner", "admin"]);
    }

    #[test]
    fn only_owner_and_administrator_administer_tokens() {
        assert!(Role::Owner.administers_tokens());
        assert!(Role::Administrator.administers_tokens());
        assert!(!Role::Manage.administers_tokens());
        assert!(!Role::Monitor.administers_tokens());
    }
}
