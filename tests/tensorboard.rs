//! TensorBoard's own reader on the event files that are written: every step, time, tag and value.
//!
//! It needs a Python with the package `tensorboard`: `NNC_PYTHON`, else `python3`. Where there is
//! none the test says so and passes, unless `NNC_REQUIRE_TENSORBOARD` is set.

#[path = "support/python.rs"]
mod python;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use nnc::report::tensorboard::EventWriter;
use serde_json::Value;

/// Prints what TensorBoard finds in a file and in its folder. Floats go through their bits, since
/// JSON has no number for infinity.
const READER: &str = r#"
import json, struct, sys
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto import event_pb2
from tensorboard.summary.writer.record_writer import masked_crc32c

def checksum(data):
    return struct.pack("<I", masked_crc32c(data))

def bits(value):
    return struct.unpack("<I", struct.pack("<f", value))[0]

# The records as they are, each checksum checked, since the loaders convert what they read.
raw, data, at = [], open(sys.argv[2], "rb").read(), 0
while at < len(data):
    length, = struct.unpack_from("<Q", data, at)
    head, body = data[at:at + 8], data[at + 12:at + 12 + length]
    assert data[at + 8:at + 12] == checksum(head), "checksum of a length"
    assert data[at + 12 + length:at + 16 + length] == checksum(body), "checksum of an event"
    event = event_pb2.Event.FromString(body)
    values = [[v.tag, bits(v.simple_value)] for v in event.summary.value]
    raw.append([event.wall_time, event.step, event.file_version, values])
    at += 16 + length

# As TensorBoard loads them.
loaded = []
for event in EventFileLoader(sys.argv[2]).Load():
    values = [[v.tag, bits(v.tensor.float_val[0])] for v in event.summary.value]
    loaded.append([event.wall_time, event.step, event.file_version, values])

folder = EventAccumulator(sys.argv[1], size_guidance={"scalars": 0}).Reload()
found = {tag: [[s.wall_time, s.step, bits(s.value)] for s in folder.Scalars(tag)]
         for tag in folder.Tags()["scalars"]}
print(json.dumps({"raw": raw, "loaded": loaded, "folder": found}))
"#;

/// A Python that has TensorBoard, if there is one.
fn tensorboard() -> Option<String> {
    let module = "tensorboard.backend.event_processing.event_accumulator";
    python::python(module, "tensorboard", "NNC_REQUIRE_TENSORBOARD")
}

fn read(python: &str, folder: &Path, file: &Path) -> Value {
    let output = Command::new(python)
        .args(["-c", READER])
        .args([folder, file])
        .output()
        .expect("Python has run before");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// An event: its step, its time, and its scalars.
type Event = (u64, f64, Vec<(&'static str, f32)>);

/// Numbers of each kind, and tags that need encoding.
fn events() -> Vec<Event> {
    let long = "a tag of more than 127 bytes, whose length takes two of them, \
                as do the lengths of the messages around it: a tag of more than 127 bytes";
    let mut events: Vec<Event> = (1..=200)
        .map(|step| {
            let loss = 1.0 / step as f32;
            (step, 1.7e9 + step as f64 / 8.0, vec![("train/loss", loss), ("lr", 1e-3)])
        })
        .collect();
    let odd = [f32::INFINITY, f32::NEG_INFINITY, f32::NAN, -0.0, 1e-45, f32::MAX, f32::MIN];
    for (index, value) in odd.into_iter().enumerate() {
        let step = 128 << (7 * index);
        events.push((step, 1.7e9 + 30.0 + index as f64, vec![("größe/猫", value), (long, 0.5)]));
    }
    events
}

#[test]
fn tensorboard_reads_every_step_tag_and_value() {
    let Some(python) = tensorboard() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let mut writer = EventWriter::create(folder.path(), 1.7e9).expect("created");
    for (step, wall_time, scalars) in events() {
        writer.scalars(step, wall_time, &scalars).expect("written");
    }
    writer.flush().expect("flushed");

    let found = read(&python, folder.path(), writer.path());
    let mut expected = vec![serde_json::json!([1.7e9, 0, "brain.Event:2", []])];
    let mut by_tag: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for (step, wall_time, scalars) in events() {
        let values: Vec<Value> =
            scalars.iter().map(|(tag, value)| serde_json::json!([tag, value.to_bits()])).collect();
        expected.push(serde_json::json!([wall_time, step, "", values]));
        for (tag, value) in scalars {
            let scalar = serde_json::json!([wall_time, step, value.to_bits()]);
            by_tag.entry(tag).or_default().push(scalar);
        }
    }
    for way in ["raw", "loaded"] {
        let events = found[way].as_array().expect("events");
        assert_eq!(events.len(), expected.len(), "{way}");
        for (event, expected) in events.iter().zip(&expected) {
            assert_eq!(event, expected, "{way}");
        }
    }
    assert_eq!(found["folder"], serde_json::json!(by_tag));
}

#[test]
fn runs_that_begin_in_the_same_second_are_both_read() {
    let Some(python) = tensorboard() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let mut files = Vec::new();
    for step in [1, 2] {
        let mut writer = EventWriter::create(folder.path(), 1.7e9).expect("created");
        writer.scalars(step, 1.7e9 + step as f64, &[("loss", step as f32)]).expect("written");
        files.push(writer.path().to_owned());
    }
    let found = read(&python, folder.path(), &files[1]);
    let scalar =
        |step: u64| serde_json::json!([1.7e9 + step as f64, step, (step as f32).to_bits()]);
    assert_eq!(found["folder"]["loss"], serde_json::json!([scalar(1), scalar(2)]));
}
