//! The same, made and removed at once.

use super::*;

/// Has one piece of work done between any two steps of another.
fn at_any_moment<T: std::fmt::Debug + 'static>(
    prepare: impl Fn() -> FakeTree,
    one: impl Fn(&FakeTree) -> T,
    other: impl Fn(&FakeTree) -> T + Copy + 'static,
    check: impl Fn(&FakeTree, usize, T, T),
) {
    for step in 0..STEPS {
        let tree = prepare();
        let said = std::rc::Rc::new(std::cell::RefCell::new(None));
        let heard = said.clone();
        tree.meanwhile(step, move |tree| {
            heard.replace(Some(other(tree)));
        });
        let first = one(&tree);
        if !tree.had_meanwhile() {
            assert!(step > 10, "nothing was in between");
            return;
        }
        let second = said.take().expect("it was done");
        check(&tree, step, first, second);
    }
    panic!("no end");
}

#[test]
fn of_two_that_are_made_at_once_at_most_one_is() {
    let make_outer = |tree: &FakeTree| create(tree, &outer("delete")).map(drop);
    let make_inner = |tree: &FakeTree| create(tree, &inner()).map(drop);
    let check = |tree: &FakeTree, step: usize, one: Result<(), Error>, other: Result<(), Error>| {
        assert!(one.is_err() || other.is_err(), "{step}: both were made");
        for answer in [one, other] {
            assert!(
                matches!(answer, Ok(()) | Err(Error::AlreadyExists(_))),
                "{step}: {answer:?}"
            );
        }
        // Whoever asks again gets it, or hears of the other.
        let answers = [make_inner(tree), make_outer(tree)];
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    };
    at_any_moment(FakeTree::new, make_outer, make_inner, check);
    at_any_moment(FakeTree::new, make_inner, make_outer, check);
}

#[test]
fn what_is_made_while_something_around_it_is_removed_is_there_afterwards() {
    for on_delete in ["delete", "archive"] {
        let prepare = || {
            let tree = FakeTree::new();
            create(&tree, &outer(on_delete)).expect("made");
            tree
        };
        let id = outer(on_delete).volume.record.id;
        let remove_outer = |tree: &FakeTree| remove(tree, &id);
        let check =
            |tree: &FakeTree, step: usize, removed: Result<(), Error>, made: Result<(), Error>| {
                assert!(
                    !matches!(made, Ok(())) || tree.has("shop/data"),
                    "{step}: made and gone"
                );
                assert!(
                    removed.is_ok() || made.is_ok(),
                    "{step}: {removed:?} {made:?}"
                );
                if removed.is_err() {
                    get(tree, &id).expect("a volume still");
                }
            };
        let make = |tree: &FakeTree| create(tree, &inner()).map(drop);
        at_any_moment(prepare, remove_outer, make, check);
    }
}

#[test]
fn a_directory_that_is_removed_is_not_given_to_a_new_volume() {
    let class = [("subDir", "shop")];
    let prepare = || {
        let tree = FakeTree::new();
        filled(&tree, "outer", &class);
        tree
    };
    let another = |tree: &FakeTree| create(tree, &spec("another", &[("subDir", "shop")])).map(drop);
    let check =
        |tree: &FakeTree, step: usize, removed: Result<(), Error>, made: Result<(), Error>| {
            removed.expect("removed");
            assert!(made.is_err() || tree.has("shop"), "{step}: made and gone");
            another(tree).expect("made at last");
            assert!(tree.has("shop"));
        };
    at_any_moment(prepare, |tree| remove(tree, OUTER), another, check);
}

#[test]
fn of_two_that_share_a_directory_the_last_takes_it_along_also_at_once() {
    let prepare = || {
        let tree = FakeTree::new();
        for name in ["outer", "another"] {
            filled(&tree, name, &[("subDir", "shop")]);
        }
        tree
    };
    let ids = [OUTER, "s#export#shop#another#"];
    let check = |tree: &FakeTree, step: usize, one: Result<(), Error>, other: Result<(), Error>| {
        one.expect("removed");
        assert!(
            matches!(other, Ok(()) | Err(Error::InProgress(_))),
            "{other:?}"
        );
        remove(tree, ids[1]).expect("removed at last");
        assert!(tree.paths().is_empty(), "{step}: {:?}", tree.paths());
    };
    at_any_moment(
        prepare,
        |tree| remove(tree, ids[0]),
        move |tree| remove(tree, ids[1]),
        check,
    );
}

#[test]
fn a_note_of_a_volume_that_there_is_not_is_in_nobodys_way() {
    let tree = FakeTree::new();
    create(&tree, &outer("delete")).expect("made");
    tree.put(
        &format!(".drivebay/inside/{}/{}", key("shop"), key("gone")),
        "",
    );
    remove(&tree, OUTER).expect("removed");
    assert!(tree.paths().is_empty(), "{:?}", tree.paths());
}

#[test]
fn what_is_half_removed_is_given_to_nobody_when_an_error_passes() {
    let class = [("subDir", "shop")];
    for id in [OUTER, "s#export#shop#theirs#"] {
        for step in 1..STEPS {
            let tree = FakeTree::new();
            match id == OUTER {
                true => drop(filled(&tree, "outer", &class)),
                false => drop(filled(&tree, "elsewhere", &[])),
            }
            tree.put("shop/file", "outer");
            tree.cut_at(step, Cut::Before);
            let first = remove(&tree, id);
            if !tree.go_on() {
                break;
            }
            first.expect_err("cut off");
            let was_begun = create(&tree, &spec("probe", &class));
            if !matches!(was_begun, Err(Error::InProgress(_))) {
                continue;
            }
            tree.puts_out_of_reach_once(&format!(".drivebay/inside/{}", key("shop")));
            let second = remove(&tree, id);
            assert!(matches!(second, Err(Error::Unavailable(_))), "{second:?}");
            let another = create(&tree, &spec("another", &class));
            assert!(
                matches!(another, Err(Error::InProgress(_))),
                "{id} {step}: {another:?}"
            );
        }
    }
}

#[test]
fn a_removal_that_was_refused_is_in_nobodys_way_also_after_an_error_that_passed() {
    let tree = nested_by_an_older_version("delete");
    tree.puts_out_of_reach_once(&format!(".drivebay/inside/{}", key("shop")));
    let first = remove(&tree, OUTER);
    assert!(matches!(first, Err(Error::Unavailable(_))), "{first:?}");
    keeps(remove(&tree, OUTER), INNER);
    let lock = format!(".drivebay/directories/{}/removing", key("shop"));
    assert!(!tree.has(&lock));
}

#[test]
fn what_is_made_while_another_drivers_volume_around_it_is_removed_is_there_afterwards() {
    for id in ["s#export#shop##", "s#export#shop##archive"] {
        let prepare = || {
            let tree = FakeTree::new();
            let elsewhere = filled(&tree, "elsewhere", &[]);
            remove(&tree, &elsewhere).expect("removed");
            tree.put("shop/file", "theirs");
            tree
        };
        let remove_outer = |tree: &FakeTree| remove(tree, id);
        let make = |tree: &FakeTree| create(tree, &inner()).map(drop);
        let check = |tree: &FakeTree, step: usize, made: &Result<(), Error>| {
            assert!(
                made.is_err() || tree.has("shop/data"),
                "{step}: made and gone"
            );
            assert!(
                matches!(made, Ok(()) | Err(Error::InProgress(_))),
                "{step}: {made:?}"
            );
            make(tree).expect("made at last");
            assert!(tree.has("shop/data"), "{step}: said to be there");
            remove(tree, INNER).expect("removed");
            remove(tree, id).expect("nothing is inside it");
            assert!(!tree.has("shop"), "{step}: {:?}", tree.paths());
        };
        at_any_moment(prepare, make, remove_outer, |tree, step, made, _| {
            check(tree, step, &made);
        });
        at_any_moment(prepare, remove_outer, make, |tree, step, _, made| {
            check(tree, step, &made);
        });
        // Of a removal that takes long, and ends later.
        for cut in 1..STEPS / 10 {
            let begin_to_remove = move |tree: &FakeTree| {
                tree.cut_at(cut, Cut::Midway);
                let removed = remove(tree, id);
                tree.go_on();
                removed
            };
            at_any_moment(prepare, make, begin_to_remove, |tree, step, made, _| {
                let removed = remove(tree, id);
                assert!(
                    made.is_err() || tree.has("shop/data"),
                    "{cut} {step}: made and gone, {removed:?}"
                );
                make(tree).expect("made at last");
                assert!(tree.has("shop/data"), "{cut} {step}: said to be there");
            });
        }
    }
}

#[test]
fn a_note_that_is_being_written_while_the_last_one_goes_is_kept() {
    use drivebay_guest::tree::Tree;
    let users = format!(".drivebay/directories/{}", key("shop"));
    let (half, note) = (
        format!("{users}/.1-2{PARTIAL}"),
        format!("{users}/{}", key("another")),
    );
    let prepare = || {
        let tree = FakeTree::new();
        let another = spec("another", &[("subDir", "shop")]);
        // The record is there; the note gets its name later.
        tree.cut_at(3, Cut::After);
        create(&tree, &another).expect_err("cut off");
        tree.go_on();
        assert!(tree.has(&format!(".drivebay/volumes/{}", key("another"))));
        filled(&tree, "outer", &[("subDir", "shop")]);
        tree.put(&half, "");
        tree
    };
    let renamed = {
        let (half, note) = (half.clone(), note.clone());
        move |tree: &FakeTree| tree.rename(&half, &note)
    };
    for step in 0..STEPS {
        let tree = prepare();
        let rename = renamed.clone();
        tree.meanwhile(step, move |tree| {
            rename(tree).expect("nobody took it away");
        });
        remove(&tree, OUTER).expect("removed");
        if !tree.had_meanwhile() {
            assert!(step > 10, "nothing was in between");
            return;
        }
        assert!(tree.has(&note), "{step}: the note is gone");
    }
    panic!("no end");
}

#[test]
fn a_directory_has_more_users_than_can_be_listed_and_is_kept_for_them() {
    let tree = FakeTree::new();
    let class = [("subDir", "shared")];
    filled(&tree, "pvc-1", &class);
    tree.lists_at_most(3);
    let ids = ["pvc-2", "pvc-3", "pvc-4", "pvc-5"].map(|name| filled(&tree, name, &class));
    let alone = create(&tree, &spec("shared", &[]));
    assert!(matches!(alone, Err(Error::Exhausted(_))), "{alone:?}");
    for id in &ids {
        remove(&tree, id).expect("removed");
        assert!(tree.has("shared/file"));
    }
    remove(&tree, "s#export#shared#pvc-1#").expect("removed");
    assert!(!tree.has("shared"));
}

#[test]
fn a_removal_that_meets_the_end_of_another_is_not_said_to_be_of_nothing() {
    let class = [("subDir", "shop")];
    let another = "s#export#shop#another#";
    let prepare = || {
        let tree = FakeTree::new();
        for name in ["outer", "another"] {
            filled(&tree, name, &class);
        }
        tree.cut_at(4, Cut::After);
        remove(&tree, another).expect_err("cut off");
        tree.go_on();
        tree
    };
    for step in 0..STEPS {
        let tree = prepare();
        tree.meanwhile(step, move |tree| remove(tree, another).expect("removed"));
        let answer = remove(&tree, OUTER);
        if !tree.had_meanwhile() {
            return;
        }
        assert!(
            matches!(answer, Ok(()) | Err(Error::InProgress(_))),
            "{step}: {answer:?}"
        );
    }
    panic!("no end");
}
