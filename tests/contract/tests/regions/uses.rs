//! What two regions do to what is on record of a secret, with the one item of today and with an item for each region.

use latchkey::domain::action::Action;
use latchkey::testing::Engine;

use crate::changes::Writer;
use crate::region::{Tables, authorize, set, tables};

/// Two regions that record uses.
struct Regions {
    writer: Writer,
    second: Engine,
    secret: crate::region::Secret,
}

/// How what is on record of a secret is replicated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    /// The regions share one item: the last write wins.
    Shared,
    /// Each region has an item of its own, which the other doesn't write.
    Apart,
}

impl Regions {
    async fn start() -> Self {
        let mut writer = Writer::start().await;
        let secret = writer.create().await;
        let second = Engine::start().await;
        set(&second, &tables(&writer.engine).await).await;
        Self {
            writer,
            second,
            secret,
        }
    }

    fn engines(&self) -> [&Engine; 2] {
        [&self.writer.engine, &self.second]
    }

    async fn is_used(&self, region: usize, from: &str) {
        let aws = &self.engines()[region].aws;
        assert!(authorize(aws, &self.secret, from).await);
    }

    /// Copies the writes of both regions since `before`. The second region wrote last.
    async fn replicate(&self, before: &Tables, seen: Seen) {
        let [one, other] = [
            tables(&self.writer.engine).await,
            tables(&self.second).await,
        ];
        let mut joined = one.clone();
        joined.extend(
            other
                .iter()
                .filter(|(key, item)| before.get(*key) != Some(item))
                .map(|(key, item)| (key.clone(), item.clone())),
        );
        for (engine, own) in self.engines().into_iter().zip([one, other]) {
            let mut joined = joined.clone();
            if seen == Seen::Apart {
                joined.retain(|key, _| !key.1.starts_with("SEEN#"));
                joined.extend(
                    own.into_iter()
                        .filter(|(key, _)| key.1.starts_with("SEEN#")),
                );
            }
            set(engine, &joined).await;
        }
    }

    /// The addresses of the uses on record in the writer region.
    async fn recorded(&self) -> Vec<String> {
        let log = self.writer.engine.audit(&"acme".parse().unwrap()).await;
        let uses = log.iter().filter(|it| it.action == Action::Access);
        let mut from: Vec<_> = uses.map(|it| it.origin.ip.unwrap().to_string()).collect();
        from.sort();
        from
    }
}

/// Both regions are used from an address of their own, and once more after the replication.
async fn recorded(seen: Seen) -> Vec<String> {
    let regions = Regions::start().await;
    let before = tables(&regions.writer.engine).await;
    for _ in 0..2 {
        regions.is_used(0, "192.0.2.1").await;
        regions.is_used(1, "192.0.2.2").await;
        regions.replicate(&before, seen).await;
    }
    regions.recorded().await
}

#[tokio::test]
async fn with_one_item_for_both_regions_uses_are_recorded_again_and_with_an_item_for_each_they_are_not()
 {
    // No use is missing, but the writer region forgot its own.
    let twice = ["192.0.2.1", "192.0.2.1", "192.0.2.2"];
    assert_eq!(recorded(Seen::Shared).await, twice);
    assert_eq!(recorded(Seen::Apart).await, ["192.0.2.1", "192.0.2.2"]);
}

#[tokio::test]
async fn an_address_in_both_regions_is_recorded_once_for_each() {
    let regions = Regions::start().await;
    let before = tables(&regions.writer.engine).await;
    for _ in 0..2 {
        for region in [0, 1] {
            regions.is_used(region, "192.0.2.1").await;
        }
        regions.replicate(&before, Seen::Apart).await;
    }
    assert_eq!(regions.recorded().await, ["192.0.2.1", "192.0.2.1"]);
}
