//! A parser of metrics.

use std::collections::BTreeMap;

/// The lines of a scrape: the type of each metric family, and the value of each series.
pub struct Scrape {
    pub types: BTreeMap<String, String>,
    pub series: BTreeMap<String, String>,
}

impl Scrape {
    /// Checks the syntax of `OpenMetrics` 1.0.
    pub fn parse(text: &str) -> Self {
        let lines = text.strip_suffix("# EOF\n").expect("no EOF");
        let (mut types, mut series) = (BTreeMap::new(), BTreeMap::new());
        let mut family = String::new();
        for line in lines.lines() {
            if let Some(comment) = line.strip_prefix("# ") {
                let [kind, name, rest] = split(comment);
                assert!(!rest.is_empty(), "{line}");
                match kind {
                    "HELP" => name.clone_into(&mut family),
                    "TYPE" => {
                        let again = types.insert(name.to_owned(), rest.to_owned());
                        assert_eq!((again, name), (None, family.as_str()));
                    }
                    "UNIT" => assert!(name.ends_with(rest), "{line}"),
                    _ => panic!("{line}"),
                }
                continue;
            }
            let (name, value) = line.rsplit_once(' ').expect("no value");
            let suffix = name.split('{').next().unwrap_or_default();
            let suffix = suffix.strip_prefix(&family).expect("another family");
            let allowed = match types[&family].as_str() {
                "counter" => &["_total"][..],
                "gauge" => &[""],
                "info" => &["_info"],
                "histogram" => &["_sum", "_count", "_bucket"],
                other => panic!("{other}"),
            };
            assert!(allowed.contains(&suffix), "{line}");
            value.parse::<f64>().expect("not a number");
            let again = series.insert(name.to_owned(), value.to_owned());
            assert_eq!(again, None, "{name}");
        }
        Self { types, series }
    }

    pub fn value(&self, series: &str) -> f64 {
        let value = self.series.get(series);
        let value =
            value.unwrap_or_else(|| panic!("{series} is not one of {:#?}", self.series.keys()));
        value.parse().expect("not a number")
    }
}

fn split(text: &str) -> [&str; 3] {
    let mut parts = text.splitn(3, ' ');
    std::array::from_fn(|_| parts.next().unwrap_or_default())
}
