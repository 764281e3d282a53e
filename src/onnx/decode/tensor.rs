//! A tensor, whichever of its fields holds the elements: packed as `raw_data` is, little-endian.
//!
//! ```text
//! int64_data: [2, -1]  →  02 00 00 00 00 00 00 00  ff ff ff ff ff ff ff ff
//! ```
//!
//! There are as many elements as the dimensions say, or the tensor is refused.

use super::wire::{Message, WireField};
use super::{DecodeError, entry};
use crate::onnx::model::{OnnxExternal, OnnxTensor};

pub(super) fn tensor(mut message: Message<'_>) -> Result<OnnxTensor, DecodeError> {
    message.take::<OnnxTensor>()?;
    let mut made = OnnxTensor::default();
    let mut external = Vec::new();
    let mut is_external = false;
    let mut ints = Vec::new();
    while let Some((number, field)) = message.next()? {
        match number {
            1 => field.ints(&mut made.dims)?,
            2 => made.element = field.small()?,
            3 => return Err(field.error("a tensor comes in segments, which are not read".into())),
            4 => field.fixed(4, &mut made.data)?,
            5 | 7 | 11 => ints.push(field),
            8 => made.name = field.text()?,
            9 if made.data.is_empty() => made.data = field.copied()?,
            10 => field.fixed(8, &mut made.data)?,
            13 => external.push(entry(field.message()?)?),
            14 => is_external = field.int()? == 1,
            _ => {}
        }
    }
    for field in ints {
        whole_numbers(field, made.element, &mut made.data)?;
    }
    if is_external {
        made.external = Some(place(&message, &external)?);
    }
    checked(&message, &made)?;
    Ok(made)
}

/// Adds numbers that stand as such, not as bytes, to the elements.
fn whole_numbers(
    field: WireField<'_>,
    element: i32,
    data: &mut Vec<u8>,
) -> Result<(), DecodeError> {
    let Some(size) = OnnxTensor::element_bytes(element).filter(|&size| size <= 8) else {
        return Ok(());
    };
    field.each_int(|message, number| {
        message.take_bytes(2 * size)?;
        data.extend_from_slice(&number.to_le_bytes()[..size]);
        Ok(())
    })
}

/// The place of elements in another file.
fn place(message: &Message<'_>, entries: &[(String, String)]) -> Result<OnnxExternal, DecodeError> {
    let find = |key: &str| entries.iter().find(|(name, _)| name == key).map(|(_, value)| value);
    let number = |key: &str| match find(key).map(|text| text.parse::<u64>()) {
        None => Ok(None),
        Some(Ok(number)) => Ok(Some(number)),
        Some(Err(_)) => Err(message.error(format!("the {key} of external elements is no number"))),
    };
    let location = find("location").cloned();
    let location = location
        .ok_or_else(|| message.error("elements lie in another file, which is not named".into()))?;
    let (offset, length) = (number("offset")?.unwrap_or(0), number("length")?);
    Ok(OnnxExternal { location, offset, length })
}

/// Refuses a tensor whose elements are not as many as its dimensions say.
fn checked(message: &Message<'_>, tensor: &OnnxTensor) -> Result<(), DecodeError> {
    let count = tensor.dims.iter().try_fold(1u64, |product, &dim| {
        u64::try_from(dim).ok().and_then(|dim| product.checked_mul(dim))
    });
    let name = || tensor.name.chars().take(80).collect::<String>();
    let count = count.ok_or_else(|| {
        message.error(format!("the dimensions of `{}` cannot be: {:?}", name(), tensor.dims))
    })?;
    // Of others, the elements are not looked at.
    let Some(size) = OnnxTensor::element_bytes(tensor.element) else { return Ok(()) };
    if tensor.external.is_none() && count.checked_mul(size as u64) != Some(tensor.data.len() as u64)
    {
        return Err(message.error(format!(
            "`{}` has {} bytes of elements, and its dimensions {:?} ask for {count} elements of {size}",
            name(),
            tensor.data.len(),
            tensor.dims
        )));
    }
    Ok(())
}
