//! What was saved is the answer, however the resource's code ends.

use std::time::Duration;

use super::client::{Identity, LIMIT, Served};
use super::provider::{Thing, nothing, thing};
use crate::Resource as _;
use crate::protocol::tfplugin6::{
    DynamicValue, apply_resource_change, read_resource, stop_provider,
};
use crate::value::{Value, msgpack};

fn value(msgpack: Vec<u8>) -> Option<DynamicValue> {
    Some(DynamicValue {
        msgpack,
        json: Vec::new(),
    })
}

fn decoded(value: Option<DynamicValue>) -> Value {
    msgpack::decode(&value.unwrap().msgpack, &Thing.schema().object_type()).unwrap()
}

fn create(ends: &str) -> apply_resource_change::Request {
    apply_resource_change::Request {
        type_name: "test_thing".to_owned(),
        prior_state: value(nothing()),
        planned_state: value(thing(Value::Unknown, ends, Value::Unknown)),
        config: value(thing(Value::Null, ends, Value::Null)),
        ..Default::default()
    }
}

#[tokio::test]
async fn what_was_saved_is_the_answer() {
    // How it ends, whether it needs a stop for that, what is told, and what `rest` is then.
    let table = [
        ("well", false, None, Value::from("rest")),
        ("panic", false, Some("by design"), Value::Null),
        (
            "unknown",
            false,
            Some("mistake in the provider"),
            Value::Null,
        ),
        ("on cancel", true, Some("cancelled"), Value::Null),
        ("never", true, Some("was cut off"), Value::Null),
    ];
    for (ends, stop, told, rest) in table {
        let cli = Identity::new();
        let served = Served::to(&cli.certificate, Duration::from_millis(10)).await;
        let mut client = served.with(&cli.certificate, &cli.key);
        let mut stopping = client.clone();
        let both = async {
            let stop = async {
                if stop {
                    stopping
                        .stop_provider(stop_provider::Request {})
                        .await
                        .unwrap();
                }
            };
            tokio::join!(client.apply_resource_change(create(ends)), stop).0
        };
        let answer = tokio::time::timeout(LIMIT, both)
            .await
            .expect(ends)
            .unwrap()
            .into_inner();
        assert_eq!(
            decoded(answer.new_state),
            decoded(value(thing("made".into(), ends, rest))),
            "{ends}"
        );
        assert_eq!(answer.private, br#"{"v":1,"data":7}"#, "{ends}");
        let text = answer
            .diagnostics
            .first()
            .map(|told| format!("{} {}", told.summary, told.detail));
        match (told, text) {
            (None, None) => {}
            (Some(part), Some(text)) => assert!(text.contains(part), "{ends}: {text}"),
            (told, text) => panic!("{ends}: {told:?} against {text:?}"),
        }
    }
}

#[tokio::test]
async fn what_could_not_be_read_or_deleted_stays() {
    let cli = Identity::new();
    let served = Served::to(&cli.certificate, Duration::ZERO).await;
    let mut client = served.with(&cli.certificate, &cli.key);
    let state = thing("made".into(), "well", "rest".into());
    let read = read_resource::Request {
        type_name: "test_thing".to_owned(),
        current_state: value(state.clone()),
        private: br#"{"v":1,"data":7}"#.to_vec(),
        ..Default::default()
    };
    let answer = client.read_resource(read).await.unwrap().into_inner();
    assert_eq!(decoded(answer.new_state), decoded(value(state.clone())));
    assert_eq!(answer.private, br#"{"v":1,"data":7}"#);
    assert!(
        answer.diagnostics[0].detail.contains("while reading"),
        "{:?}",
        answer.diagnostics
    );

    let delete = apply_resource_change::Request {
        type_name: "test_thing".to_owned(),
        prior_state: value(state.clone()),
        planned_state: value(nothing()),
        config: value(nothing()),
        planned_private: br#"{"v":1,"data":7}"#.to_vec(),
        ..Default::default()
    };
    let answer = client
        .apply_resource_change(delete.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(decoded(answer.new_state), decoded(value(state.clone())));
    assert_eq!(answer.diagnostics[0].summary, "it stays");

    // So does what this provider can't read at all.
    let newer = apply_resource_change::Request {
        planned_private: br#"{"v":9,"data":0}"#.to_vec(),
        ..delete
    };
    let answer = client
        .apply_resource_change(newer)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(decoded(answer.new_state), decoded(value(state)));
    assert_eq!(answer.private, br#"{"v":9,"data":0}"#);
    assert!(
        answer.diagnostics[0].summary.contains("newer provider"),
        "{:?}",
        answer.diagnostics
    );
}
