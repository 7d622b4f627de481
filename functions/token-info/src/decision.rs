//! The answers to "why was I refused?": whether a call that the bearer names would be allowed, and why a known secret
//! doesn't work.

use std::borrow::Cow;
use std::net::IpAddr;

use latchkey::app::foresee::foresee;
use latchkey::domain::policy::{Denial, Obligation};
use latchkey::domain::validation::FieldError;
use latchkey::domain::verification::{Refusal, SecretRecord, SecretState};
use latchkey::http::openapi::schema;
use latchkey::http::query::{Parameter, Parameters, Query};
use latchkey::http::{ApiError, ErrorCode};
use latchkey::ports::GetResources;
use schemars::JsonSchema;
use serde::Serialize;

/// The methods that API Gateway passes on.
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/// How the authorizer decides on a call with this token from this address.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Decision")]
pub(crate) struct DecisionBody {
    /// Whether the call is allowed.
    allowed: bool,
    /// Why the call is denied. Missing if it is allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Denial")]
    code: Option<Denial>,
    /// The same for people.
    detail: Cow<'static, str>,
}

/// A call to a protected API.
pub(crate) struct Call {
    method: &'static str,
    path: String,
}

/// Reads the two parameters that name a call.
pub(crate) fn read_call(
    parameters: &mut impl Parameters,
) -> (Option<&'static str>, Option<String>) {
    let method = parameters.word(
        "method",
        "Asks whether a call is allowed: its method. Needs `path`.",
        METHODS,
        |method| method,
    );
    let path = Parameter {
        name: "path",
        description: "Asks whether a call is allowed: its path from `/v1/` on, such as `/v1/exports/exp_1/invoke`. A \
                      query is ignored. Needs `method`.",
        schema: schema::text(),
    };
    let path = parameters.value(path, "a path that begins with /", |text| {
        let path = text.split('?').next()?;
        path.starts_with('/').then(|| path.to_owned())
    });
    (method, path)
}

impl Call {
    /// Returns the call that a query names; `None` if it names none.
    ///
    /// # Errors
    /// [`ErrorCode::ValidationFailed`] if the query isn't valid, or has only a half of a call.
    pub(crate) fn of(mut query: Query) -> Result<Option<Self>, ApiError> {
        let call = read_call(&mut query);
        query.finish()?;
        let missing = match call {
            (Some(method), Some(path)) => return Ok(Some(Self { method, path })),
            (None, None) => return Ok(None),
            (Some(_), None) => "path",
            (None, Some(_)) => "method",
        };
        let failure = FieldError::new(missing, "required", "is required");
        Err(ApiError::validation(vec![failure]))
    }

    /// Returns the authorizer's decision on the call with a secret that works.
    ///
    /// # Errors
    /// The table can't be read.
    pub(crate) async fn decide(
        &self,
        store: &impl GetResources,
        secret: &SecretRecord,
    ) -> Result<DecisionBody, ApiError> {
        let decision = foresee(store, secret, self.method, &self.path).await?;
        Ok(match decision {
            Ok(obligations) => DecisionBody {
                allowed: true,
                code: None,
                detail: obligations.first().map_or(
                    "the authorizer allows the call; a refusal has another reason".into(),
                    terms,
                ),
            },
            Err(denial) => DecisionBody {
                allowed: false,
                code: Some(denial),
                detail: explain(denial).into(),
            },
        })
    }
}

fn terms(obligation: &Obligation) -> Cow<'static, str> {
    match obligation {
        Obligation::AllowedFields { fields } => format!(
            "the authorizer allows the call; the resource belongs to an Integration App, and the API lets you change \
             only its {}",
            fields.join(", ")
        )
        .into(),
        Obligation::DenyIntegrationAppData => {
            "the authorizer allows the call; the API refuses it if it creates, changes or deletes data of an \
             Integration App"
                .into()
        }
    }
}

fn explain(denial: Denial) -> &'static str {
    match denial {
        Denial::UnknownCall => {
            "there is no call with this method and path; the path must begin with /v1/ and have no empty or escaped \
             parts"
        }
        Denial::ActionNotAllowed => {
            "tokens of this kind and scope may not do this; only an account's token with full access may"
        }
        Denial::ResourceNotInScope => {
            "the token's scope does not list this resource; ask for the resource to be added to it"
        }
        Denial::NotOwnIntegrationApp => {
            "the resource does not belong to the token's Integration App, or is not known yet"
        }
        Denial::IntegrationAppData => {
            "the resource belongs to an Integration App; tokens of the account can't create or delete its data"
        }
    }
}

/// Returns the answer to a bearer whose secret doesn't work. Whoever holds the whole secret of a token may know why. A
/// guess learns nothing.
pub(crate) fn refused(refusal: Refusal, secret: Option<&SecretRecord>, ip: IpAddr) -> ApiError {
    let replaced = secret.is_some_and(|secret| secret.state == SecretState::Retired);
    let detail = match refusal {
        Refusal::Malformed | Refusal::Unknown | Refusal::Forbidden => {
            return ErrorCode::InvalidToken.into();
        }
        Refusal::Revoked => "the token is revoked".into(),
        Refusal::Expired if replaced => {
            "the secret was replaced, and its grace period is over".into()
        }
        Refusal::Expired => "the token's lifetime is over".into(),
        Refusal::Ended => "the secret was replaced, or its token has ended".into(),
        Refusal::Compromised => {
            "the secret was reported as leaked or ended by its holder, and never works again; ask for a new one".into()
        }
        Refusal::Address => Cow::from(format!(
            "the token may not be used from {}",
            ip.to_canonical()
        )),
    };
    ApiError::invalid_token(detail)
}
