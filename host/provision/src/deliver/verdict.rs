//! What a pod's figures say of what was delivered to it.

use std::fmt;

use drivebay::csi::{Sample, Samples};

use super::content::Expected;

/// What is offered to a driver, and how far it has come.
const OFFER: &str = "drivebay_component_offer_info";

/// What did not become a version, by the step at which it failed.
const REFUSED: &str = "drivebay_component_refused";

/// Of one pod, at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It took up what came, or waits for its moment only.
    Took,
    /// It said no.
    Refused(Refusal),
    /// It has not seen it, or is at it; what it refuses at this moment may be that or what was there before.
    Open(Option<Refusal>),
    /// It tells nothing of offers, as earlier hosts do not.
    Untold,
}

/// Who says no, and why, as far as figures tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    driver: String,
    how: How,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum How {
    /// At that step.
    At(String),
    Held,
    Rejected,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let driver = &self.driver;
        match &self.how {
            How::At(step) => write!(f, "driver {driver} refuses it at {step}"),
            How::Held => write!(
                f,
                "driver {driver} holds it, since it takes something away: it waits for `drivebay activate`"
            ),
            How::Rejected => write!(
                f,
                "driver {driver} rejects it: its calls broke down there, or somebody took it back"
            ),
        }
    }
}

/// Of the drivers that what changed is about.
pub(super) fn verdict(samples: &Samples, expected: &Expected) -> Verdict {
    let mut is_open = false;
    let mut refused = None;
    let mut is_told = false;
    for offer in samples.named(OFFER) {
        is_told = true;
        match of_driver(samples, offer, expected) {
            Verdict::Refused(refusal) => return Verdict::Refused(refusal),
            Verdict::Open(refusal) => {
                is_open = true;
                refused = refused.or(refusal);
            }
            Verdict::Took | Verdict::Untold => {}
        }
    }
    match (is_told, is_open) {
        (false, _) => Verdict::Untold,
        (true, true) => Verdict::Open(refused),
        (true, false) => Verdict::Took,
    }
}

fn of_driver(samples: &Samples, offer: &Sample, expected: &Expected) -> Verdict {
    let component = expected.components.get(offer.label("component"));
    let file = expected.drivers.get(offer.label("driver"));
    if component.is_none() && file.is_none() {
        return Verdict::Took;
    }
    let is_seen = |wanted: Option<&Option<String>>, label: &str| {
        wanted.is_none_or(|wanted| wanted.as_deref() == Some(offer.label(label)))
    };
    let driver = offer.label("driver");
    let refusal = |how| Refusal {
        driver: driver.to_owned(),
        how,
    };
    let step = refused_at(samples, driver);
    if !is_seen(component, "content") || !is_seen(file, "driver_file") {
        return Verdict::Open(step.map(|step| refusal(How::At(step))));
    }
    match (offer.label("state"), component) {
        ("refused", _) => Verdict::Refused(refusal(How::At(step.unwrap_or_default()))),
        // Not what the driver's file has changed.
        ("held" | "rejected", None) => Verdict::Took,
        ("held", Some(_)) => Verdict::Refused(refusal(How::Held)),
        ("rejected", Some(_)) => Verdict::Refused(refusal(How::Rejected)),
        ("pending", _) => Verdict::Open(None),
        _ => Verdict::Took,
    }
}

fn refused_at(samples: &Samples, driver: &str) -> Option<String> {
    let mut refused = samples.of(REFUSED, driver);
    let found = refused.find(|sample| sample.value > 0.0)?;
    Some(found.label("step").to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn expected(component: Option<&str>, file: Option<&str>) -> Expected {
        let of = |value: Option<&str>| {
            let pair = value.map(|value| ("nfs".to_owned(), Some(value.to_owned())));
            pair.into_iter().collect::<BTreeMap<_, _>>()
        };
        Expected {
            components: of(component),
            drivers: of(file),
        }
    }

    /// Two drivers, of which the other is nobody's business.
    fn told(content: &str, file: &str, state: &str, refused: &str) -> Samples {
        let other = "drivebay_component_offer_info{driver=\"disk\",component=\"disk\",content=\"x\",\
                     driver_file=\"y\",state=\"refused\"} 1\n";
        let text = format!(
            "{other}drivebay_component_offer_info{{driver=\"nfs\",component=\"nfs\",content=\"{content}\",\
             driver_file=\"{file}\",state=\"{state}\"}} 1\n{refused}# EOF\n"
        );
        Samples::parse(&text).expect("understood")
    }

    const AT_CHECK: &str = "drivebay_component_refused{driver=\"nfs\",step=\"check\"} 1\n";

    fn no(how: How) -> Refusal {
        let driver = "nfs".to_owned();
        Refusal { driver, how }
    }

    #[test]
    fn a_component_is_judged_once_the_pod_has_seen_that_very_content() {
        let at_check = no(How::At("check".to_owned()));
        for (content, state, refused, wanted) in [
            ("new", "serves", "", Verdict::Took),
            ("new", "waits", "", Verdict::Took),
            ("new", "pending", "", Verdict::Open(None)),
            ("old", "serves", "", Verdict::Open(None)),
            (
                "old",
                "refused",
                AT_CHECK,
                Verdict::Open(Some(at_check.clone())),
            ),
            ("new", "refused", AT_CHECK, Verdict::Refused(at_check)),
            ("new", "held", "", Verdict::Refused(no(How::Held))),
            ("new", "rejected", "", Verdict::Refused(no(How::Rejected))),
        ] {
            let samples = told(content, "file", state, refused);
            let found = verdict(&samples, &expected(Some("new"), None));
            assert_eq!(found, wanted, "{content} {state}");
        }
    }

    #[test]
    fn a_drivers_file_is_judged_by_what_it_does_to_the_component_that_is_there() {
        let file = expected(None, Some("new"));
        for (name, state, wanted) in [
            ("new", "serves", Verdict::Took),
            ("new", "nothing", Verdict::Took),
            ("new", "held", Verdict::Took),
            ("old", "serves", Verdict::Open(None)),
        ] {
            assert_eq!(
                verdict(&told("c", name, state, ""), &file),
                wanted,
                "{name}"
            );
        }
        let refused = verdict(&told("c", "new", "refused", AT_CHECK), &file);
        assert_eq!(refused, Verdict::Refused(no(How::At("check".to_owned()))));
    }

    #[test]
    fn what_changed_for_another_driver_is_nothing_to_this_pod() {
        let mut others = Expected::default();
        others.components.insert("third".to_owned(), None);
        assert_eq!(
            verdict(&told("c", "f", "refused", AT_CHECK), &others),
            Verdict::Took
        );
    }

    #[test]
    fn an_earlier_host_tells_nothing() {
        let samples = Samples::parse("drivebay_driver_ready{driver=\"nfs\"} 1\n# EOF\n");
        let found = verdict(&samples.expect("understood"), &expected(Some("new"), None));
        assert_eq!(found, Verdict::Untold);
    }
}
