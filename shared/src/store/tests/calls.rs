//! The calls to DynamoDB that an operation needs.

use std::sync::{Arc, Mutex};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::interceptors::BeforeTransmitInterceptorContextRef;
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;

use crate::app::verify::{Client as Caller, Verified, verify};
use crate::domain::verification::Purpose;
use crate::ports::{GetResources, InsertToken};
use crate::store::Store;
use crate::testing::{Engine, now, stored_token, system_at};

/// Notes the operation of every request, and asserts that its user agent is the fixed one.
#[derive(Debug, Clone, Default)]
pub(super) struct Calls(Arc<Mutex<Vec<String>>>);

impl Calls {
    /// A store on the engine's tables that notes its calls.
    pub(super) fn noted(engine: &Engine) -> (Self, Store) {
        let calls = Self::default();
        let config = engine.store.client.config().to_builder();
        let config = config.interceptor(calls.clone()).build();
        let store = Store {
            client: Client::from_conf(config),
            // Off: the noted calls are those of the client.
            lean: crate::store::lean::Lean::default(),
            tables: engine.store.tables.clone(),
            budgets: engine.store.budgets,
            // Shares no memory with other stores.
            memory: crate::store::memory::Memory::default(),
        };
        (calls, store)
    }

    /// Takes the operations since the last call.
    pub(super) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Intercept for Calls {
    fn name(&self) -> &'static str {
        "Calls"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let headers = context.request().headers();
        let name = concat!("latchkey/", env!("CARGO_PKG_VERSION"));
        assert_eq!(headers.get("user-agent"), Some(name));
        assert_eq!(headers.get("x-amz-user-agent"), None);
        let target = headers.get("x-amz-target");
        let (_, operation) = target.unwrap().split_once('.').unwrap();
        self.0.lock().unwrap().push(operation.to_owned());
        Ok(())
    }
}

#[expect(clippy::disallowed_methods, reason = "presents the secret")]
#[tokio::test]
async fn a_verification_on_the_steady_path_is_one_read_and_no_write() {
    use secrecy::ExposeSecret;
    let engine = Engine::with_accounts().await;
    engine
        .store
        .insert_token(&super::creation(&stored_token()))
        .await
        .unwrap();
    let (calls, store) = Calls::noted(&engine);
    let plain = crate::testing::plain_secret();
    let ask = || {
        let purpose = Purpose::of_http("GET", "/v1/exports/exp_orders");
        let caller = Caller {
            ip: [192, 0, 2, 1].into(),
            user_agent: None,
            request_id: "req-1",
        };
        let (store, text) = (store.clone(), plain.expose_secret().to_owned());
        async move { verify(&store, &system_at(now()), &text, purpose, caller).await }
    };
    assert!(matches!(ask().await.unwrap(), Verified::Granted { .. }));
    assert_eq!(calls.take(), ["BatchGetItem", "TransactWriteItems"]);
    // A sandbox without this use in its memory reads it, and then remembers it.
    assert!(matches!(ask().await.unwrap(), Verified::Granted { .. }));
    assert_eq!(calls.take(), ["BatchGetItem"]);
    for _ in 0..3 {
        assert!(matches!(ask().await.unwrap(), Verified::Granted { .. }));
        assert_eq!(calls.take(), ["GetItem"]);
    }
}

#[tokio::test]
async fn no_names_need_no_call_and_one_name_needs_no_batch() {
    let engine = Engine::with_accounts().await;
    let (calls, store) = Calls::noted(&engine);
    let account = crate::testing::acme().id;
    assert_eq!(store.get_resources(&account, &[]).await.unwrap(), []);
    assert!(calls.take().is_empty());
    let name = super::platform::name("export", "exp_orders");
    assert_eq!(
        store.get_resources(&account, &[name]).await.unwrap().len(),
        1
    );
    assert_eq!(calls.take(), ["GetItem"]);
}
