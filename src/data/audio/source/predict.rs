//! Recordings to predict: files, folders of them, a list or a recording on standard input.

use std::path::{Path, PathBuf};

use super::{RecordingPlan, is_recording, refuse_other_fields};
use crate::base::schema::Field;
use crate::data::error::DataError;
use crate::data::images::files_below;
use crate::data::input::{
    FileKind, GivenInput, InputContent, InputReader, InputRequest, InputSample, files_of, reason_of,
};

/// Reads recordings, and makes the run's feature of each.
pub struct RecordingInputs {
    plan: RecordingPlan,
    fields: Vec<Field>,
}

impl RecordingInputs {
    /// For a model that reads a wave or a spectrum.
    pub fn new(asked: &InputRequest<'_>) -> Result<RecordingInputs, DataError> {
        let plan = RecordingPlan::of(asked.args)?;
        let field = plan.field();
        refuse_other_fields(asked, &field)?;
        Ok(RecordingInputs { fields: vec![field], plan })
    }
}

impl InputReader for RecordingInputs {
    fn fields(&self) -> &[Field] {
        &self.fields
    }

    fn samples(&self, given: &GivenInput) -> Vec<InputSample> {
        files_of(given, &RecordingFiles)
    }

    fn made(&self, sample: &InputSample) -> Result<Vec<Vec<u8>>, String> {
        let made = match &sample.content {
            InputContent::File => self.plan.of_file(&sample.path),
            InputContent::Bytes(bytes) => self.plan.of_bytes(bytes),
            _ => return Err("the model takes recordings".to_owned()),
        };
        made.map(|bytes| vec![bytes]).map_err(|error| reason_of(&error))
    }
}

/// Files of recordings.
pub struct RecordingFiles;

impl FileKind for RecordingFiles {
    fn below(&self, folder: &Path) -> Result<Vec<PathBuf>, DataError> {
        files_below(folder, is_recording, "recordings")
    }

    fn plural(&self) -> &'static str {
        "WAV or FLAC files"
    }

    fn is_file(&self, bytes: &[u8]) -> bool {
        bytes.starts_with(b"RIFF") || bytes.starts_with(b"fLaC")
    }
}
