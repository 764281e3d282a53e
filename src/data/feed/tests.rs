//! Batches as a trainer takes them: the same bytes for any number of workers and any batch, in
//! order, across passes that are begun, left and announced; and samples that cannot be made.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::super::request::{Argument, Literal, Places, TransformCall};
use super::super::samples::Samples;
use super::super::spill::{ColumnWriter, Spill};
use super::prefetch::{BatchSlots, LoadSample};
use super::*;
use crate::base::schema::{
    CellMeaning, FieldRecipe, LengthBuckets, MissingValue, TokenList, TokenUnit,
};
use crate::base::tensor::DType;

fn call(name: &str, args: &[(&str, Literal)]) -> TransformCall {
    let args = args.iter().map(|(name, value)| Argument::named(name, value.clone()));
    TransformCall::new(name, args.collect())
}

/// Every transform that changes grey images.
fn all() -> Vec<TransformCall> {
    use Literal::{Float, Int};
    vec![
        call("resize", &[("size", Int(20))]),
        call("random_flip", &[]),
        call("random_crop", &[("size", Int(16)), ("pad", Int(2))]),
        call("random_rotate", &[("degrees", Int(15))]),
        call("random_zoom", &[("range", Float(0.2))]),
        call("color_jitter", &[("brightness", Float(0.2)), ("contrast", Float(0.2))]),
        call("random_erase", &[]),
        call("mixup", &[]),
        call("cutmix", &[]),
    ]
}

fn digits(transforms: Vec<TransformCall>) -> Dataset {
    let args = vec![
        Argument::named("train", Literal::Int(300)),
        Argument::named("test", Literal::Int(30)),
        Argument::named("validation", Literal::Float(0.1)),
    ];
    let request = SourceRequest { transforms, ..SourceRequest::new("digits", args) };
    super::super::open(&request, &Places::default(), &|_, _| true).expect("drawn digits")
}

fn plan(batch: usize, threads: usize) -> Plan {
    Plan { seed: 7, shuffle: true, batch, keep_last: true, evaluation_batch: 13, threads }
}

/// The fields of each sample that the current pass gives, by its index; how many batches.
fn drain(feed: &mut Feed, fields: &[Field]) -> (BTreeMap<u32, Vec<u8>>, Vec<usize>) {
    let (mut samples, mut batches) = (BTreeMap::new(), Vec::new());
    while let Some(batch) = feed.next_batch().expect("samples") {
        batches.push(batch.samples.len());
        for (index, field) in fields.iter().enumerate() {
            let mut bytes = vec![0; field.bytes() * batch.samples.len()];
            batch.copy(index, &mut bytes).expect("a copy");
            for (&sample, bytes) in batch.samples.iter().zip(bytes.chunks(field.bytes())) {
                samples.entry(sample).or_insert_with(Vec::new).extend(bytes);
            }
        }
    }
    (samples, batches)
}

#[test]
fn samples_are_the_same_for_any_batch_and_number_of_workers() {
    let data = digits(all());
    assert_eq!(data.schema.fields[0].shape, [16, 16, 1]);
    let fields = data.fields(true);
    let names: Vec<&str> = fields.iter().map(|field| &field.name[..]).collect();
    assert_eq!(names, ["image", "label", "label_2", "mix"]);
    let take = |batch, threads| {
        let mut feed = Feed::new(&data, plan(batch, threads));
        feed.begin(SplitPass::Train { epoch: 1 }, &[SplitPass::Train { epoch: 2 }]);
        let first = drain(&mut feed, &fields);
        feed.begin(SplitPass::Train { epoch: 2 }, &[]);
        (first, drain(&mut feed, &fields).0)
    };
    let ((first, batches), second) = take(32, 1);
    assert_eq!(first.len(), 270);
    assert_eq!(batches, [32, 32, 32, 32, 32, 32, 32, 32, 14]);
    assert_ne!(first, second, "another epoch draws anew");
    for (batch, threads) in [(32, 12), (7, 12), (1, 4), (300, 32)] {
        let ((again, _), next) = take(batch, threads);
        assert!(again == first && next == second, "batches of {batch}, {threads} threads");
    }
}

#[test]
fn samples_to_judge_by_are_neither_random_nor_mixed() {
    let data = digits(all());
    let fields = data.fields(false);
    let mut feed = Feed::new(&data, plan(32, 1));
    feed.begin(SplitPass::Validation, &[SplitPass::Test]);
    let (validation, batches) = drain(&mut feed, &fields);
    assert_eq!(batches, [13, 13, 4]);
    feed.begin(SplitPass::Test, &[]);
    assert_eq!(drain(&mut feed, &fields).1, [13, 13, 4]);
    let other = Feed::new(&data, Plan { seed: 8, ..plan(32, 1) });
    let mut other = other;
    other.begin(SplitPass::Validation, &[]);
    assert_eq!(drain(&mut other, &fields).0, validation, "whatever the seed");
    // Resized and cut from the middle.
    let label = validation[&0].len() - 4;
    assert_eq!(label, 256);
    assert!(validation[&0][..label].iter().any(|&byte| byte > 100), "a digit");
}

#[test]
fn samples_in_memory_are_copied_where_they_are_asked_for() {
    let data = digits(Vec::new());
    let mut feed = Feed::new(&data, Plan { shuffle: false, ..plan(32, 4) });
    assert!(feed.prefetch.is_none(), "no threads");
    feed.begin(SplitPass::Train { epoch: 1 }, &[SplitPass::Validation]);
    let (samples, _) = drain(&mut feed, &data.fields(true));
    let mut expected = vec![0; 784];
    data.train.copy_batch(&[5], 0, &mut expected).unwrap();
    assert_eq!(samples[&5][..784], expected);
    // Only what changes is prepared: a flip is for samples to train on.
    let data = digits(vec![call("random_flip", &[])]);
    let mut feed = Feed::new(&data, plan(32, 4));
    feed.begin(
        SplitPass::Train { epoch: 1 },
        &[SplitPass::Validation, SplitPass::Train { epoch: 2 }],
    );
    assert_eq!(feed.announced, [SplitPass::Train { epoch: 2 }]);
    feed.begin(SplitPass::Validation, &[]);
    assert_eq!(drain(&mut feed, &data.fields(false)).0.len(), 30);
}

#[test]
fn the_last_batch_can_be_left_out() {
    let data = digits(vec![call("random_flip", &[])]);
    let mut feed = Feed::new(&data, Plan { keep_last: false, ..plan(32, 1) });
    assert_eq!(feed.begin_at(SplitPass::Train { epoch: 1 }, 0, &[]), 8);
    assert_eq!(drain(&mut feed, &data.fields(true)).1, [32; 8]);
    let mut none = Feed::new(&data, Plan { keep_last: false, ..plan(500, 1) });
    assert_eq!(none.begin_at(SplitPass::Train { epoch: 1 }, 0, &[]), 0);
    assert!(none.next_batch().unwrap().is_none());
}

#[test]
fn a_pass_that_is_left_early_is_forgotten() {
    let data = digits(all());
    let fields = data.fields(true);
    let mut straight = Feed::new(&data, plan(10, 1));
    straight.begin(SplitPass::Train { epoch: 3 }, &[]);
    let expected = drain(&mut straight, &fields).0;
    let mut feed = Feed::new(&data, plan(10, 8));
    feed.begin(
        SplitPass::Train { epoch: 1 },
        &[SplitPass::Train { epoch: 2 }, SplitPass::Validation],
    );
    for _ in 0..3 {
        feed.next_batch().unwrap().expect("a batch");
    }
    feed.begin(SplitPass::Train { epoch: 3 }, &[SplitPass::Test]);
    assert_eq!(drain(&mut feed, &fields).0, expected);
    // Dropped with chunks that nobody has taken: no thread stays.
    feed.begin(SplitPass::Test, &[SplitPass::Train { epoch: 4 }]);
}

/// A field of four bytes, the sample's index; some samples fail.
struct Numbers {
    made: AtomicUsize,
}

impl LoadSample for Numbers {
    type Scratch = ();

    fn bench(&self) {}

    fn fill(
        &self,
        (): &mut (),
        _: SplitPass,
        index: u32,
        out: &mut BatchSlots<'_>,
    ) -> Result<(), DataError> {
        self.made.fetch_add(1, Ordering::Relaxed);
        match index {
            40 => return Err(DataError::new("gone")),
            70 => panic!("no such pixel"),
            _ => out.field(0).copy_from_slice(&index.to_le_bytes()),
        }
        Ok(())
    }

    fn original(&self, _: SplitPass, index: u32) -> u32 {
        index + 1000
    }
}

fn job(order: std::ops::Range<u32>, chunk: usize) -> PassJob {
    let order = PassOrder::whole(order.collect(), 1, true);
    PassJob { pass: SplitPass::Test, order, chunk, claimed: 0 }
}

/// Ten samples of one to four tokens in buckets of two and four, in memory or in a file.
fn texts(in_file: bool) -> Dataset {
    let tokens = TokenList { unit: TokenUnit::Bytes, names: Vec::new(), merges: Vec::new() };
    let buckets = Some(LengthBuckets { lengths: vec![2, 4], cut: false });
    let recipe = FieldRecipe {
        columns: vec!["text".to_owned()],
        value: CellMeaning::Text { tokens, length: 4, buckets },
        missing: MissingValue::Refuse,
        transforms: Vec::new(),
    };
    let recipe = Some(Arc::new(recipe));
    let field = Field { recipe, ..Field::number("text", DType::I32, &[4]) };
    let of_sample =
        |sample: i32| (0..4).map(move |at| if at <= sample % 4 { 1 + sample } else { 0 });
    let bytes: Vec<u8> = (0..10).flat_map(of_sample).flat_map(i32::to_le_bytes).collect();
    let folder = tempfile::tempdir().expect("a folder");
    let spill = Spill::above(0, folder.path());
    let mut writer = match in_file {
        true => ColumnWriter::File(spill.file().expect("a file"), Box::default()),
        false => ColumnWriter::Memory(Vec::new()),
    };
    writer.push(&bytes).expect("room");
    let column = writer.finish(field.bytes());
    let buckets = (0..10).map(|sample| u8::from(sample % 4 > 1)).collect();
    let samples = Samples::new(10, vec![(field, column)]).in_buckets(buckets);
    Dataset::of_splits("test", Arc::new(samples), [(0..10).collect(), Vec::new(), Vec::new()])
}

#[test]
fn batches_of_buckets_are_the_same_from_memory_and_from_a_file_and_behind_others() {
    let take = |in_file, done| {
        let mut feed = Feed::new(&texts(in_file), plan(2, 3));
        assert_eq!(feed.begin_at(SplitPass::Train { epoch: 1 }, done, &[]), 5);
        let mut batches = Vec::new();
        while let Some(batch) = feed.next_batch().expect("samples") {
            let length = [2, 4][batch.bucket];
            let mut bytes = vec![0; 4 * length * batch.samples.len()];
            batch.copy(0, &mut bytes).expect("a copy");
            let begin = |at: usize| i32::from(bytes[4 * length * at]);
            (0..batch.samples.len()).for_each(|at| {
                assert_eq!(begin(at), 1 + batch.samples[at] as i32, "its own first token");
            });
            batches.push((batch.samples.to_vec(), bytes));
        }
        batches
    };
    let memory = take(false, 0);
    assert_eq!(memory.len(), 5);
    assert_eq!(memory, take(true, 0));
    for done in 1..5 {
        assert_eq!(memory[done..], take(false, done));
        assert_eq!(memory[done..], take(true, done));
    }
}

#[test]
fn what_is_wrong_with_a_sample_is_said_where_it_would_have_come() {
    for workers in [1, 2, 5] {
        let numbers = Arc::new(Numbers { made: AtomicUsize::new(0) });
        let mut prefetch = Prefetch::start(numbers, vec![4], 10, workers);
        prefetch.add(job(0..95, 10));
        prefetch.add(job(95..100, 10));
        let mut outcomes = Vec::new();
        for number in 0..11u32 {
            let chunk = prefetch.take();
            if chunk.outcome.is_ok() {
                assert_eq!(chunk.fields[0][..4], (number * 10).min(95).to_le_bytes());
            }
            outcomes.push((chunk.samples, chunk.outcome.clone()));
            prefetch.release(chunk);
        }
        let failed: Vec<_> =
            outcomes.iter().filter_map(|(_, outcome)| outcome.clone().err()).collect();
        let said =
            |failed: &FeedError| (failed.sample, failed.error.message.to_string(), failed.panicked);
        assert_eq!(said(&failed[0]), (1040, "gone".to_string(), false));
        assert_eq!(said(&failed[1]), (1070, "no such pixel".to_string(), true));
        assert!(outcomes[4].1.is_err() && outcomes[7].1.is_err() && failed.len() == 2);
        assert_eq!((outcomes[9].0, outcomes[10].0), (5, 5));
    }
}

#[test]
fn workers_run_ahead_by_the_ring_and_end_when_it_is_dropped() {
    let numbers = Arc::new(Numbers { made: AtomicUsize::new(0) });
    let mut prefetch = Prefetch::start(numbers.clone(), vec![4], 4, 2);
    prefetch.add(job(100..1_000_000, 4));
    let first = prefetch.take();
    prefetch.release(first);
    drop(prefetch);
    let made = numbers.made.load(Ordering::Relaxed);
    assert!(made <= (prefetch::chunks(2) + 1) * 4, "{made} samples made");
    assert_eq!(Arc::strong_count(&numbers), 1, "the workers have ended");
}
