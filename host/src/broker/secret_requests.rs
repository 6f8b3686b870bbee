//! `secret-requests`: requests to granted origins, with credentials that a call brought.

mod credentials;

use super::answer::{Answer, Response};
use super::ask::{Request, SecretRequestsAsk};
use super::error::BrokerError;
use super::worker_broker::WorkerBroker;
use crate::grant::HttpsGrant;
use crate::worker::Credentials;

use credentials::{twice, without_secrets};

impl WorkerBroker {
    pub(super) fn secret_requests(
        &mut self,
        ask: SecretRequestsAsk,
    ) -> Result<Answer, BrokerError> {
        let SecretRequestsAsk::Send {
            endpoint,
            request,
            headers,
            basic,
        } = ask;
        let grant = self.granted(endpoint)?.clone();
        let credentials = self.credentials(&grant.name, &headers, basic.as_ref())?;
        let response = self.send_with(&grant, request, &credentials)?;
        Ok(Answer::Response(response))
    }

    fn send_with(
        &mut self,
        grant: &HttpsGrant,
        mut request: Request,
        credentials: &[(String, String)],
    ) -> Result<Response, BrokerError> {
        for (name, _) in credentials {
            if request.headers.0.iter().any(|(own, _)| own == name) {
                return Err(twice(name).into());
            }
        }
        request.headers.0.extend_from_slice(credentials);
        let response = self.send_granted(grant, request, Credentials::OfCall)?;
        Ok(without_secrets(response, credentials, &self.secrets))
    }
}
