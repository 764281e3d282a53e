//! The endpoints of the server: a request goes in, an answer comes out. No path, name or word of a
//! request reaches the file system: paths are compared with the ones below, and nothing else.
//!
//! | path | method | answer |
//! |---|---|---|
//! | `/`, `/page.js`, `/page.css` | GET | the page |
//! | `/predict?top=K` | POST | what `nnc predict --json` says of the body, on standard input |
//! | `/v2` | GET | the server |
//! | `/v2/health/live`, `/v2/health/ready` | GET | whether it runs |
//! | `/v2/models/NAME`, `/v2/models/NAME/ready` | GET | the model |
//! | `/v2/models/NAME/infer` | POST | outputs of tensors |

use super::Service;
use super::page;
use super::protocol;
use super::queue::InputBytes;
use crate::command::answer_json::json_answer;
use crate::command::answers::{Prediction, predictions};
use crate::command::http::{HttpMethod, HttpResponse, Refusal, ReplyTo, RequestHead, elsewhere};
use crate::command::inference::SampleOutputs;
use crate::data::{GivenInput, InputSample};
use serde_json::{Value, json};
use std::sync::Arc;

/// The most samples of a request.
pub(super) const MOST_SAMPLES: usize = 4096;
/// The most lines of a text or table.
const MOST_LINES: usize = 1 << 16;
/// The largest body that is read where requests are: a larger one would keep others waiting.
const SHORT_BODY: usize = 64 << 10;
/// The most classes of an answer.
const MOST_CLASSES: usize = 1000;

/// The places that paths lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Endpoint {
    Page,
    Script,
    Style,
    Predict,
    Server,
    Live,
    Ready,
    Model,
    ModelReady,
    Infer,
}

impl Endpoint {
    /// The endpoint of a path, on a server with a model of this name.
    fn of(path: &str, model: &str) -> Result<Endpoint, Refusal> {
        let unknown = || Refusal::new(404, "there is nothing at this path");
        let mut parts = path.strip_prefix('/').ok_or_else(unknown)?.split('/');
        Ok(match [(); 5].map(|()| parts.next()) {
            [Some(""), None, ..] => Endpoint::Page,
            [Some("page.js"), None, ..] => Endpoint::Script,
            [Some("page.css"), None, ..] => Endpoint::Style,
            [Some("predict"), None, ..] => Endpoint::Predict,
            [Some("v2"), None, ..] => Endpoint::Server,
            [Some("v2"), Some("health"), Some("live"), None, _] => Endpoint::Live,
            [Some("v2"), Some("health"), Some("ready"), None, _] => Endpoint::Ready,
            [Some("v2"), Some("models"), Some(name), more, None] => {
                let endpoint = match more {
                    None => Endpoint::Model,
                    Some("ready") => Endpoint::ModelReady,
                    Some("infer") => Endpoint::Infer,
                    Some(_) => return Err(unknown()),
                };
                if name != model {
                    let message = format!("there is no such model here; `{model}` is the one");
                    return Err(Refusal::new(404, &message));
                }
                endpoint
            }
            [Some("v2"), Some("models"), Some(_), Some("versions"), Some(_)] => {
                return Err(Refusal::new(404, "models have no versions here: leave it out"));
            }
            _ => return Err(unknown()),
        })
    }

    fn takes(self) -> (&'static [HttpMethod], &'static str) {
        match self {
            Endpoint::Predict | Endpoint::Infer => (&[HttpMethod::Post], "POST"),
            _ => (&[HttpMethod::Get, HttpMethod::Head], "GET, HEAD"),
        }
    }
}

/// Refuses what has no answer whatever its body is: an unknown path, a method that it does not take.
pub(super) fn check(service: &Service, head: &RequestHead) -> Result<(), Refusal> {
    let endpoint = Endpoint::of(&head.path, &service.model.name)?;
    let (methods, allow) = endpoint.takes();
    if methods.contains(&head.method) {
        return Ok(());
    }
    let message = format!("{} takes {allow}", head.path);
    Err(Refusal { allow: Some(allow), ..Refusal::new(405, &message) })
}

/// The answer to a request; `None` where it comes through `reply`.
pub(super) fn answer(
    service: &Arc<Service>,
    head: &RequestHead,
    body: Vec<u8>,
    reply: ReplyTo,
) -> Option<HttpResponse> {
    let model = &service.model;
    let endpoint = match Endpoint::of(&head.path, &model.name) {
        Ok(endpoint) => endpoint,
        Err(refusal) => return Some(refusal.into()),
    };
    Some(match endpoint {
        Endpoint::Page => HttpResponse::html(page::html(model)),
        Endpoint::Script => HttpResponse::file("text/javascript; charset=utf-8", page::SCRIPT),
        Endpoint::Style => HttpResponse::file("text/css; charset=utf-8", page::STYLE),
        Endpoint::Server => {
            let version = env!("CARGO_PKG_VERSION");
            HttpResponse::json(&json!({ "name": "nnc", "version": version, "extensions": [] }))
        }
        Endpoint::Live => HttpResponse::json(&json!({ "live": true })),
        Endpoint::Ready => ready(service, json!({ "ready": !service.state.is_draining() })),
        Endpoint::Model => {
            let fields = model.reader.fields();
            HttpResponse::json(&protocol::metadata(&model.name, fields, &model.outputs))
        }
        Endpoint::ModelReady => {
            ready(service, json!({ "name": model.name, "ready": !service.state.is_draining() }))
        }
        Endpoint::Infer if body.len() <= SHORT_BODY => {
            infer(service, &body, reply);
            return None;
        }
        Endpoint::Infer => {
            elsewhere(service, move |service| infer(service, &body, reply));
            return None;
        }
        Endpoint::Predict => {
            let query = head.query.clone();
            elsewhere(service, move |service| predict(service, &query, body, reply));
            return None;
        }
    })
}

fn ready(service: &Service, value: Value) -> HttpResponse {
    let status = if service.state.is_draining() { 503 } else { 200 };
    HttpResponse::json(&value).with_status(status)
}

/// The outputs of tensors.
fn infer(service: &Arc<Service>, body: &[u8], reply: ReplyTo) {
    let model = &service.model;
    let fields = model.reader.fields();
    let mut asked = match protocol::parse(body, fields, &model.outputs, MOST_SAMPLES) {
        Ok(asked) => asked,
        Err(message) => return reply.send(move || Refusal::new(400, &message).into()),
    };
    let samples = std::mem::take(&mut asked.samples);
    let own = Arc::clone(service);
    let answer = move |outputs: Vec<SampleOutputs>| -> Result<HttpResponse, Refusal> {
        let mut values = Vec::with_capacity(outputs.len());
        for (index, output) in outputs.into_iter().enumerate() {
            let refused = |reason| Refusal::new(400, &format!("sample {index}: {reason}"));
            values.push(output.map_err(refused)?);
        }
        let model = &own.model;
        Ok(HttpResponse::json_bytes(asked.answer(&model.name, &model.outputs, &values)))
    };
    let done = move |outputs| {
        reply.send(move || answer(outputs).unwrap_or_else(HttpResponse::from));
    };
    service.queue.ask(samples, Box::new(done));
}

/// The answers to a body such as `nnc predict -` takes on standard input.
fn predict(service: &Arc<Service>, query: &str, body: Vec<u8>, reply: ReplyTo) {
    let prepared = match Prepared::new(service, query, body) {
        Ok(prepared) => prepared,
        Err(refusal) => return reply.send(move || refusal.into()),
    };
    let readable: Vec<InputBytes> =
        prepared.read.iter().filter_map(|it| it.as_ref().ok()).cloned().collect();
    let own = Arc::clone(service);
    if readable.is_empty() {
        return reply.send(move || prepared.answer(&own, Vec::new()));
    }
    let done = move |outputs| reply.send(move || prepared.answer(&own, outputs));
    service.queue.ask(readable, Box::new(done));
}

/// A body that was read: its samples, and the bytes of each.
struct Prepared {
    samples: Vec<InputSample>,
    read: Vec<Result<InputBytes, String>>,
    /// The classes of an answer.
    top: usize,
}

impl Prepared {
    fn new(service: &Service, query: &str, body: Vec<u8>) -> Result<Prepared, Refusal> {
        let top = top(query)?;
        check_contents(&body)?;
        let reader = &service.model.reader;
        let samples = reader.samples(&GivenInput::Body(body));
        if samples.len() > MOST_SAMPLES {
            let message = format!("the body has {} samples; at most {MOST_SAMPLES}", samples.len());
            return Err(Refusal::new(413, &message));
        }
        let read = samples.iter().map(|sample| reader.read(sample)).collect();
        Ok(Prepared { samples, read, top })
    }

    /// The answers, from the outputs of the samples that could be read.
    fn answer(self, service: &Service, outputs: Vec<SampleOutputs>) -> HttpResponse {
        let model = &service.model;
        let mut outputs = outputs.into_iter();
        let answer = |(sample, read): (&InputSample, Result<InputBytes, String>)| {
            let values = read.and_then(|_| {
                outputs.next().unwrap_or_else(|| Err("it was not computed".to_owned()))
            });
            let answers = match values {
                Ok(values) => predictions(&model.outputs, &values, sample.positions(), self.top),
                Err(reason) => vec![Prediction::Unreadable(reason)],
            };
            let is_good = !matches!(answers[..], [Prediction::Unreadable(_)]);
            (is_good, json_answer("sample", &sample.name(), &model.outputs, &answers))
        };
        let (good, answers): (Vec<bool>, Vec<Value>) =
            self.samples.iter().zip(self.read).map(answer).unzip();
        let first = answers.first().and_then(|answer| answer["error"].as_str());
        let error = json!(first.unwrap_or("the body has no samples"));
        let mut object = json!({ "model": model.name, "answers": answers });
        if good.contains(&true) {
            return HttpResponse::json(&object);
        }
        object["error"] = error;
        HttpResponse::json(&object).with_status(400)
    }
}

/// How many classes an answer has, by the query.
fn top(query: &str) -> Result<usize, Refusal> {
    let wrong =
        || Refusal::new(400, &format!("the query may be `top=K`, K from 1 to {MOST_CLASSES}"));
    let mut top = 1;
    for part in query.split('&').filter(|part| !part.is_empty()) {
        let number = part.strip_prefix("top=").ok_or_else(wrong)?;
        top =
            number.parse().ok().filter(|top| (1..=MOST_CLASSES).contains(top)).ok_or_else(wrong)?;
    }
    Ok(top)
}

/// Refuses bodies that could be far larger than they look: what is packed, and texts of many lines.
fn check_contents(body: &[u8]) -> Result<(), Refusal> {
    if body.trim_ascii().is_empty() {
        return Err(Refusal::new(400, "the body is empty"));
    }
    if body.starts_with(&[0x1f, 0x8b]) || body.starts_with(b"PK") {
        let message = "packed files (gzip, zip, npz) are not taken: send what is in them";
        return Err(Refusal::new(415, message));
    }
    let lines = body.iter().filter(|&&byte| byte == b'\n').count();
    if lines > MOST_LINES && std::str::from_utf8(body).is_ok() {
        return Err(Refusal::new(413, &format!("the body has more than {MOST_LINES} lines")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_compared_and_nothing_else() {
        let of = |path: &str| Endpoint::of(path, "lenet").map_err(|refusal| refusal.status);
        assert_eq!(of("/"), Ok(Endpoint::Page));
        assert_eq!(of("/v2"), Ok(Endpoint::Server));
        assert_eq!(of("/v2/models/lenet"), Ok(Endpoint::Model));
        assert_eq!(of("/v2/models/lenet/infer"), Ok(Endpoint::Infer));
        assert_eq!(of("/v2/health/ready"), Ok(Endpoint::Ready));
        for unknown in [
            "",
            "//",
            "/v2/",
            "/v1",
            "/predict/",
            "/v2/models",
            "/v2/models/",
            "/v2/models/other",
            "/v2/models/lenet/",
            "/v2/models/lenet/infer/",
            "/v2/models/lenet/versions/1",
            "/v2/models/lenet/versions/1/infer",
            "/../etc/passwd",
            "/%2e%2e/",
            "/page.js/..",
        ] {
            assert_eq!(of(unknown), Err(404), "{unknown}");
        }
    }

    #[test]
    fn queries_and_contents_are_checked() {
        let of = |query: &str| top(query).map_err(|refusal| refusal.status);
        assert_eq!((of(""), of("top=5"), of("top=1&top=2")), (Ok(1), Ok(5), Ok(2)));
        for wrong in ["top=0", "top=1001", "top=-1", "top", "other=1", "top=1;x"] {
            assert_eq!(of(wrong), Err(400), "{wrong}");
        }
        let contents = |body: &[u8]| check_contents(body).map_err(|refusal| refusal.status);
        assert_eq!(contents(b"1,2"), Ok(()));
        assert_eq!(contents(b" \n"), Err(400));
        assert_eq!(contents(b"PK\x03\x04"), Err(415));
        assert_eq!(contents(&[0x1f, 0x8b, 8]), Err(415));
        assert_eq!(contents("a\n".repeat(MOST_LINES + 1).as_bytes()), Err(413));
    }
}
