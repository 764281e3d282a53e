//! Transforms as a `data` item lists them: what they make of a schema, in which order they may
//! stand, and what is wrong with those that may not.

use super::super::request::{Argument, Literal};
use super::*;
use crate::base::schema::{Conversion, Field};

fn call(name: &str, args: &[(&str, Literal)]) -> TransformCall {
    let args = args.iter().map(|(name, value)| Argument {
        name: (!name.is_empty()).then(|| name.to_string()),
        value: value.clone(),
    });
    TransformCall::new(name, args.collect())
}

fn schema(shape: &[usize]) -> Schema {
    Schema::of(vec![Field::image("image", shape), Field::class("label", Some(10))])
        .counted([100, 0, 0])
}

fn fitted(calls: &[TransformCall], shape: &[usize]) -> Result<(Transforms, Schema), DataError> {
    fit(&parse(calls)?, &schema(shape))
}

fn message(calls: &[TransformCall], shape: &[usize]) -> (String, Option<u16>) {
    let error = fitted(calls, shape).expect_err("a mistake");
    (error.message.into_string(), error.transform)
}

#[test]
fn the_schema_is_what_comes_out() {
    use Literal::{Float, Int, List};
    let calls = [
        call("resize", &[("", List(vec![Int(40), Int(32)]))]),
        call("random_crop", &[("size", Int(24)), ("pad", Int(2))]),
        call("random_flip", &[]),
        call("grayscale", &[]),
        call("one_hot", &[]),
        call("mixup", &[("alpha", Float(0.2))]),
        call("normalize", &[("mean", Float(0.5)), ("std", List(vec![Float(0.25)]))]),
    ];
    let (transforms, schema) = fitted(&calls, &[100, 90, 3]).unwrap();
    assert_eq!(schema.fields[0].shape, [24, 24, 1]);
    let (image, class) = (schema.fields[0].as_image(), schema.fields[1].as_class());
    assert!(class.expect("a class").one_hot && schema.mixed && transforms.mix());
    let conversions = &image.expect("an image").conversions;
    assert_eq!(Conversion::joined(conversions, 0), (4.0 / 255.0, -2.0));
    let (before, after) = transforms.sizes().unwrap();
    assert_eq!((before.bytes(), after.bytes()), (27_000, 576));
}

#[test]
fn images_to_judge_by_are_cropped_in_the_middle_and_else_left() {
    use Literal::Int;
    let calls = [
        call("random_flip", &[("p", Int(1))]),
        call("random_crop", &[("", Int(2))]),
        call("random_erase", &[("p", Int(1))]),
        call("color_jitter", &[("brightness", Literal::Float(0.9))]),
    ];
    let (transforms, schema) = fitted(&calls, &[4, 4, 1]).unwrap();
    let mut frame = frame::frame([4, 4, 1], &(0..16).collect::<Vec<u8>>());
    transforms.apply(&mut frame, None);
    assert_eq!(frame.pixels, [5, 6, 9, 10]);
    assert_eq!(schema.fields[0].shape, [2, 2, 1]);
}

#[test]
fn draws_depend_on_seed_epoch_sample_and_name() {
    let flips = |calls: &[TransformCall], seed, epoch| {
        let (transforms, _) = fitted(calls, &[1, 2, 1]).unwrap();
        let flip = |sample| {
            let mut frame = frame::frame([1, 2, 1], &[0, 1]);
            transforms.apply(&mut frame, Some(DrawKey { seed, epoch, sample }));
            frame.pixels == [1, 0]
        };
        (0..64).map(flip).collect::<Vec<bool>>()
    };
    let flip = call("random_flip", &[]);
    let first = flips(std::slice::from_ref(&flip), 0, 1);
    assert_eq!(first, flips(std::slice::from_ref(&flip), 0, 1));
    // Another transform in front draws from numbers of its own.
    let jitter = call("color_jitter", &[("contrast", Literal::Float(0.0001))]);
    assert_eq!(first, flips(&[jitter, flip.clone()], 0, 1));
    for (seed, epoch) in [(1, 1), (0, 2), (1 << 40, 1), (0, 1 << 20)] {
        assert_ne!(first, flips(std::slice::from_ref(&flip), seed, epoch), "{seed} {epoch}");
    }
    let twice = flips(&[flip.clone(), flip], 0, 1);
    assert!(twice.contains(&true), "the second draws anew");
}

#[test]
fn transforms_in_the_wrong_place() {
    use Literal::{Float, Int, List};
    let normalize = || call("normalize", &[("mean", Float(0.5)), ("std", Float(0.5))]);
    let erase = || call("random_erase", &[]);
    let cases = [
        (
            vec![normalize(), erase()],
            "`random_erase` works on bytes, but stands behind `normalize`",
        ),
        (vec![call("mixup", &[]), erase()], "`random_erase` stands behind `mixup`"),
        (vec![call("cutmix", &[]), call("cutmix", &[])], "`cutmix` stands twice"),
        (vec![call("one_hot", &[]), call("one_hot", &[])], "`one_hot` stands twice"),
    ];
    for (calls, expected) in cases {
        assert_eq!(message(&calls, &[8, 8, 3]), (expected.to_string(), Some(1)));
    }
    // What moves pixels only, or what keeps zero where it is, may stand anywhere.
    let rescale = call("rescale", &[("scale", Float(0.01))]);
    let crop = call("random_crop", &[("", Int(4))]);
    for calls in [[normalize(), call("random_flip", &[])], [normalize(), crop], [rescale, erase()]]
    {
        assert!(fitted(&calls, &[8, 8, 3]).is_ok(), "{calls:?}");
    }
    let three = List(vec![Float(0.5), Float(0.5), Float(0.5)]);
    let wide = call("normalize", &[("mean", three), ("std", Int(1))]);
    let found = message(&[call("grayscale", &[]), wide], &[8, 8, 3]);
    assert_eq!(found, ("`mean` has 3 numbers, the samples have 1 channel".to_string(), Some(1)));
}

#[test]
fn arguments_that_cannot_be() {
    use Literal::{Float, Int, Name};
    let cases = [
        (call("random_flop", &[]), "unknown transform `random_flop`"),
        (call("random_flip", &[("", Name("up".into()))]), "horizontal or vertical or both"),
        (call("random_flip", &[("p", Float(1.5))]), "`p` of `random_flip` must be a number from 0"),
        (call("random_crop", &[]), "needs `size`, `pad` or both"),
        (call("random_crop", &[("", Int(9))]), "9 × 9 is larger than the image of 8 × 8"),
        (call("random_crop", &[("pad", Int(-1))]), "`pad` of `random_crop` must be"),
        (call("random_rotate", &[]), "must be given: such as `random_rotate(15)`"),
        (call("random_rotate", &[("", Int(400))]), "from -360 to 360"),
        (call("random_zoom", &[("", Int(1))]), "from 0.05 to 20"),
        (call("random_erase", &[("value", Int(256))]), "an int from 0 to 255 or `random`"),
        (call("random_zoom", &[("range", Float(0.1)), ("fill", Name("wrap".into()))]), "`reflect`"),
        (call("color_jitter", &[]), "changes nothing"),
        (call("mixup", &[("alpha", Int(0))]), "from 0.01 to 100"),
        (call("rescale", &[("scale", Int(0))]), "other than 0"),
        (call("normalize", &[("mean", Float(0.5))]), "`std` of `normalize` must be given"),
        (call("normalize", &[("mean", Int(0)), ("std", Int(0))]), "greater than 0"),
        (call("one_hot", &[("", Int(10))]), "`one_hot` takes no arguments"),
        (call("resize", &[]), "`size` of `resize` must be given"),
    ];
    for (call, expected) in cases {
        let (found, transform) = message(std::slice::from_ref(&call), &[8, 8, 3]);
        assert!(found.contains(expected), "{found}\n{call:?}");
        assert_eq!(transform, Some(0));
    }
    let flip = call("random_flip", &[]);
    let found = message(std::slice::from_ref(&flip), &[784]).0;
    assert_eq!(
        found,
        "`random_flip` needs images [height, width, channels], but the data's `image` is u8[784]"
    );
}
