use super::super::content::tests::delivered;
use super::super::mounting_pod::tests::{maps, pod};
use super::super::mounting_pod::{ANNOTATION, written};
use super::super::verdict::verdict;
use super::*;

use drivebay::csi::Samples;
use serde_json::{Value, json};

/// A namespace, and what is done about it.
struct Namespace {
    watched: Watched,
    rollout: Rollout,
    now: Instant,
}

const PER_SECOND: u16 = 3;

/// What a pod has that cannot be asked.
fn silent() -> Value {
    json!({ "spec": { "containers": [{ "name": "c" }] } })
}

fn controller() -> Value {
    json!({ "metadata": { "ownerReferences": [] } })
}

impl Namespace {
    /// So many pods that were told of what there is.
    fn of(pods: usize) -> Self {
        Self::with((0..pods).map(|number| (format!("pod-{number}"), json!({}))))
    }

    fn with(pods: impl IntoIterator<Item = (String, Value)>) -> Self {
        let mut watched = Watched {
            maps: maps(),
            ..Watched::default()
        };
        for (name, differs) in pods {
            let mut pod = pod(&name, &differs);
            pod.told = pod.wanted(&watched.maps);
            watched.pods.insert(name, pod);
        }
        Self {
            watched,
            rollout: Rollout::new(PER_SECOND),
            now: Instant::now(),
        }
    }

    /// Another version of the component.
    fn change(&mut self, content: &str) {
        let nfs = delivered(&[("nfs.wasm", content)]);
        self.watched.maps.insert("nfs".to_owned(), nfs);
        assert_eq!(self.next(), Step::Wait(SETTLING));
        self.now += SETTLING;
    }

    fn next(&mut self) -> Step {
        self.rollout.next(&self.watched, self.now)
    }

    /// The names of those that are told now; they are, and time goes on until the next wave.
    #[track_caller]
    fn told(&mut self) -> Vec<String> {
        let Step::Tell(pods) = self.next() else {
            panic!("nobody is told");
        };
        for told in &pods {
            self.rollout.tell(told, &self.watched, self.now);
            let wanted = told.wanted(&self.watched.maps);
            let kept = self.watched.pods.get_mut(&told.name).expect("it is there");
            kept.told = wanted;
        }
        self.now += WAVE;
        pods.into_iter().map(|pod| pod.name).collect()
    }

    /// The UIDs of those that are asked now.
    #[track_caller]
    fn asked(&mut self) -> Vec<String> {
        let Step::Ask(pods) = self.next() else {
            panic!("nobody is asked");
        };
        pods.into_iter().map(|(pod, _)| pod.uid).collect()
    }

    /// All that are asked now say that.
    #[track_caller]
    fn say(&mut self, verdict: &Verdict) -> Option<Stop> {
        let asked = self.asked();
        let answers = asked.iter().map(|uid| {
            let answer = Answer::Said(verdict.clone());
            self.rollout.answered(uid, answer, self.now)
        });
        answers.fold(None, |first, stop| first.or(stop))
    }

    /// Another process follows this one.
    fn restart(&mut self) {
        self.rollout = Rollout::new(PER_SECOND);
    }
}

fn refused() -> Verdict {
    let text = "drivebay_component_offer_info{driver=\"nfs\",component=\"nfs\",content=\"c\",driver_file=\"f\",\
                state=\"refused\"} 1\ndrivebay_component_refused{driver=\"nfs\",step=\"check\"} 1\n# EOF\n";
    let mut expected = Expected::default();
    let content = Some("c".to_owned());
    expected.components.insert("nfs".to_owned(), content);
    verdict(&Samples::parse(text).expect("understood"), &expected)
}

fn refusal() -> Refusal {
    let Verdict::Refused(refusal) = refused() else {
        panic!("it is refused");
    };
    refusal
}

#[test]
fn nobody_is_told_what_he_was_told_before() {
    let mut namespace = Namespace::of(5);
    assert_eq!(namespace.next(), Step::Rest);
    namespace.restart();
    assert_eq!(namespace.next(), Step::Rest);
}

#[test]
fn one_pod_is_first_and_the_others_follow_once_it_took_it_up() {
    let mut namespace = Namespace::of(8);
    assert_eq!(namespace.next(), Step::Rest);
    namespace.change("two");
    assert_eq!(namespace.told().len(), 1);
    assert_eq!(namespace.say(&Verdict::Open(None)), None);
    assert!(matches!(namespace.next(), Step::Wait(_)));
    namespace.now += ASK_AGAIN;
    namespace.say(&Verdict::Took);
    assert_eq!(namespace.told().len(), usize::from(PER_SECOND));
    namespace.say(&Verdict::Took);
    assert_eq!(namespace.told().len(), usize::from(PER_SECOND));
    namespace.say(&Verdict::Took);
    assert_eq!(namespace.told().len(), 1);
    namespace.say(&Verdict::Took);
    let counts = Counts { told: 8, took: 8 };
    assert_eq!(namespace.next(), Step::Over(counts));
    assert_eq!(namespace.next(), Step::Rest);
}

#[test]
fn waves_are_a_second_apart() {
    let mut namespace = Namespace::with((0..9).map(|number| (format!("p{number}"), silent())));
    assert_eq!(namespace.next(), Step::Rest);
    namespace.change("two");
    assert_eq!(namespace.told().len(), 1);
    namespace.now -= WAVE / 2;
    assert_eq!(namespace.next(), Step::Wait(WAVE / 2));
    namespace.now += WAVE / 2;
    assert_eq!(namespace.told().len(), usize::from(PER_SECOND));
}

#[test]
fn a_refusal_stops_it_until_something_else_comes() {
    let mut namespace = Namespace::of(8);
    assert_eq!(namespace.next(), Step::Rest);
    namespace.change("two");
    let first = namespace.told();
    let stop = namespace.say(&refused()).expect("it stops");
    assert_eq!(vec![stop.pod.clone()], first);
    assert_eq!(stop.node, format!("node-of-{}", stop.pod));
    assert_eq!((stop.refusal, stop.told), (refusal(), 1));
    namespace.now += 100 * WAVE;
    assert_eq!(namespace.next(), Step::Rest);
    namespace.change("three");
    assert_eq!(namespace.told().len(), 1);
}

#[test]
fn one_that_was_stopped_stays_so_in_a_process_that_is_started_anew() {
    let mut namespace = Namespace::of(8);
    assert_eq!(namespace.next(), Step::Rest);
    namespace.change("two");
    let first = namespace.told();
    namespace.say(&refused()).expect("it stops");
    namespace.restart();
    let stop = namespace.say(&refused()).expect("it is asked first");
    assert_eq!(vec![stop.pod], first);
    assert_eq!(namespace.next(), Step::Rest);
}

#[test]
fn what_a_pod_refused_before_counts_only_if_it_still_does_after_a_while() {
    let mut namespace = Namespace::of(2);
    assert_eq!(namespace.next(), Step::Rest);
    namespace.change("two");
    namespace.told();
    let open = Verdict::Open(Some(refusal()));
    assert_eq!(namespace.say(&open), None);
    namespace.now += PATIENCE;
    assert!(namespace.say(&open).is_some());
}

#[test]
fn a_pod_that_never_says_anything_holds_nobody_up_for_long() {
    let mut namespace = Namespace::of(2);
    assert_eq!(namespace.next(), Step::Rest);
    namespace.change("two");
    namespace.told();
    for answer in 0..2 {
        let asked = namespace.asked();
        let stop = namespace
            .rollout
            .answered(&asked[0], Answer::None, namespace.now);
        assert_eq!(stop, None, "{answer}");
        namespace.now += PATIENCE;
    }
    assert_eq!(namespace.told().len(), 1);
}

#[test]
fn pods_that_cannot_be_asked_come_last_and_are_told_all_the_same() {
    let pods = [("a", silent()), ("b", json!({})), ("c", silent())];
    let mut namespace = Namespace::with(pods.map(|(name, it)| (name.to_owned(), it)));
    assert_eq!(namespace.next(), Step::Rest);
    namespace.change("two");
    assert_eq!(namespace.told(), ["b"]);
    namespace.say(&Verdict::Took);
    assert_eq!(namespace.told().len(), 2);
    let counts = Counts { told: 3, took: 1 };
    assert_eq!(namespace.next(), Step::Over(counts));
}

#[test]
fn nodes_come_before_controllers() {
    let pods = [("a", controller()), ("b", silent()), ("c", silent())];
    let mut namespace = Namespace::with(pods.map(|(name, it)| (name.to_owned(), it)));
    assert_eq!(namespace.next(), Step::Rest);
    namespace.change("two");
    let mut nodes = [namespace.told(), namespace.told()].concat();
    nodes.sort();
    assert_eq!(nodes, ["b", "c"]);
    assert_eq!(namespace.told(), ["a"]);
}

#[test]
fn new_pods_are_told_without_being_asked_and_nobody_is_first_among_them() {
    let mut namespace = Namespace::of(0);
    for name in ["a", "b", "c", "d"] {
        let new = pod(name, &json!({}));
        namespace.watched.pods.insert(name.to_owned(), new);
    }
    assert_eq!(namespace.told().len(), usize::from(PER_SECOND));
    assert_eq!(namespace.told().len(), 1);
    assert_eq!(namespace.next(), Step::Rest);
}

#[test]
fn a_pod_that_does_not_run_is_told_once_it_does() {
    let mut namespace = Namespace::of(1);
    assert_eq!(namespace.next(), Step::Rest);
    let kept = namespace.watched.pods.get_mut("pod-0").expect("there");
    kept.is_running = false;
    namespace.change("two");
    assert_eq!(namespace.next(), Step::Rest);
    let kept = namespace.watched.pods.get_mut("pod-0").expect("there");
    kept.is_running = true;
    assert_eq!(namespace.told(), ["pod-0"]);
}

#[test]
fn what_is_applied_together_is_one_change() {
    let mut namespace = Namespace::of(2);
    assert_eq!(namespace.next(), Step::Rest);
    namespace.change("two");
    namespace.now -= SETTLING / 2;
    let drivers = delivered(&[("nfs.toml", "component = \"other\"\n")]);
    namespace.watched.maps.insert("drivers".to_owned(), drivers);
    assert_eq!(namespace.next(), Step::Wait(SETTLING));
    namespace.now += SETTLING;
    namespace.told();
    let changed: Vec<&str> = { namespace.rollout.changed.iter() }
        .map(String::as_str)
        .collect();
    assert_eq!(changed, ["drivers", "nfs"]);
}

#[test]
fn the_first_one_differs_from_change_to_change() {
    let mut namespace = Namespace::of(20);
    assert_eq!(namespace.next(), Step::Rest);
    let firsts = (0..20).map(|number| {
        namespace.change(&number.to_string());
        namespace.told().concat()
    });
    let firsts: BTreeSet<String> = firsts.collect();
    assert!(firsts.len() > 5, "{firsts:?}");
}

#[test]
fn who_was_told_says_so_himself() {
    let namespace = Namespace::of(1);
    let told = &namespace.watched.pods["pod-0"].told;
    let annotations = json!({ "metadata": { "annotations": { ANNOTATION: written(told) } } });
    assert_eq!(&pod("pod-0", &annotations).told, told);
}
