//! The endpoints of the page: a request goes in, an answer comes out. Every path begins with the token.
//!
//! | path behind the token | answer |
//! |---|---|
//! | nothing | the page |
//! | `page.css`, `app.js`, … | its parts |
//! | `updates?since=V&curves=ID.G.N,…` | what is new since version V, and the rows behind the first N of generation G of some runs |
//! | `difference?runs=ID,ID` | the lines in which the programs of two runs differ |
//! | `run/ID` | the run's own page |

use super::UiService;
use super::difference::difference;
use super::library::CurvePosition;
use super::page;
use super::watched::{REPORT_BYTES, WatchedRun};
use crate::command::http::{HttpMethod, HttpResponse, Refusal, ReplyTo, RequestHead, elsewhere};
use crate::files::read;
use std::io::ErrorKind;
use std::sync::Arc;

/// The most runs whose curves are asked for at once.
const MOST_CURVES: usize = 500;
/// The policy of a run's own page: it has its styles, pictures and recordings within.
const REPORT_POLICY: &str = "default-src 'none'; img-src data:; media-src data:; \
                             style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; \
                             frame-ancestors 'none'; sandbox";

/// The places that paths lead to.
#[derive(Clone, Debug, PartialEq, Eq)]
enum UiEndpoint {
    Page,
    Part(&'static page::PagePart),
    Updates { since: u64, curves: Vec<CurvePosition> },
    Difference([String; 2]),
    Report(String),
}

impl UiEndpoint {
    /// The endpoint of a path behind the token.
    fn of(path: &str, query: &str) -> Result<UiEndpoint, Refusal> {
        if let Some(part) = page::PARTS.iter().find(|part| part.name == path) {
            return Ok(UiEndpoint::Part(part));
        }
        match path {
            "" => Ok(UiEndpoint::Page),
            "updates" => updates(query),
            "difference" => pair(query).map(UiEndpoint::Difference),
            _ => match path.strip_prefix("run/").filter(|id| is_id(id)) {
                Some(id) => Ok(UiEndpoint::Report(id.to_owned())),
                None => Err(Refusal::new(404, "there is nothing at this path")),
            },
        }
    }
}

fn is_id(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// How far a page is, by the query.
fn updates(query: &str) -> Result<UiEndpoint, Refusal> {
    let wrong =
        || Refusal::new(400, "the query may be `since=V` and `curves=ID.GENERATION.ROWS,…`");
    let (mut since, mut curves) = (0, Vec::new());
    for part in query.split('&').filter(|part| !part.is_empty()) {
        match part.split_once('=').ok_or_else(wrong)? {
            ("since", number) => since = number.parse().map_err(|_| wrong())?,
            ("curves", list) => {
                for one in list.split(',').filter(|one| !one.is_empty()).take(MOST_CURVES) {
                    curves.push(position(one).ok_or_else(wrong)?);
                }
            }
            _ => return Err(wrong()),
        }
    }
    Ok(UiEndpoint::Updates { since, curves })
}

/// The two runs of a difference, by the query.
fn pair(query: &str) -> Result<[String; 2], Refusal> {
    let ids = query.strip_prefix("runs=").and_then(|list| list.split_once(','));
    let ids = ids.filter(|(one, other)| is_id(one) && is_id(other));
    let (one, other) = ids.ok_or_else(|| Refusal::new(400, "the query is `runs=ID,ID`"))?;
    Ok([one.to_owned(), other.to_owned()])
}

fn position(text: &str) -> Option<CurvePosition> {
    let mut parts = text.split('.');
    let id = parts.next().filter(|id| is_id(id))?.to_owned();
    let (generation, rows) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    parts.next().is_none().then_some(CurvePosition { id, generation, rows })
}

/// The endpoint of a request; a refusal first of all where the token is wrong, whatever else is asked.
fn endpoint(service: &UiService, head: &RequestHead) -> Result<UiEndpoint, Refusal> {
    let message =
        "open the whole address that `nnc ui` printed: without its token there is no answer";
    let path = service.token.strip(&head.path).ok_or_else(|| Refusal::new(403, message))?;
    if !matches!(head.method, HttpMethod::Get | HttpMethod::Head) {
        let allow = "GET, HEAD";
        let refusal =
            Refusal::new(405, "nothing can be changed here: the methods are GET and HEAD");
        return Err(Refusal { allow: Some(allow), ..refusal });
    }
    UiEndpoint::of(path, &head.query)
}

/// Refuses what has no answer.
pub(super) fn check(service: &UiService, head: &RequestHead) -> Result<(), Refusal> {
    endpoint(service, head).map(drop)
}

/// The answer to a request; `None` where it comes through `reply`.
pub(super) fn answer(
    service: &Arc<UiService>,
    head: &RequestHead,
    reply: ReplyTo,
) -> Option<HttpResponse> {
    let endpoint = match endpoint(service, head) {
        Ok(endpoint) => endpoint,
        Err(refusal) => return Some(refusal.into()),
    };
    match endpoint {
        UiEndpoint::Page => {
            Some(HttpResponse::html(page::html(&service.folder, service.token.text())))
        }
        UiEndpoint::Part(part) => Some(HttpResponse::text(part.content_type, part.text())),
        UiEndpoint::Updates { since, curves } => {
            elsewhere(service, move |service| {
                let response = HttpResponse::json(&service.library().updates(since, &curves));
                reply.send(move || response);
            });
            None
        }
        UiEndpoint::Difference(ids) => {
            elsewhere(service, move |service| {
                let response = told(service, &ids).unwrap_or_else(HttpResponse::from);
                reply.send(move || response);
            });
            None
        }
        UiEndpoint::Report(id) => {
            elsewhere(service, move |service| {
                let response = report(service, &id).unwrap_or_else(HttpResponse::from);
                reply.send(move || response);
            });
            None
        }
    }
}

fn no_run() -> Refusal {
    Refusal::new(404, "there is no such run (any more)")
}

/// The difference of two programs.
fn told(service: &UiService, ids: &[String; 2]) -> Result<HttpResponse, Refusal> {
    let sources = |id: &String| {
        let library = service.library();
        let sources = library.run(id).ok_or_else(no_run)?.sources();
        sources.map_err(|reason| Refusal::new(404, &reason))
    };
    let [before, after] = ids;
    Ok(HttpResponse::json(&difference(&sources(before)?, &sources(after)?)))
}

/// The page of a run.
fn report(service: &UiService, id: &str) -> Result<HttpResponse, Refusal> {
    let path = service.library().run(id).map(WatchedRun::report).ok_or_else(no_run)?;
    match read::bytes(&path, REPORT_BYTES) {
        Ok(bytes) => Ok(HttpResponse::page(bytes, REPORT_POLICY)),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Err(Refusal::new(404, "the run has no page yet: it is written when the run ends"))
        }
        Err(error) => Err(Refusal::new(500, &format!("the page of the run {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_to_ids_and_parts_alone() {
        let of = |path: &str| UiEndpoint::of(path, "").map_err(|refusal| refusal.status);
        assert_eq!(of(""), Ok(UiEndpoint::Page));
        assert_eq!(of("run/0123456789ab"), Ok(UiEndpoint::Report("0123456789ab".to_owned())));
        assert!(of("app.js").is_ok());
        for unknown in [
            "run",
            "run/",
            "run/..",
            "run/0123456789a/",
            "run/0123456789abc",
            "run/../../etc/x",
            "run/%2e%2e",
            "../app.js",
            "app.js/",
            "/",
            "updates/",
            "run.json",
        ] {
            assert_eq!(of(unknown), Err(404), "{unknown}");
        }
    }

    #[test]
    fn queries_are_numbers_and_ids() {
        let of = |query: &str| updates(query).map_err(|refusal| refusal.status);
        let none = UiEndpoint::Updates { since: 0, curves: Vec::new() };
        assert_eq!((of(""), of("since=0&curves=")), (Ok(none.clone()), Ok(none)));
        let at = |rows| CurvePosition { id: "0123456789ab".to_owned(), generation: 1, rows };
        let curves = vec![at(2), at(3)];
        let good = of("since=7&curves=0123456789ab.1.2,0123456789ab.1.3");
        assert_eq!(good, Ok(UiEndpoint::Updates { since: 7, curves }));
        for wrong in [
            "since=-1",
            "since",
            "other=1",
            "curves=x.1.2",
            "curves=0123456789ab.1",
            "curves=0123456789ab.1.2.3",
            "curves=../../etc/pass.1.2",
            "since=1;curves=",
        ] {
            assert_eq!(of(wrong), Err(400), "{wrong}");
        }
        let of = |query: &str| pair(query).map_err(|refusal| refusal.status);
        assert!(of("runs=0123456789ab,0123456789ac").is_ok());
        for wrong in ["", "runs=", "runs=0123456789ab", "runs=0123456789ab,../x", "runs=a,b,c"] {
            assert_eq!(of(wrong), Err(400), "{wrong}");
        }
    }
}
