//! Scopes: what a token may access.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::id::{IntegrationId, ResourceId};
use super::kind::Kind;
use super::resource::{Resource, ResourceRef, ResourceType};
use super::validation::FieldError;

/// The maximum number of ids in a custom scope, over all types.
pub const MAX_SCOPE_IDS: usize = 1_000;

/// A token's permissions: either full access or lists of resources.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum Scope {
    /// Everything that the token's kind may access.
    Full,
    /// Only the listed resources.
    Custom(ResourceLists),
}

impl Scope {
    /// The scope's type as JSON names it.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Custom(_) => "custom",
        }
    }

    /// Whether the scope includes a resource. Full access includes every resource.
    pub fn covers(&self, resource: &ResourceRef) -> bool {
        match self {
            Self::Full => true,
            Self::Custom(lists) => lists.of(resource.kind).contains(&resource.id),
        }
    }
}

/// The lists of a custom scope. They are sets: naming a resource twice has no effect.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct ResourceLists {
    /// Connections.
    pub connections: BTreeSet<ResourceId>,
    /// Exports.
    pub exports: BTreeSet<ResourceId>,
    /// Imports.
    pub imports: BTreeSet<ResourceId>,
    /// My APIs.
    pub apis: BTreeSet<ResourceId>,
}

impl ResourceLists {
    /// The list of a type.
    pub fn of(&self, kind: ResourceType) -> &BTreeSet<ResourceId> {
        match kind {
            ResourceType::Connection => &self.connections,
            ResourceType::Export => &self.exports,
            ResourceType::Import => &self.imports,
            ResourceType::Api => &self.apis,
        }
    }

    /// The list of a type, mutable.
    pub fn of_mut(&mut self, kind: ResourceType) -> &mut BTreeSet<ResourceId> {
        match kind {
            ResourceType::Connection => &mut self.connections,
            ResourceType::Export => &mut self.exports,
            ResourceType::Import => &mut self.imports,
            ResourceType::Api => &mut self.apis,
        }
    }

    /// Every listed resource.
    pub fn iter(&self) -> impl Iterator<Item = ResourceRef> + '_ {
        ResourceType::ALL.into_iter().flat_map(|kind| {
            self.of(kind).iter().map(move |id| ResourceRef {
                kind,
                id: id.clone(),
            })
        })
    }

    /// The number of listed resources.
    pub fn len(&self) -> usize {
        ResourceType::ALL
            .into_iter()
            .map(|kind| self.of(kind).len())
            .sum()
    }

    /// Whether no resource is listed.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Checks the ids of a custom scope and returns one failure per invalid id. Each must be among the resources that
/// were found, and the token's kind must be able to list it. An Integration App token may list only exports and
/// imports of its own app.
pub fn misfits(
    lists: &ResourceLists,
    found: &[Resource],
    kind: Kind,
    integration_id: Option<&IntegrationId>,
) -> Vec<FieldError> {
    lists
        .iter()
        .filter_map(|name| {
            let resource = found.iter().find(|resource| resource.reference() == name);
            misfit(&name, resource, kind, integration_id)
        })
        .collect()
}

fn misfit(
    name: &ResourceRef,
    resource: Option<&Resource>,
    kind: Kind,
    integration_id: Option<&IntegrationId>,
) -> Option<FieldError> {
    let field = format!("scope.{}", name.kind.collection());
    let id = &name.id;
    let Some(resource) = resource else {
        let what = name.kind.collection();
        let message = format!("`{id}` is not among the account's {what}");
        return Some(FieldError::new(field, "unknown_resource", message));
    };
    if kind == Kind::Account {
        return None;
    }
    if !matches!(name.kind, ResourceType::Export | ResourceType::Import) {
        let message = format!("`{id}`: Integration App tokens list exports and imports only");
        return Some(FieldError::new(field, "not_for_integration_app", message));
    }
    if resource.integration_id.as_ref() != integration_id {
        let message = format!("`{id}` is not a part of the Integration App");
        return Some(FieldError::new(field, "foreign_resource", message));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_that_of_the_contract() {
        assert_eq!(
            serde_json::to_value(Scope::Full).unwrap(),
            serde_json::json!({"type": "full"})
        );
        let mut lists = ResourceLists::default();
        lists.exports.insert("exp_1".parse().unwrap());
        let json = serde_json::json!(
            {"type": "custom", "connections": [], "exports": ["exp_1"], "imports": [], "apis": []}
        );
        assert_eq!(
            serde_json::to_value(Scope::Custom(lists.clone())).unwrap(),
            json
        );
        assert_eq!(
            serde_json::from_value::<Scope>(json).unwrap(),
            Scope::Custom(lists)
        );
    }

    #[test]
    fn a_custom_scope_covers_an_id_only_under_its_type() {
        let mut lists = ResourceLists::default();
        lists.exports.insert("same".parse().unwrap());
        let scope = Scope::Custom(lists);
        let export = ResourceRef {
            kind: ResourceType::Export,
            id: "same".parse().unwrap(),
        };
        let import = ResourceRef {
            kind: ResourceType::Import,
            id: "same".parse().unwrap(),
        };
        assert!(scope.covers(&export));
        assert!(!scope.covers(&import));
        assert!(Scope::Full.covers(&import));
    }
}
