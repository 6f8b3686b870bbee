//! Answers in the API's form.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Response;
use hyper::header::HeaderValue;
use serde_json::{Map, Value, json};

use crate::error::Refusal;
use crate::words::RegionId;

/// The fields of a JSON object.
pub(crate) type Fields = Map<String, Value>;

/// An answer about to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) request_id: String,
    /// The refusal's code, if it is one.
    pub(crate) code: Option<String>,
    /// How long the client is told to wait, if it is.
    pub(crate) retry_after: Option<Duration>,
    pub(crate) media_type: &'static str,
    pub(crate) body: Bytes,
}

/// The media type of all answers that are not deliberately broken.
const JSON: &str = "application/json;charset=utf-8";

impl Answer {
    /// Whatever an action answered; `RequestId` is added.
    pub(crate) fn success(request_id: &str, mut fields: Fields) -> Self {
        fields.insert("RequestId".to_owned(), Value::from(request_id));
        Self::new(200, request_id, &Value::Object(fields))
    }

    pub(crate) fn refusal(request_id: &str, refusal: &Refusal, region: &RegionId) -> Self {
        let code = &refusal.code;
        let body = json!({
            "RequestId": request_id,
            "HostId": format!("ecs.{region}.aliyuncs.com"),
            "Code": code,
            "Message": refusal.message,
            "Recommend": format!(
                "https://api.aliyun.com/troubleshoot?q={code}&product=Ecs&requestId={request_id}"
            ),
        });
        Self {
            code: Some(code.to_string()),
            ..Self::new(refusal.status, request_id, &body)
        }
    }

    fn new(status: u16, request_id: &str, body: &Value) -> Self {
        Self {
            status,
            request_id: request_id.to_owned(),
            code: None,
            retry_after: None,
            media_type: JSON,
            body: Bytes::from(body.to_string()),
        }
    }

    pub(crate) fn into_response(self) -> Response<Full<Bytes>> {
        let mut response = response(self.status, self.media_type, self.body);
        let millis = self.retry_after.map(|wait| wait.as_millis().to_string());
        let headers = [
            ("x-acs-request-id", Some(self.request_id)),
            ("x-acs-retry-after", millis),
        ];
        for (name, value) in headers {
            let value = value.and_then(|value| HeaderValue::from_str(&value).ok());
            if let Some(value) = value {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}

/// A response with a JSON body.
pub(crate) fn json_response(status: u16, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    response(status, JSON, body)
}

/// A response of any media type.
pub(crate) fn response(
    status: u16,
    media_type: &'static str,
    body: impl Into<Bytes>,
) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() =
        hyper::StatusCode::from_u16(status).unwrap_or(hyper::StatusCode::INTERNAL_SERVER_ERROR);
    let media_type = HeaderValue::from_static(media_type);
    response
        .headers_mut()
        .insert(hyper::header::CONTENT_TYPE, media_type);
    response
}
