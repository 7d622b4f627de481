//! Update expressions for whole items.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::builders::UpdateBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, Update};

use super::table::Item;

/// An update that sets the attributes of `item` and removes those of `optional` that `item` lacks. All other
/// attributes stay, such as the last warning of a token's end.
pub(super) fn set_all(mut item: Item, former: &[&str]) -> UpdateBuilder {
    let key = ["pk", "sk"]
        .into_iter()
        .filter_map(|name| item.remove(name).map(|value| (name.to_owned(), value)))
        .collect();
    let former = former.iter().map(|name| (*name).to_owned());
    item.extend(former.map(|name| (name, AttributeValue::Null(true))));
    let mut names = HashMap::new();
    let mut values = HashMap::new();
    let (mut set, mut remove) = (Vec::new(), Vec::new());
    for (name, value) in item {
        if value.is_null() {
            remove.push(format!("#{name}"));
        } else {
            set.push(format!("#{name} = :{name}"));
            values.insert(format!(":{name}"), value);
        }
        names.insert(format!("#{name}"), name);
    }
    let mut expression = format!("SET {}", set.join(", "));
    if !remove.is_empty() {
        expression.push_str(" REMOVE ");
        expression.push_str(&remove.join(", "));
    }
    Update::builder()
        .set_key(Some(key))
        .update_expression(expression)
        .set_expression_attribute_names(Some(names))
        .set_expression_attribute_values(Some(values))
}
