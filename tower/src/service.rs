//! The layer and its service.

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

/// The longest id of a request that a record of a use keeps, in characters.
const MAX_REQUEST_ID: usize = 128;

/// Who calls and on what terms: an extension of every request that the layer lets through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The tenant. Take it from nowhere else.
    pub account_id: AccountId,
    /// Which token, for logs.
    pub token_id: TokenId,
    /// What the token acts as.
    pub kind: Kind,
    /// Its Integration App, if it acts for one.
    pub integration_id: Option<IntegrationId>,
    /// What it may touch. The request has been decided already; this is for lists and the like.
    pub scope: Scope,
    /// What the service must see to, because only it reads the body.
    pub obligations: Vec<Obligation>,
}

/// Lets requests with a good token through to a service, with a [`Grant`], and answers all others.
///
/// `P` is the store, `C` clock and entropy, and `A` finds the caller's address.
pub struct LatchkeyLayer<P, C, A> {
    verifier: Arc<Verifier<P, C, A>>,
}

impl<P, C, A> LatchkeyLayer<P, C, A>
where
    A: Fn(&Parts) -> Option<IpAddr>,
{
    /// A layer that reads at every request: a revoked token is refused by the next one.
    ///
    /// `address` finds the caller's address, by which a token may be limited. It must not believe a
    /// header that callers can write, such as `X-Forwarded-For`, unless a proxy that is trusted
    /// overwrites it. Requests without an address are answered with 500.
    ///
    /// Put the layer outside of everything that rewrites paths: the decision is made on the path of the
    /// request as it arrives here.
    pub fn new(store: P, system: C, address: A) -> Self {
        Self::build(store, system, address, None)
    }

    /// A layer with a cache. `bound` is the longest time for which a revoked secret may still be
    /// accepted, and for which a change of scope or address ranges may go unseen; zero means no cache.
    ///
    /// What ends by itself, the token at its purge time and a replaced secret with its grace period,
    /// ends at that instant nevertheless; addresses and operations are decided for each request; and
    /// nobody is refused on the cache's word, so that what becomes allowed is allowed at once. The
    /// number of secrets that are kept is limited, and unknown ones are not kept.
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

/// A service behind a [`LatchkeyLayer`].
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
        // The one that was polled for readiness takes the request; the clone may not be ready.
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
    async fn decide(&self, parts: &mut Parts) -> Result<Grant, Rejection> {
        let mut presented = parts.headers.get_all(AUTHORIZATION).into_iter();
        let first = presented.next().ok_or(Rejection::TokenRequired)?;
        // Of two, this side and the service might not take the same one.
        let only = presented.next().is_none().then_some(first);
        let value = only.ok_or(Rejection::InvalidToken)?;
        // Another scheme is as if nothing was presented (RFC 6750, 3.1).
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
            // Headers that are text are ASCII.
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
