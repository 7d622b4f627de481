//! The operations of the routes.

use jiff::Timestamp;
use lambda_http::http::{StatusCode, header};
use lambda_http::request::RequestContext;
use lambda_http::{Body, Request, RequestExt, Response};
use serde_json::{Map, Value, json};
use ulid::Ulid;

use crate::authorizer::Caller;
use crate::invocation::invoke;
use crate::problem::{ApiError, Failure, respond};
use crate::resource::{Fields, Resource, ResourceType, UpdateMode, is_id};
use crate::store::{DebugEntry, Key, ResourceStore};

const MAX_PAGE: i32 = 100;
const DEFAULT_PAGE: i32 = 50;

type Result<T, E = ApiError> = std::result::Result<T, E>;

pub(crate) async fn list(
    store: &impl ResourceStore,
    caller: &Caller,
    kind: ResourceType,
    request: &Request,
) -> Result<Response<Body>> {
    let query = request.query_string_parameters_ref();
    let parameter = |name: &str| query.and_then(|query| query.first(name));
    let mut failures = Vec::new();
    let limit = parameter("limit")
        .map_or(Ok(DEFAULT_PAGE), str::parse)
        .unwrap_or_default();
    if !(1..=MAX_PAGE).contains(&limit) {
        failures.push(Failure::new(
            "invalid",
            "limit",
            "must be a number from 1 to 100",
        ));
    }
    let cursor = parameter("cursor");
    if cursor.is_some_and(|cursor| !is_id(cursor)) {
        failures.push(Failure::new(
            "invalid",
            "cursor",
            "must be the `nextCursor` of another page",
        ));
    }
    if !failures.is_empty() {
        return Err(ApiError::Invalid(failures));
    }
    let (resources, more) = store
        .list(&caller.account_id, kind, limit, cursor.map(str::to_owned))
        .await?;
    let next = resources
        .last()
        .filter(|_| more)
        .map(|resource| resource.id.as_str());
    Ok(ok(
        &json!({ (kind.collection()): resources, "nextCursor": next }),
    ))
}

pub(crate) async fn create(
    store: &impl ResourceStore,
    caller: &Caller,
    kind: ResourceType,
    request: &Request,
) -> Result<Response<Body>> {
    let body = object(request)?;
    caller.may_write(body.get("integrationId"))?;
    let resource = Resource::create(new_id(request)?, kind, body)?;
    insert(store, caller, request, &resource).await
}

pub(crate) async fn get(store: &impl ResourceStore, key: &Key) -> Result<Response<Body>> {
    Ok(ok(&json!(existing(store, key).await?)))
}

pub(crate) async fn clone(
    store: &impl ResourceStore,
    caller: &Caller,
    key: &Key,
    request: &Request,
) -> Result<Response<Body>> {
    let original = existing(store, key).await?;
    caller.may_write(original.app().as_ref())?;
    let mut fields = Fields::default();
    let body = if request.body().is_empty() {
        Map::new()
    } else {
        object(request)?
    };
    for (field, value) in body {
        if field == "name" {
            fields.read(&field, value);
        } else {
            fields.fail("unknown_field", &field, "is not a field of this request");
        }
    }
    let resource = original.copy(new_id(request)?, fields.finish(false)?.name);
    insert(store, caller, request, &resource).await
}

async fn insert(
    store: &impl ResourceStore,
    caller: &Caller,
    request: &Request,
    resource: &Resource,
) -> Result<Response<Body>> {
    if !store.create(&caller.account_id, resource).await? {
        return Err(ApiError::ResourceExists);
    }
    let mut response = respond(StatusCode::CREATED, "application/json", &json!(resource));
    let location = format!(
        "{}/v1/{}/{}",
        base_path(request),
        resource.kind.collection(),
        resource.id
    );
    let location = header::HeaderValue::from_str(&location)
        .map_err(|error| ApiError::Internal(error.into()))?;
    response.headers_mut().insert(header::LOCATION, location);
    Ok(response)
}

pub(crate) async fn update(
    store: &impl ResourceStore,
    caller: &Caller,
    key: &Key,
    request: &Request,
    mode: UpdateMode,
) -> Result<Response<Body>> {
    let body = object(request)?;
    let name_missing = mode == UpdateMode::Replace && !body.contains_key("name");
    let current = existing(store, key).await?;
    let differences = current.differences(body, mode)?;
    // Missing rights come before an invalid body. The authorizer may not know to which app the resource belongs.
    caller.may_write(current.app().as_ref())?;
    caller.may_change(&differences.keys().cloned().collect::<Vec<_>>())?;
    caller.may_write(differences.get("integrationId"))?;
    let changes = Resource::changes(differences, name_missing)?;
    if changes.is_empty() {
        return Ok(ok(&json!(current)));
    }
    let updated = store
        .update(key, changes)
        .await?
        .ok_or(ApiError::ResourceNotFound)?;
    Ok(ok(&json!(updated)))
}

pub(crate) async fn delete(
    store: &impl ResourceStore,
    caller: &Caller,
    key: &Key,
) -> Result<Response<Body>> {
    // A resource never changes its app, so the check still holds at the deletion.
    caller.may_write(existing(store, key).await?.app().as_ref())?;
    if !store.delete(key).await? {
        return Err(ApiError::ResourceNotFound);
    }
    let mut response = respond(StatusCode::NO_CONTENT, "application/json", &Value::Null);
    response.headers_mut().remove(header::CONTENT_TYPE);
    *response.body_mut() = Body::Empty;
    Ok(response)
}

/// Invokes the resource, and records it whether it succeeds or fails: debug logs are read because of failures.
pub(crate) async fn run(
    store: &impl ResourceStore,
    caller: &Caller,
    key: &Key,
    request: &Request,
    action: &str,
) -> Result<Response<Body>> {
    let resource = existing(store, key).await?;
    let outcome = invoke(&resource, request);
    let (time, request_id) = context(request)?;
    let entry = DebugEntry {
        time: time.to_string(),
        request_id: request_id.to_owned(),
        token_id: caller.token_id.clone(),
        action: action.to_owned(),
        status: outcome
            .as_ref()
            .map_or_else(ApiError::status, |_| StatusCode::OK)
            .as_u16(),
    };
    if !store.record(key, &entry).await? {
        return Err(ApiError::ResourceNotFound);
    }
    outcome.map(|body| ok(&body))
}

pub(crate) async fn debug(store: &impl ResourceStore, key: &Key) -> Result<Response<Body>> {
    let entries = store
        .debug_log(key)
        .await?
        .ok_or(ApiError::ResourceNotFound)?;
    Ok(ok(&json!({ "entries": entries })))
}

async fn existing(store: &impl ResourceStore, key: &Key) -> Result<Resource> {
    store.get(key).await?.ok_or(ApiError::ResourceNotFound)
}

fn object(request: &Request) -> Result<Map<String, Value>> {
    serde_json::from_slice(request.body()).map_err(|_| {
        ApiError::Invalid(vec![Failure {
            code: "invalid_body",
            message: "the body must be a JSON object".to_owned(),
            field: None,
        }])
    })
}

/// Returns the part of the path before the API's own: the stage of a REST API.
fn base_path(request: &Request) -> &str {
    match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV1(context)) => context
            .path
            .as_deref()
            .and_then(|path| path.split_once("/v1/"))
            .map_or("", |(base, _)| base),
        _ => "",
    }
}

/// Returns when the gateway received the request, and the id that it gave the request.
fn context(request: &Request) -> Result<(Timestamp, &str)> {
    let (time, id) = match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => (context.time_epoch, &context.request_id),
        Some(RequestContext::ApiGatewayV1(context)) => {
            (context.request_time_epoch, &context.request_id)
        }
        _ => return Err(ApiError::AuthorizerContext),
    };
    let time =
        Timestamp::from_millisecond(time).map_err(|error| ApiError::Internal(error.into()))?;
    Ok((time, id.as_deref().unwrap_or_default()))
}

#[expect(
    clippy::disallowed_methods,
    reason = "the ban is Latchkey's own; this API makes ids, not secrets"
)]
fn new_id(request: &Request) -> Result<String> {
    let (time, _) = context(request)?;
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|error| ApiError::Internal(error.into()))?;
    let milliseconds = u64::try_from(time.as_millisecond()).unwrap_or_default();
    Ok(Ulid::from_parts(milliseconds, u128::from_ne_bytes(random)).to_string())
}

fn ok(body: &Value) -> Response<Body> {
    respond(StatusCode::OK, "application/json", body)
}
