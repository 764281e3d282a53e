//! What this machine has and whether the program works on it: processor, compiled code, memory,
//! cache, data. Each finding says what to do where something is not as it should be.

use super::forecast::Machine;
use super::run::{Overrides, run};
use super::session::{Failure, Request, Session};
use crate::base::tensor::Tensor;
use crate::codegen::Target;
use crate::data::{Argument, Literal, Places, SourceRequest, schema};
use crate::runtime::pool::{Pool, default_threads};
use crate::runtime::trainer::{Event, Watcher};
use serde::Serialize;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, SystemTime};

/// How a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// As it should be.
    Ok,
    /// Worth knowing.
    Note,
    /// Something does not work.
    Problem,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What.
    pub name: &'static str,
    /// How it is.
    pub health: Health,
    /// What was found.
    pub found: String,
    /// What to do, where something is to be done.
    pub help: Option<String>,
}

impl Finding {
    fn ok(name: &'static str, found: String) -> Finding {
        Finding { name, health: Health::Ok, found, help: None }
    }

    fn note(name: &'static str, found: String, help: &str) -> Finding {
        Finding { name, health: Health::Note, found, help: Some(help.to_owned()) }
    }

    fn problem(name: &'static str, found: String, help: &str) -> Finding {
        Finding { name, health: Health::Problem, found, help: Some(help.to_owned()) }
    }
}

/// Looks at everything. `clean` takes away what killed runs have left in the cache.
pub fn doctor(request: &Request, clean: bool) -> Vec<Finding> {
    let mut findings = vec![processor(), targets(request), compiled(request), memory(request)];
    findings.push(speed(request));
    findings.extend(cache(request, clean));
    findings.push(data(request));
    findings
}

fn processor() -> Finding {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    let model = model.map_or(std::env::consts::ARCH.to_owned(), |(_, name)| name.trim().to_owned());
    let mut found = vec![model, format!("{} threads at hand", default_threads())];
    #[cfg(target_arch = "x86_64")]
    {
        let features = [
            ("sse4.1", is_x86_feature_detected!("sse4.1")),
            ("avx2", is_x86_feature_detected!("avx2")),
            ("fma", is_x86_feature_detected!("fma")),
            ("avx512f", is_x86_feature_detected!("avx512f")),
            ("avx512bw", is_x86_feature_detected!("avx512bw")),
            ("avx512vl", is_x86_feature_detected!("avx512vl")),
        ];
        let there: Vec<&str> =
            features.into_iter().filter(|(_, there)| *there).map(|(name, _)| name).collect();
        found.push(there.join(" "));
    }
    Finding::ok("processor", found.join(", "))
}

fn targets(request: &Request) -> Finding {
    let there: Vec<&str> =
        Target::ALL.iter().filter(|it| it.supported_on_host()).map(Target::name).collect();
    let chosen = request.target.name();
    let found = format!("{chosen} chosen of {}", there.join(", "));
    match chosen {
        "portable-no-fma" => {
            let help = "a processor without FMA instructions computes them in software, slowly";
            Finding::note("instruction sets", found, help)
        }
        _ => Finding::ok("instruction sets", found),
    }
}

/// A net with every kind of kernel in small.
const PROGRAM: &str = "data drawn = digits(train: 96, test: 32)

model net(image: f32[N, 28, 28, 1]) -> f32[N, 10] {
    image |> conv(4, 3, pad: 1) |> batch_norm |> relu |> max_pool(2) |> flatten |> dropout(0.1) |> dense(10)
}

train net on drawn {
    loss  = cross_entropy
    batch = 32
}
";

/// Trains a small net with each instruction set and with one and several threads: all must end with
/// the same bits.
fn compiled(request: &Request) -> Finding {
    const NAME: &str = "compiled code";
    let mut first: Option<(String, Vec<Tensor>)> = None;
    let there = Target::ALL.into_iter().filter(Target::supported_on_host);
    let mut tried = 0;
    for target in there {
        for threads in [1, 2] {
            let name = format!("{} with {threads} threads", target.name());
            let weights = match trained(request, target, threads) {
                Ok(weights) => weights,
                Err(failure) => {
                    let help = "please report it: compiled code does not run here";
                    return Finding::problem(NAME, format!("{name}: {failure:?}"), help);
                }
            };
            tried += 1;
            match &first {
                None => first = Some((name, weights)),
                Some((other, known)) if *known != weights => {
                    let help = "please report it: the bits should be the same";
                    return Finding::problem(NAME, format!("{name} and {other} differ"), help);
                }
                Some(_) => {}
            }
        }
    }
    Finding::ok(NAME, format!("runs, and gives the same bits in {tried} ways"))
}

fn trained(request: &Request, target: Target, threads: usize) -> Result<Vec<Tensor>, Failure> {
    struct Nobody;
    impl Watcher for Nobody {
        fn event(&mut self, _event: Event<'_>) {}
    }
    let file = PathBuf::from("doctor.nn");
    let mut session = Session::new(None);
    session.take_instead(file.clone(), PROGRAM.to_owned());
    let request =
        Request { file, target, network: false, data: None, model: None, ..request.clone() };
    let overrides = Overrides { threads, ..Overrides::default() };
    let run = run(&mut session, &request, &overrides, &|_, _| true)?;
    let mut pool = Pool::new(threads);
    let mut trainer = run.trainer(&mut pool);
    trainer
        .train(&mut Nobody, &AtomicBool::new(false))
        .map_err(|error| run.failure(&error, &session))?;
    Ok(run.weights().map(|(path, _)| trainer.read(path)).collect())
}

fn memory(request: &Request) -> Finding {
    const NAME: &str = "memory";
    let large = fs::read_to_string("/sys/kernel/mm/transparent_hugepage/enabled");
    let large = large.unwrap_or_default();
    let off = large.contains("[never]");
    match request.memory {
        None => Finding::note(NAME, "unknown".into(), "runs are not refused for their size here"),
        Some(bytes) => {
            let found = format!("{:.1} GB for this program", bytes as f64 / 1e9);
            match off {
                true => {
                    let help = "large pages are off: \
                                `/sys/kernel/mm/transparent_hugepage/enabled` may say `madvise`";
                    Finding::note(NAME, found, help)
                }
                false => Finding::ok(NAME, found),
            }
        }
    }
}

fn speed(request: &Request) -> Finding {
    let threads = default_threads();
    let machine = Machine::known(request.cache.as_deref(), &request.target, threads);
    Finding::ok("speed", machine.described())
}

fn cache(request: &Request, clean: bool) -> Vec<Finding> {
    const NAME: &str = "cache";
    let Some(folder) = &request.cache else {
        let help = "set HOME or XDG_CACHE_HOME: images are decoded anew in each run without one";
        return vec![Finding::problem(NAME, "no folder is known".into(), help)];
    };
    let writable = fs::create_dir_all(folder).and_then(|()| tempfile::tempfile_in(folder));
    if let Err(error) = writable {
        let found = format!("{}: {error}", folder.display());
        return vec![Finding::problem(NAME, found, "make the folder writable")];
    }
    let (mut bytes, mut left) = (0, Vec::new());
    look(folder, &mut bytes, &mut left, 0);
    let size = format!("{}, {:.1} MB", folder.display(), bytes as f64 / 1e6);
    let mut findings = vec![Finding::ok(NAME, size)];
    if !left.is_empty() {
        let count = left.len();
        findings.push(match clean {
            true => {
                let gone = left.iter().filter(|path| fs::remove_file(path).is_ok()).count();
                Finding::ok("leftovers", format!("{gone} of {count} files of killed runs removed"))
            }
            false => {
                let found = format!("{count} files of killed runs in the cache");
                Finding::note("leftovers", found, "`nnc doctor --clean` removes them")
            }
        });
    }
    findings
}

/// Adds up the files of a folder, and finds those that were being written more than an hour ago.
fn look(folder: &Path, bytes: &mut u64, left: &mut Vec<PathBuf>, depth: usize) {
    const LONG_AGO: Duration = Duration::from_secs(3600);
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let Ok(data) = entry.metadata() else { continue };
        if data.is_dir() {
            if depth < 8 {
                look(&entry.path(), bytes, left, depth + 1);
            }
            continue;
        }
        *bytes += data.len();
        let age = data.modified().ok().and_then(|it| SystemTime::now().duration_since(it).ok());
        let name = entry.file_name();
        let temporary = [b"writing-".as_slice(), b".writing-", b".tmp"];
        let is_left = temporary.iter().any(|start| name.as_encoded_bytes().starts_with(start));
        if is_left && age.is_some_and(|age| age > LONG_AGO) {
            left.push(entry.path());
        }
    }
}

/// Whether MNIST is there, without the network.
fn data(request: &Request) -> Finding {
    const NAME: &str = "data";
    let places = Places {
        beside: PathBuf::new(),
        nnc_data: request.nnc_data.clone(),
        override_: None,
        cache: request.cache.clone(),
        network: false,
        memory: request.memory,
    };
    let named = match &request.nnc_data {
        Some(folder) if folder.is_dir() => format!("NNC_DATA is {}", folder.display()),
        Some(folder) => {
            let found = format!("NNC_DATA is {}, which is no folder", folder.display());
            return Finding::problem(NAME, found, "set it to the folder that holds data sets");
        }
        None => "NNC_DATA is not set".to_owned(),
    };
    let argument = |name: &str, value| Argument { name: Some(name.to_owned()), value };
    let mnist = SourceRequest {
        name: "mnist".to_owned(),
        args: vec![argument("validation", Literal::Float(0.0))],
        transforms: Vec::new(),
    };
    let opened =
        schema(&mnist, &places).and_then(|_| crate::data::open(&mnist, &places, &|_, _| true));
    match opened {
        Ok(data) => {
            Finding::ok(NAME, format!("{named}; MNIST is there ({} samples)", data.train.count()))
        }
        Err(_) => {
            let help = "the first run on `mnist` downloads it, where there is a network";
            Finding::note(NAME, format!("{named}; MNIST is not there"), help)
        }
    }
}
