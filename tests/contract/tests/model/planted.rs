//! Faults that are planted into what passes between the store and the tables. The model must find each of them.

use serde_json::{Value, json};

use crate::history::{DAY, Step};
use crate::spec::{Lifetime, Tag};

/// A fault of a product that isn't this one.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// A transaction with the record of that action leaves out the writes of a kind of item.
    Omits(&'static str, &'static str),
    /// A reactivation makes a secret work again that ended with the revocation.
    Revives(Vec<Value>),
    /// A read of that kind of item, whether or not it must be up to date, is answered from a copy that lags.
    ReadsCopy(&'static str),
    /// A token's last use, which no verification needs, is answered from that copy.
    UsesCopy,
    /// The record of a purge gets an id of its own each time.
    RenamesPurges(u32),
}

/// A fault, and what finds it soon.
pub(crate) struct Planted {
    pub(crate) name: &'static str,
    pub(crate) fault: Fault,
    /// Steps that may show the fault. Random ones come in between.
    pub(crate) steps: Vec<Step>,
}

pub(crate) fn faults() -> Vec<Planted> {
    let planted = |name, fault, steps| Planted { name, fault, steps };
    let (any, for_ever) = (Tag::Any, Lifetime(None));
    let create = Step::Create(for_ever, None);
    let regenerate = Step::Regenerate(0, 7_200, None, any);
    vec![
        planted(
            "a compromise leaves no tombstone",
            Fault::Omits("leak", "SECRET#"),
            vec![create.clone(), Step::Leak(0, 0)],
        ),
        planted(
            "`retire` leaves the old secret as it is",
            Fault::Omits("retire", "SECRET#"),
            vec![create.clone(), regenerate.clone(), Step::Retire(0, any)],
        ),
        planted(
            "`reactivate` revives a replaced secret",
            Fault::Revives(vec![]),
            vec![
                create.clone(),
                regenerate,
                Step::Revoke(0, false, any),
                Step::Reactivate(0, any),
            ],
        ),
        planted(
            "a verification reads a copy",
            Fault::ReadsCopy("SECRET#"),
            vec![create.clone()],
        ),
        planted(
            "a change reads the last use from a copy",
            Fault::UsesCopy,
            vec![create, Step::Edit(0, Some(0), None, any)],
        ),
        planted(
            "a repeated creation acts twice",
            Fault::Omits("create", "IDEMPOTENCY#"),
            vec![Step::Create(for_ever, Some(0)); 2],
        ),
        planted(
            "a purge is recorded each time it is delivered",
            Fault::RenamesPurges(0),
            vec![
                Step::Create(Lifetime(Some(24)), None),
                Step::Wait(3 * DAY),
                Step::Sweep,
            ],
        ),
    ]
}

impl Fault {
    /// Alters a request as the fault does.
    pub(crate) fn alter(&mut self, operation: &str, request: &mut Value) {
        if operation == "PutItem" && is_record_of("purge", &request["Item"]) {
            if let Self::RenamesPurges(count) = self {
                *count += 1;
                let id = request["Item"]["sk"]["S"].as_str().unwrap();
                let id = format!("{}{:04}", &id[..id.len() - 4], count);
                request["Item"]["sk"]["S"] = json!(id);
            }
            return;
        }
        let Some(writes) = request["TransactItems"].as_array_mut() else {
            return;
        };
        let does = |action: &str| {
            writes
                .iter()
                .any(|write| is_record_of(action, &write["Put"]["Item"]))
        };
        match self {
            Self::Omits(action, kind) if does(action) => {
                // What only checks must stay: a transaction can't be empty.
                writes.retain(|write| write.get("ConditionCheck").is_some() || !is_of(kind, write));
            }
            Self::Revives(ended) if does("revoke") => {
                let secrets = writes.iter().filter(|write| is_of("SECRET#", write));
                ended.extend(secrets.map(|write| write["Update"]["Key"].clone()));
            }
            Self::Revives(ended) if does("reactivate") => {
                let written: Vec<_> = writes
                    .iter()
                    .map(|it| it["Update"]["Key"].clone())
                    .collect();
                for key in ended.drain(..).filter(|key| !written.contains(key)) {
                    writes.push(json!({"Update": {
                        "TableName": "Tokens",
                        "Key": key,
                        "UpdateExpression": "SET #state = :state, #status = :status",
                        "ExpressionAttributeNames": {"#state": "state", "#status": "status"},
                        "ExpressionAttributeValues": {
                            ":state": {"S": "current"},
                            ":status": {"S": "active"},
                        },
                    }}));
                }
            }
            _ => {}
        }
    }

    /// Whether the fault answers a request from the copy.
    pub(crate) fn reads_copy(&self, operation: &str, request: &Value) -> bool {
        let is_read = matches!(operation, "BatchGetItem" | "Query" | "GetItem");
        let names = |kind: &str| request.to_string().contains(&format!("\"{kind}"));
        match self {
            Self::ReadsCopy(kind) => is_read && names(kind),
            Self::UsesCopy => is_read && names("SEEN#") && !names("SECRET#"),
            _ => false,
        }
    }
}

/// Whether an item is the record of an action.
fn is_record_of(action: &str, item: &Value) -> bool {
    item["action"]["S"] == action
        && item["sk"]["S"]
            .as_str()
            .is_some_and(|sk| sk.starts_with("aud_"))
}

/// Whether a write is of an item of that kind. The kind is what its partition key or its sort key begins with.
fn is_of(kind: &str, write: &Value) -> bool {
    let mut writes = write.as_object().into_iter().flatten();
    writes.any(|(_, write)| {
        let item = write.get("Item").unwrap_or(&write["Key"]);
        let keys = ["pk", "sk"].map(|name| item[name]["S"].as_str().unwrap_or_default());
        keys.iter().any(|key| key.starts_with(kind))
    })
}
