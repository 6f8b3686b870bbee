//! The API's front: who asks, for what, and which fault is in the way.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::Value;

use super::{Reply, sts};
use crate::actions::{Action, Outcome, View};
use crate::chance;
use crate::cloud::tokens::{Flight, Token};
use crate::error::Refusal;
use crate::faults::Clearing;
use crate::faults::kinds::{Kind, Stage};
use crate::request_log::Entry;
use crate::service::{Oddities, Service};
use crate::signing::claims::Version;
use crate::signing::{self, Claims};
use crate::wire::answer::Answer;
use crate::wire::call::Call;
use crate::wire::parameters::Parameters;

/// The versions of the APIs that are emulated.
const ECS_VERSION: &str = "2014-05-26";
const STS_VERSION: &str = "2015-04-01";

/// Answers a request, unless it is to be left without an answer.
pub(crate) async fn respond(service: Arc<Service>, call: Call) -> Reply {
    let sender = Arc::clone(&service);
    let ending = tokio::task::spawn_blocking(move || Exchange::new(&sender, &call).run()).await?;
    match ending.delay {
        Delay::None => {}
        Delay::For(time) => tokio::time::sleep(time).await,
        Delay::UntilCleared(clearing) => clearing.wait().await,
    }
    if let Some(token) = &ending.landing {
        service
            .change(|cloud| cloud.tokens.land(token))
            .map_err(|refusal| {
                anyhow::anyhow!("the state cannot be written: {}", refusal.message)
            })?;
    }
    let answer = ending.answer;
    answer
        .map(Answer::into_response)
        .ok_or_else(|| anyhow::anyhow!("told to hang up"))
}

/// How a request ends.
struct Ending {
    /// None to hang up.
    answer: Option<Answer>,
    delay: Delay,
    /// The token whose first answer is on its way until the delay is over.
    landing: Option<Token>,
}

/// How long an answer takes once it is there.
enum Delay {
    None,
    For(Duration),
    UntilCleared(Clearing),
}

impl From<Answer> for Ending {
    fn from(answer: Answer) -> Self {
        Self {
            answer: Some(answer),
            delay: Delay::None,
            landing: None,
        }
    }
}

/// What is asked for.
enum Asked {
    Action(Action),
    AssumeRole,
}

/// A request on its way through.
struct Exchange<'a> {
    service: &'a Arc<Service>,
    call: &'a Call,
    request_id: String,
    name: String,
    parameters: Parameters,
}

impl<'a> Exchange<'a> {
    fn new(service: &'a Arc<Service>, call: &'a Call) -> Self {
        let parameters: Parameters = call.pairs().into_iter().collect();
        // Clients of the first SDK generation send the header as well, with the same word.
        let name = parameters.text("Action").or(call.header("x-acs-action"));
        Self {
            service,
            call,
            request_id: chance::request_id(),
            name: name.unwrap_or_default().to_owned(),
            parameters,
        }
    }

    fn run(self) -> Ending {
        let ending = self.end();
        let answer = ending.answer.as_ref();
        let user_agent = self.call.header("user-agent").unwrap_or_default();
        self.service.log.add(Entry {
            action: self.name.clone(),
            user_agent: user_agent.to_owned(),
            signature: self.signature(),
            method: self.call.method.clone(),
            parameters: self.parameters.shown(),
            status: answer.map_or(0, |answer| answer.status),
            code: answer.and_then(|answer| answer.code.clone()),
            request_id: self.request_id.clone(),
        });
        ending
    }

    fn signature(&self) -> &'static str {
        match Claims::read(self.call).map(|claims| claims.version) {
            Ok(Version::V1) => "v1",
            Ok(Version::V3) => "v3",
            Err(_) => "none",
        }
    }

    fn end(&self) -> Ending {
        let asked = match self.admit() {
            Ok(asked) => asked,
            Err(refusal) => return self.refuse(&refusal).into(),
        };
        let fault = self
            .service
            .faults
            .take(Stage::Before, &self.name, &self.parameters);
        match fault {
            Some(Kind::Throttling(refusal, retry_after)) => {
                let answer = self.refuse(&refusal);
                return Answer {
                    retry_after,
                    ..answer
                }
                .into();
            }
            Some(Kind::ErrorBefore(refusal)) => return self.refuse(&refusal).into(),
            Some(_) => return self.hang_up(),
            None => {}
        }
        // Before the effect, as nobody may see that and not yet that its answer is on its way.
        let clearing = self.service.faults.clearing();
        let fault = self
            .service
            .faults
            .take(Stage::After, &self.name, &self.parameters);
        let flight = match fault {
            Some(Kind::SlowReply { .. }) => Flight::InAir,
            Some(_) | None => Flight::Landed,
        };
        let answer = match self.perform(&asked, flight) {
            Ok(fields) => Answer::success(&self.request_id, fields),
            Err(refusal) => self.refuse(&refusal),
        };
        match fault {
            Some(fault) => self.spoil(&asked, answer, &fault, clearing),
            None => answer.into(),
        }
    }

    /// Everything before the action itself: its name, its version, and who asks.
    fn admit(&self) -> Result<Asked, Refusal> {
        let (asked, version) = match self.name.as_str() {
            "AssumeRoleWithOIDC" => (Asked::AssumeRole, STS_VERSION),
            name => (Asked::Action(find(name)?), ECS_VERSION),
        };
        let sent = self
            .parameters
            .text("Version")
            .or(self.call.header("x-acs-version"));
        if sent != Some(version) {
            let message = "Specified parameter Version is not valid.";
            return Err(Refusal::missing("InvalidVersion", message));
        }
        // Whoever assumes a role has no key yet.
        if let Asked::Action(_) = asked {
            let claims = Claims::read(self.call)?;
            let nonces = &self.service.nonces;
            let now = Timestamp::now();
            self.service
                .read(|cloud| signing::check(&claims, &cloud.keys, nonces, now))?;
        }
        Ok(asked)
    }

    fn perform(&self, asked: &Asked, flight: Flight) -> Outcome {
        let (service, parameters) = (self.service, &self.parameters);
        let action = match asked {
            Asked::AssumeRole => return sts::assume_role(service, parameters),
            Asked::Action(action) => *action,
        };
        let stale = service
            .faults
            .take(Stage::Describing, &self.name, parameters);
        let oddities = Oddities {
            quirks: service.faults.quirks(&self.name, parameters),
            view: stale.map_or(View::Current, |_| View::Stale),
            flight,
        };
        service.perform(action, parameters, oddities)
    }

    /// The effect is there; what is left to spoil is the answer.
    fn spoil(&self, asked: &Asked, answer: Answer, fault: &Kind, clearing: Clearing) -> Ending {
        match fault {
            Kind::ErrorAfter(refusal) => self.refuse(refusal).into(),
            Kind::SlowReply { delay } => {
                let delay = delay.map_or(Delay::UntilCleared(clearing), Delay::For);
                self.slow_down(asked, answer, delay)
            }
            Kind::GarbageBody { status } => self.garbage(*status).into(),
            Kind::HugeBody { bytes } => inflated(answer, *bytes).into(),
            Kind::LostReply
            | Kind::Throttling(..)
            | Kind::ErrorBefore(_)
            | Kind::CutBefore
            | Kind::StaleDescribe
            | Kind::StaysAttaching
            | Kind::WrongSizeDevice { .. }
            | Kind::LateDevice { .. }
            | Kind::OtherName { .. } => self.hang_up(),
        }
    }

    /// While the answer is on its way, the same client token is told to wait.
    fn slow_down(&self, asked: &Asked, answer: Answer, delay: Delay) -> Ending {
        let token = match asked {
            Asked::AssumeRole => None,
            Asked::Action(action) => Token::read(action.name, &self.parameters).ok().flatten(),
        };
        Ending {
            answer: Some(answer),
            delay,
            landing: token,
        }
    }

    fn garbage(&self, status: u16) -> Answer {
        Answer {
            status,
            request_id: self.request_id.clone(),
            code: None,
            retry_after: None,
            media_type: "text/html",
            body: Bytes::from_static(b"<html><body>502 Bad Gateway {\"DiskId\":</body></html>"),
        }
    }

    fn refuse(&self, refusal: &Refusal) -> Answer {
        let region = self.service.read(|cloud| cloud.region.clone());
        Answer::refusal(&self.request_id, refusal, &region)
    }

    fn hang_up(&self) -> Ending {
        Ending {
            answer: None,
            delay: Delay::None,
            landing: None,
        }
    }
}

fn find(name: &str) -> Result<Action, Refusal> {
    if name.is_empty() {
        return Err(Refusal::missing_parameter("Action"));
    }
    Action::named(name).ok_or_else(|| {
        let message = "Specified api is not found, please check your url and method.";
        Refusal::missing("InvalidAction.NotFound", message)
    })
}

/// The same answer with a field that nobody asked for.
fn inflated(answer: Answer, bytes: usize) -> Answer {
    let Ok(mut body) = serde_json::from_slice::<Value>(&answer.body) else {
        return answer;
    };
    body["Padding"] = Value::from("x".repeat(bytes));
    Answer {
        body: Bytes::from(body.to_string()),
        ..answer
    }
}
