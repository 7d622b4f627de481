//! The cost of a list's page and of a single read is independent of the amount of data. `make scale` runs this with
//! 100,000 tokens and 1,000,000 audit records.

use std::fmt::Write;

use assurance::grouped;
use contract::{Call, Counts, Section, Wire, answer};
use jiff::SignedDuration;
use latchkey::domain::id::{AuditId, TokenId};
use latchkey::domain::kind::Kind;
use latchkey::domain::secret::PlainSecret;
use latchkey::store::Store;
use latchkey::system::System;
use latchkey::testing::{Engine, FakeVault, now, system_at};
use serde_json::{Value, json};

const ACCOUNT: &str = "/v1/accounts/acme";
/// The number of audit records per token.
const RECORDS: usize = 10;
const FEW: usize = 100;

/// An account with many tokens, each with its records.
struct Filled {
    store: Store,
    wire: Wire,
    _engine: Engine,
    /// A token in the middle of the list.
    token: String,
    secret: String,
}

impl Filled {
    async fn with(count: usize) -> Self {
        let engine = Engine::with_accounts().await;
        // The real token from which the others are copied. It has been used, so that its next verification only reads.
        let create = Call::new("POST", &format!("{ACCOUNT}/tokens"))
            .by("owner-1")
            .json(&json!({"name": "Copied", "autoPurge": "never", "scope": {"type": "full"}}));
        let (vault, system) = (FakeVault::default(), system_at(now()));
        let created = answer(&engine.store, &vault, &system, &create).await;
        let secret = created.json["secret"].as_str().unwrap().to_owned();
        let info = Call::new("GET", "/v1/tokenInfo").bearer(&secret);
        assert_eq!(
            answer(&engine.store, &vault, &system, &info).await.status,
            200
        );
        let token = created.json["token"]["id"].as_str().unwrap();
        let item = image(engine.token_images().await, &format!("TOKEN#{token}"));
        let hash = PlainSecret::parse(&secret).unwrap().hash().to_hex();
        let secrets = engine.token_images().await;
        let of_secret = secrets
            .into_iter()
            .find(|image| image["pk"]["S"] == format!("SECRET#{hash}"))
            .unwrap()
            .to_string();
        let mut records = engine.audit_images().await.into_iter();
        let record = records.find(|record| record["action"]["S"] == "create");
        let record = record.unwrap();
        let (item, record_id) = (item.to_string(), text(&record, "sk"));
        let record = record.to_string();
        // Half of them are older than the real one, half of them newer.
        for start in (0..count).step_by(1_000) {
            let (mut tokens, mut records) = (vec![], vec![]);
            for number in start..count.min(start + 1_000) {
                let away = i64::try_from(number).unwrap() - i64::try_from(count / 2).unwrap();
                let at = now() + SignedDuration::from_secs(away);
                let id = TokenId::generate(at, &System).unwrap();
                let plain = PlainSecret::generate(Kind::Account, &System).unwrap();
                let copy = |of: &str| of.replace(token, id.as_str());
                let hashed = |of: &str| copy(of).replace(&hash, &plain.hash().to_hex());
                tokens.push(parsed(&hashed(&item)));
                tokens.push(parsed(&hashed(&of_secret)));
                for _ in 0..RECORDS {
                    let id = AuditId::generate(at, &System).unwrap();
                    records.push(parsed(&copy(&record).replace(&record_id, id.as_str())));
                }
            }
            engine.load_tokens(&tokens);
            engine.load_audit(&records);
        }
        let wire = Wire::to(&engine.aws).await;
        Self {
            store: Store::new(&wire.aws, Engine::tables()).with_budgets(Engine::budgets()),
            wire,
            _engine: engine,
            token: token.to_owned(),
            secret,
        }
    }

    /// The cost of a call, which must succeed with that many items in the answer.
    async fn cost(&self, call: Call, list: &str, items: usize) -> Counts {
        self.wire.take();
        let (vault, system) = (FakeVault::default(), system_at(now()));
        let call = call.by("owner-1");
        let answer = answer(&self.store, &vault, &system, &call).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let listed = answer.json[list].as_array().map_or(0, Vec::len);
        assert_eq!(listed, items, "{call:?}");
        Counts {
            // The touched keys depend on chance.
            touched: vec![],
            ..self.wire.take()
        }
    }

    /// Everything that is measured, with its cost.
    async fn costs(&self) -> Vec<(&'static str, Counts)> {
        let get = |path: &str| Call::new("GET", &format!("{ACCOUNT}{path}"));
        let token = format!("/tokens/{}", self.token);
        let first = self.cost(get("/tokens"), "tokens", 50).await;
        let largest = self.cost(get("/tokens?limit=100"), "tokens", 100).await;
        let audit = self.cost(get("/audit"), "records", 50).await;
        let of_token = self
            .cost(get(&format!("{token}/audit")), "records", 2)
            .await;
        let one = self.cost(get(&token), "", 0).await;
        let info = Call::new("GET", "/v1/tokenInfo").bearer(&self.secret);
        let fresh = self.cost(info.clone(), "", 0).await;
        let verification = self.cost(info, "", 0).await;
        vec![
            ("a page of 50 tokens", first),
            ("a page of 100 tokens", largest),
            ("a page of 50 audit records of the account", audit),
            ("the audit log of one token", of_token),
            ("one token", one),
            ("a verification that its sandbox doesn't remember", fresh),
            ("any other verification", verification),
        ]
    }
}

fn image(images: Vec<Value>, key: &str) -> Value {
    let found = images.into_iter().find(|image| image["sk"]["S"] == key);
    found.unwrap()
}

fn text(image: &Value, name: &str) -> String {
    image[name]["S"].as_str().unwrap().to_owned()
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[tokio::test]
async fn a_page_and_a_single_read_cost_the_same_however_much_there_is() {
    let scale = std::env::var("LATCHKEY_SCALE").ok();
    let many = scale.as_ref().map_or(2_000, |scale| scale.parse().unwrap());
    let with_few = Filled::with(FEW).await.costs().await;
    let with_many = Filled::with(many).await.costs().await;
    let mut rows = String::new();
    for ((what, few), (_, many)) in with_few.iter().zip(&with_many) {
        assert_eq!(few, many, "{what}");
        let units = |counts: &Counts| {
            let (whole, half) = (counts.half_read_units / 2, counts.half_read_units % 2);
            if half == 0 {
                whole.to_string()
            } else {
                format!("{whole}.5")
            }
        };
        assert!(few.half_read_units > 0, "{what} is said to cost nothing");
        writeln!(rows, "| {what} | {} | {} |", units(few), units(many)).unwrap();
    }

    let section = Section::of("docs/benchmarks.md", "pages");
    if scale.is_some() {
        let header = format!(
            "| read units for | {FEW} tokens, {} audit records | {} tokens, {} audit records |\n\
             |---|---|---|\n",
            grouped(FEW * RECORDS),
            grouped(many),
            grouped(many * RECORDS)
        );
        section.write(&(header + &rows));
        return;
    }
    // The document's figures come from more data, and must be the same.
    assert!(
        section.text().ends_with(&rows),
        "docs/benchmarks.md says otherwise; `make scale` writes it anew:\n{rows}"
    );
}
