//! Several runs of one program: the folds of a cross-validation, the points of a sweep. They are made
//! in turn, each in a folder of its own, and what is done is not done again.
//!
//! ```text
//! runs/mnist-sweep/
//!   series.json            what is to be run
//!   program/mnist.nn       the program that all of them begin with
//!   lr=1e-3,seed=0/        the folder of a run
//!   results.csv            a row a run
//! ```

use crate::base::csv;
use crate::base::shown::Show;
use crate::driver::front::source_text;
use crate::driver::session::{Failure, Request, Session};
use crate::driver::set::{Setting, set};
use crate::files::{read, write};
use crate::run::build::Overrides;
use crate::run::folder::{KeptFile, RunFolder, RunResult, Status, make_folder};
use crate::run::job::{Job, RunPlace};
use crate::runtime::trainer::Scores;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The version of `series.json`.
const VERSION: u32 = 1;

/// The contents of `series.json`: the program and its runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct SeriesPlan {
    version: u32,
    /// The source file, as it was when the series began.
    program: Vec<KeptFile>,
    asked_model: Option<String>,
    data: Option<PathBuf>,
    limit: Option<usize>,
    overfit: Option<usize>,
    members: Vec<Member>,
}

/// A run of a series.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// The name of its folder: `lr=1e-3,seed=0`, `fold-1`.
    pub name: String,
    /// Its settings, which replace those of the program.
    pub settings: Vec<Setting>,
    /// The part of a cross-validation.
    pub fold: Option<(usize, usize)>,
}

/// A series whose folder this process writes to.
pub struct RunSeries {
    /// Where it is.
    pub root: PathBuf,
    request: Request,
    /// The text of the main file.
    text: String,
    plan: SeriesPlan,
    overrides: Overrides,
    /// Locks the folder.
    _folder: RunFolder,
}

/// The work that is left for a run of a series.
pub enum MemberState {
    /// Nothing.
    Done(Box<RunResult>),
    /// All, or what is left of it.
    Run(Box<Job>),
}

/// The runs of a cross-validation, if a program asks for one.
pub fn folds(job: &Job) -> Result<Option<Vec<Member>>, Failure> {
    let mut session = Session::new(None);
    let text = match &job.text {
        Some(text) => text.clone(),
        None => source_text(&job.request.file)?,
    };
    session.overlay(job.request.file.clone(), text);
    // Most programs have no folds: those need not be elaborated twice.
    if !session.has_setting(&job.request, "folds")? {
        return Ok(None);
    }
    let front = session.front(&job.request, true)?;
    let folds = front.experiment.training.and_then(|training| training.settings.folds);
    let member = |folds: usize| {
        move |fold: usize| Member {
            name: format!("fold-{}", fold + 1),
            settings: Vec::new(),
            fold: Some((fold, folds)),
        }
    };
    Ok(folds.map(|folds| (0..folds).map(member(folds)).collect()))
}

/// The runs of a sweep: one for each choice of a value for every key. A value may be a range,
/// `0..4` or `0..=3`, or several between commas.
pub fn sweep(settings: &[Setting]) -> Result<Vec<Member>, Failure> {
    /// More are a mistake.
    const MOST: usize = 10_000;
    let mut chosen: Vec<Vec<Setting>> = vec![Vec::new()];
    for Setting { key, value } in settings {
        let values = values(value).map_err(Failure::Io)?;
        if chosen.len() * values.len() > MOST {
            return Err(Failure::Io(format!("a sweep of more than {MOST} runs")));
        }
        let with = |before: &Vec<Setting>| -> Vec<Vec<Setting>> {
            let one = |value: &String| {
                let setting = Setting { key: key.clone(), value: value.clone() };
                before.iter().cloned().chain([setting]).collect()
            };
            values.iter().map(one).collect()
        };
        chosen = chosen.iter().flat_map(with).collect();
    }
    let mut members: Vec<Member> = Vec::new();
    for settings in chosen {
        let said = settings.iter().map(|it| format!("{}={}", it.key, it.value));
        let plain = folder_name(&said.collect::<Vec<_>>().join(","));
        let taken = |name: &str| members.iter().any(|member| member.name == name);
        let mut names =
            std::iter::once(plain.clone()).chain((2..).map(|it| format!("{plain}-{it}")));
        let name = names.find(|name| !taken(name)).expect("numbers do not end");
        members.push(Member { name, settings, fold: None });
    }
    Ok(members)
}

/// A folder's name for settings: what file systems or shells give a meaning becomes `_`.
fn folder_name(said: &str) -> String {
    const MOST: usize = 120;
    let plain = |c: char| c.is_ascii_alphanumeric() || "=,.-+_".contains(c);
    said.chars().map(|c| if plain(c) { c } else { '_' }).take(MOST).collect()
}

/// The values of a sweep's key.
fn values(text: &str) -> Result<Vec<String>, String> {
    let mut values = Vec::new();
    for part in split(text) {
        match range(part)? {
            Some(numbers) => values.extend(numbers),
            None if part.is_empty() => return Err(format!("`{text}` has an empty value")),
            None => values.push(part.to_owned()),
        }
    }
    Ok(values)
}

/// The parts between commas that stand in no brackets and no string.
fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut depth, mut quoted) = (Vec::new(), 0, 0i32, false);
    for (at, c) in text.char_indices() {
        match c {
            '"' => quoted = !quoted,
            '(' | '[' if !quoted => depth += 1,
            ')' | ']' if !quoted => depth -= 1,
            ',' if !quoted && depth == 0 => {
                parts.push(text[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(text[start..].trim());
    parts
}

/// The numbers of `0..4`, without its end, or of `0..=3`.
fn range(text: &str) -> Result<Option<Vec<String>>, String> {
    let Some((first, end)) = text.split_once("..") else { return Ok(None) };
    let (end, inclusive) = match end.strip_prefix('=') {
        Some(end) => (end, true),
        None => (end, false),
    };
    let (Ok(first), Ok(end)) = (first.trim().parse::<i64>(), end.trim().parse::<i64>()) else {
        return Ok(None);
    };
    let numbers: Vec<String> = match inclusive {
        true => (first..=end).map(|it| it.to_string()).collect(),
        false => (first..end).map(|it| it.to_string()).collect(),
    };
    if numbers.is_empty() {
        return Err(format!("the range `{text}` is empty"));
    }
    Ok(Some(numbers))
}

impl RunSeries {
    /// Begins a series, or goes on with it if its folder holds the same one. `stem` names the
    /// folder where `out` does not.
    pub fn begin(
        job: &Job,
        out: Option<&Path>,
        stem: &str,
        members: Vec<Member>,
    ) -> Result<RunSeries, Failure> {
        let request = job.request.clone();
        let text = match &job.text {
            Some(text) => text.clone(),
            None => source_text(&request.file)?,
        };
        let overrides = job.overrides.clone();
        let mut plan = SeriesPlan {
            version: VERSION,
            program: Vec::new(),
            asked_model: request.model.clone(),
            data: request.data.clone(),
            limit: overrides.limit,
            overfit: overrides.overfit,
            members,
        };
        let path = std::path::absolute(&request.file).unwrap_or_else(|_| request.file.clone());
        let same = |root: &Path| match (read(root), main_text(root)) {
            (Ok(known), Ok(kept)) => {
                let of_file = known.program.iter().any(|file| file.path == path);
                of_file && kept == text && SeriesPlan { program: Vec::new(), ..known } == plan
            }
            _ => false,
        };
        let root = match out {
            Some(out) => out.to_path_buf(),
            None => first_fitting(stem, &same),
        };
        let goes_on = root.join(FILE).is_file();
        if goes_on && !same(&root) {
            return Err(Failure::Io(format!(
                "{} holds another series of runs, or one of another program; choose another `--out`",
                root.shown()
            )));
        }
        let folder = match goes_on {
            true => RunFolder::locked(&root)?,
            false => RunFolder::create(Some(&root), stem)?,
        };
        if !goes_on {
            plan.program = folder.keep_program(&[(request.file.clone(), text.clone())])?;
            let json = serde_json::to_string_pretty(&plan)
                .map_err(|error| Failure::Io(error.to_string()))?;
            folder.write(&root.join(FILE), json.as_bytes())?;
        }
        Ok(RunSeries { root, request, text, plan, overrides, _folder: folder })
    }

    /// Goes on with the series of a folder.
    pub fn resume(
        root: &Path,
        request: &Request,
        overrides: &Overrides,
    ) -> Result<RunSeries, Failure> {
        let plan = read(root)?;
        let folder = RunFolder::locked(root)?;
        let text = main_text(root)?;
        let mut request = request.clone();
        if let Some(main) = plan.program.first() {
            request.file = main.path.clone();
        }
        request.model = plan.asked_model.clone();
        request.data = request.data.or(plan.data.clone());
        let overrides = Overrides { limit: plan.limit, overfit: plan.overfit, ..overrides.clone() };
        Ok(RunSeries { root: root.to_path_buf(), request, text, plan, overrides, _folder: folder })
    }

    /// Whether a folder is that of a series.
    pub fn is_one(root: &Path) -> bool {
        root.join(FILE).is_file()
    }

    /// The runs.
    pub fn members(&self) -> &[Member] {
        &self.plan.members
    }

    /// The work that is left for a run: none where its folder says that it has finished.
    pub fn left(&self, member: &Member) -> Result<MemberState, Failure> {
        let root = self.root.join(&member.name);
        let place = if RunFolder::is_one(&root) {
            let info = RunFolder::read(&root)?.info()?;
            match (info.status, info.result) {
                (Status::Finished, Some(result)) => return Ok(MemberState::Done(Box::new(result))),
                _ => RunPlace::Resumed(root, None),
            }
        } else {
            RunPlace::New(Some(root))
        };
        let text = set(&self.text, self.request.model.as_deref(), &member.settings)?;
        let said = |it: &Setting| format!("{}={}", it.key, it.value);
        Ok(MemberState::Run(Box::new(Job {
            force: false,
            request: self.request.clone(),
            text: Some(text),
            set: member.settings.iter().map(said).collect(),
            overrides: Overrides { fold: member.fold, ..self.overrides.clone() },
            place,
        })))
    }

    /// Writes a row for each run that is done.
    pub fn write_results(&self, results: &[(Member, RunResult)]) -> Result<PathBuf, Failure> {
        let path = self.root.join("results.csv");
        let mut text = String::new();
        for (index, (member, result)) in results.iter().enumerate() {
            let columns = columns(result);
            if index == 0 {
                let keys = member.settings.iter().map(|it| it.key.clone());
                let names = std::iter::once("run".to_owned()).chain(keys);
                let names = names.chain(columns.iter().map(|(name, _)| name.clone()));
                text.push_str(&csv::row(names));
            }
            let values = member.settings.iter().map(|it| csv::cell(&it.value));
            let values = std::iter::once(csv::cell(&member.name)).chain(values);
            let values = values.chain(columns.iter().map(|(_, value)| value.to_string()));
            text.push_str(&csv::row(values));
        }
        write::replace(&path, text.as_bytes())
            .map_err(|error| Failure::Io(format!("cannot write {}: {error}", path.shown())))?;
        Ok(path)
    }
}

/// The numbers of a run that runs are compared by, with their names.
pub fn columns(result: &RunResult) -> Vec<(String, f64)> {
    let mut columns = Vec::new();
    let mut put = |prefix: &str, scores: &Scores| {
        columns.push((format!("{prefix}loss"), scores.loss));
        columns.extend(scores.metrics.iter().map(|(name, it)| (format!("{prefix}{name}"), *it)));
    };
    put("", &result.train);
    result.validation.iter().for_each(|scores| put("val_", scores));
    result.test.iter().for_each(|scores| put("test_", scores));
    columns.push(("epochs".into(), result.epochs as f64));
    columns.push(("seconds".into(), result.seconds));
    columns
}

/// Mean and sample standard deviation; that of a single number is none.
pub fn spread(values: &[f64]) -> (f64, Option<f64>) {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    if values.len() < 2 {
        return (mean, None);
    }
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, Some((squares / (values.len() - 1) as f64).sqrt()))
}

/// Name of the file with the series' plan.
const FILE: &str = "series.json";

fn read(root: &Path) -> Result<SeriesPlan, Failure> {
    let path = root.join(FILE);
    let text = read::text(&path, read::RECORD)
        .map_err(|error| Failure::Io(format!("cannot read {}: {error}", path.shown())))?;
    let wrong = |what: String| Failure::Data(format!("{}: {what}", path.shown()));
    let plan: SeriesPlan = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    if plan.version != VERSION {
        return Err(wrong(format!("is of version {}; this build reads {VERSION}", plan.version)));
    }
    let names = plan.members.iter().map(|member| &member.name);
    match names
        .chain(plan.program.iter().map(|file| &file.name))
        .find(|name| !crate::run::folder::is_plain(name))
    {
        Some(name) => Err(wrong(format!("`{name}` is not the name of a folder"))),
        None => Ok(plan),
    }
}

/// The text of the main file that was kept.
fn main_text(root: &Path) -> Result<String, Failure> {
    let plan = read(root)?;
    match plan.program.first() {
        Some(file) => source_text(&root.join("program").join(&file.name)),
        None => Err(Failure::Data(format!("{} has kept no program", root.shown()))),
    }
}

/// The first of `runs/STEM`, `runs/STEM-2`, … that holds the same series or is not there.
fn first_fitting(stem: &str, same: &dyn Fn(&Path) -> bool) -> PathBuf {
    let runs = Path::new("runs");
    let mut names = std::iter::once(stem.to_owned()).chain((2..).map(|it| format!("{stem}-{it}")));
    let fits = |name: &String| {
        let root = runs.join(name);
        !root.exists() || same(&root)
    };
    let _ = make_folder(runs);
    runs.join(names.find(fits).expect("numbers do not end"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(settings: &[&str]) -> Vec<String> {
        let settings: Vec<Setting> =
            settings.iter().map(|text| Setting::parse(text).unwrap()).collect();
        sweep(&settings).unwrap().into_iter().map(|member| member.name).collect()
    }

    #[test]
    fn every_choice_of_values_is_a_run() {
        assert_eq!(
            names(&["lr=1e-3,3e-3", "seed=0..2"]),
            ["lr=1e-3,seed=0", "lr=1e-3,seed=1", "lr=3e-3,seed=0", "lr=3e-3,seed=1"]
        );
        assert_eq!(names(&["seed=1..=2"]), ["seed=1", "seed=2"]);
        assert_eq!(
            names(&["lr=cosine(1e-3, warmup: 10),0.1"]),
            ["lr=cosine_1e-3,_warmup__10_", "lr=0.1"]
        );
        assert_eq!(names(&["lr=1,1"]), ["lr=1", "lr=1-2"]);
        assert_eq!(names(&["init_from=\"../../x\""]), ["init_from=_.._.._x_"]);
    }

    #[test]
    fn empty_ranges_and_values_are_refused() {
        for wrong in ["seed=3..3", "lr=1,,2"] {
            assert!(sweep(&[Setting::parse(wrong).unwrap()]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_spread_is_of_a_sample() {
        assert_eq!(spread(&[1.0, 3.0]), (2.0, Some(2.0f64.sqrt())));
        assert_eq!(spread(&[5.0]), (5.0, None));
    }
}
