//! A service of the platform with axum, whose callers present Latchkey tokens.
//!
//! ```sh
//! TOKENS_TABLE=… AUDIT_TABLE=… AUDIT_RETENTION_DAYS=400 cargo run -p latchkey-tower --example serve
//! curl http://127.0.0.1:8080/v1/exports/exp-customers -H "Authorization: Bearer $SECRET"
//! ```
//!
//! It has two optional arguments: the port, and for how many seconds a decision may be cached. The defaults are 8080
//! and 0.

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use axum::extract::{ConnectInfo, Path};
use axum::routing::get;
use axum::{Extension, Json, Router};
use latchkey::aws::aws_defaults;
use latchkey::config::Tables;
use latchkey::ports::{GetResources, RecallSecret, RecordUse};
use latchkey::store::Store;
use latchkey::system::System;
use latchkey_tower::{Grant, LatchkeyLayer};
use serde_json::{Value, json};

/// Returns the service. `bound` is how long a revoked token may still be accepted; zero reads at every request.
pub(crate) fn app(
    store: impl RecallSecret + GetResources + RecordUse + Send + 'static,
    cached_for: Duration,
) -> Router {
    let peer = |parts: &http::request::Parts| {
        let ConnectInfo(peer) = parts.extensions.get::<ConnectInfo<SocketAddr>>()?;
        Some(peer.ip())
    };
    Router::new()
        .route("/v1/exports/{id}", get(export))
        .layer(LatchkeyLayer::with_cache(store, System, peer, cached_for))
}

/// Returns the export's id and the caller's account.
async fn export(Path(id): Path<String>, Extension(grant): Extension<Grant>) -> Json<Value> {
    Json(json!({"id": id, "accountId": grant.account_id, "tokenId": grant.token_id}))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let port = arguments.next().map_or(Ok(8080), |port| port.parse())?;
    let seconds = arguments.next().map_or(Ok(0), |seconds| seconds.parse())?;
    let store = Store::new(&aws_defaults().load().await, Tables::from_env()?);
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    let app = app(store, Duration::from_secs(seconds))
        .into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, app).await?;
    Ok(())
}
