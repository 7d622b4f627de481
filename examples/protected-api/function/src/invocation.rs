//! Invokes a resource. A real platform calls the integrated system; here, the resource's own `settings` play the
//! remote side.

use lambda_http::Request;
use serde_json::{Value, json};

use crate::problem::{ApiError, Failure};
use crate::resource::{Resource, ResourceType};

/// Pings a connection, runs an export or import, or passes a request to an API.
///
/// # Errors
/// [`ApiError::Invalid`] if the body of an import isn't a JSON array.
pub(crate) fn invoke(resource: &Resource, request: &Request) -> Result<Value, ApiError> {
    let setting = |name: &str| resource.settings.get(name);
    match resource.kind {
        ResourceType::Connection => Ok(json!({
            "id": resource.id,
            "online": setting("offline") != Some(&Value::Bool(true)),
        })),
        ResourceType::Export => Ok(json!({
            "id": resource.id,
            "records": setting("records").filter(|records| records.is_array()).unwrap_or(&json!([])),
        })),
        ResourceType::Import => match serde_json::from_slice(request.body()) {
            Ok(Value::Array(records)) => {
                Ok(json!({ "id": resource.id, "accepted": records.len() }))
            }
            _ => Err(ApiError::Invalid(vec![Failure {
                code: "invalid_body",
                message: "the body must be a JSON array of records".to_owned(),
                field: None,
            }])),
        },
        ResourceType::Api => Ok(json!({
            "id": resource.id,
            "method": request.method().as_str(),
            "query": request.uri().query(),
            "response": setting("response"),
        })),
    }
}
