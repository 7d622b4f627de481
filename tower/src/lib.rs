//! Verifies the bearer tokens of requests to a service of the platform that isn't behind API Gateway: an axum, hyper or
//! any other [`tower`](https://docs.rs/tower) service.
//!
//! [`LatchkeyLayer`] decides exactly as the Lambda authorizer does. It makes one strongly consistent read of the
//! secret's item, applies the same rules for what a token may do on the platform's routes
//! (`/v1/{connections|exports|imports|apis}…`), and records first uses in the same way. A request that it lets through
//! carries a [`Grant`]. A request that it refuses gets a problem document:
//!
//! | the request has | response |
//! |---|---|
//! | no bearer token | 401 `token_required` |
//! | a token that is unknown, revoked, expired, or not allowed from this address | 401 `invalid_token` |
//! | a valid token that doesn't allow this request | 403 `insufficient_scope` |
//! | any token, while the decision can't be made | 503 `unavailable` or 500 `internal_error` |
//!
//! The service must enforce the grant's obligations and stay within its account. The layer removes the header
//! `Authorization`, so that the service can't log it.
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
//!     // The caller's address is the connection's here. Behind a proxy, it is the address that the proxy reports.
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
//! By default the layer reads the table at every request: a revoked token is refused at the next request.
//! [`LatchkeyLayer::with_cache`] is faster. Its parameter `bound` is the longest time for which a revoked secret may
//! still be accepted.
//!
//! # Log
//!
//! Every decision is an event of [`tracing`](https://docs.rs/tracing) at `INFO` with the target
//! [`latchkey::app::decision::TARGET`]. `docs/operations.md` explains its fields.
//!
//! # Rights
//!
//! The service needs the rights of the function `authorize`. On the tokens table, these are `dynamodb:GetItem` on the
//! partitions `SECRET#*` and `RESOURCE#*`, `dynamodb:BatchGetItem` on `SECRET#*` and `SEEN#*`, and
//! `dynamodb:UpdateItem` on `SEEN#*`. On the audit table, it is `dynamodb:PutItem` on `USE#*`.

mod cache;
mod rejection;
mod service;

pub use service::{Grant, LatchkeyLayer, LatchkeyService};

#[cfg(test)]
mod tests;
