//! Sample bodies. Tests check each against its schema.

use serde_json::{Value, json};

/// Returns the sample of a schema; `None` if it has none.
pub(super) fn of(schema: &str) -> Option<Value> {
    Some(match schema {
        "Token" => token(),
        "TokensPage" => json!({"tokens": [token()], "nextCursor": null}),
        "IssuedToken" => json!({"token": token(), "secret": SECRET}),
        "RevealedSecret" => json!({"id": TOKEN_ID, "secret": SECRET}),
        "CreateTokenRequest" => json!({
            "name": "Warehouse sync",
            "description": "Kept in the warehouse's vault",
            "autoPurge": "30d",
            "scope": {"type": "custom", "exports": ["exp_orders"]},
            "allowedCidrs": ["192.0.2.0/24"],
        }),
        "UpdateTokenRequest" => {
            json!({"name": "Warehouse sync 2", "scope": {"imports": ["imp_stock"]}})
        }
        "RevokeTokenRequest" => json!({"reason": "The warehouse moved to another system."}),
        "RegenerateTokenRequest" => json!({"gracePeriodSeconds": 3_600}),
        "AuditRecord" => record(),
        "RecordsPage" => json!({"records": [record()], "nextCursor": null}),
        "Members" => json!({"members": [member()]}),
        "Integration" => integration(),
        "IntegrationsPage" => json!({"integrations": [integration()], "nextCursor": null}),
        "Resource" => resource(),
        "ResourcesPage" => json!({"resources": [resource()], "nextCursor": null}),
        "MailPreferences" | "UpdatePreferencesRequest" => {
            json!({"create": "immediate", "access": "daily", "change": "immediate"})
        }
        "IntrospectTokenRequest" => json!({"token": SECRET, "client_ip": "192.0.2.7"}),
        "RevokeBySecretRequest" => json!({"token": SECRET}),
        "TokenInfo" => token_info(),
        "Decision" => decision(),
        "Introspection" => json!({
            "active": true,
            "scope": "exports:exp_orders",
            "client_id": TOKEN_ID,
            "token_type": "Bearer",
            "exp": 1_798_020_000,
            "iat": 1_795_428_000,
            "sub": "acme",
            "jti": TOKEN_ID,
            "accountId": "acme",
            "tokenId": TOKEN_ID,
            "kind": "account",
            "integrationId": null,
            "scopeDetail": scope(),
        }),
        "Account" => account(),
        "Accounts" => json!({"accounts": [account()]}),
        "GatewayMessage" => json!({"message": "Unauthorized"}),
        _ => return None,
    })
}

/// The id of the sample token.
pub(super) const TOKEN_ID: &str = "tok_01ARZ3NDEKTSV4RRFFQ69G5FAV";

/// Doesn't have the form of a secret, so neither a scanner nor a reader takes it for one.
const SECRET: &str = "lka_…";

fn person() -> Value {
    json!({"id": "user-1", "type": "member", "email": "olive@acme.example", "name": "Olive Owner"})
}

fn token() -> Value {
    json!({
        "id": TOKEN_ID,
        "accountId": "acme",
        "kind": "account",
        "integrationId": null,
        "name": "Warehouse sync",
        "description": "Kept in the warehouse's vault",
        "autoPurge": "30d",
        "purgeAt": "2026-12-23T10:00:00.000Z",
        "scope": scope(),
        "allowedCidrs": ["192.0.2.0/24"],
        "status": "active",
        "hint": "x7Qd",
        "version": 1,
        "createdAt": "2026-11-23T10:00:00.000Z",
        "createdBy": person(),
        "updatedAt": "2026-11-23T10:00:00.000Z",
        "updatedBy": person(),
        "revokedAt": null,
        "revokedBy": null,
        "revocationReason": null,
        "compromisedAt": null,
        "previousSecret": null,
        "lastUsedAt": null,
        "lastUsedIp": null,
    })
}

fn scope() -> Value {
    json!({
        "type": "custom",
        "connections": [],
        "exports": ["exp_orders"],
        "imports": [],
        "apis": [],
    })
}

fn token_info() -> Value {
    json!({
        "accountId": "acme",
        "id": TOKEN_ID,
        "name": "Warehouse sync",
        "kind": "account",
        "integrationId": null,
        "scope": scope(),
        "allowedCidrs": ["192.0.2.0/24"],
        "purgeAt": "2026-12-23T10:00:00.000Z",
        "secretValidUntil": null,
        "decision": decision(),
    })
}

fn decision() -> Value {
    json!({
        "allowed": false,
        "code": "resource_not_in_scope",
        "detail": "the token's scope does not list this resource; ask for the resource to be added to it",
    })
}

fn account() -> Value {
    json!({
        "id": "acme",
        "name": "Acme",
        "plan": "enterprise",
        "apiManagement": true,
        "role": "owner",
        "developerMode": true,
        "autoPurgeChoices": ["never", "1h", "4h", "1d", "4d", "10d", "30d"],
    })
}

fn record() -> Value {
    json!({
        "id": "aud_01M83XJ8800W3GE1R70W3GE1R7",
        "time": "2026-11-23T10:00:00.000Z",
        "action": "update",
        "source": "api",
        "user": person(),
        "resource": {"type": "apiToken", "id": TOKEN_ID, "name": "Warehouse sync"},
        "changes": [{"field": "name", "old": "Warehouse", "new": "Warehouse sync"}],
        "ip": "192.0.2.1",
        "assertedIp": null,
        "userAgent": "curl/8.5.0",
        "client": "curl 8.5",
        "requestId": "JKJaXmPLvHcESHA=",
    })
}

fn member() -> Value {
    json!({"id": "user-1", "name": "Olive Owner", "email": "olive@acme.example", "role": "owner"})
}

fn integration() -> Value {
    json!({"id": "app1", "name": "Order management"})
}

fn resource() -> Value {
    json!({"type": "export", "id": "exp_orders", "name": "Orders", "integrationId": null})
}
