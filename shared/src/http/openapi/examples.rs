//! Sample bodies. Tests check each against its schema.

use serde_json::{Value, json};

/// Returns the sample of a schema; `None` if it has none.
pub(super) fn of(schema: &str) -> Option<Value> {
    Some(match schema {
        "Token" => token(),
        "TokensPage" => json!({"tokens": [token()], "nextCursor": null}),
        "IssuedToken" => json!({"token": token(), "secret": SECRET}),
        "RevealedSecret" => json!({"id": ID, "secret": SECRET}),
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
        "Resource" => resource(),
        "ResourcesPage" => json!({"resources": [resource()], "nextCursor": null}),
        "MailPreferences" | "UpdatePreferencesRequest" => {
            json!({"create": "immediate", "access": "daily", "change": "immediate"})
        }
        "IntrospectTokenRequest" => json!({"token": SECRET, "client_ip": "192.0.2.7"}),
        "RevokeBySecretRequest" => json!({"token": SECRET}),
        "GatewayMessage" => json!({"message": "Unauthorized"}),
        _ => return None,
    })
}

const ID: &str = "tok_01ARZ3NDEKTSV4RRFFQ69G5FAV";

/// Doesn't have the form of a secret, so neither a scanner nor a reader takes it for one.
const SECRET: &str = "lka_…";

fn person() -> Value {
    json!({"id": "user-1", "type": "member", "email": "olive@acme.example", "name": "Olive Owner"})
}

fn token() -> Value {
    json!({
        "id": ID,
        "accountId": "acme",
        "kind": "account",
        "integrationId": null,
        "name": "Warehouse sync",
        "description": "Kept in the warehouse's vault",
        "autoPurge": "30d",
        "purgeAt": "2026-12-23T10:00:00.000Z",
        "scope": {
            "type": "custom",
            "connections": [],
            "exports": ["exp_orders"],
            "imports": [],
            "apis": [],
        },
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

fn record() -> Value {
    json!({
        "id": "aud_01M83XJ8800W3GE1R70W3GE1R7",
        "time": "2026-11-23T10:00:00.000Z",
        "action": "update",
        "source": "api",
        "user": person(),
        "resource": {"type": "apiToken", "id": ID, "name": "Warehouse sync"},
        "changes": [{"field": "name", "old": "Warehouse", "new": "Warehouse sync"}],
        "ip": "192.0.2.1",
        "assertedIp": null,
        "userAgent": "curl/8.5.0",
        "client": "curl 8.5",
        "requestId": "JKJaXmPLvHcESHA=",
    })
}

fn resource() -> Value {
    json!({"type": "export", "id": "exp_orders", "name": "Orders", "integrationId": null})
}
