//! The policy: what a valid token may do on the platform's routes. `rules` holds all of it. A test prints the answers
//! of [`permission`] as the table in `docs/api.md`.

use serde::Serialize;

use super::id::{IntegrationId, ResourceId};
use super::kind::Kind;
use super::resource::{ResourceRef, ResourceType};
use super::scope::Scope;
use super::string_enum::string_enum;

/// The fields of an Integration App's resource that an account token may update.
pub const INTEGRATION_APP_FIELDS: [&str; 2] = ["name", "description"];

string_enum! {
    /// The action of a request on a resource.
    pub enum Verb {
        /// Reads the resource or its audit log.
        Read = "read",
        /// Reads a part of the resource that this policy doesn't know.
        ReadUnknown = "readUnknown",
        /// Creates a resource, or clones one.
        Create = "create",
        /// Changes the resource.
        Update = "update",
        /// Deletes the resource.
        Delete = "delete",
        /// Runs the resource.
        Invoke = "invoke",
        /// Reads the resource's debug log.
        ViewDebugLog = "viewDebugLog",
    }
}

/// A request in the policy's terms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessRequest {
    /// The type of the resource; `None` for the platform's other collections.
    pub kind: Option<ResourceType>,
    /// The id of the resource; `None` for the whole collection.
    pub id: Option<ResourceId>,
    /// The action on the resource.
    pub verb: Verb,
}

impl AccessRequest {
    /// Interprets an HTTP request to `/v1/{collection}[/{id}[/{sub}]]`.
    ///
    /// `None` if the path doesn't have that form, or if a gateway doesn't pass the method on. The caller must refuse
    /// such a request: two parsers of an odd path (empty segments, escapes, dots) may disagree on its meaning.
    pub fn of_http(method: &str, path: &str) -> Option<Self> {
        let mut segments = path.strip_prefix("/v1/")?.split('/');
        let collection = segments.next().filter(|name| is_plain(name))?;
        let kind = ResourceType::ALL
            .into_iter()
            .find(|kind| kind.collection() == collection);
        let id = match segments.next() {
            None => None,
            Some(id) => Some(id.parse().ok()?),
        };
        let sub: Vec<_> = segments.collect();
        if !sub.iter().all(|segment| is_plain(segment)) {
            return None;
        }
        let verb = verb(method, kind, id.is_some(), &sub)?;
        Some(Self { kind, id, verb })
    }

    fn resource(&self) -> Option<ResourceRef> {
        Some(ResourceRef {
            kind: self.kind?,
            id: self.id.clone()?,
        })
    }
}

/// Whether every parser reads a path segment in the same way.
fn is_plain(segment: &str) -> bool {
    !segment.is_empty()
        && segment != "."
        && segment != ".."
        && segment
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_.~".contains(&b))
}

fn verb(method: &str, kind: Option<ResourceType>, has_id: bool, sub: &[&str]) -> Option<Verb> {
    use ResourceType::{Api, Connection, Export, Import};
    let method = match method {
        // `HEAD` does the same as `GET` (RFC 9110, 9.3.2).
        "HEAD" => "GET",
        "GET" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS" => method,
        // API Gateway has no routes for other methods: `TRACE`, `CONNECT` or invented ones.
        _ => return None,
    };
    match (kind, method, sub) {
        (Some(Connection), "GET" | "POST", ["ping"])
        | (Some(Connection), "POST", ["export" | "import"])
        | (Some(Export | Import), "POST", ["invoke"])
        | (Some(Api), _, ["request", ..]) => Some(Verb::Invoke),
        (Some(_), "POST", ["clone"]) => Some(Verb::Create),
        (Some(_), "GET", ["debug", ..]) => Some(Verb::ViewDebugLog),
        (Some(_), "GET", [] | ["audit"]) | (None, "GET", _) => Some(Verb::Read),
        (Some(_), "GET", _) => Some(Verb::ReadUnknown),
        (_, "POST", []) if !has_id => Some(Verb::Create),
        (_, "DELETE", []) if has_id => Some(Verb::Delete),
        (_, "POST" | "PUT" | "PATCH" | "DELETE", _) if has_id => Some(Verb::Update),
        _ => None,
    }
}

/// The owner of a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// The owner wasn't looked up.
    NotRead,
    /// The owner isn't known, or not yet: the platform's events may be late.
    Unknown,
    /// The account.
    Account,
    /// An Integration App.
    App(IntegrationId),
}

/// A limit that the API behind the authorizer must enforce, because only it sees the body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum Obligation {
    /// The update may change these fields only.
    AllowedFields {
        /// The names of the fields.
        fields: Vec<&'static str>,
    },
    /// The call may not create, change or delete data of an Integration App.
    DenyIntegrationAppData,
}

/// The policy's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Permission {
    /// The request is allowed under these obligations.
    Granted(Vec<Obligation>),
    /// The answer depends on the owner of this resource. Ask again with it.
    NeedsOwner(ResourceRef),
    /// The request is denied.
    Denied,
}

/// The rule by which an access is decided.
#[derive(Debug, Clone, Copy)]
enum Rule {
    /// Denied.
    Never,
    /// Granted, whatever the resource.
    Always,
    /// Granted for a resource that the scope lists.
    Listed,
    /// Granted for a resource of the token's own Integration App.
    OwnApp,
    /// Granted, except for data of an Integration App.
    NotOfApp,
    /// Granted; in data of an Integration App, for [`INTEGRATION_APP_FIELDS`] only.
    FieldsOfApp,
}

/// The whole policy: the rules of an access for an account token with full access, for one with a custom scope, and
/// for an Integration App token.
#[rustfmt::skip]
fn rules(access: &AccessRequest) -> [Rule; 3] {
    use Verb::{Create, Delete, Invoke, Read, ReadUnknown, Update, ViewDebugLog};
    use ResourceType::{Export, Import};
    use Rule::{Always, FieldsOfApp, Listed, Never, NotOfApp, OwnApp};
    match (access.verb, access.kind) {
        //                                  full access  custom scope  Integration App
        (Create | Update | Delete, None) => [NotOfApp,    Never,        Never],
        (_, None)                       => [Always,      Never,        Never],
        (Read, _)                       => [Always,      Listed,       Never],
        // Listing a resource grants nothing that this policy doesn't know.
        (ReadUnknown, _)                => [Always,      Never,        Never],
        (Invoke, Some(Export | Import)) => [Always,      Listed,       OwnApp],
        (Invoke, _)                     => [Always,      Listed,       Never],
        (ViewDebugLog, _)               => [Always,      Listed,       OwnApp],
        (Create | Delete, _)            => [NotOfApp,    Never,        Never],
        (Update, _)                     => [FieldsOfApp, Never,        Never],
    }
}

/// The rule for tokens of this kind and scope.
fn rule(kind: Kind, scope: &Scope, access: &AccessRequest) -> Rule {
    let [full_access, custom_scope, integration_app] = rules(access);
    match (kind, scope) {
        (Kind::Account, Scope::Full) => full_access,
        (Kind::Account, Scope::Custom(_)) => custom_scope,
        (Kind::IntegrationApp, _) => integration_app,
    }
}

string_enum! {
    /// Why a valid token may not make a call.
    pub enum Denial {
        /// The policy knows no call with this method and path.
        UnknownCall = "unknown_call",
        /// Tokens of this kind and scope may not do this with any resource.
        ActionNotAllowed = "action_not_allowed",
        /// The token's custom scope doesn't list the resource, or the call is about a whole collection.
        ResourceNotInScope = "resource_not_in_scope",
        /// The resource doesn't belong to the token's Integration App, as far as Latchkey knows.
        NotOwnIntegrationApp = "not_own_integration_app",
        /// The resource belongs to an Integration App, whose data an account's token may not create or delete.
        IntegrationAppData = "integration_app_data",
    }
}

/// Why [`permission`] denies a request.
pub fn denial(kind: Kind, scope: &Scope, access: &AccessRequest) -> Denial {
    let listed = access
        .resource()
        .is_some_and(|resource| scope.covers(&resource));
    match rule(kind, scope, access) {
        Rule::Never => Denial::ActionNotAllowed,
        Rule::Always | Rule::Listed => Denial::ResourceNotInScope,
        Rule::OwnApp if listed => Denial::NotOwnIntegrationApp,
        Rule::OwnApp => Denial::ResourceNotInScope,
        Rule::NotOfApp | Rule::FieldsOfApp => Denial::IntegrationAppData,
    }
}

/// Whether a token of this kind and scope may make the request.
pub fn permission(
    kind: Kind,
    integration_id: Option<&IntegrationId>,
    scope: &Scope,
    access: &AccessRequest,
    owner: &Owner,
) -> Permission {
    let rule = rule(kind, scope, access);
    let resource = access.resource();
    let covered = |resource: &ResourceRef| scope.covers(resource);
    match (rule, resource) {
        (Rule::Always, _) => Permission::Granted(vec![]),
        (Rule::Listed, Some(resource)) if covered(&resource) => Permission::Granted(vec![]),
        (Rule::OwnApp, Some(resource)) if covered(&resource) => match owner {
            Owner::NotRead => Permission::NeedsOwner(resource),
            Owner::App(app) if Some(app) == integration_id => Permission::Granted(vec![]),
            Owner::App(_) | Owner::Account | Owner::Unknown => Permission::Denied,
        },
        (Rule::Never | Rule::Listed | Rule::OwnApp, _) => Permission::Denied,
        (Rule::NotOfApp | Rule::FieldsOfApp, Some(resource)) if *owner == Owner::NotRead => {
            Permission::NeedsOwner(resource)
        }
        (Rule::NotOfApp, Some(_)) if matches!(owner, Owner::App(_)) => Permission::Denied,
        (Rule::FieldsOfApp, Some(_)) if matches!(owner, Owner::App(_)) => {
            let fields = INTEGRATION_APP_FIELDS.to_vec();
            Permission::Granted(vec![Obligation::AllowedFields { fields }])
        }
        // The owner of a new resource is in the request's body, and an update may name another owner.
        (Rule::NotOfApp | Rule::FieldsOfApp, _) => {
            Permission::Granted(vec![Obligation::DenyIntegrationAppData])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::scope::ResourceLists;

    fn access(method: &str, path: &str) -> AccessRequest {
        AccessRequest::of_http(method, path).unwrap_or_else(|| panic!("{method} {path}"))
    }

    fn app(id: &str) -> Owner {
        Owner::App(id.parse().unwrap())
    }

    #[test]
    fn the_platforms_routes_map_to_actions() {
        let table = [
            ("GET", "/v1/exports", Verb::Read),
            ("POST", "/v1/exports", Verb::Create),
            ("GET", "/v1/exports/e1", Verb::Read),
            ("HEAD", "/v1/exports/e1", Verb::Read),
            ("HEAD", "/v1/exports/e1/debug", Verb::ViewDebugLog),
            ("HEAD", "/v1/connections/c1/ping", Verb::Invoke),
            ("PUT", "/v1/imports/i1", Verb::Update),
            ("PATCH", "/v1/imports/i1", Verb::Update),
            ("DELETE", "/v1/connections/c1", Verb::Delete),
            ("GET", "/v1/connections/c1/ping", Verb::Invoke),
            ("POST", "/v1/connections/c1/export", Verb::Invoke),
            ("POST", "/v1/connections/c1/import", Verb::Invoke),
            ("POST", "/v1/exports/e1/invoke", Verb::Invoke),
            ("POST", "/v1/imports/i1/invoke", Verb::Invoke),
            ("POST", "/v1/exports/e1/clone", Verb::Create),
            ("GET", "/v1/exports/e1/audit", Verb::Read),
            ("GET", "/v1/exports/e1/unheard-of", Verb::ReadUnknown),
            ("HEAD", "/v1/exports/e1/unheard-of", Verb::ReadUnknown),
            ("GET", "/v1/exports/e1/audit/more", Verb::ReadUnknown),
            ("GET", "/v1/exports/e1/invoke", Verb::ReadUnknown),
            ("GET", "/v1/flows/f1/unheard-of", Verb::Read),
            ("GET", "/v1/exports/e1/debug", Verb::ViewDebugLog),
            ("DELETE", "/v1/apis/a1/request", Verb::Invoke),
            ("POST", "/v1/apis/a1/request/orders/7", Verb::Invoke),
            ("POST", "/v1/exports/e1/unheard-of", Verb::Update),
            ("POST", "/v1/flows", Verb::Create),
        ];
        for (method, path, verb) in table {
            assert_eq!(access(method, path).verb, verb, "{method} {path}");
        }
    }

    #[test]
    fn odd_paths_have_no_meaning() {
        for path in [
            "",
            "/",
            "/v1",
            "/v1/",
            "/v2/exports",
            "//v1/exports",
            "/v1//exports",
            "/v1/exports/",
            "/v1/exports/e1/",
            "/v1/exports/e%31",
            "/v1/exports/../imports",
            "/v1/exports/e1/..",
            "/v1/exports/e1/./invoke",
            "/v1/exports/e 1",
            "/v1/exports/e1;a=b",
            "/v1/exports/é",
        ] {
            assert_eq!(AccessRequest::of_http("GET", path), None, "{path}");
        }
        assert_eq!(AccessRequest::of_http("DELETE", "/v1/exports"), None);
        // A request to an API may have any method that a gateway passes on, and no other.
        for method in ["CONNECT", "TRACE", "LINK", "get", ""] {
            for path in ["/v1/exports/e1", "/v1/apis/a1/request", "/v1/flows"] {
                assert_eq!(
                    AccessRequest::of_http(method, path),
                    None,
                    "{method} {path}"
                );
            }
        }
    }

    #[test]
    fn full_access_spares_integration_app_data() {
        let decide = |method, path, owner: &Owner| {
            permission(
                Kind::Account,
                None,
                &Scope::Full,
                &access(method, path),
                owner,
            )
        };
        let granted = Permission::Granted(vec![]);
        let guarded = Permission::Granted(vec![Obligation::DenyIntegrationAppData]);
        let fields = vec!["name", "description"];
        assert_eq!(decide("GET", "/v1/exports/e1", &Owner::NotRead), granted);
        assert_eq!(
            decide("POST", "/v1/exports/e1/invoke", &Owner::NotRead),
            granted
        );
        // The owner of data in other collections isn't known here.
        assert_eq!(decide("GET", "/v1/flows/f1", &Owner::NotRead), granted);
        let unknown = decide("GET", "/v1/exports/e1/unheard-of", &Owner::NotRead);
        assert_eq!(unknown, granted);
        for (method, path) in [
            ("POST", "/v1/flows"),
            ("PUT", "/v1/flows/f1"),
            ("POST", "/v1/flows/f1/run"),
            ("DELETE", "/v1/integrations/app1"),
            ("DELETE", "/v1/Exports/e1"),
        ] {
            let decision = decide(method, path, &Owner::NotRead);
            assert_eq!(decision, guarded, "{method} {path}");
        }
        assert_eq!(decide("POST", "/v1/exports", &Owner::NotRead), guarded);
        assert!(matches!(
            decide("DELETE", "/v1/exports/e1", &Owner::NotRead),
            Permission::NeedsOwner(_)
        ));
        assert_eq!(
            decide("DELETE", "/v1/exports/e1", &app("a")),
            Permission::Denied
        );
        assert_eq!(
            decide("POST", "/v1/exports/e1/clone", &app("a")),
            Permission::Denied
        );
        assert_eq!(decide("DELETE", "/v1/exports/e1", &Owner::Account), guarded);
        assert_eq!(decide("DELETE", "/v1/exports/e1", &Owner::Unknown), guarded);
        assert_eq!(
            decide("PUT", "/v1/exports/e1", &app("a")),
            Permission::Granted(vec![Obligation::AllowedFields { fields }])
        );
    }

    #[test]
    fn a_custom_scope_reads_invokes_and_debugs_what_it_lists_and_nothing_else() {
        let mut lists = ResourceLists::default();
        lists.exports.insert("e1".parse().unwrap());
        let scope = Scope::Custom(lists);
        let granted = |method, path| {
            permission(
                Kind::Account,
                None,
                &scope,
                &access(method, path),
                &Owner::NotRead,
            ) == Permission::Granted(vec![])
        };
        assert!(granted("GET", "/v1/exports/e1"));
        assert!(granted("POST", "/v1/exports/e1/invoke"));
        assert!(granted("GET", "/v1/exports/e1/debug"));
        for (method, path) in [
            ("GET", "/v1/exports"),
            ("POST", "/v1/exports"),
            ("GET", "/v1/exports/e2"),
            ("GET", "/v1/imports/e1"),
            ("PUT", "/v1/exports/e1"),
            ("DELETE", "/v1/exports/e1"),
            ("POST", "/v1/exports/e1/clone"),
            ("GET", "/v1/exports/e1/unheard-of"),
            ("HEAD", "/v1/exports/e1/unheard-of"),
            ("GET", "/v1/exports/e1/clone"),
            ("GET", "/v1/exports/e1/audit/more"),
            ("POST", "/v1/exports/e1/unheard-of"),
            ("GET", "/v1/flows/e1"),
        ] {
            assert!(!granted(method, path), "{method} {path}");
        }
    }

    #[test]
    fn an_integration_app_token_stays_inside_its_app() {
        let own: IntegrationId = "app1".parse().unwrap();
        let decide = |method, path, owner: &Owner| {
            let access = access(method, path);
            permission(
                Kind::IntegrationApp,
                Some(&own),
                &Scope::Full,
                &access,
                owner,
            )
        };
        for path in ["/v1/exports/e1/invoke", "/v1/imports/i1/invoke"] {
            assert!(matches!(
                decide("POST", path, &Owner::NotRead),
                Permission::NeedsOwner(_)
            ));
            assert_eq!(
                decide("POST", path, &app("app1")),
                Permission::Granted(vec![])
            );
            assert_eq!(decide("POST", path, &app("app2")), Permission::Denied);
            assert_eq!(decide("POST", path, &Owner::Account), Permission::Denied);
            assert_eq!(decide("POST", path, &Owner::Unknown), Permission::Denied);
        }
        let debug = decide("GET", "/v1/connections/c1/debug", &app("app1"));
        assert_eq!(debug, Permission::Granted(vec![]));
        for (method, path) in [
            ("GET", "/v1/exports/e1"),
            ("PUT", "/v1/exports/e1"),
            ("POST", "/v1/exports"),
            ("DELETE", "/v1/exports/e1"),
            ("POST", "/v1/connections/c1/ping"),
            ("POST", "/v1/apis/a1/request"),
            ("GET", "/v1/flows"),
        ] {
            assert_eq!(
                decide(method, path, &app("app1")),
                Permission::Denied,
                "{method} {path}"
            );
        }
    }
}
