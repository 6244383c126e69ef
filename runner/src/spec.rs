//! What is to be run, as a person or a program says it. All of it can be written as JSON.

mod computation;
mod container;
mod image;
mod input;
mod names;
mod placement;
mod resources;
mod session;
mod text;

use std::borrow::Cow;

use jiff::SignedDuration;
use mkys_init::FilePath;

pub use computation::Computation;
pub use container::Container;
pub use image::Image;
pub use input::Input;
pub use names::{Owner, RunName, SecretName, Variable};
pub use placement::{Placement, Toleration};
pub use resources::{Gpu, Resources};
pub use session::{Answers, Session};
pub use text::TextError;

/// What is wrong with a computation or a session.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {reason}")]
pub struct SpecError {
    /// The field.
    pub field: Cow<'static, str>,
    /// What is wrong with it.
    pub reason: Cow<'static, str>,
}

impl SpecError {
    fn new(field: impl Into<Cow<'static, str>>, reason: impl Into<Cow<'static, str>>) -> Self {
        Self {
            field: field.into(),
            reason: reason.into(),
        }
    }
}

/// A month; whoever needs longer wants no run but a server.
const LONGEST: SignedDuration = SignedDuration::from_hours(31 * 24);

fn check_duration(field: &'static str, duration: SignedDuration) -> Result<(), SpecError> {
    if duration < SignedDuration::from_secs(1) || duration > LONGEST {
        let reason = format!("{duration:#} is not between a second and {LONGEST:#}");
        return Err(SpecError::new(field, reason));
    }
    Ok(())
}

/// No path may be there twice, nor be a directory of another.
fn check_tree<'a>(
    field: &'static str,
    paths: impl IntoIterator<Item = &'a FilePath>,
) -> Result<(), SpecError> {
    let mut sorted: Vec<_> = paths.into_iter().map(FilePath::as_str).collect();
    sorted.sort_unstable();
    for (index, path) in sorted.iter().enumerate() {
        let directory = format!("{path}/");
        let clash = sorted[index + 1..]
            .iter()
            .find(|other| *other == path || other.starts_with(&directory));
        if let Some(other) = clash {
            let reason = match *other == *path {
                true => format!("{path:?} is there twice"),
                false => format!("{path:?} can't be a file and the directory of {other:?}"),
            };
            return Err(SpecError::new(field, reason));
        }
    }
    Ok(())
}

/// A map of which no key is given twice: JSON has them, and the last would count in silence.
mod unique {
    use std::collections::BTreeMap;
    use std::fmt;
    use std::marker::PhantomData;

    use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};

    struct Unique<K, V>(PhantomData<(K, V)>);

    impl<'de, K: Deserialize<'de> + Ord + fmt::Display, V: Deserialize<'de>> Visitor<'de>
        for Unique<K, V>
    {
        type Value = BTreeMap<K, V>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a map")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
            let mut map = BTreeMap::new();
            while let Some((key, value)) = entries.next_entry::<K, V>()? {
                if map.contains_key(&key) {
                    return Err(A::Error::custom(format!("{key} is given twice")));
                }
                map.insert(key, value);
            }
            Ok(map)
        }
    }

    pub(super) fn deserialize<'de, K, V, D>(deserializer: D) -> Result<BTreeMap<K, V>, D::Error>
    where
        K: Deserialize<'de> + Ord + fmt::Display,
        V: Deserialize<'de>,
        D: Deserializer<'de>,
    {
        deserializer.deserialize_map(Unique(PhantomData))
    }
}

/// Durations as people write them, such as `1h 30m`.
mod duration {
    use jiff::SignedDuration;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        duration: &SignedDuration,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format!("{duration:#}"))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<SignedDuration, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|_| {
            serde::de::Error::custom(format!(
                "{text:?} is no duration in hours, minutes and seconds, such as 24h, 5m or 1h30m"
            ))
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use super::*;

    fn computation(json: &str) -> Computation {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn duration_in_days_is_refused_with_an_example() {
        let day = r#"{"name": "one", "container": {"image": "a"}, "deadline": "1d"}"#;
        let error = serde_json::from_str::<Computation>(day).unwrap_err();
        let words = "\"1d\" is no duration in hours, minutes and seconds, such as 24h, 5m or 1h30m";
        assert!(error.to_string().starts_with(words), "{error}");
    }

    #[test]
    fn what_is_left_out_has_a_default() {
        let short = computation(r#"{"name": "one", "container": {"image": "kdpp:1"}}"#);
        short.check().unwrap();
        let container = Container::builder()
            .image("kdpp:1".parse().unwrap())
            .build();
        let built = Computation::builder()
            .name("one".parse().unwrap())
            .container(container)
            .build();
        assert_eq!(short, built);
        let again: Computation = computation(&serde_json::to_string(&built).unwrap());
        assert_eq!(again, built);
        assert_eq!(built.deadline, SignedDuration::from_hours(1));
        assert_eq!(built.container.user, 65_532);
    }

    #[test]
    fn fields_that_are_not_known_are_refused() {
        let error = serde_json::from_str::<Computation>(
            r#"{"name": "one", "container": {"image": "kdpp:1", "privileged": true}}"#,
        )
        .unwrap_err();
        assert!(
            error.to_string().contains("unknown field `privileged`"),
            "{error}"
        );
    }

    #[test]
    fn faults_are_found_before_anything_starts() {
        let table = [
            (
                r#""container": {"image": "a", "user": 0}"#,
                "container.user: a run is never root",
            ),
            (
                r#""container": {"image": "a", "command": [""]}"#,
                "container.command: its first word, the program, is empty",
            ),
            (
                r#""container": {"image": "a", "command": ["a\u0000"]}"#,
                "container: no argument and no variable can hold a zero byte",
            ),
            (
                r#""container": {"image": "a", "resources": {"memory_mib": 4}}"#,
                "resources.memory_mib: 4 is less than the least, 16",
            ),
            (
                r#""container": {"image": "a", "resources": {"gpu": {"resource": "a100"}}}"#,
                "resources.gpu.resource: \"a100\" is no extended resource, such as nvidia.com/gpu",
            ),
            (
                r#""container": {"image": "a"}, "deadline": "0s""#,
                "deadline: 0s is not between a second and 744h",
            ),
            (
                r#""container": {"image": "a"}, "results": ["a", "b", "a"]"#,
                "results: \"a\" is there twice",
            ),
            (
                r#""container": {"image": "a"}, "inputs": {"a/b": {"text": ""}, "a": {"text": ""}}"#,
                "inputs: \"a\" can't be a file and the directory of \"a/b\"",
            ),
        ];
        for (fields, expected) in table {
            let found = computation(&format!(r#"{{"name": "one", {fields}}}"#)).check();
            assert_eq!(found.unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn what_is_given_twice_is_refused() {
        let table = [
            (
                r#""container": {"image": "a"}, "inputs": {"a": {"text": "1"}, "a": {"text": "2"}}"#,
                "a is given twice",
            ),
            (
                r#""container": {"image": "a", "env": {"A": "1", "A": "2"}}"#,
                "A is given twice",
            ),
        ];
        for (fields, expected) in table {
            let json = format!(r#"{{"name": "one", {fields}}}"#);
            let error = serde_json::from_str::<Computation>(&json).unwrap_err();
            assert!(error.to_string().starts_with(expected), "{error}");
        }
    }

    #[test]
    fn what_no_machine_takes_is_refused() {
        let names = (0..2_000).map(|number| format!("{number:0>200}"));
        let names: Vec<_> = names.collect();
        let names = serde_json::to_string(&names).unwrap();
        let many = format!(r#""container": {{"image": "a"}}, "results": {names}"#);
        let table = [
            (
                r#""container": {"image": "a", "user": 4294967295}"#,
                "container.user: 4294967295 is more than the most, 2147483647",
            ),
            (
                r#""container": {"image": "a", "resources": {"cpu_millis": 9}}"#,
                "resources.cpu_millis: 9 is less than the least, 10",
            ),
            (
                r#""container": {"image": "a", "resources": {"processes": 4194304}}"#,
                "resources.processes: 4194304 is more than the most, 4194000",
            ),
            (
                &many,
                "results: their names have 400000 bytes; together they may have 262144",
            ),
        ];
        for (fields, expected) in table {
            let found = computation(&format!(r#"{{"name": "one", {fields}}}"#)).check();
            assert_eq!(found.unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn inputs_are_bytes_text_or_files() {
        let inputs: Vec<Input> =
            serde_json::from_str(r#"[{"base64": "AP8="}, {"text": "a"}, {"file": "/data/a"}]"#)
                .unwrap();
        let expected = [
            Input::Bytes(vec![0, 255]),
            Input::from("a"),
            Input::File("/data/a".into()),
        ];
        assert_eq!(inputs, expected);
        assert!(serde_json::from_str::<Input>(r#"{"base64": "?"}"#).is_err());
    }

    #[test]
    fn a_session_says_what_it_must_answer() {
        let session = |fields: &str| -> Session {
            let json = format!(r#"{{"name": "one", "container": {{"image": "a"}}, {fields}}}"#);
            serde_json::from_str(&json).unwrap()
        };
        session(r#""port": 8080, "answers": {"by": "websocket", "path": "/play"}"#)
            .check()
            .unwrap();
        let error = session(r#""port": 80"#).check().unwrap_err();
        assert_eq!(error.field, "port");
        let error = session(r#""port": 8080, "answers": {"by": "http", "path": "x"}"#)
            .check()
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "answers.path: \"x\" is no path of a request"
        );
    }
}
