//! The API's routes. The authorizer has decided whether the call is allowed. The API stays within the account in the
//! authorizer's context, and enforces the obligations.

use lambda_http::http::Method;
use lambda_http::{Body, Request, RequestExt, Response};

use crate::authorizer::Caller;
use crate::operations::{clone, create, debug, delete, get, list, run, update};
use crate::problem::ApiError;
use crate::resource::{ResourceType, UpdateMode, is_id};
use crate::store::{Key, ResourceStore};

const MAX_BODY: usize = 64 * 1024;

pub(crate) async fn handle(store: &impl ResourceStore, request: Request) -> Response<Body> {
    answer(store, &request)
        .await
        .unwrap_or_else(ApiError::into_response)
}

async fn answer(store: &impl ResourceStore, request: &Request) -> Result<Response<Body>, ApiError> {
    // This comes first, so that without a decision nothing is served, and nobody learns what exists.
    let caller = Caller::of(request)?;
    let path = request.path_parameters_ref();
    let segment = |name: &str| path.and_then(|path| path.first(name));
    let kind = segment("collection")
        .and_then(ResourceType::of_collection)
        .ok_or(ApiError::RouteNotFound)?;
    tracing::info!(account.id = %caller.account_id, token.id = %caller.token_id, method = %request.method(), collection = kind.collection(), "request");
    if request.body().len() > MAX_BODY {
        return Err(ApiError::BodyTooLarge);
    }

    let Some(id) = segment("id") else {
        return match *request.method() {
            Method::GET => list(store, &caller, kind, request).await,
            Method::POST => create(store, &caller, kind, request).await,
            _ => Err(ApiError::RouteNotFound),
        };
    };
    if !is_id(id) {
        return Err(ApiError::ResourceNotFound);
    }
    let key = Key {
        account_id: caller.account_id.clone(),
        kind,
        id: id.to_owned(),
    };
    match (request.method(), kind, segment("sub")) {
        (&Method::GET, _, None) => get(store, &key).await,
        (&Method::PUT, _, None) => update(store, &caller, &key, request, UpdateMode::Replace).await,
        (&Method::PATCH, _, None) => update(store, &caller, &key, request, UpdateMode::Patch).await,
        (&Method::DELETE, _, None) => delete(store, &caller, &key).await,
        (&Method::POST, _, Some("clone")) => clone(store, &caller, &key, request).await,
        (&Method::GET, _, Some("debug")) => debug(store, &key).await,
        (&Method::POST, ResourceType::Connection, Some(action @ "ping"))
        | (&Method::POST, ResourceType::Export | ResourceType::Import, Some(action @ "invoke"))
        | (_, ResourceType::Api, Some(action @ "request")) => {
            run(store, &caller, &key, request, action).await
        }
        _ => Err(ApiError::RouteNotFound),
    }
}

#[cfg(test)]
mod tests;
