//! Convolutions, over images and sequences: channels last, weights `[kh, kw, in, out]`.
//!
//! ```text
//! Conv(x, w[64, 3, 7, 7], b)   →  conv(x, 64, 7, stride: 2, pad: 3), weight [7, 7, 3, 64]
//! ```

use super::Translator;
use crate::onnx::import::constant::{Constant, ElementKind};
use crate::onnx::import::known::Made;
use crate::onnx::import::net::{CallSetting, Weight};
use crate::onnx::import::node::NodeReader;
use crate::onnx::import::size::SymbolicSize;
use crate::onnx::import::value::{Placed, channels_last};

/// PlacedWindows over spatial axes: an entry for each axis.
#[derive(Clone, Debug)]
pub(super) struct PlacedWindows {
    pub size: Vec<i64>,
    pub stride: Vec<i64>,
    pub dilation: Vec<i64>,
    /// Before and after each axis.
    pub pad: Vec<[i64; 2]>,
    /// Extents of what is made.
    pub out: Vec<i64>,
}

/// CallSettings of a call by name.
pub(super) type CallSettings = Vec<(Option<&'static str>, CallSetting)>;

impl PlacedWindows {
    /// Reads the attributes of windows over spatial axes of these extents.
    pub fn read(node: &NodeReader<'_>, extents: &[i64], size: Vec<i64>) -> Made<PlacedWindows> {
        let axes = window_axes(extents, &size)?;
        let each = |name| of_each_axis(node, name, axes, 1);
        let (stride, dilation) = (each("strides")?, each("dilations")?);
        if size.iter().chain(extents).any(|it| !(1..1 << 24).contains(it)) {
            return Err("a window or an axis has no extent, or too large a one".into());
        }
        let ceil = node.int("ceil_mode", 0)? == 1;
        let given = pads(node, axes)?;
        let auto = node.text("auto_pad", "NOTSET")?;
        let (mut pad, mut out) = (Vec::new(), Vec::new());
        for axis in 0..axes {
            let window = (size[axis] - 1) * dilation[axis] + 1;
            let (extent, step) = (extents[axis], stride[axis]);
            let mut around = match auto {
                "NOTSET" => given[axis],
                "VALID" => [0, 0],
                "SAME_UPPER" | "SAME_LOWER" => {
                    let all = ((extent + step - 1) / step - 1) * step + window - extent;
                    let (half, rest) = (all.max(0) / 2, all.max(0) - all.max(0) / 2);
                    if auto == "SAME_UPPER" { [half, rest] } else { [rest, half] }
                }
                other => return Err(format!("`auto_pad` is `{other}`, which is none")),
            };
            let room = extent + around[0] + around[1] - window;
            if room < 0 {
                return Err("a window is larger than what it moves over".into());
            }
            let mut count = room / step + 1;
            if ceil && room % step != 0 && count * step < extent + around[0] {
                // A window more, which begins inside and ends beyond the padding.
                around[1] += step - room % step;
                count += 1;
            }
            pad.push(around);
            out.push(count);
        }
        Ok(PlacedWindows { size, stride, dilation, pad, out })
    }

    /// Stride, padding and dilation, where they are not as usual.
    pub fn settings(&self, usual_stride: &[i64]) -> CallSettings {
        let mut settings = CallSettings::new();
        if self.stride != usual_stride {
            settings.push((Some("stride"), CallSetting::ints(&self.stride)));
        }
        if self.pad.iter().any(|pad| *pad != [0, 0]) {
            settings.push((Some("pad"), padding(&self.pad)));
        }
        if self.dilation.iter().any(|&it| it != 1) {
            settings.push((Some("dilation"), CallSetting::ints(&self.dilation)));
        }
        settings
    }

    /// The settings of a layer with so many filters.
    fn layer_settings(&self, filters: i64) -> CallSettings {
        let mut settings =
            vec![(None, CallSetting::Int(filters)), (None, CallSetting::ints(&self.size))];
        settings.extend(self.settings(&vec![1; self.size.len()]));
        settings
    }

    /// The shape of what is made of `batch` images or sequences.
    pub fn made(&self, batch: SymbolicSize, channels: i64) -> Vec<SymbolicSize> {
        let sizes = self.out.iter().map(|&extent| SymbolicSize::known(extent));
        [batch, SymbolicSize::known(channels)].into_iter().chain(sizes).collect()
    }
}

/// How many axes a window of this size moves over.
fn window_axes(extents: &[i64], size: &[i64]) -> Made<usize> {
    let axes = extents.len();
    match size.len() == axes && (1..=2).contains(&axes) {
        true => Ok(axes),
        false => Err(format!("windows over {axes} axes are not supported, only over 1 or 2")),
    }
}

/// A number of each axis, of at least this, which it is where the node says nothing.
fn of_each_axis(node: &NodeReader<'_>, name: &str, axes: usize, least: i64) -> Made<Vec<i64>> {
    let values = node.ints(name)?.unwrap_or_else(|| vec![least; axes]);
    match values.len() == axes && values.iter().all(|it| (least..1 << 20).contains(it)) {
        true => Ok(values),
        false => Err(format!("`{name}` should be a number of at least {least} for each axis")),
    }
}

/// The padding of each axis, before and after: ONNX lists all befores first.
fn pads(node: &NodeReader<'_>, axes: usize) -> Made<Vec<[i64; 2]>> {
    let Some(pads) = node.ints("pads")? else { return Ok(vec![[0, 0]; axes]) };
    if pads.len() != 2 * axes || pads.iter().any(|it| !(0..1 << 20).contains(it)) {
        return Err(format!("the padding {pads:?} is not supported"));
    }
    Ok((0..axes).map(|axis| [pads[axis], pads[axis + axes]]).collect())
}

/// Padding as the language writes it.
pub(super) fn padding(pad: &[[i64; 2]]) -> CallSetting {
    match pad.iter().all(|[before, after]| before == after) {
        true => CallSetting::ints(&pad.iter().map(|pad| pad[0]).collect::<Vec<_>>()),
        false => CallSetting::List(pad.iter().map(|pad| CallSetting::list(pad)).collect()),
    }
}

/// Known extents of all axes but the first two.
pub(super) fn spatial(x: &Placed) -> Made<Vec<i64>> {
    let extents: Option<Vec<i64>> = x.dims.iter().skip(2).map(|size| size.number()).collect();
    extents.ok_or_else(|| "an axis that windows move over depends on the batch".into())
}

/// The known extent of the channels.
pub(super) fn channels(x: &Placed) -> Made<i64> {
    let channels = x.dims.get(1).and_then(|channels| channels.number());
    channels.ok_or_else(|| "its input has no channels".into())
}

impl<'a> Translator<'a> {
    /// A value with its channels last.
    pub(super) fn channels_last(&mut self, x: &Placed) -> Made<Placed> {
        self.ordered(x, &channels_last(x.rank()))
    }

    /// A value for an operator on `[N, …, C]`: in programs of whole samples, both leading axes as one.
    pub(super) fn as_images(&mut self, x: &Placed) -> Made<Placed> {
        let x = self.channels_last(x)?;
        if !self.lead {
            return Ok(x);
        }
        let mut shape = self.net.nodes[x.id].shape[1..].to_vec();
        shape[0] = SymbolicSize::N.mul(shape[0]).ok_or("its first axis depends on the batch")?;
        let id = self.reshape_node(x.id, shape, x.kind);
        Ok(Placed { id, ..x })
    }

    /// The reverse: what was made of `[N, …, C]` as a value of the graph.
    pub(super) fn of_images(&mut self, id: usize, dims: Vec<SymbolicSize>) -> Placed {
        let order = channels_last(dims.len());
        let shape = self.shape(&dims, &order);
        let id = self.reshape_node(id, shape, ElementKind::Float);
        Placed { id, kind: ElementKind::Float, dims, order, shuffle: None, rows: None }
    }

    /// The shape of what an operator makes of [`Translator::as_images`].
    pub(super) fn images_shape(&self, dims: &[SymbolicSize]) -> Made<Vec<SymbolicSize>> {
        let order = channels_last(dims.len());
        let mut shape: Vec<SymbolicSize> = order.iter().map(|&axis| dims[axis]).collect();
        if self.lead {
            shape[0] =
                SymbolicSize::N.mul(shape[0]).ok_or("its first axis depends on the batch")?;
        }
        Ok(shape)
    }

    /// A layer with weights over a value whose channels are last, and the shape of what it makes.
    fn image_layer(
        &mut self,
        node: &NodeReader<'a>,
        (callee, x): (&str, &Placed),
        settings: CallSettings,
        (dims, weights): (Vec<SymbolicSize>, Vec<Weight>),
    ) -> Made<Placed> {
        let x = self.as_images(x)?;
        let shape = self.images_shape(&dims)?;
        let id = self.layer(node, (callee, x.id), settings, shape, weights);
        Ok(self.of_images(id, dims))
    }

    pub(super) fn conv(&mut self, node: &NodeReader<'a>) -> Made<Placed> {
        let x = self.tensor(node, 0)?;
        let (weight, bias) =
            (self.known.constant(node, 1)?, self.known.optional_constant(node, 2)?);
        let groups = node.int("group", 1)?;
        let (extents, inputs) = (spatial(&x)?, channels(&x)?);
        let filters = filters(&weight, &x)?;
        let size: Vec<i64> = weight.dims[2..].iter().map(|&dim| dim as i64).collect();
        if let Some(said) = node.ints("kernel_shape")?
            && said != size
        {
            return Err(format!("its weight is {:?}, not {said:?}", weight.dims));
        }
        let fits = groups >= 1
            && inputs % groups == 0
            && filters % groups == 0
            && weight.dims[1] as i64 == inputs / groups;
        if !fits {
            return Err(format!("a weight {:?} is not for {inputs} channels", weight.dims));
        }
        let windows = PlacedWindows::read(node, &extents, size)?;
        let mut settings = windows.layer_settings(filters);
        if groups != 1 {
            settings.push((Some("groups"), CallSetting::Int(groups)));
        }
        let order: Vec<usize> = (2..weight.dims.len()).chain([1, 0]).collect();
        let weights =
            with_bias(Weight::new(weight).transposed(&order), bias, filters, &mut settings)?;
        let dims = windows.made(x.dims[0], filters);
        self.image_layer(node, ("conv", &x), settings, (dims, weights))
    }

    pub(super) fn conv_transpose(&mut self, node: &NodeReader<'a>) -> Made<Placed> {
        let x = self.tensor(node, 0)?;
        let (weight, bias) =
            (self.known.constant(node, 1)?, self.known.optional_constant(node, 2)?);
        if node.int("group", 1)? != 1 {
            return Err("transposed convolutions in groups have no counterpart".into());
        }
        let (extents, inputs) = (spatial(&x)?, channels(&x)?);
        filters(&weight, &x)?;
        if weight.dims[0] as i64 != inputs {
            return Err(format!("a weight {:?} is not for {inputs} channels", weight.dims));
        }
        let filters = weight.dims[1] as i64;
        let size: Vec<i64> = weight.dims[2..].iter().map(|&dim| dim as i64).collect();
        node.ints("kernel_shape")?;
        let windows = transposed_windows(node, &extents, size)?;
        let mut settings = windows.layer_settings(filters);
        let more = node.ints("output_padding")?.unwrap_or_default();
        if more.iter().any(|&it| it != 0) {
            let pads: Vec<[i64; 2]> = more.iter().map(|&after| [0, after]).collect();
            let even = more.iter().all(|&it| it == more[0]);
            let setting = if even { CallSetting::Int(more[0]) } else { padding(&pads) };
            settings.push((Some("output_pad"), setting));
        }
        let order: Vec<usize> = (2..weight.dims.len()).chain([0, 1]).collect();
        let weights =
            with_bias(Weight::new(weight).transposed(&order), bias, filters, &mut settings)?;
        let dims = windows.made(x.dims[0], filters);
        self.image_layer(node, ("conv_transpose", &x), settings, (dims, weights))
    }
}

/// The number of filters of a convolution's weight over a value, if it is one.
fn filters(weight: &Constant, x: &Placed) -> Made<i64> {
    if weight.dims.len() != x.rank()
        || x.kind != ElementKind::Float
        || weight.kind != ElementKind::Float
    {
        return Err(format!("a weight {:?} is not for {} axes", weight.dims, x.rank()));
    }
    if x.rank() < 3 || weight.dims.contains(&0) {
        return Err("it has no axis to move over".into());
    }
    Ok(weight.dims[0] as i64)
}

/// A weight and its bias; without one, a setting says so.
pub(super) fn with_bias(
    weight: Weight,
    bias: Option<Constant>,
    units: i64,
    settings: &mut CallSettings,
) -> Made<Vec<Weight>> {
    match bias {
        Some(bias) if bias.count() as i64 == units && bias.kind == ElementKind::Float => {
            let units = bias.count();
            Ok(vec![weight, Weight::new(bias).reshaped(vec![units])])
        }
        Some(bias) => Err(format!("a bias {:?} is not for {units} channels", bias.dims)),
        None => {
            settings.push((Some("bias"), CallSetting::bool(false)));
            Ok(vec![weight])
        }
    }
}

/// The windows of a transposed convolution.
fn transposed_windows(
    node: &NodeReader<'_>,
    extents: &[i64],
    size: Vec<i64>,
) -> Made<PlacedWindows> {
    let axes = window_axes(extents, &size)?;
    let each = |name, least| of_each_axis(node, name, axes, least);
    let (stride, dilation) = (each("strides", 1)?, each("dilations", 1)?);
    let more = each("output_padding", 0)?;
    let (mut pad, asked, auto) =
        (pads(node, axes)?, node.ints("output_shape")?, node.text("auto_pad", "NOTSET")?);
    let mut out = Vec::new();
    for axis in 0..axes {
        let whole =
            (extents[axis] - 1) * stride[axis] + (size[axis] - 1) * dilation[axis] + 1 + more[axis];
        let wanted = match (&asked, auto) {
            (Some(asked), _) => asked.get(asked.len().wrapping_sub(axes) + axis).copied(),
            (None, "SAME_UPPER" | "SAME_LOWER") => Some(extents[axis] * stride[axis]),
            (None, "NOTSET") => None,
            (None, "VALID") => Some(whole),
            (None, other) => return Err(format!("`auto_pad` is `{other}`, which is none")),
        };
        if let Some(wanted) = wanted {
            let all = whole - wanted;
            if all < 0 {
                return Err("it makes an output larger than its windows reach".into());
            }
            let half = all / 2;
            pad[axis] = if auto == "SAME_UPPER" { [half, all - half] } else { [all - half, half] };
        }
        out.push(whole - pad[axis][0] - pad[axis][1]);
    }
    if out.iter().any(|&extent| extent < 1) || more.iter().zip(&stride).any(|(a, b)| a >= b) {
        return Err("its padding has no counterpart".into());
    }
    Ok(PlacedWindows { size, stride, dilation, pad, out })
}
