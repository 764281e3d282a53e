//! One room for each command of `nnc` beside `run` itself: its result as data, which
//! [`cli`](crate::cli) prints.
//!
//! | about | rooms |
//! |---|---|
//! | a program | [`check()`] with `report`, `parameters` and `forecast`, [`emit()`], [`verify()`], [`grad()`] |
//! | its speed | [`bench()`], `explain`, [`profile`], measured against what the machine can do: `peak`, `stream` |
//! | its data | [`data()`] |
//! | a trained model | `opened`: [`predictor`] and [`PredictionServer`] over `inference`, with `answers`, `answer_json`, `drawings`, `raw`; [`generator()`]; `export` |
//! | several runs | [`compare()`], [`UiServer`], [`lr_find()`] |
//! | over HTTP | `http`, the server below [`PredictionServer`] and [`UiServer`] |
//! | the machine | [`doctor()`] |

mod answer_json;
mod answers;
mod bench;
mod check;
mod compare;
mod data;
mod doctor;
mod drawings;
mod emit;
mod explain;
mod export;
mod forecast;
mod generate;
mod grad;
mod http;
mod import;
mod inference;
mod lr_find;
mod min_time;
mod names;
mod opened;
mod parameters;
mod peak;
mod predict;
mod profile;
mod raw;
mod report;
mod serve;
mod site;
mod stream;
mod ui;
mod verify;

pub use answer_json::json_answer;
pub use answers::{PositionClasses, PredictedOutput, PredictedText, Prediction};
pub use bench::{BenchTimes, TimedStep, bench};
pub use check::{CheckOptions, check};
pub use compare::{Compared, compare, overlaid};
pub use data::{DataReport, WantedBatch, WrittenBatch, data};
pub use doctor::{Finding, Health, doctor};
pub use drawings::DrawnOutputs;
pub use emit::{EmitRequest, EmitStage, STAGES, emit};
pub use explain::{Explained, ExplainedKernel};
pub use export::{
    CExportOptions, ExportDestination, OnnxOptions, export_c, export_object, export_onnx,
    export_pytorch,
};
pub use generate::{
    GenerateOptions, GeneratedForm, GeneratedToken, Generator, Sampling, generator, text_prompt,
    wave_prompt, write_wave,
};
pub use grad::{Engine, GradOptions, Graded, SEED, grad};
pub use http::ServerStopper;
pub use import::{ImportOptions, ImportedFiles, ImportedProgram, import, imported};
pub use lr_find::{Found, RateRange, lr_find};
pub use names::{MatchedNames, names};
pub use predict::{Predictor, predictor};
pub use profile::{Profile, Spent};
pub use raw::RawOutputs;
pub use report::Report;
pub use serve::{PredictionServer, ServeOptions, ServedCounts};
pub use site::{DocSite, doc_site};
pub use stream::Streams;
pub use ui::UiServer;
pub use verify::rounding;
pub use verify::{
    CheckResult, GradientError, Verdict, Verified, VerifyOptions, gradient_errors, verify,
};
