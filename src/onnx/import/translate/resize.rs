//! Images and sequences made larger by a whole factor.

use super::Translator;
use crate::onnx::import::constant::ElementKind;
use crate::onnx::import::known::Made;
use crate::onnx::import::net::CallSetting;
use crate::onnx::import::node::NodeReader;
use crate::onnx::import::size::SymbolicSize;
use crate::onnx::import::value::{Placed, axis_of};

impl<'a> Translator<'a> {
    pub(super) fn resize(&mut self, node: &NodeReader<'a>) -> Made<Placed> {
        let x = self.tensor(node, 0)?;
        if !(3..=4).contains(&x.rank()) || x.kind != ElementKind::Float {
            return Err("it is for images and sequences alone".into());
        }
        let policy = node.text("keep_aspect_ratio_policy", "stretch")?;
        if policy != "stretch" {
            return Err(format!("its `keep_aspect_ratio_policy` is `{policy}`, not `stretch`"));
        }
        let factors = self.factors(node, &x)?;
        let factor = factors[2];
        let even = factors[..2] == [1, 1] && factors[2..].iter().all(|&it| it == factor);
        if !even || !(1..256).contains(&factor) {
            return Err(format!("only a whole factor of all spatial axes, not {factors:?}"));
        }
        let mode = self.mode(node, factor)?;
        let mut dims = x.dims.clone();
        for size in &mut dims[2..] {
            *size = size.mul(SymbolicSize::known(factor)).ok_or("it makes too much")?;
        }
        let x = self.as_images(&x)?;
        let mut settings = vec![(None, CallSetting::Int(factor))];
        if mode != "nearest" {
            settings.push((None, CallSetting::Text(mode)));
        }
        let shape = self.images_shape(&dims)?;
        let id = self.call("upsample", vec![x.id], settings, shape, ElementKind::Float);
        Ok(self.of_images(id, dims))
    }

    /// The factor of each axis, 0 where it is no whole number.
    fn factors(&self, node: &NodeReader<'a>, x: &Placed) -> Made<Vec<i64>> {
        let is_upsample = node.node.op == "Upsample";
        let at = if is_upsample || node.opset < 11 { 1 } else { 2 };
        if at == 2 {
            // The region of interest counts in one mode alone, which is refused.
            node.input(1);
        }
        let whole = |value: f32| if value.fract() == 0.0 { value as i64 } else { 0 };
        let given = match node.attribute("scales") {
            Some(crate::onnx::model::OnnxAttribute::Floats(scales)) => Some(scales.clone()),
            _ => self
                .known
                .optional_constant(node, at)?
                .map(|scales| scales.floats(&self.known.stored)),
        };
        let axes = match node.ints("axes")? {
            Some(axes) => axes.iter().map(|&axis| axis_of(axis, x.rank())).collect::<Made<_>>()?,
            None => (0..x.rank()).collect::<Vec<_>>(),
        };
        if let Some(scales) = given.filter(|scales| !scales.is_empty()) {
            if scales.len() != axes.len() {
                return Err("it has not a factor for each axis".into());
            }
            let mut factors = vec![1; x.rank()];
            axes.into_iter().zip(scales).for_each(|(axis, scale)| factors[axis] = whole(scale));
            return Ok(factors);
        }
        let given = self.known.sizes(node, 3)?;
        if given.len() != axes.len() {
            return Err("it has not a size for each axis".into());
        }
        let mut sizes = x.dims.clone();
        axes.into_iter().zip(given).for_each(|(axis, size)| sizes[axis] = size);
        let sizes = self.known.with_batch(sizes, &x.dims);
        let factor = |(from, to): (&SymbolicSize, &SymbolicSize)| match from == to {
            true => 1,
            false => match (from.number(), to.number()) {
                (Some(from), Some(to)) if from > 0 && to % from == 0 => to / from,
                _ => 0,
            },
        };
        Ok(x.dims.iter().zip(&sizes).map(factor).collect())
    }

    /// The language's mode, if it makes the same of every factor like this one.
    fn mode(&self, node: &NodeReader<'a>, factor: i64) -> Made<&'static str> {
        let mode = node.text("mode", "nearest")?;
        let old = node.node.op == "Upsample" || node.opset < 11;
        let place = match old {
            true => "asymmetric",
            false => node.text("coordinate_transformation_mode", "half_pixel")?,
        };
        let rounding = match old {
            true => "floor",
            false => node.text("nearest_mode", "round_prefer_floor")?,
        };
        node.ignore(&["cubic_coeff_a", "exclude_outside", "extrapolation_value"]);
        if node.int("antialias", 0)? != 0 {
            return Err("it smooths, which has no counterpart".into());
        }
        let centred = matches!(place, "half_pixel" | "pytorch_half_pixel");
        match mode {
            "nearest" if place == "asymmetric" && rounding == "floor" => Ok("nearest"),
            "nearest"
                if place == "asymmetric" && factor == 2 && rounding == "round_prefer_floor" =>
            {
                Ok("nearest")
            }
            "nearest" if centred && rounding.starts_with("round_prefer") => Ok("nearest"),
            "linear" if centred && !old => Ok("bilinear"),
            _ => Err(format!("`{mode}` by `{place}` and `{rounding}` has no counterpart")),
        }
    }
}
