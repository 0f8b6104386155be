//! The parameters and body members of the OpenAPI document.

use serde_json::{Map, Value, json};

use super::Place;

/// Every value that a client can send to a route.
pub fn of(document: &Value) -> Vec<Place<'_>> {
    let referred = |reference: &Value| {
        let pointer = reference["$ref"].as_str().expect("no $ref");
        document
            .pointer(pointer.trim_start_matches('#'))
            .expect(pointer)
    };
    let mut places = Vec::new();
    for (path, item) in document["paths"].as_object().expect("no paths") {
        for (method, operation) in item.as_object().expect("no operations") {
            let method = method.to_uppercase();
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                let name = parameter["name"].as_str().expect("no name");
                if name != "slug" {
                    places.push(Place {
                        method: method.clone(),
                        path,
                        body: None,
                        name,
                        schema: &parameter["schema"],
                        required: false,
                    });
                }
            }
            let content = operation["requestBody"]["content"].as_object();
            // Where a form is accepted, JSON with the same members is too.
            let Some(content) = content.and_then(|content| content.values().next()) else {
                continue;
            };
            let schema = referred(&content["schema"]);
            let schemas = schema["oneOf"]
                .as_array()
                .map(|all| all.iter().map(referred).collect());
            for schema in schemas.unwrap_or_else(|| vec![schema]) {
                let properties = schema["properties"].as_object().expect("no properties");
                let example = |(name, schema): (&String, &Value)| {
                    let only = schema["enum"].as_array().filter(|all| all.len() == 1);
                    let only = only.and_then(|all| all.first());
                    Some((name.clone(), schema.get("example").or(only)?.clone()))
                };
                let body: Map<_, _> = properties.iter().filter_map(example).collect();
                for (name, property) in properties {
                    let required = schema["required"].as_array();
                    places.push(Place {
                        method: method.clone(),
                        path,
                        body: Some(body.clone()),
                        name,
                        schema: property,
                        required: required.is_some_and(|all| all.contains(&json!(name))),
                    });
                }
            }
        }
    }
    places
}
