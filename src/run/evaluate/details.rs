//! The results of evaluation beside loss and metrics, as plain data.

use crate::base::task::Task;

/// More classes have no table.
pub const MOST_CLASSES: usize = 1000;
/// Bytes of samples that are remembered for being shown, of the worst and of others: of a class or a
/// number as many as are asked for, of masks and pictures as many as there is room for.
const KEPT_BYTES: usize = 4 << 20;
/// Numbers of a scatter plot, of one column.
pub const MOST_POINTS: usize = 2000;
/// Columns of numbers that are told apart.
pub const MOST_COLUMNS: usize = 6;

/// Results beside loss and metrics.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Details {
    /// Classes, of samples or of positions.
    Classes(ClassCounts),
    /// Numbers, those of pictures among them.
    Numbers(NumberErrors),
    /// Nothing can be said.
    #[default]
    None,
}

/// Confusions of classes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClassCounts {
    /// How often each class (the row) was taken for each (the column); empty with more than
    /// [`MOST_CLASSES`].
    pub counts: Vec<Vec<u64>>,
    /// For each class, how often it is right to say it, how often that was said, and how often both.
    pub each: Vec<ClassCount>,
    /// The same of yes for each label, where a sample has several.
    pub each_label: Vec<ClassCount>,
    /// Counts a sample: 1, or its positions or labels.
    pub positions: usize,
    /// Whether classes are the two answers to labels of a sample.
    pub labels: bool,
    /// The samples that are wrong with the largest loss, the worst first.
    pub worst: Vec<EvaluatedSample>,
    /// Some samples chosen at random, in the order of the data.
    pub random: Vec<EvaluatedSample>,
}

/// How often a class came up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClassCount {
    /// It was right.
    pub support: u64,
    /// It was predicted.
    pub predicted: u64,
    /// Both.
    pub right: u64,
}

/// How far numbers are off, in the units of the source; of pictures, in steps of a pixel's byte.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NumberErrors {
    /// The mean of `|output − target|`.
    pub mean_absolute: f64,
    /// The root of the mean of `(output − target)²`.
    pub root_mean_square: f64,
    /// The same of each column of the source, up to [`MOST_COLUMNS`]; empty of pictures.
    pub columns: Vec<NumberColumn>,
    /// The samples that are furthest off, the worst first.
    pub worst: Vec<EvaluatedSample>,
    /// Some samples chosen at random, in the order of the data.
    pub random: Vec<EvaluatedSample>,
}

/// The numbers of a column.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NumberColumn {
    /// Its name.
    pub name: String,
    /// The mean of `|output − target|`.
    pub mean_absolute: f64,
    /// The root of the mean of `(output − target)²`.
    pub root_mean_square: f64,
    /// True and predicted numbers: at most [`MOST_POINTS`], of samples chosen at random.
    pub points: Vec<(f64, f64)>,
    /// How many there are in all.
    pub count: u64,
}

/// A sample with the model's answer.
#[derive(Clone, Debug, PartialEq)]
pub struct EvaluatedSample {
    /// Its index in the split.
    pub index: u32,
    /// The right answer.
    pub label: Answer,
    /// The prediction.
    pub predicted: Answer,
    /// The probability of a predicted class, where there is one.
    pub probability: Option<f64>,
    /// The negative logarithm of the true class's probability, of several classes or labels its mean;
    /// of numbers, how far they are apart.
    pub loss: f64,
}

/// The answer of a model to a sample, or the right one.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// A class, by its number.
    Class(usize),
    /// A class for each position.
    Classes(Vec<u32>),
    /// The probability of yes for each label; 0 and 1 of those that are known.
    Labels(Vec<f64>),
    /// A number.
    Number(f64),
    /// Several numbers.
    Numbers(Vec<f64>),
    /// The bytes of a picture.
    Bytes(Vec<u8>),
}

/// How many samples are remembered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keep {
    /// Those that the model is most wrong about.
    pub worst: usize,
    /// Those that are chosen at random; where there are some, so are points for plots.
    pub random: usize,
}

impl ClassCounts {
    /// Right predictions, and all predictions.
    pub fn right(&self) -> (u64, u64) {
        let sum = |of: fn(&ClassCount) -> u64| self.each.iter().map(of).sum();
        (sum(|it| it.right), sum(|it| it.support))
    }
}

impl ClassCount {
    /// Counts a prediction of one of two answers.
    pub fn add(&mut self, is: bool, predicted: bool) {
        self.support += u64::from(is);
        self.predicted += u64::from(predicted);
        self.right += u64::from(is && predicted);
    }
}

/// Samples of this task that there is room to remember, of so many that are asked for.
pub fn room(task: Task, asked: usize) -> usize {
    asked.min(KEPT_BYTES / sample_bytes(task).max(1))
}

/// Bytes of a sample that is remembered.
fn sample_bytes(task: Task) -> usize {
    let of_answers = match task {
        Task::Class { .. } | Task::Other => 0,
        Task::ClassPerPosition { positions, .. } => 2 * size_of::<u32>() * positions,
        Task::Labels { labels: count, .. } | Task::Numbers { numbers: count } => {
            2 * size_of::<f64>() * count
        }
        Task::Picture { sides, .. } => 2 * sides.iter().product::<usize>(),
    };
    size_of::<EvaluatedSample>() + of_answers
}

/// Bytes that counting takes at most, beside the data.
pub fn tally_bytes(task: Task, keep: Keep) -> usize {
    let kept = [keep.worst, keep.random].map(|asked| room(task, asked) * sample_bytes(task));
    let kept = kept.iter().sum::<usize>();
    let points = MOST_COLUMNS * MOST_POINTS * size_of::<(f64, f64)>() * keep.random.min(1);
    let (classes, labels) = match task {
        Task::Class { classes, .. } | Task::ClassPerPosition { classes, .. } => (classes, 0),
        Task::Labels { labels, .. } => (2, labels),
        Task::Numbers { .. } => return kept + points,
        Task::Picture { .. } => return kept,
        Task::Other => return 0,
    };
    let table = if classes <= MOST_CLASSES { classes * classes * size_of::<u64>() } else { 0 };
    // The probabilities of one sample come and go.
    table + (classes + labels) * size_of::<ClassCount>() + classes * size_of::<f64>() + kept
}
