//! The names of the operations by their routes.
//!
//! Written by `cargo xtask generate` from the functions' `operation.toml`.

/// Returns the name of a route's operation.
pub(super) fn operation(route: &str) -> Option<&'static str> {
    Some(match route {
        "GET /" => "console-page",
        "GET /assets/{version}/{file+}" => "console-asset",
        "GET /config.json" => "console-config",
        "GET /docs" => "docs-page",
        "GET /docs/style.css" => "docs-style",
        "GET /v1/accounts" => "list-accounts",
        "GET /v1/accounts/{accountId}" => "get-account",
        "GET /v1/accounts/{accountId}/audit" => "list-audit",
        "GET /v1/accounts/{accountId}/integrations" => "list-integrations",
        "GET /v1/accounts/{accountId}/members" => "list-members",
        "GET /v1/accounts/{accountId}/preferences" => "get-preferences",
        "PUT /v1/accounts/{accountId}/preferences" => "update-preferences",
        "GET /v1/accounts/{accountId}/resources" => "list-resources",
        "GET /v1/accounts/{accountId}/tokens" => "list-tokens",
        "POST /v1/accounts/{accountId}/tokens" => "create-token",
        "DELETE /v1/accounts/{accountId}/tokens/{tokenId}" => "delete-token",
        "GET /v1/accounts/{accountId}/tokens/{tokenId}" => "get-token",
        "PATCH /v1/accounts/{accountId}/tokens/{tokenId}" => "update-token",
        "GET /v1/accounts/{accountId}/tokens/{tokenId}/audit" => "list-token-audit",
        "POST /v1/accounts/{accountId}/tokens/{tokenId}/reactivate" => "reactivate-token",
        "POST /v1/accounts/{accountId}/tokens/{tokenId}/regenerate" => "regenerate-token",
        "POST /v1/accounts/{accountId}/tokens/{tokenId}/retire" => "retire-secret",
        "POST /v1/accounts/{accountId}/tokens/{tokenId}/reveal" => "reveal-token",
        "POST /v1/accounts/{accountId}/tokens/{tokenId}/revoke" => "revoke-token",
        "POST /v1/introspect" => "introspect-token",
        "POST /v1/leaks/github" => "receive-leak-report",
        "GET /v1/openapi.json" => "describe-api",
        "POST /v1/revoke" => "revoke-by-secret",
        "GET /v1/tokenInfo" => "token-info",
        _ => return None,
    })
}
