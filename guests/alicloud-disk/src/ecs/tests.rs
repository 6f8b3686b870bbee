//! How ECS's answers are taken.

use drivebay_guest::failure::{Failure, Kind};

use super::*;
use crate::fake::{FakeCloud, Fault};

#[test]
fn pauses_double_with_chance_in_them_and_have_a_bound() {
    let backoff = |attempt, wanted, chance| Ecs::REPEATS.backoff(attempt, wanted, chance);
    assert_eq!((backoff(1, None, 0), backoff(1, None, 255)), (500, 1000));
    assert_eq!((backoff(3, None, 0), backoff(3, None, 255)), (2000, 4000));
    assert_eq!(backoff(40, None, 255), Ecs::REPEATS.longest_ms);
    assert!(backoff(1, Some(u64::MAX), 255) < 60_000);
    assert!(backoff(1, Some(1500), 0) >= 1500);
}

#[test]
fn a_throttled_call_is_sent_again() {
    let cloud = FakeCloud::new();
    cloud.fault(Action::DescribeDisks, Fault::Refuse("Throttling.User"));
    cloud.fault(Action::DescribeDisks, Fault::Refuse("Throttling"));
    let ecs = Ecs { cloud: &cloud };
    assert!(ecs.call(&Call::new(Action::DescribeDisks, "disks")).is_ok());
    assert_eq!(cloud.count(Action::DescribeDisks), 3);
}

#[test]
fn throttling_that_does_not_end_is_unavailable() {
    let cloud = FakeCloud::new();
    for _ in 0..Ecs::REPEATS.times {
        cloud.fault(Action::DescribeDisks, Fault::Refuse("Throttling"));
    }
    let failure = Ecs { cloud: &cloud }
        .call(&Call::new(Action::DescribeDisks, "disks"))
        .expect_err("throttled");
    assert!(matches!(failure.into(), Error::Unavailable(_)));
    assert_eq!(
        cloud.count(Action::DescribeDisks),
        Ecs::REPEATS.times as usize
    );
}

#[test]
fn a_lost_call_is_sent_again_only_where_twice_is_once() {
    let cloud = FakeCloud::new();
    cloud.fault(Action::DescribeDisks, Fault::Drop);
    cloud.fault(Action::DetachDisk, Fault::Drop);
    let ecs = Ecs { cloud: &cloud };
    assert!(ecs.call(&Call::new(Action::DescribeDisks, "disks")).is_ok());
    let failure = ecs
        .call(&Call::new(Action::DetachDisk, "disk d-1"))
        .expect_err("lost");
    assert_eq!(failure.kind, Kind::Lost);
    assert_eq!(cloud.count(Action::DetachDisk), 1);
}

#[test]
fn waiting_ends_when_the_deadline_is_near() {
    let cloud = FakeCloud::new();
    cloud.deadline_in(10_000);
    let ecs = Ecs { cloud: &cloud };
    let mut waiting = ecs.waiting();
    let end = loop {
        if let Err(end) = waiting.pause(Error::InProgress("not yet".into())) {
            break end;
        }
    };
    assert!(matches!(end, Error::InProgress(_)));
    assert!(waiting.polls() > 3);
}

fn answered(status: u16, body: &str) -> Result<&'static Json, Failure> {
    let response = Response {
        status,
        headers: vec![("x-acs-retry-after".into(), "1500".into())],
        body: body.into(),
    };
    Ecs::read(&Call::new(Action::AttachDisk, "disk d-1 to i-2"), &response)
}

#[test]
fn a_refusal_says_all_the_operator_needs() {
    let body = r#"{"RequestId":"R-1","Code":"Forbidden.RAM","Message":"User not authorized."}"#;
    let error = Error::from(answered(403, body).expect_err("refused"));
    let Error::Denied(message) = error else {
        panic!("{error:?}");
    };
    assert_eq!(
        message,
        "ECS refused AttachDisk of disk d-1 to i-2 with Forbidden.RAM: User not authorized. (request R-1); \
         allow ecs:AttachDisk in the RAM policy of the access key"
    );
}

#[test]
fn the_code_decides_whatever_the_status_is() {
    for status in [400, 403, 503] {
        let failure = answered(status, r#"{"Code":"Throttling.User"}"#).expect_err("refused");
        assert_eq!(
            (failure.kind, failure.retry_after),
            (Kind::Throttled, Some(1500))
        );
        let failure =
            answered(status, r#"{"Code":"InvalidDiskId.NotFound"}"#).expect_err("refused");
        assert!(failure.is_not_found());
    }
}

#[test]
fn what_may_have_taken_effect_is_lost() {
    for (status, body) in [
        (500, r#"{"Code":"InternalError"}"#),
        (503, r#"{"Code":"ServiceUnavailable"}"#),
        (500, r#"{"Code":"NeverSeenBefore"}"#),
        (502, "<html>"),
        (429, ""),
        (200, "{\"Reques"),
    ] {
        let failure = answered(status, body).expect_err("no success");
        assert!(
            failure.kind == Kind::Lost && failure.passes(),
            "{status} {body}"
        );
    }
}

#[test]
fn what_is_not_ecs_is_internal() {
    for (status, body) in [(302, ""), (404, "<html>"), (400, "{}"), (200, "hello")] {
        let error = Error::from(answered(status, body).expect_err("no success"));
        assert!(matches!(error, Error::Internal(m) if m.contains("ECS endpoint")));
    }
}

#[test]
fn a_long_message_is_cut() {
    let body = format!(r#"{{"Code":"X","Message":"{}"}}"#, "é".repeat(5000));
    let error = format!(
        "{:?}",
        Error::from(answered(400, &body).expect_err("refused"))
    );
    assert!(error.chars().filter(|c| *c == 'é').count() == 400);
}
