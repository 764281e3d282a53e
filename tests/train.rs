//! Training through the library, as `nnc run` does it: real MNIST where there is some, drawn
//! digits otherwise; batches that don't divide, repeatability, and runs that must stop.
//!
//! `NNC_DATA` names the folder that holds `mnist/`. Where `CI` is set, that data must be there;
//! elsewhere the test of it says that it is skipped.

#[path = "train/schedules.rs"]
mod schedules;
mod support;

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use nnc::base::tensor::Tensor;
use nnc::codegen::Target;
use nnc::command;
use nnc::data::SplitPass;
use nnc::driver::{self, Failure, Request, Session, Setting};
use nnc::run;
use nnc::run::{BuiltRun, Overrides};
use nnc::runtime::pool::Pool;
use nnc::runtime::trainer::{
    Callback, EpochRecord, Event, Scores, TrainError, Trainer, TrainingOutcome,
};

fn request(file: &Path) -> Request {
    Request { nnc_data: std::env::var_os("NNC_DATA").map(PathBuf::from), ..Request::new(file) }
}

/// Remembers epochs; where the system tells, looks at the rights of the process's pages.
#[derive(Default)]
struct Records {
    epochs: Vec<EpochRecord>,
    steps: Vec<usize>,
}

impl Callback for Records {
    fn on_event(&mut self, event: Event<'_>) {
        match event {
            Event::EpochStarted { steps, .. } => self.steps.push(steps),
            Event::Stepped { .. }
            | Event::Skipped { .. }
            | Event::RateHalved { .. }
            | Event::ThreadsChanged(_)
            | Event::Notice(_) => {}
            Event::EpochEnded { record, .. } => {
                self.epochs.push(record.clone());
                assert_eq!(writable_code(), Vec::<String>::new());
            }
        }
    }
}

/// Pages of this process that are writable and executable, while its code is in use.
fn writable_code() -> Vec<String> {
    let map = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let rights = |line: &str| line.split_whitespace().nth(1).unwrap_or("").to_string();
    let both = |line: &&str| rights(line).contains('w') && rights(line).contains('x');
    map.lines().filter(both).map(str::to_string).collect()
}

/// Nobody follows the reading of data.
const WATCH: nnc::data::Watch<'_> = &|_, _| true;

/// A program in a folder of its own.
struct Case {
    folder: tempfile::TempDir,
}

impl Case {
    fn new(text: &str) -> Case {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("main.nn"), text).expect("a file");
        Case { folder }
    }

    /// The program's file with settings in it, as `--set` puts them there.
    fn file(&self, settings: &[String]) -> PathBuf {
        let main = self.folder.path().join("main.nn");
        if settings.is_empty() {
            return main;
        }
        let text = std::fs::read_to_string(main).expect("a file");
        let settings: Vec<Setting> =
            settings.iter().map(|text| Setting::parse(text).expect("a setting")).collect();
        let text = driver::set(&text, None, &settings).unwrap_or_else(|it| panic!("{it:?}"));
        let file = self.folder.path().join("set.nn");
        std::fs::write(&file, text).expect("a file");
        file
    }

    fn prepare(&self, settings: &[String]) -> (Session, BuiltRun) {
        self.prepare_for(Target::detect(), settings)
    }

    fn prepare_for(&self, target: Target, settings: &[String]) -> (Session, BuiltRun) {
        let mut session = Session::new(None);
        let request = Request { target, ..request(&self.file(settings)) };
        let run = run::run(&mut session, &request, &Overrides::default(), WATCH)
            .unwrap_or_else(|failure| panic!("{failure:?}"));
        (session, run)
    }
}

/// So many epochs, instead of what the program says.
fn epochs(count: usize) -> String {
    format!("train.epochs={count}")
}

/// Another seed, if one is given.
fn seeded(seed: Option<u64>) -> Option<String> {
    seed.map(|seed| format!("train.seed={seed}"))
}

/// What a run gives.
struct Trained {
    records: Records,
    outcome: Result<TrainingOutcome, TrainError>,
    test: Option<Scores>,
    weights: Vec<(String, Tensor)>,
}

fn train(run: &BuiltRun, threads: usize) -> Trained {
    let mut pool = Pool::new(threads);
    let mut trainer = run.trainer(&mut pool);
    let mut records = Records::default();
    let outcome = trainer.train(&mut records, &AtomicBool::new(false));
    let tested = outcome == Ok(TrainingOutcome::Finished) && run.data.test.count() > 0;
    let test = tested.then(|| trainer.evaluate(SplitPass::Test, &[], &mut |_| {}).expect("scores"));
    Trained { records, outcome, test, weights: weights(run, &trainer) }
}

fn weights(run: &BuiltRun, trainer: &Trainer<'_>) -> Vec<(String, Tensor)> {
    run.weights().map(|(path, _)| (path.to_string(), trainer.read(path))).collect()
}

fn accuracy(scores: &Scores) -> f64 {
    scores.metrics.iter().find(|(name, _)| name == "accuracy").expect("the accuracy").1
}

#[test]
fn real_mnist() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/mnist.nn");
    let mut session = Session::new(None);
    let there = std::env::var_os("NNC_DATA")
        .is_some_and(|folder| Path::new(&folder).join("mnist").is_dir());
    if !there {
        let ci = std::env::var_os("CI").is_some();
        assert!(!ci, "NNC_DATA must name a folder with mnist/ in it where CI is set");
        eprintln!("skipped: NNC_DATA names no folder with mnist/ in it");
        return;
    }
    let run = run::run(&mut session, &request(&file), &Overrides::default(), WATCH)
        .unwrap_or_else(|failure| panic!("{failure:?}"));
    assert_eq!(run.data.notice, None, "real data, not the fallback");
    assert_eq!(run.data.train.count() + run.data.validation.count(), 60_000);
    let trained = train(&run, 2);
    assert_eq!(trained.outcome, Ok(TrainingOutcome::Finished));
    let test = trained.test.expect("a test split");
    let reached = accuracy(&test);
    assert!(reached >= 0.972, "test accuracy {reached}");
    let epochs = &trained.records.epochs;
    let losses: Vec<f64> = epochs.iter().map(|epoch| epoch.train.loss).collect();
    assert!(losses.len() == 5 && losses.windows(2).all(|pair| pair[1] < pair[0]), "{losses:?}");
    let second = accuracy(epochs[1].validation.as_ref().expect("a validation split"));
    assert!(second >= 0.96, "validation accuracy {second} after two epochs");
    let validation = epochs[4].validation.as_ref().unwrap();
    assert!((accuracy(validation) - reached).abs() < 0.02, "validation and test agree");
}

const DIGITS: &str = "
data drawn = digits(train: 1030, test: 300, validation: 0.1)

model net(image: f32[N, 28, 28, 1]) -> f32[N, 10] {
    image |> flatten |> dense(32) |> relu |> dropout(0.2) |> dense(10)
}

train net on drawn {
    loss      = cross_entropy
    optimizer = adam(lr: 3e-3)
    epochs    = 6
    batch     = 32
    metrics   = [accuracy]
    LAST
}
";

#[test]
fn drawn_digits_are_learnt_and_the_last_batch_counts() {
    let case = Case::new(&DIGITS.replace("LAST", ""));
    let (_, run) = case.prepare(&[]);
    let samples = run.data.train.count();
    assert_ne!(samples % 32, 0, "a batch that does not divide");
    let trained = train(&run, 2);
    assert_eq!(trained.outcome, Ok(TrainingOutcome::Finished));
    let epochs = &trained.records.epochs;
    assert_eq!(epochs.len(), 6);
    for record in epochs {
        assert_eq!((record.steps, record.samples), (samples.div_ceil(32), samples));
    }
    assert!(epochs[5].train.loss < 0.6 * epochs[0].train.loss, "{epochs:?}");
    let reached = accuracy(&trained.test.expect("a test split"));
    assert!(reached > 0.5, "test accuracy {reached}");
}

#[test]
fn the_last_batch_can_be_dropped() {
    let case = Case::new(&DIGITS.replace("LAST", "last_batch = drop"));
    let (_, run) = case.prepare(&[epochs(1)]);
    let full = run.data.train.count() / 32;
    let trained = train(&run, 1);
    let record = &trained.records.epochs[0];
    assert_eq!((record.steps, record.samples), (full, full * 32));
    assert_eq!(trained.records.steps, [full]);
}

#[test]
fn a_run_is_the_same_again_with_other_threads_and_not_with_another_seed() {
    let case = Case::new(&DIGITS.replace("LAST", ""));
    let train = |threads, seed| {
        let settings: Vec<String> = [epochs(2)].into_iter().chain(seeded(seed)).collect();
        let trained = train(&case.prepare(&settings).1, threads);
        let scores: Vec<_> = trained.records.epochs.into_iter().map(|epoch| epoch.train).collect();
        (trained.weights, scores, trained.test)
    };
    let first = train(2, None);
    assert_eq!(train(2, None), first);
    assert_eq!(train(1, None), first);
    assert_eq!(train(3, Some(0)), first, "0 is the default");
    assert_ne!(train(2, Some(1)).0, first.0);
}

/// An idx file: unsigned bytes of these sizes.
fn idx(sizes: &[u32], bytes: &[u8]) -> Vec<u8> {
    let mut file = vec![0, 0, 8, sizes.len() as u8];
    file.extend(sizes.iter().flat_map(|size| size.to_be_bytes()));
    file.extend(bytes);
    file
}

#[test]
fn the_memory_that_check_forecasts_is_that_of_the_run_to_the_byte() {
    // A smaller last batch, and evaluation steps larger than those of training.
    let case = Case::new(
        "data drawn = digits(train: 150, validation: 0.2, test: 300)
model net(image: f32[N, 28, 28, 1]) -> f32[N, 10] {
    image |> conv(8, 3, bias: false) |> batch_norm |> relu |> max_pool(2) |> flatten |> dense(10)
}
train net on drawn {
    loss    = cross_entropy
    metrics = [accuracy]
    batch   = 16
}
",
    );
    let (_, run) = case.prepare(&[]);
    for threads in [1, 2, 5] {
        let file = case.folder.path().join("main.nn");
        let wanted = command::CheckOptions { threads, time: false };
        let report = command::check(&mut Session::new(None), &request(&file), wanted);
        assert_eq!(report.expect("a sound program").arena(), run.arena(threads));
    }
}

#[test]
fn a_label_out_of_range_names_the_sample() {
    let case = Case::new(
        "data few = idx(images: \"images\", labels: \"labels\")
model net(image: f32[N, 2, 2, 1]) -> f32[N, 3] { image |> flatten |> dense(3) }
// Written so that no check sees which class is picked: that a head is too narrow is an error.
loss picked(logits: f32[N, K], label: i32[N]) -> f32[N] { -pick(log_softmax(logits), label * 1) }
train net on few {
    loss  = picked
    batch = 4
}
",
    );
    let mut labels = [0, 1, 2, 0, 1, 2, 0, 1, 2, 0];
    let write = |labels: &[u8]| {
        let folder = case.folder.path();
        let pixels: Vec<u8> = (0..40).map(|i| i * 6).collect();
        std::fs::write(folder.join("images"), idx(&[10, 2, 2], &pixels)).unwrap();
        std::fs::write(folder.join("labels"), idx(&[10], labels)).unwrap();
    };
    write(&labels);
    assert_eq!(train(&case.prepare(&[]).1, 2).outcome, Ok(TrainingOutcome::Finished));

    labels[7] = 3;
    write(&labels);
    let (session, run) = case.prepare(&[]);
    let error = train(&run, 2).outcome.expect_err("the label 3 of three classes");
    let TrainError::BadIndex { split: "train", sample: 7, .. } = error else {
        panic!("{error:?}");
    };
    let Failure::Program { diagnostics, sources } = run.failure(&error, &session) else {
        panic!("{error:?} is the program's or the data's");
    };
    assert!(diagnostics[0].message.contains("sample 7"), "{diagnostics:?}");
    let place = diagnostics[0].place().expect("the place that uses the label");
    assert!(sources.file(place.file).name.ends_with("main.nn"), "{}", sources.place(place));
}

#[test]
fn a_loss_that_is_not_finite_stops_with_the_parameters_as_they_were() {
    // One step an epoch, so that a run of fewer epochs ends where the failing one was.
    let case = Case::new(
        "data drawn = digits(train: 64, test: 0)
model net(image: f32[N, 28, 28, 1]) -> f32[N, 10] { image |> flatten |> dense(10) }
train net on drawn {
    loss      = mse_of_label
    optimizer = sgd(lr: 1e4)
    epochs    = 100
    batch     = 64
}
loss mse_of_label(output: f32[N, K], label: i32[N]) -> f32[N] {
    let error = sum(output, axis: 1) - cast(label, f32)
    error * error
}
",
    );
    let trained = train(&case.prepare(&[]).1, 2);
    let Err(TrainError::NotFinite { epoch, step: 1, .. }) = trained.outcome else {
        panic!("{:?}", trained.outcome);
    };
    assert!((2..100).contains(&epoch), "epoch {epoch}");
    let before = train(&case.prepare(&[epochs(epoch - 1)]).1, 2);
    assert_eq!(before.outcome, Ok(TrainingOutcome::Finished));
    assert_eq!(trained.weights, before.weights);
    let finite = |(_, value): &(String, Tensor)| value.as_f32().iter().all(|x| x.is_finite());
    assert!(trained.weights.iter().all(finite));
}

#[test]
fn a_run_that_is_asked_to_stop_ends_after_a_whole_step() {
    let case = Case::new(&DIGITS.replace("LAST", ""));
    let (_, run) = case.prepare(&[]);
    let mut pool = Pool::new(2);
    let mut trainer = run.trainer(&mut pool);
    struct Stopping<'a>(&'a AtomicBool);
    impl Callback for Stopping<'_> {
        fn on_event(&mut self, event: Event<'_>) {
            if let Event::Stepped { step: 16.., .. } = event {
                self.0.store(true, std::sync::atomic::Ordering::Relaxed);
            }
        }
    }
    let stop = AtomicBool::new(false);
    assert_eq!(trainer.train(&mut Stopping(&stop), &stop), Ok(TrainingOutcome::Stopped));
    assert!((16..run.data.train.count() as u64 / 32).contains(&trainer.steps_made()));
    let finite = |(_, value): &(String, Tensor)| value.as_f32().iter().all(|x| x.is_finite());
    assert!(weights(&run, &trainer).iter().all(finite));
}

/// Photos of three classes, 20×20 pixels and drawn by a formula, as BMP files.
fn photos(folder: &Path) {
    for class in 0..3u32 {
        let folder = folder.join(format!("photos/{class}"));
        std::fs::create_dir_all(&folder).expect("a folder");
        for number in 0..14u32 {
            let byte = |x: u32, y: u32, c: u32| (x * (class + 1) * 7 + y * number + c * 60) as u8;
            let pixels = (0..400).flat_map(|at| [0, 1, 2].map(|c| byte(at % 20, at / 20, c)));
            let mut file = b"BM".to_vec();
            // The file's size, its first pixel; then the header of 40 bytes.
            for word in [54 + 1200, 0, 54, 40, 20, 20, 1 | 24 << 16, 0, 1200, 0, 0, 0, 0] {
                file.extend(u32::to_le_bytes(word));
            }
            file.extend(pixels);
            std::fs::write(folder.join(format!("{number}.bmp")), file).expect("a file");
        }
    }
}

#[test]
fn augmented_runs_are_the_same_for_any_number_of_threads() {
    const PHOTOS: &str = "
data shots = images(\"photos\", size: [20, 20], validation: 0.2)
    |> resize(24, mode: crop) |> random_flip(both) |> random_crop(20, pad: 2, fill: reflect)
    |> random_rotate(20) |> random_zoom(0.2, fill: edge)
    |> color_jitter(brightness: 0.3, contrast: 0.3, saturation: 0.3, hue: 0.1)
    |> random_erase(value: random) |> mixup(0.4) |> cutmix
    |> normalize(mean: [0.4, 0.5, 0.6], std: [0.2, 0.25, 0.3])

model net(image: f32[N, 20, 20, 3]) -> f32[N, 3] {
    LAYERS |> dense(shots.classes)
}

train net on shots {
    loss    = cross_entropy
    batch   = 8
    epochs  = 3
    metrics = [accuracy]
}
";
    let layers = [
        "image |> flatten |> dense(16) |> relu |> dropout(0.2)",
        "image |> conv(8, 3, pad: 1) |> relu |> max_pool(2) |> conv(9, 3) |> batch_norm |> relu
               |> flatten |> dropout(0.2)",
    ];
    for layers in layers {
        let case = Case::new(&PHOTOS.replace("LAYERS", layers));
        photos(case.folder.path());
        let train = |threads, seed| {
            let trained = train(&case.prepare(seeded(seed).as_slice()).1, threads);
            assert_eq!(trained.outcome, Ok(TrainingOutcome::Finished));
            let epochs = trained.records.epochs.into_iter();
            let scores: Vec<_> = epochs.map(|epoch| (epoch.train, epoch.validation)).collect();
            (trained.weights, scores)
        };
        let first = train(1, None);
        let finite = |(_, value): &(String, Tensor)| value.as_f32().iter().all(|x| x.is_finite());
        assert!(first.0.iter().all(finite));
        for threads in [2, 3] {
            assert_eq!(train(threads, None), first, "{threads} threads, {layers}");
        }
        assert_ne!(train(2, Some(1)).0, first.0);
    }
}

/// The whole of `models/resnet20.nn`, with dropout before its last layer, on augmented images.
#[test]
fn resnet20_is_the_same_on_every_target_for_any_number_of_threads() {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("models");
    let read = |name: &str| std::fs::read_to_string(models.join(name)).expect("a model");
    let text = read("resnet20.nn");
    let (_, rest) = text.split_once("model resnet20").expect("the model");
    let (layers, _) = rest.split_once("train resnet20").expect("its training");
    let layers = layers.replace("|> dense", "|> dropout(0.3)\n        |> dense");
    assert!(layers.contains("dropout"));
    let case = Case::new(&format!(
        "use \"resnet.nn\"\n
data objects = images(\"photos\", size: [32, 32], validation: 0.2)
    |> random_flip |> random_crop(pad: 4)\n
model resnet20{layers}
train resnet20 on objects {{
    loss      = cross_entropy
    optimizer = adam(lr: cosine(2e-3, warmup: 2))
    batch     = 12
}}
"
    ));
    std::fs::write(case.folder.path().join("resnet.nn"), read("resnet.nn")).expect("a file");
    photos(case.folder.path());
    let mut first: Option<Vec<(String, Tensor)>> = None;
    // Without an instruction for it, a fused multiply-add is a call.
    for target in support::engines::targets().filter(|target| target.fma) {
        for threads in [1, 2, 3] {
            let run = case.prepare_for(target, &[]).1;
            let trained = train(&run, threads);
            assert_eq!(trained.outcome, Ok(TrainingOutcome::Finished));
            assert!(
                trained
                    .weights
                    .iter()
                    .all(|(_, value)| { value.as_f32().iter().all(|number| number.is_finite()) })
            );
            let first = first.get_or_insert_with(|| trained.weights.clone());
            let same = trained.weights == *first;
            assert!(same, "{} with {threads} threads differs", target.name());
        }
    }
    assert!(first.is_some(), "a processor without fused multiply-add");
}
