//! Disks of the sample API.

use super::*;
use crate::api::tests::{Acme, Answer, Verb};

const MADE: Answer = Answer::Said(200, r#"{"DiskId": "d-1"}"#);
const MISMATCH: Answer = Answer::Said(400, r#"{"code": "TokenUsed"}"#);

/// A disk that shows after so many looks, by its name and by its id.
struct Disk {
    by_name: u32,
    by_id: u32,
}

const NEVER: u32 = u32::MAX;

fn look(left: &mut u32) -> Progress {
    match *left {
        NEVER => Progress::Missing,
        0 => Progress::Ready,
        _ => {
            *left -= 1;
            Progress::Pending
        }
    }
}

impl Resource for Disk {
    fn find(&mut self) -> Result<Progress, Error> {
        Ok(look(&mut self.by_name))
    }

    fn poll(&mut self, id: &'static str) -> Result<Progress, Error> {
        ensure!(id == "d-1", Internal: "no id");
        Ok(look(&mut self.by_id))
    }
}

fn make_from(api: &Acme, by_name: u32, by_id: u32) -> Result<(), Error> {
    let call = Call::new(Verb::Create, "a disk for pvc-1").with("Size", "20");
    let mut disk = Disk { by_name, by_id };
    Ok(make(api, &call, "DiskId", "pvc-1", &mut disk)?)
}

#[test]
fn what_has_the_name_already_is_waited_for() {
    let acme = Acme::default();
    let found = |by_name| {
        let by_id = NEVER;
        find(&acme, "pvc-1", &mut Disk { by_name, by_id })
    };
    assert_eq!(found(2), Ok(true));
    assert_eq!(acme.host.waited(), 250 + 500);
    assert_eq!(found(NEVER), Ok(false));
}

#[test]
fn what_is_new_gets_some_time_before_it_is_looked_at() {
    let acme = Acme::that_answers([MADE]);
    assert_eq!(make_from(&acme, NEVER, 0), Ok(()));
    assert_eq!(acme.host.waited(), 1000);
    // Where there is no such time, whoever asks again finds it by its name.
    let acme = Acme::that_answers([MADE]);
    acme.host.deadline_in(999);
    let ended = make_from(&acme, 0, 0);
    assert!(matches!(ended, Err(Error::InProgress(_))), "{ended:?}");
}

#[test]
fn a_repeated_creation_carries_the_same_token() {
    let tokens = [0; 2].map(|_| {
        let acme = Acme::that_answers([Answer::Lost, MADE]);
        assert_eq!(make_from(&acme, NEVER, 1), Ok(()));
        acme.sent("Token")
    });
    assert_eq!(tokens[0], tokens[1]);
    assert_eq!(tokens[0][0], tokens[0][1]);
}

#[test]
fn a_token_that_is_used_up_is_followed_by_another_the_same_for_every_repetition() {
    for used_up in [|| MADE, || MISMATCH] {
        let tokens = [0; 2].map(|_| {
            let acme = Acme::that_answers([0; 9].map(|_| used_up()));
            let ended = make_from(&acme, NEVER, NEVER);
            assert!(matches!(ended, Err(Error::InProgress(_))), "{ended:?}");
            acme.sent("Token")
        });
        assert_eq!(tokens[0], tokens[1]);
        let mut different = tokens[0].clone();
        different.sort();
        different.dedup();
        assert_eq!(different.len(), TOKENS as usize);
    }
}

#[test]
fn what_another_try_made_under_the_token_is_found_by_its_name() {
    let acme = Acme::that_answers([MISMATCH]);
    assert_eq!(make_from(&acme, 0, NEVER), Ok(()));
}

#[test]
fn a_creation_that_names_nothing_ends_the_call() {
    let ended = make_from(&Acme::default(), NEVER, 0);
    assert!(matches!(ended, Err(Error::Internal(m)) if m.contains("named nothing")));
}

#[test]
fn what_is_busy_is_asked_again_and_what_is_refused_is_not() {
    let busy = Answer::Said(400, r#"{"code": "Busy"}"#);
    assert_eq!(
        make_from(&Acme::that_answers([busy, MADE]), NEVER, 0),
        Ok(())
    );
    let denied = Acme::that_answers([Answer::Said(400, r#"{"code": "Denied"}"#)]);
    let ended = make_from(&denied, NEVER, 0);
    assert!(matches!(ended, Err(Error::Denied(_))));
}
