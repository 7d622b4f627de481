//! Verifies the bearer tokens of requests to a service of the platform that isn't behind API Gateway:
//! an axum, hyper or any other [`tower`](https://docs.rs/tower) service.
//!
//! [`LatchkeyLayer`] decides exactly as the Lambda authorizer does: one strongly consistent read of the
//! secret's item, the same pure rules for what a token may do on the platform's routes
//! (`/v1/{connections|exports|imports|apis}…`), and the same record of a first use. What it lets through
//! carries a [`Grant`]; what it doesn't is answered with a problem document.
//!
//! | the request has | answer |
//! |---|---|
//! | no bearer token | 401 `token_required` |
//! | one that is unknown, revoked or over, or not allowed from this address | 401 `invalid_token` |
//! | a good one that may not do this | 403 `insufficient_scope` |
//! | any, while the decision can't be made | 503 `unavailable` or 500 `internal_error` |
//!
//! The service has to honour the grant's obligations and to stay inside its account. The header
//! `Authorization` ends at the layer, so that the service can't log it.
//!
//! ```
//! use std::net::SocketAddr;
//!
//! use axum::extract::ConnectInfo;
//! use axum::routing::get;
//! use axum::{Extension, Router};
//! use latchkey::ports::{GetResources, RecallSecret, RecordUse};
//! use latchkey::system::System;
//! use latchkey_tower::{Grant, LatchkeyLayer};
//!
//! fn app(store: impl RecallSecret + GetResources + RecordUse + Send + 'static) -> Router {
//!     // The caller's address: of the connection here, and behind a proxy whatever that one vouches for.
//!     let layer = LatchkeyLayer::new(store, System, |parts| {
//!         let ConnectInfo(peer) = parts.extensions.get::<ConnectInfo<SocketAddr>>()?;
//!         Some(peer.ip())
//!     });
//!     Router::new()
//!         .route("/v1/exports/{id}", get(async |Extension(grant): Extension<Grant>| grant.account_id.to_string()))
//!         .layer(layer)
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! # use axum::body::Body;
//! # use tower::ServiceExt;
//! # let engine = latchkey::testing::Engine::with_accounts().await;
//! let request = http::Request::get("/v1/exports/exp_orders")
//!     .extension(ConnectInfo(SocketAddr::from(([192, 0, 2, 1], 50_000))))
//!     .body(Body::empty())
//!     .unwrap();
//! # let store = engine.store.clone();
//! let answer = app(store).oneshot(request).await.unwrap();
//! assert_eq!(answer.status(), 401);
//! # }
//! ```
//!
//! # Cache
//!
//! By default every request is decided by a read of its own: a revoked token is refused by the next
//! one. [`LatchkeyLayer::with_cache`] trades that for speed, and its one parameter says how much: the
//! longest time for which a revoked secret may still be accepted.
//!
//! # Log
//!
//! Every decision is an event of [`tracing`](https://docs.rs/tracing) at `INFO` with the target
//! [`latchkey::app::decision::TARGET`] and the keys that `docs/operations.md` explains.
//!
//! # Rights
//!
//! On the tokens' table the service needs `dynamodb:GetItem` on the partitions `SECRET#*` and `RESOURCE#*`,
//! `dynamodb:BatchGetItem` on `SECRET#*` and `SEEN#*` and `dynamodb:UpdateItem` on `SEEN#*`, and on the audit table
//! `dynamodb:PutItem` on `USE#*`: the policy of the function `authorize`.

mod cache;
mod rejection;
mod service;

pub use service::{Grant, LatchkeyLayer, LatchkeyService};

#[cfg(test)]
mod tests;
