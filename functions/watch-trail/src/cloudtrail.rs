//! CloudTrail's event history.

use std::time::Duration;

use aws_config::{Region, SdkConfig};
use aws_sdk_cloudtrail::Client;
use aws_sdk_cloudtrail::config::Builder;
use aws_sdk_cloudtrail::primitives::DateTime;
use aws_sdk_cloudtrail::types::{LookupAttribute, LookupAttributeKey};
use jiff::Timestamp;
use latchkey::aws::port_error;
use latchkey::domain::paging::Page;
use latchkey::domain::trail::{TrailEvent, Watched, Window, global_region};
use latchkey::ports::{PortError, ReadTrail};

/// The pause before each request. An account may look up events twice a second in a region; this leaves a third of that
/// to people.
pub const PAUSE: Duration = Duration::from_millis(750);

/// Clients of the event history.
#[derive(Debug, Clone)]
pub struct CloudTrail {
    /// Of the stack's region.
    regional: Client,
    /// Of the region with the events of IAM.
    global: Client,
    pause: Duration,
}

impl CloudTrail {
    /// Creates clients that pause before each request.
    pub fn new(config: &SdkConfig, pause: Duration) -> Self {
        let region = config.region().map_or("", |region| region.as_ref());
        let global = Region::from_static(global_region(region));
        let global = Builder::from(config).region(global).build();
        Self {
            regional: Client::new(config),
            global: Client::from_conf(global),
            pause,
        }
    }
}

impl ReadTrail for CloudTrail {
    async fn read_trail(
        &self,
        watched: &Watched,
        window: Window,
        position: Option<String>,
    ) -> Result<Page<TrailEvent, String>, PortError> {
        tokio::time::sleep(self.pause).await;
        let client = if watched.is_global {
            &self.global
        } else {
            &self.regional
        };
        let attribute = LookupAttribute::builder()
            .attribute_key(LookupAttributeKey::EventName)
            .attribute_value(watched.name)
            .build()
            .map_err(|error| PortError::broken("a request doesn't build", error))?;
        let answer = client
            .lookup_events()
            .lookup_attributes(attribute)
            .start_time(seconds(window.from))
            .end_time(seconds(window.to))
            .set_next_token(position)
            .send()
            .await
            .map_err(port_error)?;
        let events = answer.events.unwrap_or_default().into_iter();
        let items = events.map(|event| {
            let text = event.cloud_trail_event.unwrap_or_default();
            serde_json::from_str(&text)
                .map_err(|error| PortError::broken("an event of the trail doesn't parse", error))
        });
        Ok(Page {
            items: items.collect::<Result<_, _>>()?,
            next: answer.next_token,
        })
    }
}

fn seconds(time: Timestamp) -> DateTime {
    DateTime::from_secs(time.as_second())
}
