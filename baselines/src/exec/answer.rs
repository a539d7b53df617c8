//! Answers, held against what was asked.

use candle_core::{Device, Tensor};
use prismbench_core::{ImageBatch, Latents, TokenizerError};

use super::child::Program;
use super::error::ExecError;
use super::frame::{Array, Frame, Outgoing, Values};
use super::rule::Picture;

/// An answer that is not an error.
pub(super) fn answer(
    program: &mut Program,
    name: &'static str,
    request: &Outgoing<'_>,
    limit: u64,
) -> Result<Frame, ExecError> {
    let frame = program.ask(name, request, limit)?;
    match frame.text("message") {
        "error" => Err(ExecError::Said { request: name, text: frame.text("text").to_owned() }),
        _ => Ok(frame),
    }
}

fn unexpected(request: &'static str, expected: &str, found: &str) -> ExecError {
    ExecError::Answer { request, expected: expected.to_owned(), found: found.to_owned() }
}

/// Refuses an answer with another message.
pub(super) fn expect(frame: &Frame, request: &'static str, message: &str) -> Result<(), ExecError> {
    match frame.text("message") {
        found if found == message => Ok(()),
        found => {
            let expected = format!("the message `{message}`");
            Err(unexpected(request, &expected, &format!("`{found}`")))
        }
    }
}

/// Values and the shape that they have.
pub(super) type Floats = (Vec<f32>, Vec<usize>);

/// Takes an array of f32 out of an answer.
pub(super) fn floats(
    frame: &mut Frame,
    request: &'static str,
    name: &str,
    shape: &[usize],
) -> Result<Floats, ExecError> {
    let expected = || format!("`{name}`, F32 {shape:?}");
    match frame.arrays.remove(name) {
        Some(Array { shape: found, values: Values::F32(values) }) if found == shape => {
            Ok((values, found))
        }
        Some(Array { shape: found, values }) => {
            Err(unexpected(request, &expected(), &format!("{} {found:?}", values.kind())))
        }
        None => Err(unexpected(request, &expected(), "no such array")),
    }
}

/// One vector for each of `count` pictures, if the answer has it.
pub(super) fn vector(
    frame: &mut Frame,
    name: &str,
    count: usize,
) -> Result<Option<Floats>, ExecError> {
    let wide = match frame.arrays.get(name) {
        None => return Ok(None),
        Some(array) => array.shape.get(1).copied().unwrap_or(1),
    };
    floats(frame, "features", name, &[count, wide.max(1)]).map(Some)
}

/// The bit streams of an answer to `encode`.
pub(super) fn streams(mut frame: Frame, count: usize) -> Result<Latents, ExecError> {
    expect(&frame, "encode", "latents")?;
    let mut stream = |i: usize| match frame.arrays.remove(&i.to_string()) {
        Some(Array { shape, values: Values::U8(bytes) }) if shape.len() == 1 => Ok(bytes),
        Some(Array { shape, values }) => {
            let found = format!("{} {shape:?}", values.kind());
            Err(unexpected("encode", &format!("`{i}`, U8 [bytes]"), &found))
        }
        None => Err(unexpected("encode", &format!("{count} bit streams"), &i.to_string())),
    };
    Ok(Latents::BitStreams((0..count).map(&mut stream).collect::<Result<_, _>>()?))
}

/// The pictures of an answer to `decode`.
pub(super) fn decoded(
    mut frame: Frame,
    count: usize,
    picture: Option<Picture>,
    device: &Device,
) -> Result<ImageBatch, ExecError> {
    expect(&frame, "decode", "images")?;
    let found = frame.arrays.get("images").map(|array| array.shape.clone()).unwrap_or_default();
    let shape = match (picture, found.as_slice()) {
        (Some(Picture::Sides(height, width)), _) => [count, 3, height, width],
        (Some(Picture::Area(area)), &[_, _, h, w]) if h.checked_mul(w) == Some(area) => {
            [count, 3, h, w]
        }
        (None, &[_, _, h, w]) if h > 0 && w > 0 => [count, 3, h, w],
        (Some(Picture::Area(area)), found) => {
            let expected = format!("`images`, F32 [{count}, 3, H, W] of {area} pixels each");
            return Err(unexpected("decode", &expected, &format!("{found:?}")));
        }
        (None, found) => {
            let expected = format!("`images`, F32 [{count}, 3, H, W]");
            return Err(unexpected("decode", &expected, &format!("{found:?}")));
        }
    };
    let (values, _) = floats(&mut frame, "decode", "images", &shape)?;
    Tensor::from_vec(values, &shape, device)
        .map_err(TokenizerError::from)
        .and_then(ImageBatch::new)
        .map_err(|error| unexpected("decode", "pictures that fit the device", &error.to_string()))
}

/// Refuses values of which one is not finite; a sample has `each` of them.
pub(super) fn are_finite(values: &[f32], each: usize) -> Result<(), TokenizerError> {
    match values.iter().position(|value| !value.is_finite()) {
        None => Ok(()),
        Some(at) => Err(TokenizerError::NotFinite {
            stage: "encoder",
            value: values[at].to_string(),
            sample: at / each.max(1),
        }),
    }
}
