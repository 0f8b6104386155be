//! The service enforces the schemas of the OpenAPI document.

mod input_fields;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use regex::Regex;
use sea_orm::ConnectionTrait;
use serde_json::{Map, Value, json};

use crate::harness::{
    Fixture, apply, behaviour,
    service::{Service, User},
};

/// Characters that rules may treat differently. Each is tested at every length around a bound.
const TEXTS: [&str; 15] = [
    "a",
    "Z",
    "0",
    "_",
    "!",
    "ä",
    " ",
    "\u{85}",
    "\u{ad}",
    "\u{200b}",
    "\u{3000}",
    "\u{feff}",
    "\u{e0020}",
    "\u{212a}",
    "\0",
];

/// RFC 3339 dates and similar texts. The second value is true if the text is valid.
const MOMENTS: [(&str, bool); 14] = [
    ("2026-11-21T06:00:42Z", true),
    ("2026-11-21t06:00:42.915716123z", true),
    ("2024-02-29T23:59:59+14:00", true),
    ("9999-12-31T23:59:59Z", true),
    ("0000-01-01T00:00:00Z", true),
    ("9999-12-31T23:59:59-01:00", false),
    ("0000-01-01T00:00:00+01:00", false),
    ("2026-02-29T06:00:42Z", false),
    ("2026-11-21T24:00:00Z", false),
    ("2026-11-21T06:00:42", false),
    ("2026-11-21", false),
    ("1790000000", false),
    ("2026-11-21T06:00:42 01:00", false),
    ("", false),
];

/// A parameter or a body member.
struct InputField<'a> {
    method: String,
    path: &'a str,
    /// Whether the body is a form, in which an empty text counts as missing.
    is_form: bool,
    /// The example body, or `None` if the value is in the path or the query string.
    body: Option<Map<String, Value>>,
    name: String,
    /// With all `$ref`s resolved.
    schema: Value,
    required: bool,
}

/// True for `[3]`.
fn is_index(text: &str) -> bool {
    let index = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    index.is_some_and(|index| index.parse::<u32>().is_ok())
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

impl InputField<'_> {
    /// True if the service reports an error for `value`, or, with `None`, for the missing field.
    async fn refused(&self, service: &Service, user: &User, value: Option<&Value>) -> bool {
        let mut path = self.path.to_owned();
        let mut query = Vec::new();
        let body = self.body.clone().map(|mut body| {
            body.remove(&self.name);
            body.extend(value.map(|value| (self.name.clone(), value.clone())));
            Value::Object(body)
        });
        if let (None, Some(value)) = (&body, value) {
            let text = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            let placeholder = format!("{{{}}}", self.name);
            if ["{id}", "{position}"].contains(&&*placeholder) && path.contains(&placeholder) {
                path = path.replace(&placeholder, &text);
            } else if self.name == "external_id" {
                path = path.replace("{external_id}", &encoded(&text));
            } else {
                query.push((&self.name, text));
            }
        }
        // In a body it must be the one of the path.
        let external_id = body.as_ref().and_then(|body| body["external_id"].as_str());
        let external_id = external_id.filter(|id| !id.is_empty()).unwrap_or("x");
        let path = path.replace("{external_id}", &encoded(external_id));
        let mut request = service
            .request(
                &self.method,
                &path.replace("{id}", "1").replace("{position}", "1"),
            )
            .bearer_auth(&user.token)
            .query(&query);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.expect("no answer");
        let status = answer.status().as_u16();
        let problem: Value = answer.json().await.unwrap_or_default();
        if let (400, Some(code)) = (status, problem["error"].as_str()) {
            // An error of OAuth 2.0 names its field in a sentence.
            let description = problem["error_description"].as_str().unwrap_or_default();
            let mut clauses = description.split("; ");
            let names = |clause: &str| clause.split(' ').next() == Some(&*self.name);
            return code != "invalid_grant" && clauses.any(names);
        }
        assert!(status < 500 && status != 400, "{value:?}: {problem}");
        let errors = problem["errors"].as_array().into_iter().flatten();
        // A schema cannot express that a password is common. Only the description mentions it.
        let is_field = |error: &Value| {
            let field = error["field"].as_str().unwrap_or_default();
            // The field itself, or an item that is no row at all.
            let is_item = field.strip_prefix(&self.name).is_some_and(is_index);
            field == self.name || is_item && error["code"] == "type"
        };
        let counts = |error: &&Value| is_field(error) && error["code"] != "common";
        status == 422 && errors.filter(counts).count() > 0
    }

    /// True if the member is required with some values of another one. Only the description can express
    /// that.
    fn is_conditional(&self) -> bool {
        let description = self.schema["description"].as_str();
        description.is_some_and(|text| text.contains("Required with "))
    }

    /// Values on both sides of every bound, each with true if the document allows it.
    fn values(&self) -> Vec<(Value, bool)> {
        let schema = &self.schema;
        let is = |kind: &str| {
            schema["type"] == kind
                || schema["type"]
                    .as_array()
                    .is_some_and(|kinds| kinds.contains(&json!(kind)))
        };
        let known = schema["enum"].as_array();
        let mut values = Vec::new();
        if let Some(known) = known {
            values.extend(known.iter().map(|value| (value.clone(), true)));
            values.push((json!("magic"), false));
        } else if is("integer") {
            let bound = |name: &str| {
                schema[name]
                    .as_i64()
                    .unwrap_or_else(|| panic!("{}: no {name}", self.name))
            };
            let (min, max) = (i128::from(bound("minimum")), i128::from(bound("maximum")));
            for number in [min - 1, min, max, max + 1] {
                let value = serde_json::from_str(&number.to_string()).expect("a number");
                values.push((value, (min..=max).contains(&number)));
            }
            values.push((json!(1.5), false));
        } else if is("array") {
            let bound = |name: &str| {
                usize::try_from(schema[name].as_u64().expect(&self.name)).expect("too many")
            };
            let item = schema.get("example").unwrap_or(&schema["examples"][0]);
            let item = &item[0];
            let min = schema["minItems"].as_u64().map_or(0, |_| bound("minItems"));
            for count in [min, bound("maxItems")] {
                values.push((json!(vec![item; count]), true));
            }
            values.extend(
                min.checked_sub(1)
                    .map(|few| (json!(vec![item; few]), false)),
            );
            values.push((json!(vec![item; bound("maxItems") + 1]), false));
            // Not a scope, and too long for a tag.
            values.push((json!(["magic".repeat(7)]), false));
            values.push((json!(["A"]), false));
            values.push((json!([1]), false));
        } else if is("object") {
            values.extend([(json!({"a": [1]}), true), (json!([1]), false)]);
        } else if is("boolean") {
            values.extend([(json!(true), true), (json!(false), true), (json!(2), false)]);
        } else {
            values.extend(self.texts());
        }
        if self.body.is_some() {
            values.push((json!(null), is("null")));
            values.push((json!({}), is("object")));
            let other = if is("string") { json!(1) } else { json!("1") };
            values.push((other, false));
        }
        values
    }

    fn texts(&self) -> Vec<(Value, bool)> {
        let bound = |name: &str| {
            self.schema[name]
                .as_u64()
                .map(|n| usize::try_from(n).expect("too many"))
        };
        if self.schema["format"] == "date-time" {
            return MOMENTS
                .map(|(text, allowed)| (json!(text), allowed))
                .to_vec();
        }
        let (min, max) = (
            bound("minLength").unwrap_or(0),
            bound("maxLength").expect(&self.name),
        );
        let pattern = self.schema["pattern"].as_str().unwrap_or_default();
        let pattern = Regex::new(pattern).expect(pattern);
        if self.schema["format"] == "email" {
            // No white space around addresses: the service trims it, which a pattern cannot express.
            let address = |length: usize| {
                let (local, label) = ("a".repeat(60), "b".repeat(60));
                let rest = length - 4 * 61;
                format!("{local}@{label}.{label}.{label}.{}", "c".repeat(rest))
            };
            let texts = [
                &address(max),
                &address(max + 1),
                "a@example.com",
                "a@b",
                "a@ex\u{e4}mple.com",
                "\u{e4}@example.com",
                "\"a b\"@example.com",
                "a@[127.0.0.1]",
                "a@example.com\0",
                "a@-b",
                "a",
                "",
            ];
            let allowed = |text: &str| text.len() <= max && pattern.is_match(text);
            return texts.map(|text| (json!(text), allowed(text))).to_vec();
        }
        if self.schema["format"] == "uri" {
            let url = |length: usize| format!("https://hooks.example/{:a<1$}", "", length - 22);
            let texts = [
                &url(max),
                &url(max + 1),
                "https://hooks.example",
                "http://hooks.example:8080/a?b=c",
                "https://ada@hooks.example",
                "https://hooks.example/#a",
                "ftp://hooks.example",
                "hooks.example",
                "https://",
                "",
            ];
            let allowed = |text: &str| text.len() <= max && pattern.is_match(text);
            return texts.map(|text| (json!(text), allowed(text))).to_vec();
        }
        let lengths = [min.checked_sub(1), Some(min), Some(max), Some(max + 1)];
        let lengths = lengths.into_iter().flatten();
        lengths
            .flat_map(|length| TEXTS.map(|text| text.repeat(length)))
            .map(|text| {
                let length = text.chars().count();
                let allowed = (min..=max).contains(&length) && pattern.is_match(&text);
                (json!(text), allowed)
            })
            .collect()
    }
}

#[apply(behaviour)]
async fn the_service_accepts_exactly_the_values_that_the_document_allows(fixture: Fixture) {
    let service = fixture.serve().await;
    // The document's examples have another password, so that no request changes the account.
    let new = json!({"email": "b@example.com", "username": "bob", "password": "another horse"});
    service
        .call("POST", "/users", None, Some(new))
        .await
        .expect(201);
    let admin = "UPDATE users SET role = 'admin'";
    let connection = fixture.connect().await;
    connection.execute_unprepared(admin).await.expect(admin);
    let user = service.sign_in("bob", "another horse").await;
    let document = service
        .call("GET", "/openapi.json", None, None)
        .await
        .json();
    let fields = input_fields::all(&document);
    assert!(fields.len() >= 60, "only {} fields", fields.len());
    for field in fields {
        let name = format!("{} {} {}", field.method, field.path, field.name);
        if field.body.is_some() && !field.is_conditional() {
            let refused = field.refused(&service, &user, None).await;
            assert_eq!(refused, field.required, "{name} is missing");
        }
        let values = field.values().into_iter();
        // An empty segment of a path belongs to another route.
        let may_be_empty = !field.is_form && !field.path.ends_with("{external_id}");
        for (value, allowed) in values.filter(|(value, _)| may_be_empty || value != "") {
            let refused = field.refused(&service, &user, Some(&value)).await;
            let shown: String = value.to_string().chars().take(40).collect();
            assert_eq!(refused, !allowed, "{name} = {shown}");
        }
    }
}
