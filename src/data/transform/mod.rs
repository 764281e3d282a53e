//! Transforms of samples between a source and a step: the `|> random_flip |> normalize(…)` of a
//! `data` item.
//!
//! ```text
//! digits() |> random_crop(pad: 2) |> rescale(1.0 / 127.5, offset: -1)
//!
//! stages       random_crop, on bytes, drawn from (seed, epoch, sample)    → [`Transforms`]
//! conversions  x · 0.00784 − 1, inside the compiled step                  → [`Preparation`]
//! schema       as it was: 28×28 windows of 32×32 images                   → [`Schema`]
//! ```
//!
//! Three kinds: stages change the bytes of an image (one file each), mixes join two samples
//! ([`mix`]), conversions say what a step does with the bytes. Random stages and mixes are for
//! samples to train on; a random crop is from the middle elsewhere.
//!
//! Randomness is a function of the run's seed, the epoch, the sample's number and the transform's
//! name, and so does not depend on threads, on batches, or on the other transforms.

mod crop;
mod erase;
mod fill;
mod flip;
mod frame;
mod grayscale;
mod jitter;
mod mix;
mod resize;
mod rotate;
mod stage;
#[cfg(test)]
mod tests;
mod warp;
mod zoom;

pub use frame::{Frame, Size};

use super::error::{DataError, Mending};
use super::request::{Arguments, TransformCall};
use super::samples::Split;
use crate::base::field::NameKind;
use crate::base::names::meant;
use crate::base::rng::{Sequence, hash_name};
use crate::base::schema::{Conversion, Field, FieldKind, Schema};
use crate::base::tensor::DType;
use mix::Mix;
use stage::Stage;

/// The names of all transforms, each with its arguments in order.
pub const TRANSFORMS: [(&str, &[&str]); 13] = [
    ("rescale", &["scale", "offset"]),
    ("normalize", &["mean", "std"]),
    ("resize", &resize::ARGUMENTS),
    ("grayscale", &grayscale::ARGUMENTS),
    ("one_hot", &[]),
    ("random_flip", &flip::ARGUMENTS),
    ("random_crop", &crop::ARGUMENTS),
    ("random_rotate", &rotate::ARGUMENTS),
    ("random_zoom", &zoom::ARGUMENTS),
    ("random_erase", &erase::ARGUMENTS),
    ("color_jitter", &jitter::ARGUMENTS),
    ("mixup", &mix::ARGUMENTS),
    ("cutmix", &mix::ARGUMENTS),
];

/// A transform as it is written, its arguments checked.
#[derive(Clone, Debug, PartialEq)]
pub struct ParsedTransform {
    name: &'static str,
    kind: TransformKind,
}

#[derive(Clone, Debug, PartialEq)]
enum TransformKind {
    Stage(Stage),
    Mix(Mix),
    Convert(Conversion),
    OneHot,
}

impl ParsedTransform {
    /// Whether samples are changed before a step, and not inside it.
    pub fn changes_samples(&self) -> bool {
        matches!(self.kind, TransformKind::Stage(_) | TransformKind::Mix(_))
    }
}

/// Checks what can be checked without knowing the data: names and arguments.
pub fn parse(calls: &[TransformCall]) -> Result<Vec<ParsedTransform>, DataError> {
    let item = |(index, call)| parse_call(call).map_err(|error| error.transform(index));
    calls.iter().enumerate().map(item).collect()
}

fn parse_call(call: &TransformCall) -> Result<ParsedTransform, DataError> {
    let known = TRANSFORMS.iter().find(|(name, _)| *name == call.name);
    let &(name, arguments) = known.ok_or_else(|| unknown(&call.name))?;
    let args = &Arguments::of(name, &call.args, arguments)?;
    let kind = match name {
        "rescale" => TransformKind::Convert(rescale(args)?),
        "normalize" => TransformKind::Convert(normalize(args)?),
        "resize" => TransformKind::Stage(Stage::Resize(resize::Resize::of(args)?)),
        "grayscale" => TransformKind::Stage(Stage::Grayscale),
        "one_hot" => TransformKind::OneHot,
        "random_flip" => TransformKind::Stage(Stage::Flip(flip::Flip::of(args)?)),
        "random_crop" => TransformKind::Stage(Stage::Crop(crop::Crop::of(args)?)),
        "random_rotate" => TransformKind::Stage(Stage::Rotate(rotate::Rotate::of(args)?)),
        "random_zoom" => TransformKind::Stage(Stage::Zoom(zoom::Zoom::of(args)?)),
        "random_erase" => TransformKind::Stage(Stage::Erase(erase::Erase::of(args)?)),
        "color_jitter" => TransformKind::Stage(Stage::Jitter(jitter::Jitter::of(args)?)),
        _ => TransformKind::Mix(Mix::of(args, name == "cutmix")?),
    };
    Ok(ParsedTransform { name, kind })
}

fn unknown(name: &str) -> DataError {
    let error = DataError::new(format!("unknown transform `{name}`"));
    let names = TRANSFORMS.map(|(name, _)| name);
    let meant = meant(name, names, &[NameKind::Transform]);
    if let Some(known) = meant.known {
        let (message, help) = match (meant.slip, known.to_come) {
            (true, _) => (error.message, known.asked().into()),
            (false, true) => (
                format!("the transform `{name}` is not in this version").into(),
                known.help(name).into(),
            ),
            (false, false) => (error.message, known.help(name).into()),
        };
        let near = meant.near.into_iter().map(|(near, _)| near).collect();
        let mending = Some(Box::new(Mending::Misspelt(name.to_owned(), near)));
        return DataError { message, help: Some(help), mending, ..DataError::default() };
    }
    error.misspelt(name, names, || format!("transforms are {}", names.join(", ")))
}

/// `rescale(scale = 1 / 255, offset = 0)`: `x · scale + offset`, as Keras's `Rescaling`.
fn rescale(args: &Arguments<'_>) -> Result<Conversion, DataError> {
    let any = f64::MIN..=f64::MAX;
    let scale = args.number("scale", 1.0 / 255.0, any.clone())?;
    if scale == 0.0 {
        return Err(args.wrong("scale", "a number other than 0"));
    }
    Ok(Conversion::Rescale { scale, offset: args.number("offset", 0.0, any)? })
}

/// `normalize(mean, std)`: `(x − mean) / std` for each channel, as torchvision's `Normalize`.
fn normalize(args: &Arguments<'_>) -> Result<Conversion, DataError> {
    let (mean, std) = (args.numbers("mean")?, args.numbers("std")?);
    if std.iter().any(|&std| std <= 0.0) {
        return Err(args.wrong("std", "greater than 0"));
    }
    Ok(Conversion::Normalize { mean, std })
}

/// The transforms of a data set that change samples before a step.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Transforms {
    /// Stages, each with the stream of its random numbers.
    stages: Vec<(u64, Stage)>,
    /// At most one of each kind, with its stream.
    mixes: Vec<(u64, Mix)>,
    /// Whether images to judge by are changed as well: cropped, resized, made grey.
    change_all: bool,
    /// Sizes before and after the stages, of samples that are images.
    sizes: Option<(Size, Size)>,
    /// The place of the field that they change.
    field: usize,
    /// The places of its masks, which move with it.
    masks: Vec<usize>,
}

/// Whose random numbers are drawn.
#[derive(Clone, Copy, Debug)]
pub struct DrawKey {
    /// The run's seed.
    pub seed: u64,
    /// The epoch, from 1.
    pub epoch: u64,
    /// The sample's number in the data that its split was taken from.
    pub sample: u32,
}

impl DrawKey {
    fn sequence(self, stream: u64) -> Sequence {
        Sequence::new(self.seed ^ stream, self.epoch << 32 | u64::from(self.sample))
    }
}

impl Transforms {
    /// Whether stages change an image to train on, or one to judge by.
    pub fn change_images(&self, training: bool) -> bool {
        if training { !self.stages.is_empty() } else { self.change_all }
    }

    /// Whether samples to train on are mixtures of two.
    pub fn mix(&self) -> bool {
        !self.mixes.is_empty()
    }

    /// The place of the field that they change.
    pub fn field(&self) -> usize {
        self.field
    }

    /// The places of the fields of masks, which move as the images do.
    pub fn masks(&self) -> &[usize] {
        &self.masks
    }

    /// Bytes of a field of a sample to judge by, where they are others than the source's.
    pub fn evaluated_bytes(&self, field: usize) -> Option<usize> {
        let (_, after) = self.sizes?;
        match self.masks.contains(&field) {
            true => Some(after.height * after.width),
            false => (field == self.field).then(|| after.bytes()),
        }
    }

    /// Copies one field of some samples of a split as a step to judge by gets it, one after the other;
    /// `out` has room for exactly those.
    pub fn copy_evaluated(
        &self,
        split: &Split,
        indices: &[u32],
        field: usize,
        out: &mut [u8],
    ) -> Result<(), DataError> {
        let is_changed = self.change_all && (field == self.field || self.masks.contains(&field));
        if !is_changed || indices.is_empty() {
            return split.copy_batch(indices, field, out);
        }
        let mut frame = Frame::default();
        let size = out.len() / indices.len();
        for (&index, out) in indices.iter().zip(out.chunks_exact_mut(size)) {
            self.load(split, index, field, &mut frame)?;
            self.apply(&mut frame, None);
            out.copy_from_slice(&frame.pixels);
        }
        Ok(())
    }

    /// Puts a field that they change, an image or its mask, into a frame, as it lies in the split.
    pub fn load(
        &self,
        split: &Split,
        index: u32,
        field: usize,
        frame: &mut Frame,
    ) -> Result<(), DataError> {
        frame.classes = self.masks.contains(&field);
        let size = match self.sizes {
            Some((before, _)) if frame.classes => Size { channels: 1, ..before },
            Some((before, _)) => before,
            // A row of bytes that is no image.
            None => Size { height: 1, width: split.fields()[field].bytes(), channels: 1 },
        };
        frame.load(size, |room| split.copy_batch(&[index], field, room))
    }

    /// The size of an image as the source has it, and as a step gets it.
    pub fn sizes(&self) -> Option<(Size, Size)> {
        self.sizes
    }

    /// Takes an image through the stages: with random numbers to train, without to judge.
    pub fn apply(&self, frame: &mut Frame, draw: Option<DrawKey>) {
        for (stream, stage) in &self.stages {
            match draw {
                Some(draw) => stage.train(frame, &mut draw.sequence(*stream)),
                None => stage.evaluate(frame),
            }
        }
    }

    /// The partner of a sample to train on, of `count`, and how to mix the two.
    pub fn partner(&self, draw: DrawKey, count: u32) -> Partner {
        let mut rng = draw.sequence(hash_name("partner"));
        let index = rng.below(count);
        let which = rng.below(self.mixes.len() as u32) as usize;
        let (stream, mix) = self.mixes[which];
        Partner { index, mix, rng: draw.sequence(stream) }
    }
}

/// The other half of a mixture.
#[derive(Clone, Debug)]
pub struct Partner {
    /// Its index in the split.
    pub index: u32,
    mix: Mix,
    rng: Sequence,
}

impl Partner {
    /// Mixes the partner's bytes into a sample's; returns the part that is still its own. `size`
    /// is that of an image; what is none is a row of bytes.
    pub fn mix(mut self, size: Size, own: &mut [u8], partner: &[u8]) -> f32 {
        self.mix.apply(size, own, partner, &mut self.rng)
    }
}

/// The transforms of samples as a source has them, and what the samples look like behind them.
pub fn fit(items: &[ParsedTransform], schema: &Schema) -> Result<(Transforms, Schema), DataError> {
    // The first image, or what stands in its place.
    let field = schema.fields.iter().position(|field| field.as_image().is_some()).unwrap_or(0);
    let size = schema.fields.get(field).and_then(|field| Size::of(&field.shape));
    let is_mask = |it: &Field| {
        let pixels = size.map(|size| vec![size.height, size.width]);
        it.as_class().is_some() && it.dtype == DType::U8 && Some(&it.shape) == pixels.as_ref()
    };
    let masks: Vec<usize> =
        (0..schema.fields.len()).filter(|&place| is_mask(&schema.fields[place])).collect();
    let mut fitting = Fitting {
        size,
        transforms: Transforms { field, masks, ..Transforms::default() },
        schema: schema.clone(),
        moved: None,
    };
    let before = fitting.size;
    for (index, item) in items.iter().enumerate() {
        let earlier = &items[..index];
        fitting.item(item, earlier).map_err(|error| error.transform(index))?;
    }
    let Fitting { size, mut transforms, mut schema, .. } = fitting;
    if let (Some(before), Some(after)) = (before, size) {
        schema.fields[field].shape = after.shape();
        for &mask in &transforms.masks {
            schema.fields[mask].shape = vec![after.height, after.width];
        }
        transforms.sizes = Some((before, after));
    }
    Ok((transforms, schema))
}

/// How far `fit` has come.
struct Fitting {
    size: Option<Size>,
    transforms: Transforms,
    schema: Schema,
    /// The conversion after which a byte 0 is no longer 0.
    moved: Option<&'static str>,
}

impl Fitting {
    fn item(
        &mut self,
        item: &ParsedTransform,
        earlier: &[ParsedTransform],
    ) -> Result<(), DataError> {
        let name = item.name;
        let repeats = earlier.iter().filter(|other| other.name == name).count() as u64;
        let stream = hash_name(name).wrapping_add(repeats);
        match &item.kind {
            TransformKind::Stage(stage) => self.stage(name, *stage, stream),
            TransformKind::Mix(_) | TransformKind::OneHot if repeats > 0 => {
                Err(DataError::new(format!("`{name}` stands twice")))
            }
            TransformKind::Mix(mix) => {
                if mix.cut {
                    self.image(name)?;
                    if !self.transforms.masks.is_empty() {
                        let message = format!("`{name}` would cut the images and not their masks");
                        let help = "`mixup` takes the masks of both images";
                        return Err(DataError::new(message).help(help));
                    }
                }
                self.transforms.mixes.push((stream, *mix));
                self.schema.mixed = true;
                Ok(())
            }
            TransformKind::Convert(conversion) => self.convert(name, conversion),
            TransformKind::OneHot => {
                match self.schema.target_mut().map(|target| &mut target.kind) {
                    Some(FieldKind::Class(class)) if class.count.is_some() => {
                        class.one_hot = true;
                        Ok(())
                    }
                    _ => Err(DataError::new("`one_hot` needs data whose target is a class")),
                }
            }
        }
    }

    /// The size, if samples are images.
    fn image(&self, name: &str) -> Result<Size, DataError> {
        self.size.ok_or_else(|| {
            let field = &self.schema.fields[self.transforms.field];
            let shape = field.shape.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
            DataError::new(format!(
                "`{name}` needs images [height, width, channels], but the data's `{}` is {}[{shape}]",
                field.name, field.dtype
            ))
        })
    }

    fn stage(&mut self, name: &str, stage: Stage, stream: u64) -> Result<(), DataError> {
        let size = self.image(name)?;
        if let Some((_, mix)) = self.transforms.mixes.first() {
            let mix = if mix.cut { "cutmix" } else { "mixup" };
            let message = format!("`{name}` stands behind `{mix}`");
            let help = format!("put `{mix}` behind it: samples are transformed, then mixed");
            return Err(DataError::new(message).help(help));
        }
        if let Some(moved) = self.moved.filter(|_| stage.needs_bytes(size)) {
            let message = format!("`{name}` works on bytes, but stands behind `{moved}`");
            return Err(DataError::new(message).help(format!("put `{moved}` behind it")));
        }
        let fitted = stage.fit(size)?;
        self.transforms.change_all |= fitted != size;
        self.size = Some(fitted);
        self.transforms.stages.push((stream, stage));
        Ok(())
    }

    fn convert(&mut self, name: &'static str, conversion: &Conversion) -> Result<(), DataError> {
        if let Conversion::Normalize { mean, std } = conversion {
            let channels = self.size.map(|size| size.channels);
            for (argument, values) in [("mean", mean), ("std", std)] {
                if values.len() != 1 && Some(values.len()) != channels {
                    let message = format!(
                        "`{argument}` has {} numbers, the samples have {}",
                        values.len(),
                        match channels {
                            Some(1) => "1 channel".to_string(),
                            Some(channels) => format!("{channels} channels"),
                            None => "no channels".to_string(),
                        }
                    );
                    return Err(DataError::new(message)
                        .argument(argument)
                        .help("give one for each channel, or one for all"));
                }
            }
        }
        let moves = match conversion {
            Conversion::Rescale { offset, .. } => *offset != 0.0,
            Conversion::Normalize { mean, .. } => mean.iter().any(|&mean| mean != 0.0),
        };
        self.moved = self.moved.or(moves.then_some(name));
        let field = &mut self.schema.fields[self.transforms.field];
        let FieldKind::Image(image) = &mut field.kind else {
            let message = format!("`{name}` needs bytes, but the data's `{}` is none", field.name);
            return Err(DataError::new(message));
        };
        image.conversions.push(conversion.clone());
        Ok(())
    }
}
