//! The gallery: the programs of `examples` and `models`, with what `nnc init --from` makes of them.
//!
//! A program is embedded as it stands in the repository, with the files that it uses and small tables
//! that it reads. What an entry is about is the comment at its top.

use crate::base::sentence::first_sentence;

/// A program to begin with.
pub(super) struct GalleryEntry {
    /// The file's name without its ending.
    pub name: &'static str,
    /// The program.
    pub text: &'static str,
    /// Other files of the project, by their paths beside the program.
    pub files: &'static [(&'static str, &'static [u8])],
}

impl GalleryEntry {
    /// The first sentence of the comment at the top.
    pub fn about(&self) -> String {
        let lines = self.text.lines().map_while(|line| line.strip_prefix("//"));
        let comment = lines.map(str::trim).collect::<Vec<_>>().join(" ");
        first_sentence(&comment).to_owned()
    }
}

macro_rules! program {
    ($folder:literal, $name:literal $(, $path:literal)*) => {
        GalleryEntry {
            name: $name,
            text: include_str!(concat!("../../", $folder, "/", $name, ".nn")),
            files: &[$(($path, include_bytes!(concat!("../../", $folder, "/", $path)))),*],
        }
    };
}

/// The entries of the gallery, by folder. A table that is too large to embed comes as the program that
/// draws it.
pub(super) const GALLERY: &[GalleryEntry] = &[
    program!("examples", "cells"),
    program!("examples", "denoise"),
    program!("examples", "diamonds"),
    program!("examples", "multilabel", "data/weather.csv"),
    program!("examples", "own_parts", "data/weather.csv"),
    program!("examples", "penguins"),
    program!("examples", "recommender", "data/ratings.csv"),
    program!("examples", "siamese", "data/pairs.csv"),
    program!("examples", "spoken_digits"),
    program!("examples", "sunspots"),
    program!("examples", "titanic"),
    program!("examples", "two_targets"),
    program!("examples", "vae"),
    program!("models", "addition_rnn", "data/sums.py"),
    program!("models", "alexnet"),
    program!("models", "bert_tiny"),
    program!("models", "cct"),
    program!("models", "gpt2_small"),
    program!("models", "gpt_char"),
    program!("models", "image_cnn"),
    program!("models", "lenet"),
    program!("models", "lstm_char"),
    program!("models", "mlp512"),
    program!("models", "mnist"),
    program!("models", "mnist_best"),
    program!("models", "resnet18", "resnet.nn"),
    program!("models", "resnet18_32", "resnet.nn"),
    program!("models", "resnet20", "resnet.nn"),
    program!("models", "resnet50", "resnet.nn"),
    program!("models", "text_attention", "data/speeches.csv.gz"),
    program!("models", "text_class", "data/speeches.csv.gz"),
    program!("models", "transformer", "data/sums.py"),
    program!("models", "unet"),
    program!("models", "vgg16"),
    program!("models", "vgg_small"),
    program!("models", "vit_small"),
    program!("models", "wavenet"),
];

/// The entry of this name.
pub(super) fn find(name: &str) -> Option<&'static GalleryEntry> {
    GALLERY.iter().find(|entry| entry.name == name)
}
