//! Event files that TensorBoard reads, of scalars alone.
//!
//! ```text
//! events.out.tfevents.1700000000.run.nnc
//!     record: Event { wall_time, file_version: "brain.Event:2" }
//!     record: Event { wall_time, step: 1, summary: { loss: 2.31, accuracy: 0.1 } }
//!     record: Event { wall_time, step: 2, … }
//! ```
//!
//! [`record`] frames events with their checksums, [`event`] encodes them as protocol buffers. Both
//! are a page each, where crates would bring code generators. Histograms, images and graphs are
//! not written.

mod event;
mod record;

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// An event file that is being written. It is buffered: what was not flushed reaches the disk when
/// the writer is dropped, where a failure is not told.
#[derive(Debug)]
pub struct EventWriter {
    out: BufWriter<File>,
    path: PathBuf,
}

impl EventWriter {
    /// A new file in a folder, which is made where there is none. It is named after the time, in
    /// seconds since 1970; where a file has that name, a number is appended, so none is ever
    /// overwritten.
    #[expect(clippy::disallowed_methods, reason = "the folder of an event file")]
    pub fn create(folder: &Path, wall_time: f64) -> io::Result<EventWriter> {
        fs::create_dir_all(folder)?;
        let (file, path) = create_new(folder, wall_time)?;
        let mut writer = EventWriter { out: BufWriter::new(file), path };
        writer.write(&event::version(wall_time))?;
        Ok(writer)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes one event: named numbers of a step. A name's part before the first `/` is the group
    /// that TensorBoard shows it in.
    pub fn scalars(
        &mut self,
        step: u64,
        wall_time: f64,
        scalars: &[(&str, f32)],
    ) -> io::Result<()> {
        self.write(&event::scalars(step, wall_time, scalars))
    }

    /// Gives to the system what is buffered; TensorBoard sees it from then on.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn write(&mut self, event: &[u8]) -> io::Result<()> {
        self.out.write_all(&record::frame(event))
    }
}

/// Creates the first file whose name is free.
#[expect(clippy::disallowed_methods, reason = "a name that no file has yet")]
fn create_new(folder: &Path, wall_time: f64) -> io::Result<(File, PathBuf)> {
    // The suffix stands where other writers name the host: a file to be shared must not. Ten
    // digits, and three of the number below, keep files in order by name, in which they are read.
    let name = format!("events.out.tfevents.{:010}.run.nnc", wall_time as u64);
    let mut path = folder.join(&name);
    let mut number = 0;
    loop {
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                number += 1;
                path = folder.join(format!("{name}.{number:03}"));
            }
            opened => return opened.map(|file| (file, path)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The events of a file, each checksum checked.
    fn events(path: &Path) -> Vec<Vec<u8>> {
        record::tests::records(&fs::read(path).expect("readable"))
    }

    #[test]
    fn a_file_is_its_version_and_an_event_for_each_call() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut writer = EventWriter::create(&folder.path().join("new"), 1.7e9).expect("created");
        writer.scalars(3, 1.7e9 + 0.5, &[("train/loss", 2.5), ("lr", 0.125)]).expect("written");
        writer.scalars(4, 1.7e9 + 1.0, &[]).expect("written");
        let path = writer.path().to_owned();
        drop(writer);
        let expected = [
            event::version(1.7e9),
            event::scalars(3, 1.7e9 + 0.5, &[("train/loss", 2.5), ("lr", 0.125)]),
            event::scalars(4, 1.7e9 + 1.0, &[]),
        ];
        assert_eq!(events(&path), expected);
    }

    #[test]
    fn what_is_flushed_can_be_read_while_more_is_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut writer = EventWriter::create(folder.path(), 0.0).expect("created");
        writer.scalars(1, 0.0, &[("loss", 1.0)]).expect("written");
        writer.flush().expect("flushed");
        assert_eq!(events(writer.path()).len(), 2);
    }

    #[test]
    fn no_file_is_overwritten_and_names_are_in_order() {
        let folder = tempfile::tempdir().expect("a folder");
        let names: Vec<String> = (0..12)
            .map(|step| {
                let mut writer = EventWriter::create(folder.path(), 1_234.9).expect("created");
                writer.scalars(step, 1_234.9, &[("loss", 1.0)]).expect("written");
                let name = writer.path().file_name().expect("a name");
                name.to_string_lossy().into_owned()
            })
            .collect();
        assert_eq!(names[0], "events.out.tfevents.0000001234.run.nnc");
        assert_eq!(names[1], "events.out.tfevents.0000001234.run.nnc.001");
        assert!(names.is_sorted());
        for (step, name) in names.iter().enumerate() {
            let expected = event::scalars(step as u64, 1_234.9, &[("loss", 1.0)]);
            assert_eq!(events(&folder.path().join(name))[1], expected, "{name}");
        }
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_an_error() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("file");
        fs::write(&file, "").expect("written");
        assert!(EventWriter::create(&file.join("inside"), 0.0).is_err());
    }
}
