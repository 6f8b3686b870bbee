//! What users write, read.

use super::*;

parameters! {
    const OF_VOLUMES: "volume" = {
        NAME: Text = "name", required = true => "A text.";
        WORD: Word = "word", default = "none" => "A word.";
        READ_ONLY: Flag = "readOnly" => "A flag.";
        "other/*" => "Nobody reads it.";
    }
}

parameters! {
    const OF_CLASSES: "storage-class" = {
        NAME, default = "the volume's" => "A text.";
        ZONES: Words = "zones" => "Words.";
        DAYS: Count = "days" => "A number.";
        EXACT: Written = "exact" => "All of it.";
    }
}

fn with<T>(name: &str, value: &str, read: impl FnOnce(&Params<'_>) -> T) -> T {
    read(&Params(&[(name.into(), value.into())]))
}

#[test]
fn one_declaration_is_what_the_host_is_told() {
    let told = described(&[OF_VOLUMES, OF_CLASSES]);
    let told: Vec<_> = told
        .iter()
        .map(|one| {
            (
                &*one.scope,
                &*one.name,
                one.required,
                one.default.as_deref(),
            )
        })
        .collect();
    let expected = [
        ("volume", "name", true, None),
        ("volume", "word", false, Some("none")),
        ("volume", "readOnly", false, None),
        ("volume", "other/*", false, None),
        ("storage-class", "name", false, Some("the volume's")),
        ("storage-class", "zones", false, None),
        ("storage-class", "days", false, None),
        ("storage-class", "exact", false, None),
    ];
    assert_eq!(told, expected);
}

#[test]
fn keys_are_compared_without_regard_to_case() {
    with("READONLY", "true", |params| {
        assert_eq!(params.get(READ_ONLY), Ok(Some(true)));
    });
}

#[test]
fn a_text_keeps_its_spaces_and_a_word_does_not() {
    with("name", " a ", |params| {
        assert_eq!(params.get(NAME), Some(" a "));
        assert_eq!(params.get("name"), Some("a"));
    });
    with("word", " a ", |params| {
        assert_eq!(params.get(WORD), Some("a"))
    });
    with("zones", " a, ,b,", |params| {
        assert_eq!(params.get(ZONES), ["a", "b"]);
    });
}

#[test]
fn an_empty_value_is_as_good_as_none_unless_it_is_asked_for_exactly() {
    with("name", "", |params| {
        assert_eq!(params.get(NAME), None);
        let missing = params.required(NAME);
        assert!(matches!(missing, Err(Error::InvalidArgument(text)) if text == "name is missing"));
    });
    with("zones", "", |params| assert!(params.get(ZONES).is_empty()));
    with("readOnly", "", |params| {
        assert_eq!(params.get(READ_ONLY), Ok(None));
    });
    with("exact", "", |params| {
        assert_eq!(params.get(EXACT), Some(""))
    });
}

#[test]
fn what_is_no_flag_and_no_number_is_refused_by_name() {
    for yes in ["true", "Yes", "1"] {
        with("readOnly", yes, |params| {
            assert_eq!(params.get(READ_ONLY), Ok(Some(true)));
        });
    }
    let refused = with("readOnly", "ja", |params| params.get(READ_ONLY));
    let text = "readOnly \"ja\": write true or false";
    assert_eq!(refused, Err(Error::InvalidArgument(text.into())));
    for no in ["1.5", "-1", "many"] {
        let refused = with("days", no, |params| params.get(DAYS));
        assert!(matches!(refused, Err(Error::InvalidArgument(text)) if text.contains(no)));
    }
    assert_eq!(with("days", "30", |params| params.get(DAYS)), Ok(Some(30)));
}

#[test]
fn wildcards_hand_on_what_follows_the_slash() {
    with("Tags/Team", "a", |params| {
        assert_eq!(params.with_prefix("tags/"), [("Team", "a")]);
        assert!(params.with_prefix("tagsX").is_empty());
    });
}
