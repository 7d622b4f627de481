//! Actors: who did something.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use super::account::Member;
use super::id::TokenId;
use super::string_enum::string_enum;

string_enum! {
    /// The kind of actor. The name alone doesn't show it, since a token may have a person's name.
    pub enum ActorType {
        /// A member of the account.
        Member = "member",
        /// The holder of a token's secret.
        Token = "token",
        /// A secret scanner.
        Scanner = "scanner",
        /// The system itself.
        System = "system",
    }
}

impl ActorType {
    /// The type of an actor in a record without one. Only members have an address, and the ids of other actors have
    /// forms of their own.
    fn of(id: &str, email: Option<&str>) -> Self {
        match id {
            _ if email.is_some() => Self::Member,
            "system" => Self::System,
            "github" => Self::Scanner,
            id if id.parse::<TokenId>().is_ok() => Self::Token,
            _ => Self::Member,
        }
    }
}

/// Who acted: a member, the token itself (when it is used, or revoked by its holder), a secret scanner or
/// the system. It is a copy from the time of the record, so it still names a person who has left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Actor {
    /// The member's id, the token's id, `github` or `system`.
    pub id: String,
    /// The kind of actor.
    #[serde(rename = "type")]
    pub kind: ActorType,
    /// The member's e-mail address; other actors have none.
    pub email: Option<String>,
    /// The member's or the token's name, or `System`.
    pub name: String,
}

impl<'de> Deserialize<'de> for Actor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// The stored form. Older records have no type.
        #[derive(Deserialize)]
        struct Stored {
            id: String,
            #[serde(rename = "type")]
            kind: Option<ActorType>,
            #[serde(default)]
            email: Option<String>,
            name: String,
        }
        let stored = Stored::deserialize(deserializer)?;
        let kind = stored.kind;
        Ok(Self {
            kind: kind.unwrap_or_else(|| ActorType::of(&stored.id, stored.email.as_deref())),
            id: stored.id,
            email: stored.email,
            name: stored.name,
        })
    }
}

impl Actor {
    /// A member of the account.
    pub fn member(member: &Member) -> Self {
        Self {
            id: member.id.to_string(),
            kind: ActorType::Member,
            email: Some(member.email.clone()),
            name: member.name.clone(),
        }
    }

    /// The system itself.
    pub fn system() -> Self {
        Self {
            id: "system".into(),
            kind: ActorType::System,
            email: None,
            name: "System".into(),
        }
    }

    /// GitHub's secret scanning.
    pub fn github() -> Self {
        Self {
            id: "github".into(),
            kind: ActorType::Scanner,
            email: None,
            name: "GitHub secret scanning".into(),
        }
    }

    /// The holder of a token's secret.
    pub fn token(id: &TokenId, name: &str) -> Self {
        Self {
            id: id.to_string(),
            kind: ActorType::Token,
            email: None,
            name: name.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn what_somebody_is_shows_in_a_record_and_is_told_of_older_ones() {
        let token = testing::token();
        for (actor, kind) in [
            (testing::owner_actor(), ActorType::Member),
            // A token may have this name too.
            (Actor::token(&token.id, "System"), ActorType::Token),
            (Actor::github(), ActorType::Scanner),
            (Actor::system(), ActorType::System),
        ] {
            assert_eq!(actor.kind, kind);
            let mut json = serde_json::to_value(&actor).unwrap();
            assert_eq!(json["type"], kind.as_str());
            assert_eq!(
                serde_json::from_value::<Actor>(json.clone()).unwrap(),
                actor
            );
            json.as_object_mut().unwrap().remove("type");
            assert_eq!(serde_json::from_value::<Actor>(json).unwrap(), actor);
        }
        for kind in ActorType::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
    }
}
