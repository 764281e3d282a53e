//! One sample as a step wants it: read, taken through the transforms, mixed with its partner.
//!
//! `(pass, index)` goes in, the bytes of each field come out, into a chunk at the sample's place.
//! They depend on the data, the run's seed and the epoch alone.

use std::sync::Arc;

use super::super::dataset::{Dataset, SplitPass};
use super::super::error::DataError;
use super::super::samples::Split;
use super::super::transform::{DrawKey, Frame, Transforms};
use super::prefetch::{BatchSlots, LoadSample};
use crate::base::schema::Schema;

/// Makes the samples of a data set.
#[derive(Debug)]
pub struct SampleLoader {
    train: Split,
    validation: Split,
    test: Split,
    transforms: Arc<Transforms>,
    schema: Schema,
    seed: u64,
}

/// Buffers that a thread keeps between the samples that it makes.
#[derive(Default)]
pub struct SampleScratch {
    /// The sample's image.
    own: Frame,
    /// Its partner's.
    partner: Frame,
    /// A mask of either.
    mask: Frame,
}

impl SampleLoader {
    /// Shares the splits of a data set.
    pub fn new(data: &Dataset, seed: u64) -> SampleLoader {
        SampleLoader {
            train: data.train.clone(),
            validation: data.validation.clone(),
            test: data.test.clone(),
            transforms: data.transforms.clone(),
            schema: data.schema.clone(),
            seed,
        }
    }

    /// Fields of a sample when it is made.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The split of a pass.
    pub fn split(&self, pass: SplitPass) -> &Split {
        match pass {
            SplitPass::Train { .. } => &self.train,
            SplitPass::Validation => &self.validation,
            SplitPass::Test => &self.test,
        }
    }

    /// Whether a pass is more than copying bytes in memory.
    pub fn is_work(&self, pass: SplitPass) -> bool {
        let split = self.split(pass);
        let changes = self.transforms.change_images(pass.trains());
        split.count() > 0
            && (changes || pass.trains() && self.transforms.mix() || !split.in_memory())
    }

    /// The random numbers of a sample; none for one to judge by.
    fn draw(&self, pass: SplitPass, index: u32) -> Option<DrawKey> {
        match pass {
            SplitPass::Train { epoch } => {
                Some(DrawKey { seed: self.seed, epoch, sample: self.train.original(index) })
            }
            SplitPass::Validation | SplitPass::Test => None,
        }
    }

    /// Puts a field of a sample that transforms change, the image or a mask of it, into a frame, taken
    /// through the stages.
    fn changed(
        &self,
        pass: SplitPass,
        index: u32,
        field: usize,
        frame: &mut Frame,
    ) -> Result<(), DataError> {
        self.transforms.load(self.split(pass), index, field, frame)?;
        if self.transforms.change_images(pass.trains()) {
            self.transforms.apply(frame, self.draw(pass, index));
        }
        Ok(())
    }

    /// Mixes a sample with its partner: the rest of its fields.
    fn mix(
        &self,
        pass: SplitPass,
        draw: DrawKey,
        bench: &mut SampleScratch,
        out: &mut BatchSlots<'_>,
    ) -> Result<(), DataError> {
        let count = u32::try_from(self.train.count()).expect("samples are numbered in 32 bits");
        let partner = self.transforms.partner(draw, count);
        self.changed(pass, partner.index, self.transforms.field(), &mut bench.partner)?;
        // The other target and the part come behind the fields of a sample.
        let fields = self.schema.fields.len();
        if let Some(target) = self.schema.target_place() {
            self.other(pass, partner.index, target, &mut bench.mask, out.field(fields))?;
        }
        let SampleScratch { own, partner: other, .. } = bench;
        let part = partner.mix(own.size, &mut own.pixels, &other.pixels);
        out.field(fields + 1).copy_from_slice(&part.to_le_bytes());
        Ok(())
    }
}

impl SampleLoader {
    /// Copies a field beside the image: a mask as the stages leave it, anything else as it is.
    fn other(
        &self,
        pass: SplitPass,
        index: u32,
        field: usize,
        mask: &mut Frame,
        out: &mut [u8],
    ) -> Result<(), DataError> {
        let moves = self.transforms.change_images(pass.trains());
        if !moves || !self.transforms.masks().contains(&field) {
            return self.split(pass).copy_batch(&[index], field, out);
        }
        self.changed(pass, index, field, mask)?;
        out.copy_from_slice(&mask.pixels);
        Ok(())
    }
}

impl LoadSample for SampleLoader {
    type Scratch = SampleScratch;

    fn bench(&self) -> SampleScratch {
        SampleScratch::default()
    }

    fn fill(
        &self,
        bench: &mut SampleScratch,
        pass: SplitPass,
        index: u32,
        out: &mut BatchSlots<'_>,
    ) -> Result<(), DataError> {
        let split = self.split(pass);
        let changed = self.transforms.field();
        for field in (0..self.schema.fields.len()).filter(|&field| field != changed) {
            self.other(pass, index, field, &mut bench.mask, out.field(field))?;
        }
        let draw = self.draw(pass, index).filter(|_| self.transforms.mix());
        if draw.is_none() && !self.transforms.change_images(pass.trains()) {
            return split.copy_batch(&[index], changed, out.field(changed));
        }
        self.changed(pass, index, changed, &mut bench.own)?;
        if let Some(draw) = draw {
            self.mix(pass, draw, bench, out)?;
        }
        out.field(changed).copy_from_slice(&bench.own.pixels);
        Ok(())
    }

    fn original(&self, pass: SplitPass, index: u32) -> u32 {
        self.split(pass).original(index)
    }
}
