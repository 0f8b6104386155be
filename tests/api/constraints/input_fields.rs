//! The parameters and body members of the OpenAPI document.

use serde_json::{Map, Value, json};

use super::InputField;

/// `schema` with its `$ref`s resolved. Members next to a `$ref` override those of the target.
fn resolved(document: &Value, schema: &Value) -> Value {
    let mut schema = schema.clone();
    while let Some(reference) = schema["$ref"].as_str() {
        let target = document.pointer(reference.trim_start_matches('#'));
        let mut target = target.expect(reference).clone();
        let members = schema.as_object().expect("no schema").clone();
        let others = members.into_iter().filter(|(name, _)| name != "$ref");
        target.as_object_mut().expect("no schema").extend(others);
        schema = target;
    }
    match nullable(&schema) {
        Some(value) => {
            let mut value = resolved(document, value);
            value["type"] = json!([value["type"], "null"]);
            value
        }
        None => schema,
    }
}

/// The other schema of `oneOf: [{..}, {"type": "null"}]`.
fn nullable(schema: &Value) -> Option<&Value> {
    let alternatives = schema["oneOf"].as_array()?;
    match &alternatives[..] {
        [value, null] | [null, value] if *null == json!({"type": "null"}) => Some(value),
        _ => None,
    }
}

/// The example of a resolved schema.
fn example(schema: &Value) -> Option<Value> {
    let example = schema.get("example").or_else(|| schema["examples"].get(0));
    example.cloned()
}

/// True if a value of this member requires another member. Only the description can express that.
fn needs_another(schema: &Value) -> bool {
    let description = schema["description"].as_str();
    description.is_some_and(|text| text.contains("Requires `"))
}

/// Every value that a client can send to a route.
pub fn all(document: &Value) -> Vec<InputField<'_>> {
    let mut fields = Vec::new();
    for (path, item) in document["paths"].as_object().expect("no paths") {
        // Its members have an order, and an invalid row does not fail it.
        if path == "/users/me/import" {
            continue;
        }
        for (method, operation) in item.as_object().expect("no operations") {
            let method = method.to_uppercase();
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                let name = parameter["name"].as_str().expect("no name");
                // Errors of headers name no field.
                if name != "slug" && parameter["in"] != "header" {
                    fields.push(InputField {
                        method: method.clone(),
                        path,
                        is_form: false,
                        body: None,
                        name: name.to_owned(),
                        schema: resolved(document, &parameter["schema"]),
                        required: false,
                    });
                }
            }
            let content = operation["requestBody"]["content"].as_object();
            // Operations that accept forms also accept JSON with the same members.
            let Some((kind, content)) = content.and_then(|content| content.iter().next()) else {
                continue;
            };
            let schema = resolved(document, &content["schema"]);
            let properties = schema["properties"].as_object().expect("no properties");
            let properties: Vec<(&String, Value)> = properties
                .iter()
                .map(|(name, property)| (name, resolved(document, property)))
                .collect();
            let examples = properties
                .iter()
                .filter(|(_, property)| !needs_another(property))
                .filter_map(|(name, property)| Some(((*name).clone(), example(property)?)));
            let body: Map<_, _> = examples.collect();
            for (name, property) in properties {
                let required = schema["required"].as_array();
                fields.push(InputField {
                    method: method.clone(),
                    path,
                    is_form: kind == "application/x-www-form-urlencoded",
                    body: Some(body.clone()),
                    name: name.clone(),
                    schema: property,
                    required: required.is_some_and(|all| all.contains(&json!(name))),
                });
            }
        }
    }
    fields
}
