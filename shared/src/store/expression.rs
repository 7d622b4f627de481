//! Update expressions for whole items.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::builders::UpdateBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, Update};

use super::table::Item;

/// An update that sets the attributes of `item` and removes those of `optional` that `item` lacks. All other
/// attributes stay, such as the last warning of a token's end.
pub(super) fn set_all(mut item: Item, optional: &[&str]) -> UpdateBuilder {
    let key = ["pk", "sk"]
        .into_iter()
        .filter_map(|name| item.remove(name).map(|value| (name.to_owned(), value)))
        .collect();
    let mut names = HashMap::new();
    let mut values: HashMap<String, AttributeValue> = HashMap::new();
    let mut set = Vec::new();
    let removed: Vec<_> = optional
        .iter()
        .filter(|name| !item.contains_key(**name))
        .map(|name| {
            names.insert(format!("#{name}"), (*name).to_owned());
            format!("#{name}")
        })
        .collect();
    for (name, value) in item {
        set.push(format!("#{name} = :{name}"));
        names.insert(format!("#{name}"), name.clone());
        values.insert(format!(":{name}"), value);
    }
    let mut expression = format!("SET {}", set.join(", "));
    if !removed.is_empty() {
        expression.push_str(" REMOVE ");
        expression.push_str(&removed.join(", "));
    }
    Update::builder()
        .set_key(Some(key))
        .update_expression(expression)
        .set_expression_attribute_names(Some(names))
        .set_expression_attribute_values(Some(values))
}
