//! DescribeInstanceHistoryEvents: what befell instances, as far as a test says that anything did.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::actions::list::{Limits, Page};
use crate::actions::show::time;
use crate::actions::{Outcome, Work};
use crate::cloud::instance::{Cycle, Event};
use crate::error::Refusal;
use crate::words::InstanceId;

const LIMITS: Limits = Limits {
    least_results: 10,
    most_results: 100,
    most_per_page: 100,
};

/// An event and whom it befell.
type Entry<'a> = (&'a InstanceId, &'a Event);

pub(crate) fn describe(work: &mut Work<'_>) -> Outcome {
    work.check_region()?;
    let filter = Filter::read(work)?;
    let instances = work.cloud.instances.values();
    let all = instances.flat_map(|it| it.events.iter().map(move |event| (&it.id, event)));
    let chosen: Vec<Entry<'_>> = all.filter(|entry| filter.allows(*entry)).collect();
    let order = |(_, event): &Entry<'_>| event.sequence;
    let page = Page::cut(chosen, order, work.parameters, LIMITS)?;
    Ok(page.shown("InstanceSystemEventSet", "InstanceSystemEventType", shown))
}

/// What is asked for; nothing named is anything.
struct Filter<'a> {
    resources: Vec<&'a str>,
    ids: Vec<&'a str>,
    kinds: Vec<&'a str>,
    cycles: Vec<Cycle>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
}

impl<'a> Filter<'a> {
    fn read(work: &'a Work<'_>) -> Result<Self, Refusal> {
        let parameters = work.parameters;
        if parameters
            .text("ResourceType")
            .is_some_and(|kind| kind != "instance")
        {
            return Err(Refusal::invalid_parameter("ResourceType"));
        }
        // The list takes precedence over the single value, here and below.
        let list = |many: &str, one: &str| {
            let many = parameters.numbered(many);
            let one = parameters.text(one).filter(|_| many.is_empty());
            many.into_iter().chain(one).collect::<Vec<&str>>()
        };
        let moment = |name: &str| {
            let read = |text: &str| text.parse().map_err(|_| Refusal::invalid_parameter(name));
            parameters.text(name).map(read).transpose()
        };
        Ok(Self {
            resources: list("ResourceId", "InstanceId"),
            ids: parameters.numbered("EventId"),
            kinds: list("InstanceEventType", "EventType"),
            cycles: cycles(&list("InstanceEventCycleStatus", "EventCycleStatus"))?,
            since: moment("EventPublishTime.Start")?,
            until: moment("EventPublishTime.End")?,
        })
    }

    fn allows(&self, (instance, event): Entry<'_>) -> bool {
        let among = |wanted: &[&str], own: &str| wanted.is_empty() || wanted.contains(&own);
        among(&self.resources, instance.as_str())
            && among(&self.ids, event.id.as_str())
            && among(&self.kinds, &event.event_type)
            && self.cycles.contains(&event.status)
            && self.since.is_none_or(|since| event.published >= since)
            && self.until.is_none_or(|until| event.published <= until)
    }
}

/// Only what is over, unless it is asked for more.
fn cycles(named: &[&str]) -> Result<Vec<Cycle>, Refusal> {
    if named.is_empty() {
        return Ok(Cycle::OVER.to_vec());
    }
    let read = |name: &&str| {
        let mut all = Cycle::ALL.into_iter();
        let cycle = all.find(|cycle| cycle.name() == *name);
        cycle.ok_or_else(|| Refusal::denied("InvalidParameter", "The status is not valid."))
    };
    named.iter().map(read).collect()
}

/// Without the numbers beside the names, of which the documents tell a few only.
fn shown((instance, event): &Entry<'_>) -> Value {
    let finished = Cycle::OVER.contains(&event.status);
    json!({
        "InstanceId": instance,
        "EventId": event.id,
        "EventType": { "Name": event.event_type },
        "EventCycleStatus": { "Name": event.status.name() },
        "EventPublishTime": time(event.published),
        "NotBefore": time(event.published),
        "EventFinishTime": if finished { time(event.published) } else { String::new() },
        "Reason": event.reason,
        "ResourceType": "instance",
        "ImpactLevel": "100",
    })
}
