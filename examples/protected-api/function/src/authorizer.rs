//! The context that the Lambda authorizer adds to a request that it allows.

use lambda_http::request::RequestContext;
use lambda_http::{Request, RequestExt};
use serde::Deserialize;
use serde_json::Value;

use crate::problem::ApiError;
use crate::resource::is_id;

/// The caller, and the conditions that this API must enforce.
#[derive(Debug)]
pub(crate) struct Caller {
    pub account_id: String,
    pub token_id: String,
    obligations: Vec<Obligation>,
}

/// A condition of the authorizer's permission. An unknown member makes the obligation unknown: it could narrow the
/// permission.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", deny_unknown_fields)]
enum Obligation {
    /// An update may change these fields of the resource and no others.
    AllowedFields { fields: Vec<String> },
    /// The call may not create, change or delete data that belongs to an Integration App.
    DenyIntegrationAppData {},
}

impl Caller {
    /// Reads `requestContext.authorizer.lambda` of an HTTP API, or `requestContext.authorizer` of a REST API.
    ///
    /// # Errors
    /// [`ApiError::AuthorizerContext`] if the context is missing or invalid: no authorizer has decided then.
    /// [`ApiError::UnknownObligation`] if it contains an obligation that this API can't enforce.
    pub(crate) fn of(request: &Request) -> Result<Self, ApiError> {
        let text = |name: &str| {
            let value = match request.request_context_ref()? {
                RequestContext::ApiGatewayV2(context) => {
                    context.authorizer.as_ref()?.fields.get(name)
                }
                RequestContext::ApiGatewayV1(context) => context.authorizer.fields.get(name),
                _ => None,
            };
            value.and_then(Value::as_str)
        };
        let text = |name: &str| text(name).ok_or(ApiError::AuthorizerContext);
        let id = |name: &str| {
            text(name).and_then(|id| {
                if is_id(id) {
                    Ok(id.to_owned())
                } else {
                    Err(ApiError::AuthorizerContext)
                }
            })
        };

        let obligations: Vec<Value> =
            serde_json::from_str(text("obligations")?).map_err(|_| ApiError::AuthorizerContext)?;
        Ok(Self {
            account_id: id("accountId")?,
            token_id: id("tokenId")?,
            obligations: obligations
                .into_iter()
                .map(|obligation| {
                    serde_json::from_value(obligation).map_err(|_| ApiError::UnknownObligation)
                })
                .collect::<Result<_, _>>()?,
        })
    }

    /// Checks that the call may create, change or delete a resource of the Integration App `integration_id`.
    ///
    /// # Errors
    /// [`ApiError::IntegrationAppData`] if it may not.
    pub(crate) fn may_write(&self, integration_id: Option<&Value>) -> Result<(), ApiError> {
        let app_data = integration_id.is_some_and(|id| !id.is_null());
        let denied = self
            .obligations
            .iter()
            .any(|obligation| matches!(obligation, Obligation::DenyIntegrationAppData {}));
        if app_data && denied {
            Err(ApiError::IntegrationAppData)
        } else {
            Ok(())
        }
    }

    /// Checks that the call may change these fields of an existing resource.
    ///
    /// # Errors
    /// [`ApiError::FieldNotAllowed`] with the fields that it may not change.
    pub(crate) fn may_change(&self, fields: &[String]) -> Result<(), ApiError> {
        let refused = |field: &&String| {
            self.obligations.iter().any(|obligation| match obligation {
                Obligation::AllowedFields { fields: allowed } => !allowed.contains(field),
                Obligation::DenyIntegrationAppData {} => false,
            })
        };
        let refused: Vec<String> = fields.iter().filter(refused).cloned().collect();
        if refused.is_empty() {
            Ok(())
        } else {
            Err(ApiError::FieldNotAllowed(refused))
        }
    }
}
