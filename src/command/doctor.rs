//! `nnc doctor`: checks whether nnc works on this machine: processor, compiled code, memory,
//! cache, data. Each finding says what to do where something is not as it should be.

use crate::base::shown::Show;
use crate::base::tensor::Tensor;
use crate::codegen::Target;
use crate::command::forecast::Machine;
use crate::data::{Argument, Literal, Places, SourceRequest, schema};
use crate::driver::session::{Failure, Request, Session};
use crate::files::{read, write};
use crate::run::build::{Overrides, run};
use crate::runtime::pool::{Pool, default_threads};
use crate::runtime::trainer::{Callback, Event};
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
    /// The finding, in a few words.
    pub found: String,
    /// Advice, where something is not as it should be.
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

/// Looks at everything. `clean` takes away what is in the cache, downloaded data aside.
pub fn doctor(request: &Request, clean: bool) -> Vec<Finding> {
    let mut findings = vec![processor(), targets(request), compiled(request), memory(request)];
    findings.push(speed(request));
    findings.extend(cache(request, clean));
    findings.push(data(request));
    findings
}

fn processor() -> Finding {
    let info = read::text(Path::new("/proc/cpuinfo"), read::RECORD).unwrap_or_default();
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
    impl Callback for Nobody {
        fn on_event(&mut self, _event: Event<'_>) {}
    }
    let file = PathBuf::from("doctor.nn");
    let mut session = Session::new(None);
    session.overlay(file.clone(), PROGRAM.to_owned());
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
    let large = Path::new("/sys/kernel/mm/transparent_hugepage/enabled");
    let large = read::text(large, read::RECORD).unwrap_or_default();
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
    let try_to_write = || write::check(&folder.join("doctor"));
    let writable = fs::create_dir_all(folder).and_then(|()| try_to_write());
    if let Err(error) = writable {
        let found = format!("{}: {error}", folder.shown());
        return vec![Finding::problem(NAME, found, "make the folder writable")];
    }
    let mut kept = Kept::default();
    kept.look(folder, true, 0);
    let megabytes = |files: &[(PathBuf, u64)]| {
        format!("{:.1} MB", files.iter().map(|(_, bytes)| bytes).sum::<u64>() as f64 / 1e6)
    };
    let Kept { made, left, .. } = &kept;
    let all: Vec<_> = [&made[..], left, &kept.data, &kept.open].concat();
    let size = format!("{}, {}", folder.shown(), megabytes(&all));
    let mut findings = vec![Finding::ok(NAME, size)];
    if clean {
        let gone = |files: &[(PathBuf, u64)]| -> Vec<(PathBuf, u64)> {
            files.iter().filter(|(path, _)| fs::remove_file(path).is_ok()).cloned().collect()
        };
        let (count, gone) = (made.len() + left.len(), gone(&[&made[..], left].concat()));
        let mut found = format!("{} of {count} files removed, {}", gone.len(), megabytes(&gone));
        if !kept.data.is_empty() {
            found.push_str(&format!("; downloaded data stay ({})", megabytes(&kept.data)));
        }
        findings.push(Finding::ok("cleaned", found));
    } else if !left.is_empty() {
        let found = format!("{} files of killed runs, {}", left.len(), megabytes(left));
        findings.push(Finding::note("leftovers", found, "`nnc doctor --clean` removes them"));
    }
    findings
}

/// The files of the cache and their bytes.
#[derive(Default)]
struct Kept {
    /// Files that can be made again: decoded images, measurements of the machine.
    made: Vec<(PathBuf, u64)>,
    /// Temporary files that are more than an hour old.
    left: Vec<(PathBuf, u64)>,
    /// Temporary files that another run may be writing.
    open: Vec<(PathBuf, u64)>,
    /// Downloads, which may not be available another time.
    data: Vec<(PathBuf, u64)>,
}

impl Kept {
    /// Looks through a folder; in the cache itself, folders of downloads are known by their names.
    fn look(&mut self, folder: &Path, top: bool, depth: usize) {
        const LONG_AGO: Duration = Duration::from_secs(3600);
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let Ok(data) = entry.metadata() else { continue };
            if data.is_dir() {
                let mut inside = Kept::default();
                if depth < 8 {
                    inside.look(&entry.path(), false, depth + 1);
                }
                self.left.append(&mut inside.left);
                self.open.append(&mut inside.open);
                self.data.append(&mut inside.data);
                match top && entry.file_name() == "mnist" {
                    true => self.data.append(&mut inside.made),
                    false => self.made.append(&mut inside.made),
                }
                continue;
            }
            let age = data.modified().ok().and_then(|it| SystemTime::now().duration_since(it).ok());
            let name = entry.file_name();
            let temporary = [b"writing-".as_slice(), b".writing-", b".tmp"];
            let written = temporary.iter().any(|start| name.as_encoded_bytes().starts_with(start));
            let kept = match written {
                false => &mut self.made,
                true if age.is_some_and(|age| age > LONG_AGO) => &mut self.left,
                true => &mut self.open,
            };
            kept.push((entry.path(), data.len()));
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
        Some(folder) if folder.is_dir() => format!("NNC_DATA is {}", folder.shown()),
        Some(folder) => {
            let found = format!("NNC_DATA is {}, which is no folder", folder.shown());
            return Finding::problem(NAME, found, "set it to the folder that holds data sets");
        }
        None => "NNC_DATA is not set".to_owned(),
    };
    let validation = Argument::named("validation", Literal::Float(0.0));
    let mnist = SourceRequest::new("mnist", vec![validation]);
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
