//! A scenario or more for every operation of the API.

use contract::Call;
use latchkey::domain::budget::Budgets;
use latchkey::testing::Engine;
use serde_json::json;

use crate::scenario::Effect::{AtMost, Each, Once, State};
use crate::scenario::{
    Given, Outcome, Scenario, TOKENS, about, created, creation, ended, replaced, revoked, token,
};
use crate::world::{Sandbox, Step};

/// A request as a scenario's step.
macro_rules! asks {
    ($given:ident => $call:expr) => {
        |sandbox, $given| {
            Box::pin(async move {
                let _ = $given;
                Outcome::from(sandbox.answer($call).await)
            })
        }
    };
}

/// A request, and then the same in the same sandbox, which remembers what it has recorded.
macro_rules! asks_twice {
    ($given:ident => $call:expr) => {
        |sandbox, $given| {
            Box::pin(async move {
                sandbox.answer($call).await;
                Outcome::from(sandbox.answer($call).await)
            })
        }
    };
}

/// A second token asks about the first one.
fn asker<'a>(sandbox: &'a Sandbox<'_>) -> Step<'a, Given> {
    Box::pin(async {
        let given = created(sandbox).await;
        let other = created(sandbox).await.secret;
        Given { other, ..given }
    })
}

fn one_change() -> Budgets {
    Budgets {
        changes: 1,
        ..Engine::budgets()
    }
}

fn one_token() -> Budgets {
    Budgets {
        tokens: 1,
        ..Engine::budgets()
    }
}

fn one_reveal() -> Budgets {
    Budgets {
        reveals: 1,
        ..Engine::budgets()
    }
}

/// Every scenario of an operation.
#[rustfmt::skip]
pub(crate) fn requests() -> Vec<Scenario> {
    vec![
        Scenario::new("list-accounts", "", asks!(given => Call::new("GET", "/v1/accounts"))),
        Scenario::new("get-account", "", asks!(given => Call::new("GET", "/v1/accounts/acme"))),
        Scenario::new("list-members", "", asks!(given => Call::new("GET", "/v1/accounts/acme/members"))),
        Scenario::new("list-integrations", "", asks!(given => Call::new("GET", "/v1/accounts/acme/integrations"))),
        Scenario::new("list-resources", "", asks!(given => Call::new("GET", "/v1/accounts/acme/resources"))),
        Scenario::new("list-resources", "one id", asks!(given => Call::new("GET", "/v1/accounts/acme/resources?ids=exports/exp_orders"))),
        Scenario::new("list-resources", "two ids", asks!(given => Call::new("GET", "/v1/accounts/acme/resources?ids=exports/exp_orders,imports/imp_stock"))),
        Scenario::new("get-preferences", "", asks!(given => Call::new("GET", "/v1/accounts/acme/preferences"))),
        Scenario::new("update-preferences", "", asks!(given => {
            let chosen = json!({"create": "immediate", "access": "daily", "change": "immediate"});
            Call::new("PUT", "/v1/accounts/acme/preferences").json(&chosen)
        })).does(State(|evidence, _| evidence.item("PREFERENCES#acme", "USER#owner-1").is_some())),
        Scenario::new("list-audit", "", asks!(given => Call::new("GET", "/v1/accounts/acme/audit"))).after(token),
        Scenario::new("list-audit", "without uses", asks!(given => Call::new("GET", "/v1/accounts/acme/audit?action=create"))).after(token),
        Scenario::new("list-token-audit", "", asks!(given => about("GET", &given.token, "/audit"))).after(token),
        Scenario::new("list-tokens", "", asks!(given => Call::new("GET", TOKENS))).after(token),
        Scenario::new("get-token", "", asks!(given => about("GET", &given.token, ""))).after(token),

        Scenario::new("create-token", "", asks!(given => creation())).answers(201).does(Each("create")),
        Scenario::new("create-token", "with a key", asks!(given => creation().header("idempotency-key", "once")))
            .after(token).answers(201).then(200, "").does(Once("create")),
        Scenario::new("create-token", "of a custom scope, with a key", asks!(given => {
            let scope = json!({"type": "custom", "exports": ["exp_orders"], "imports": ["imp_stock"]});
            let body = json!({"name": "New", "autoPurge": "1h", "scope": scope});
            Call::new("POST", TOKENS).json(&body).header("idempotency-key", "once")
        })).after(token).answers(201).then(200, "").does(Once("create")),
        Scenario::new("create-token", "of one resource", asks!(given => {
            creation().json(&json!({"name": "One", "autoPurge": "never", "scope": {"type": "custom", "exports": ["exp_orders"]}}))
        })).answers(201).does(Each("create")),
        Scenario::new("create-token", "the hour's last change", asks!(given => creation()))
            .answers(201).does(Each("create")).with_budgets(one_change).spending_the_last(),
        Scenario::new("create-token", "the account's last token", asks!(given => creation()))
            .answers(201).does(Each("create")).with_budgets(one_token).spending_the_last(),
        Scenario::new("update-token", "", asks!(given => about("PATCH", &given.token, "").json(&json!({"name": "Newer"}))))
            .after(token).does(Once("update")),
        Scenario::new("update-token", "of a version", asks!(given => {
            about("PATCH", &given.token, "").json(&json!({"name": "Newer"})).header("if-match", "\"1\"")
        })).after(token).then(412, "version_mismatch").does(Once("update")),
        Scenario::new("update-token", "to a custom scope", asks!(given => {
            let scope = json!({"type": "custom", "exports": ["exp_orders"], "imports": ["imp_stock"]});
            about("PATCH", &given.token, "").json(&json!({"scope": scope}))
        })).after(token).does(Once("update")),
        Scenario::new("update-token", "to one resource", asks!(given => {
            about("PATCH", &given.token, "").json(&json!({"scope": {"type": "custom", "exports": ["exp_orders"]}}))
        })).after(token).does(Once("update")),
        Scenario::new("reveal-token", "", asks!(given => about("POST", &given.token, "/reveal"))).after(token).does(Each("view")),
        Scenario::new("reveal-token", "the hour's last", asks!(given => about("POST", &given.token, "/reveal")))
            .after(token).does(Each("view")).with_budgets(one_reveal).spending_the_last(),
        Scenario::new("regenerate-token", "", asks!(given => about("POST", &given.token, "/regenerate")))
            .after(replaced).does(Each("regenerate")),
        Scenario::new("regenerate-token", "with a key and a grace period", asks!(given => {
            let body = json!({"gracePeriodSeconds": 600});
            about("POST", &given.token, "/regenerate").json(&body).header("idempotency-key", "once")
        })).after(token).does(Once("regenerate")),
        Scenario::new("regenerate-token", "of a version", asks!(given => about("POST", &given.token, "/regenerate").header("if-match", "\"1\"")))
            .after(token).then(412, "version_mismatch").does(Once("regenerate")),
        Scenario::new("retire-secret", "", asks!(given => about("POST", &given.token, "/retire")))
            .after(replaced).then(409, "no_previous_secret").does(Once("retire")),
        Scenario::new("revoke-token", "", asks!(given => about("POST", &given.token, "/revoke"))).after(replaced).does(Once("revoke")),
        Scenario::new("revoke-token", "of a version", asks!(given => about("POST", &given.token, "/revoke").header("if-match", "\"1\"")))
            .after(token).then(412, "version_mismatch").does(Once("revoke")),
        Scenario::new("reactivate-token", "", asks!(given => about("POST", &given.token, "/reactivate"))).after(revoked).does(Once("reactivate")),
        Scenario::new("delete-token", "", asks!(given => about("DELETE", &given.token, "")))
            .after(revoked).answers(204).then(404, "token_not_found").does(Once("delete")),

        Scenario::new("token-info", "", asks!(given => Call::new("GET", "/v1/tokenInfo").bearer(&given.secret)))
            .after(token).does(Once("access")),
        Scenario::new("token-info", "a second time", asks_twice!(given => Call::new("GET", "/v1/tokenInfo").bearer(&given.secret)))
            .after(token).does(Once("access")),
        Scenario::new("token-info", "about a call", asks!(given => {
            Call::new("GET", "/v1/tokenInfo?method=DELETE&path=/v1/exports/exp_orders").bearer(&given.secret)
        })).after(token).does(Once("access")),
        Scenario::new("token-info", "of a revoked token", asks!(given => Call::new("GET", "/v1/tokenInfo").bearer(&given.secret)))
            .after(revoked).answers(401).does(AtMost("refused")),
        Scenario::new("introspect-token", "", asks!(given => {
            Call::new("POST", "/v1/introspect").bearer(&given.other).form(&format!("token={}", given.secret))
        })).after(asker).does(State(|evidence, _| evidence.records("access").len() == 2)),
        Scenario::new("introspect-token", "a second time", asks_twice!(given => {
            Call::new("POST", "/v1/introspect").bearer(&given.other).form(&format!("token={}", given.secret))
        })).after(asker).does(State(|evidence, _| evidence.records("access").len() == 2)),
        Scenario::new("revoke-by-secret", "the current one", asks!(given => {
            Call::new("POST", "/v1/revoke").form(&format!("token={}", given.secret))
        })).after(replaced).does(Once("revoke")),
        Scenario::new("revoke-by-secret", "a replaced one", asks!(given => {
            Call::new("POST", "/v1/revoke").form(&format!("token={}", given.other))
        })).after(replaced).does(Once("revoke")),
        Scenario::new("revoke-by-secret", "an ended one", asks!(given => {
            Call::new("POST", "/v1/revoke").form(&format!("token={}", given.other))
        })).after(ended).does(Once("revoke")),
    ]
}
