//! The layer and the service that it creates.

use std::fmt;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::task::{Context, Poll};
use std::time::Duration;

use http::header::{AUTHORIZATION, HeaderName, USER_AGENT};
use http::request::Parts;
use http::{Request, Response};
use jiff::SignedDuration;
use latchkey::app::verify::{Client, Verified, verify};
use latchkey::domain::entropy::Entropy;
use latchkey::domain::id::{AccountId, IntegrationId, TokenId};
use latchkey::domain::kind::Kind;
use latchkey::domain::policy::Obligation;
use latchkey::domain::scope::Scope;
use latchkey::domain::verification::Purpose;
use latchkey::http::bearer::bearer;
use latchkey::ports::{Clock, GetResources, PortError, RecallSecret, RecordUse};
use tower_layer::Layer;
use tower_service::Service;

use crate::cache::{Cache, ThroughCache};
use crate::rejection::Rejection;

/// The largest length of a request's id in the record of a use, in characters.
const MAX_REQUEST_ID: usize = 128;

/// The caller and its rights. The layer adds it to the extensions of every request that it lets through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The account of the token. The service must take it from nowhere else.
    pub account_id: AccountId,
    /// The token's id, for logs.
    pub token_id: TokenId,
    /// The kind of the token.
    pub kind: Kind,
    /// The Integration App of an Integration App token.
    pub integration_id: Option<IntegrationId>,
    /// What the token may access. The request itself is decided already; the scope is for lists and similar responses.
    pub scope: Scope,
    /// The conditions that the service must enforce, because only the service reads the body.
    pub obligations: Vec<Obligation>,
}

/// A layer that lets requests with a valid token through, with a [`Grant`], and refuses all others.
///
/// `P` is the store, `C` the clock and source of random bits, and `A` the function that finds the caller's address.
pub struct LatchkeyLayer<P, C, A> {
    verifier: Arc<Verifier<P, C, A>>,
}

impl<P, C, A> LatchkeyLayer<P, C, A>
where
    A: Fn(&Parts) -> Option<IpAddr>,
{
    /// Creates a layer that reads the table at every request: a revoked token is refused at the next request.
    ///
    /// `address` returns the caller's address, to which a token may be limited. It must not trust a header that
    /// callers can write, such as `X-Forwarded-For`, unless a trusted proxy overwrites the header. Requests without an
    /// address are answered with 500.
    ///
    /// The layer must be outside of everything that rewrites paths: it decides on the path as it receives it.
    pub fn new(store: P, system: C, address: A) -> Self {
        Self::build(store, system, address, None)
    }

    /// Creates a layer with a cache. `bound` is the longest time for which a revoked secret may still be accepted, and
    /// a change of scope or address ranges may be missed. Zero means no cache.
    ///
    /// A token's end and the end of a grace period take effect at once all the same. Addresses and operations are
    /// checked for each request. A request is never refused because of the cache alone, so new rights take effect at
    /// once. The number of cached secrets is limited, and unknown secrets aren't cached.
    pub fn with_cache(store: P, system: C, address: A, bound: Duration) -> Self {
        let bound = SignedDuration::try_from(bound).unwrap_or(SignedDuration::MAX);
        let cache = (bound > SignedDuration::ZERO).then(|| Cache::new(bound));
        Self::build(store, system, address, cache)
    }

    fn build(store: P, system: C, address: A, cache: Option<Cache>) -> Self {
        let verifier = Verifier {
            store,
            system,
            address,
            cache,
        };
        Self {
            verifier: Arc::new(verifier),
        }
    }

    #[cfg(test)]
    pub(crate) fn cache(&self) -> Option<&Cache> {
        self.verifier.cache.as_ref()
    }
}

impl<P, C, A> Clone for LatchkeyLayer<P, C, A> {
    fn clone(&self) -> Self {
        Self {
            verifier: Arc::clone(&self.verifier),
        }
    }
}

impl<P, C, A> fmt::Debug for LatchkeyLayer<P, C, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LatchkeyLayer").finish_non_exhaustive()
    }
}

impl<S, P, C, A> Layer<S> for LatchkeyLayer<P, C, A> {
    type Service = LatchkeyService<S, P, C, A>;

    fn layer(&self, inner: S) -> Self::Service {
        LatchkeyService {
            inner,
            verifier: Arc::clone(&self.verifier),
        }
    }
}

/// The service behind a [`LatchkeyLayer`].
pub struct LatchkeyService<S, P, C, A> {
    inner: S,
    verifier: Arc<Verifier<P, C, A>>,
}

impl<S: Clone, P, C, A> Clone for LatchkeyService<S, P, C, A> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            verifier: Arc::clone(&self.verifier),
        }
    }
}

impl<S, P, C, A> fmt::Debug for LatchkeyService<S, P, C, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LatchkeyService").finish_non_exhaustive()
    }
}

impl<S, P, C, A, B, R> Service<Request<B>> for LatchkeyService<S, P, C, A>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    P: RecallSecret + GetResources + RecordUse + Send + 'static,
    C: Clock + Entropy + Send + 'static,
    A: Fn(&Parts) -> Option<IpAddr> + Send + Sync + 'static,
    B: Send + 'static,
    R: From<String>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The instance that was polled for readiness serves the request. The clone may not be ready.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let verifier = Arc::clone(&self.verifier);
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            match verifier.decide(&mut parts).await {
                Ok(grant) => {
                    parts.extensions.insert(grant);
                    inner.call(Request::from_parts(parts, body)).await
                }
                Err(rejection) => Ok(rejection.respond()),
            }
        })
    }
}

struct Verifier<P, C, A> {
    store: P,
    system: C,
    address: A,
    cache: Option<Cache>,
}

impl<P, C, A> Verifier<P, C, A>
where
    P: RecallSecret + GetResources + RecordUse,
    C: Clock + Entropy,
    A: Fn(&Parts) -> Option<IpAddr>,
{
    /// Takes the secret out of a request and verifies it.
    ///
    /// # Errors
    /// Why the request is refused.
    async fn decide(&self, parts: &mut Parts) -> Result<Grant, Rejection> {
        let mut presented = parts.headers.get_all(AUTHORIZATION).into_iter();
        let first = presented.next().ok_or(Rejection::TokenRequired)?;
        // With two headers, the layer and the service might use different ones.
        let only = presented.next().is_none().then_some(first);
        let value = only.ok_or(Rejection::InvalidToken)?;
        // Another scheme counts as no token (RFC 6750, 3.1).
        let secret = value.to_str().ok().and_then(bearer);
        let secret = secret.ok_or(Rejection::TokenRequired)?;
        let Some(ip) = (self.address)(parts) else {
            tracing::error!("a request without an address: the service's layer can't find it");
            return Err(Rejection::Internal);
        };
        let purpose = Purpose::of_http(parts.method.as_str(), parts.uri.path());
        let header = |name: HeaderName| parts.headers.get(name)?.to_str().ok();
        let request_id = header(HeaderName::from_static("x-request-id")).unwrap_or_default();
        let user_agent = parts.headers.get(USER_AGENT);
        let user_agent = user_agent.map(|name| String::from_utf8_lossy(name.as_bytes()));
        let client = Client {
            ip,
            user_agent: user_agent.as_deref(),
            // A header that is text is ASCII, so the cut is at a character.
            request_id: request_id.get(..MAX_REQUEST_ID).unwrap_or(request_id),
        };
        let verified = self.verify(secret, purpose, client).await;
        parts.headers.remove(AUTHORIZATION);
        match verified {
            Ok(Verified::Granted {
                secret,
                obligations,
            }) => Ok(Grant {
                account_id: secret.account_id,
                token_id: secret.token_id,
                kind: secret.kind,
                integration_id: secret.integration_id,
                scope: secret.scope,
                obligations,
            }),
            Ok(Verified::Refused { refusal, .. }) => Err(refusal.into()),
            Err(error) => {
                tracing::error!(%error, "a token could not be verified");
                Err(Rejection::from(&error))
            }
        }
    }

    async fn verify(
        &self,
        secret: &str,
        purpose: Purpose<'_>,
        client: Client<'_>,
    ) -> Result<Verified, PortError> {
        let Some(cache) = &self.cache else {
            return verify(&self.store, &self.system, secret, purpose, client).await;
        };
        let store = ThroughCache {
            store: &self.store,
            system: &self.system,
            cache,
            hit: AtomicBool::new(false),
        };
        verify(&store, &self.system, secret, purpose, client).await
    }
}
