//! Promises of the state machine, whatever happens in whatever order.

#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

use jiff::{SignedDuration, Timestamp};
use mkys_runner::{Cause, Event, Failure, Limits, Observation, State, Verdict};
use proptest::prelude::*;

const START: Timestamp = Timestamp::UNIX_EPOCH;

fn computation() -> Limits {
    Limits::computation(SignedDuration::from_mins(10))
}

fn session() -> Limits {
    Limits::session(
        SignedDuration::from_mins(2),
        SignedDuration::from_mins(5),
        SignedDuration::from_hours(2),
    )
}

fn exited(code: i32) -> Event {
    let words = String::new();
    Event::Seen(Observation::Exited { code, words })
}

fn missing() -> Event {
    let words = "the pod is not there".to_owned();
    Event::Seen(Observation::Missing { words })
}

fn failed(cause: Cause) -> Event {
    Event::Seen(Observation::Failed(Failure::new(cause, "said so")))
}

fn waiting(cause: Cause) -> Event {
    let words = "0/1 nodes are available".to_owned();
    Event::Seen(Observation::Waiting { cause, words })
}

fn unanswered() -> Event {
    let words = "the edge of games.example: no answer".to_owned();
    Event::Unanswered { words }
}

fn untaken() -> Event {
    Event::Untaken(Failure::new(Cause::Result, "the node does not answer"))
}

fn no_room() -> Event {
    Event::Untaken(Failure::new(Cause::Disk, "no room"))
}

const USED: Event = Event::Used { at: Timestamp::MAX };

const RUNNING: Event = Event::Seen(Observation::Running {
    since: Timestamp::MAX,
});

/// Plays events, each some seconds after the one before.
fn play(limits: &Limits, events: &[(i64, Event)]) -> (State, Timestamp) {
    let mut now = START;
    let mut state = State::submitted(now);
    for (seconds, event) in events {
        now += SignedDuration::from_secs(*seconds);
        state = state.next(event, now, limits);
    }
    (state, now)
}

fn cause(state: &State) -> Option<Cause> {
    match state.verdict() {
        Some(Verdict::Failed(failure)) => Some(failure.cause),
        _ => None,
    }
}

#[test]
fn a_computation_is_a_success_once_its_result_was_taken() {
    let (ended, _) = play(&computation(), &[(1, RUNNING), (1, exited(0))]);
    assert!(ended.wants().result && !ended.wants().destroy);
    assert_eq!(ended.verdict(), None);
    let (taken, _) = play(
        &computation(),
        &[(1, RUNNING), (1, exited(0)), (1, Event::Taken(Ok(())))],
    );
    assert_eq!(taken.verdict(), Some(&Verdict::Succeeded));
    assert!(taken.wants().destroy);
    let too_large = Failure::new(Cause::Result, "3 GiB where 1 GiB may be");
    let late = [
        (1, exited(0)),
        (1, untaken()),
        (computation().collect.as_secs(), Event::Tick),
    ];
    let words = "its result was not taken within 5m: the node does not answer";
    let (late, _) = play(&computation(), &late);
    assert_eq!(
        late.verdict(),
        Some(&Failure::new(Cause::Result, words).into())
    );
    let (refused, _) = play(
        &computation(),
        &[(1, exited(0)), (1, Event::Taken(Err(too_large)))],
    );
    assert_eq!(cause(&refused), Some(Cause::Result));
}

#[test]
fn a_session_is_served_from_its_answer_until_its_end() {
    let served = [(1, RUNNING), (1, Event::Answered), (60, USED)];
    let (state, _) = play(&session(), &served);
    assert!(state.wants().route && state.wants().container);
    let (ended, _) = play(&session(), &[&served[..], &[(1, Event::Ended)]].concat());
    assert_eq!(ended.verdict(), Some(&Verdict::Succeeded));
    // the route goes before the container does
    assert!(!ended.wants().route && ended.wants().destroy && !ended.wants().result);
}

#[test]
fn a_session_that_is_taken_over_is_asked_before_it_is_judged() {
    let hours_ago = Observation::Running {
        since: START - SignedDuration::from_mins(90),
    };
    let taken_over = [(1, Event::Seen(hours_ago)), (1, Event::Tick)];
    let (state, now) = play(&session(), &taken_over);
    assert!(matches!(state, State::Running { .. }), "{state:?}");
    let state = state.next(&Event::Answered, now, &session());
    // and still may not last for longer than its limit
    let limit = START + SignedDuration::from_mins(30);
    assert!(state.until(&session()) <= Some(limit));
    let (late, _) = play(
        &session(),
        &[&taken_over[..], &[(120, Event::Tick)]].concat(),
    );
    assert_eq!(cause(&late), Some(Cause::Unanswering));
}

#[test]
fn each_state_has_a_limit_and_a_cause_of_its_own() {
    type Case<'a> = (Limits, &'a [(i64, Event)], Option<Cause>);
    let over: &[Case<'_>] = &[
        (computation(), &[(60, Event::Tick)], None),
        (
            computation(),
            &[(1, waiting(Cause::Unschedulable)), (600, Event::Tick)],
            Some(Cause::Unschedulable),
        ),
        (
            computation(),
            &[(1, waiting(Cause::Quota)), (600, Event::Tick)],
            Some(Cause::Quota),
        ),
        (
            computation(),
            &[(1, RUNNING), (600, Event::Tick)],
            Some(Cause::Deadline),
        ),
        (
            session(),
            &[(1, RUNNING), (120, Event::Tick)],
            Some(Cause::Unanswering),
        ),
        (
            session(),
            &[(1, RUNNING), (1, Event::Answered), (300, Event::Tick)],
            Some(Cause::Idle),
        ),
    ];
    for (limits, events, expected) in over {
        let (state, _) = play(limits, events);
        assert_eq!(cause(&state), *expected, "{state:?}");
        assert!(state.verdict().is_some(), "{state:?}");
        let mut sooner = events.to_vec();
        sooner.last_mut().unwrap().0 -= 1;
        let (state, _) = play(limits, &sooner);
        assert_eq!(state.verdict(), None, "too soon: {state:?}");
    }
    // whoever did not answer is told
    let asked = [(1, RUNNING), (60, unanswered()), (60, Event::Tick)];
    let words = "it did not answer within 2m: the edge of games.example: no answer";
    let (state, _) = play(&session(), &asked);
    let failure = Failure::new(Cause::Unanswering, words);
    assert_eq!(state.verdict(), Some(&failure.into()));
    // use keeps it from being idle, and not from its end
    let mut used = vec![(1, RUNNING), (1, Event::Answered)];
    used.extend((0..71).flat_map(|_| [(100, USED), (0, Event::Tick)]));
    assert_eq!(play(&session(), &used).0.verdict(), None);
    used.extend([(100, USED), (0, Event::Tick)]);
    assert_eq!(cause(&play(&session(), &used).0), Some(Cause::Deadline));
}

#[test]
fn what_is_merely_not_there_is_lost_and_not_failed() {
    for event in [missing(), Event::Absent] {
        // the second did its work, and its result went away with it
        for before in [RUNNING, exited(0)] {
            let (state, _) = play(&computation(), &[(1, before), (1, event.clone())]);
            let is_lost = matches!(state.verdict(), Some(Verdict::Lost { .. }));
            assert!(is_lost && state.wants().destroy, "{state:?}");
        }
    }
    // submitted and not shown yet: it may be on its way
    let (state, _) = play(&computation(), &[(1, Event::Absent)]);
    assert_eq!(state, State::submitted(START));
}

fn event() -> impl Strategy<Value = Event> {
    let causes = prop_oneof![
        Just(Cause::Quota),
        Just(Cause::ImageMissing),
        Just(Cause::NodeLost)
    ];
    prop_oneof![
        causes.clone().prop_map(waiting),
        causes.prop_map(failed),
        Just(RUNNING),
        Just(exited(0)),
        (0..3_i32).prop_map(exited),
        Just(missing()),
        Just(Event::Answered),
        Just(unanswered()),
        Just(USED),
        Just(Event::Ended),
        Just(untaken()),
        Just(no_room()),
        Just(Event::Taken(Ok(()))),
        Just(Event::Taken(Err(Failure::new(Cause::Result, "a link")))),
        Just(Event::Absent),
        Just(Event::Tick),
    ]
}

/// How far a run has come.
fn rank(state: &State) -> u8 {
    match state {
        State::Submitted { .. } => 0,
        State::Starting { .. } => 1,
        State::Running { .. } => 2,
        State::Serving { .. } => 3,
        State::Ending { result: true, .. } => 4,
        State::Ending { result: false, .. } => 5,
        State::Gone { .. } => 6,
    }
}

#[test]
fn results_without_room_wait_for_an_hour() {
    let limits = computation();
    let early = [(1, exited(0)), (1, no_room()), (3_000, Event::Tick)];
    let (waits, _) = play(&limits, &early);
    assert!(waits.wants().result && waits.wants().container, "{waits:?}");
    // an executor that is away takes nothing of the hour
    let (late, _) = play(
        &limits,
        &[&early[..], &[(1, untaken()), (600, Event::Tick)]].concat(),
    );
    let words = "its result was not taken within 1h: no room";
    assert_eq!(
        late.verdict(),
        Some(&Failure::new(Cause::Disk, words).into())
    );
    let (ended, _) = play(&limits, &[&early[..], &[(1, Event::Ended)]].concat());
    let words = "the caller cancelled it: no room";
    assert_eq!(
        ended.verdict(),
        Some(&Failure::new(Cause::Cancelled, words).into())
    );
}

proptest! {
    #[test]
    fn it_goes_forward_and_a_verdict_stays(
        is_session: bool,
        events in prop::collection::vec((0..700_i64, event()), 0..40),
    ) {
        let limits = if is_session { session() } else { computation() };
        let (mut state, mut now) = (State::submitted(START), START);
        let (mut ended_well, mut taken) = (false, is_session);
        for (seconds, event) in &events {
            now += SignedDuration::from_secs(*seconds);
            let before = state.clone();
            state = state.next(event, now, &limits);
            prop_assert!(rank(&before) <= rank(&state), "{before:?} → {state:?} by {event:?}");
            if let Some(said) = before.verdict() {
                prop_assert_eq!(Some(said), state.verdict());
            }
            ended_well |= *event == exited(0) || (matches!(before, State::Serving { .. }) && *event == Event::Ended);
            taken |= before.wants().result && *event == Event::Taken(Ok(()));
            if state.verdict() == Some(&Verdict::Succeeded) {
                prop_assert!(taken, "a success without its result");
                prop_assert!(ended_well, "a success that nobody saw");
            }
            let wants = state.wants();
            prop_assert!(!(wants.destroy && (wants.container || wants.route || wants.result)), "{state:?}");
            prop_assert!(!wants.destroy || state.verdict().is_some(), "destroyed without a verdict: {state:?}");
        }
    }

    #[test]
    fn time_and_absence_end_every_run(
        is_session: bool,
        events in prop::collection::vec((0..700_i64, event()), 0..20),
    ) {
        let limits = if is_session { session() } else { computation() };
        let (mut state, mut now) = play(&limits, &events);
        let day = SignedDuration::from_hours(24);
        for _ in 0..2 {
            now += day;
            state = state.next(&Event::Tick, now, &limits);
        }
        prop_assert!(state.verdict().is_some(), "{state:?} goes on for days");
        state = state.next(&Event::Absent, now, &limits);
        prop_assert!(matches!(state, State::Gone { .. }), "{state:?}");
        let gone = state.clone().next(&RUNNING, now, &limits);
        prop_assert_eq!(gone, state);
    }

    #[test]
    fn its_time_is_over_exactly_when_it_says(
        is_session: bool,
        events in prop::collection::vec((0..700_i64, event()), 0..20),
    ) {
        let limits = if is_session { session() } else { computation() };
        let (state, now) = play(&limits, &events);
        let Some(until) = state.until(&limits) else {
            prop_assert!(!state.wants().container, "{state:?} lasts for good");
            return Ok(());
        };
        if until > now {
            let before = until - SignedDuration::from_nanos(1);
            prop_assert_eq!(&state.clone().next(&Event::Tick, before, &limits), &state);
        }
        let after = state.clone().next(&Event::Tick, until.max(now), &limits);
        prop_assert!(rank(&after) > rank(&state), "{state:?} is still there");
    }
}
