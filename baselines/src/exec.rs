//! Tokenizers in other programs: any language, spoken to in frames over stdin and stdout.
//!
//! `baselines/python/README.md` is the protocol.

use std::env;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use candle_core::{Device, Storage, Tensor};
use prismbench_core::{
    Encoding, FeatureTap, Features, ImageBatch, LatentNoise, LatentShape, Latents, PosteriorRule,
    SampleKey, Tokenizer, TokenizerError, TokenizerSpec,
};

mod answer;
mod child;
mod error;
mod frame;
mod hello;
mod rule;

use answer::{answer, are_finite, decoded, expect, floats, streams, vector};
use child::Program;
pub use child::end_programs;
pub use error::ExecError;
pub use frame::FrameError;
use frame::{Frame, Outgoing, Slice};
use hello::{Hello, Latent};
use rule::Picture;

/// Version of the protocol.
const PROTOCOL: &str = "1";

/// Bytes that an answer may have beyond twice what its arrays need: header and texts.
const SLACK: u64 = 4 << 20;

/// Widest class token or pooled vector.
const MAX_WIDTH: u64 = 1 << 16;

/// A tokenizer in a program of the user's.
pub(crate) struct Exec {
    hello: Hello,
    /// The program, or why it was ended.
    program: Mutex<Result<Program, String>>,
    device: Device,
}

/// The words of a command, by the rules of a POSIX shell; `None` where a quote is not closed or
/// there is no word.
pub(crate) fn words(command: &str) -> Option<Vec<String>> {
    shlex::split(command).filter(|words| words.first().is_some_and(|word| !word.is_empty()))
}

/// The program of a command and those of its arguments that are files.
pub(crate) fn files(command: &str) -> Vec<PathBuf> {
    let words = words(command).unwrap_or_default();
    let Some((program, arguments)) = words.split_first() else { return Vec::new() };
    let searched = env::var_os("PATH").filter(|_| !program.contains('/')).unwrap_or_default();
    let places = env::split_paths(&searched).map(|folder| folder.join(program));
    let program = places.chain([PathBuf::from(program)]).find(|place| place.is_file());
    let arguments = arguments.iter().map(PathBuf::from).filter(|path| path.is_file());
    program.into_iter().chain(arguments).collect()
}

impl Exec {
    /// Starts the program and asks what it is.
    ///
    /// # Errors
    /// [`TokenizerError::Program`] when it cannot be started or does not introduce itself.
    pub(crate) fn open(
        id: String,
        command: &str,
        patience: Duration,
        device: Device,
    ) -> Result<Self, TokenizerError> {
        let meet = || -> Result<_, ExecError> {
            let mut program = Program::start(&words(command).unwrap_or_default(), patience)?;
            let request = Outgoing::default().with("message", "hello").with("prismbench", PROTOCOL);
            let hello = answer(&mut program, "hello", &request, SLACK)
                .and_then(|answer| Hello::read(&id, &answer));
            Ok((hello.inspect_err(|_| program.kill())?, program))
        };
        match meet() {
            Ok((hello, program)) => Ok(Self { hello, program: Mutex::new(Ok(program)), device }),
            Err(cause) => Err(TokenizerError::Program { tokenizer: id, cause: Box::new(cause) }),
        }
    }

    /// Asks and has the answer looked at. A program that is out of step is ended.
    fn ask<T>(
        &self,
        name: &'static str,
        request: &Outgoing<'_>,
        limit: u64,
        read: impl FnOnce(Frame) -> Result<T, ExecError>,
    ) -> Result<T, TokenizerError> {
        let mut program = self.program.lock().unwrap_or_else(PoisonError::into_inner);
        let result = match &mut *program {
            Ok(program) => answer(program, name, request, limit).and_then(read),
            Err(reason) => Err(ExecError::Over { reason: reason.clone() }),
        };
        result.map_err(|cause| {
            match &mut *program {
                Ok(running) if !cause.is_in_step() => {
                    running.kill();
                    *program = Err(cause.to_string());
                }
                _ => {}
            }
            let tokenizer = self.hello.spec.id.clone();
            TokenizerError::Program { tokenizer, cause: Box::new(cause) }
        })
    }

    fn unsupported(&self, capability: &'static str) -> TokenizerError {
        TokenizerError::Unsupported { tokenizer: self.hello.spec.id.clone(), capability }
    }

    fn check_pictures(&self, images: &ImageBatch) -> Result<(), TokenizerError> {
        let Hello { spec, size, .. } = &self.hello;
        spec.check_sides(images)?;
        size.map_or(Ok(()), |size| spec.check_size(images, size))
    }

    /// The request `encode` without its pictures.
    fn encode_request(
        &self,
        encoding: &Encoding<'_>,
        count: usize,
    ) -> Result<Outgoing<'static>, TokenizerError> {
        let (hello, id) = (&self.hello, &self.hello.spec.id);
        if !hello.noise {
            encoding.refuse_noise(id)?;
        }
        if !hello.band_mask {
            encoding.refuse_band_mask(id)?;
        }
        let posterior = if hello.stochastic { encoding.posterior } else { PosteriorRule::Mode };
        if posterior == PosteriorRule::Sample || encoding.noise != LatentNoise::None {
            // Whatever is drawn must not depend on the order of arrival.
            encoding.streams("exec", count)?;
        }
        Ok(Outgoing::default()
            .with("message", "encode")
            .with("posterior", posterior)
            .with("noise", encoding.noise)
            .with("band_mask", encoding.band_mask)
            .with("seed", encoding.seed)
            .with("indices", list(encoding.samples.iter().map(|sample| sample.index)))
            .with("ids", list(encoding.samples.iter().map(|sample: &SampleKey<'_>| sample.id))))
    }

    /// What latents of this shape are decoded to.
    fn picture(&self, rule: &rule::Rule, shape: &[usize]) -> Option<Picture> {
        if !rule.fits(shape) {
            return None;
        }
        let stride = self.hello.spec.stride;
        match self.hello.size {
            Some((height, width)) => {
                let fits = rule.shape(height, width).is_some_and(|own| own == shape);
                fits.then_some(Picture::Sides(height, width))
            }
            None => rule.picture(shape).filter(|picture| match *picture {
                Picture::Sides(height, width) => {
                    height.is_multiple_of(stride) && width.is_multiple_of(stride)
                }
                Picture::Area(area) => {
                    stride.checked_mul(stride).is_some_and(|s| area.is_multiple_of(s))
                }
            }),
        }
    }

    fn decode_numbers(
        &self,
        rule: &rule::Rule,
        latents: &Tensor,
    ) -> Result<ImageBatch, TokenizerError> {
        let foreign = || TokenizerError::Shape {
            expected: format!("latents of `{}`, f32", self.hello.spec.id),
            found: format!("{:?} {:?}", latents.dtype(), latents.dims()),
        };
        let (&count, shape) = latents.dims().split_first().ok_or_else(foreign)?;
        let is_f32 = latents.dtype() == candle_core::DType::F32 && count > 0;
        let picture = self.picture(rule, shape).filter(|_| is_f32).ok_or_else(foreign)?;
        let area = match picture {
            Picture::Sides(height, width) => height.checked_mul(width).ok_or_else(foreign)?,
            Picture::Area(area) => area,
        };
        on_host(latents, |values| {
            let mut request = Outgoing::default().with("message", "decode");
            request.arrays.push(("latents".into(), latents.dims().to_vec(), Slice::F32(values)));
            let limit = limit(count, 3 * area as u64 * 4);
            self.ask("decode", &request, limit, |frame| {
                decoded(frame, count, Some(picture), &self.device)
            })
        })
    }

    fn decode_streams(&self, streams: &[Vec<u8>]) -> Result<ImageBatch, TokenizerError> {
        if streams.is_empty() {
            return Err(TokenizerError::Shape {
                expected: format!("bit streams of `{}`", self.hello.spec.id),
                found: "none".to_owned(),
            });
        }
        let mut request = Outgoing::default().with("message", "decode");
        for (i, stream) in streams.iter().enumerate() {
            request.arrays.push((i.to_string(), vec![stream.len()], Slice::U8(stream)));
        }
        let picture = self.hello.size.map(|(height, width)| Picture::Sides(height, width));
        // A stream does not tell its picture's size; no picture worth measuring is larger.
        let area = self.hello.size.map_or(1 << 24, |(height, width)| (height * width) as u64);
        let read = |frame| decoded(frame, streams.len(), picture, &self.device);
        let decoded = self.ask("decode", &request, limit(streams.len(), 12 * area), read);
        decoded.map_err(|error| match error {
            TokenizerError::Program { cause, .. }
                if cause.downcast_ref().is_some_and(ExecError::is_in_step) =>
            {
                TokenizerError::Codec(cause)
            }
            other => other,
        })
    }
}

impl Tokenizer for Exec {
    fn spec(&self) -> &TokenizerSpec {
        &self.hello.spec
    }

    fn latent_shape(&self, height: usize, width: usize) -> LatentShape {
        match &self.hello.latent {
            Latent::BitStream => LatentShape::BitStream,
            Latent::Numbers(rule) => {
                LatentShape::Tensor(rule.shape(height, width).unwrap_or_default())
            }
        }
    }

    fn encode(
        &self,
        images: &ImageBatch,
        encoding: &Encoding<'_>,
    ) -> Result<Latents, TokenizerError> {
        self.check_pictures(images)?;
        let (count, height, width) = images.dims();
        let request = self.encode_request(encoding, count)?;
        let rule = match &self.hello.latent {
            Latent::Numbers(rule) => rule,
            Latent::BitStream => {
                return on_host(images.tensor(), |values| {
                    let request = request.with_pictures(images, values);
                    // A stream that is longer than the picture's own floats compresses nothing.
                    let limit = limit(count, 12 * (height * width) as u64);
                    self.ask("encode", &request, limit, |frame| streams(frame, count))
                });
            }
        };
        let too_large = || TokenizerError::Shape {
            expected: "a latent that fits into memory".to_owned(),
            found: format!("that of `{}` for {width}x{height} pixels", self.hello.spec.id),
        };
        let mut shape = rule.shape(height, width).ok_or_else(too_large)?;
        let len = rule.len(height, width).ok_or_else(too_large)?;
        shape.insert(0, count);
        on_host(images.tensor(), |values| {
            let request = request.with_pictures(images, values);
            let (values, _) =
                self.ask("encode", &request, limit(count, 4 * len as u64), |mut frame| {
                    expect(&frame, "encode", "latents")?;
                    floats(&mut frame, "encode", "latents", &shape)
                })?;
            are_finite(&values, len)?;
            Ok(Latents::Tensor(Tensor::from_vec(values, shape.as_slice(), &self.device)?))
        })
    }

    fn decode(&self, latents: &Latents) -> Result<ImageBatch, TokenizerError> {
        if !self.hello.decodes {
            return Err(self.unsupported("decoder"));
        }
        match (&self.hello.latent, latents) {
            (Latent::Numbers(rule), Latents::Tensor(tensor)) => self.decode_numbers(rule, tensor),
            (Latent::BitStream, Latents::BitStreams(streams)) => self.decode_streams(streams),
            _ => Err(TokenizerError::Shape {
                expected: format!("latents of `{}`", self.hello.spec.id),
                found: latents.kind().to_owned(),
            }),
        }
    }

    fn features(&self, images: &ImageBatch, tap: FeatureTap) -> Result<Features, TokenizerError> {
        let Some(rule) = &self.hello.features else {
            return Err(self.unsupported("features besides its latents"));
        };
        self.check_pictures(images)?;
        let (count, height, width) = images.dims();
        let tap = match tap {
            FeatureTap::Last(_) => return Err(self.unsupported("class tokens of its last blocks")),
            tap => tap.to_string(),
        };
        let (Some(len), Some(&[rows, columns, wide])) =
            (rule.len(height, width), rule.shape(height, width).as_deref())
        else {
            return Err(self.unsupported("features of pictures of this size"));
        };
        on_host(images.tensor(), |values| {
            let request = Outgoing::default().with("message", "features").with("tap", tap);
            let request = request.with_pictures(images, values);
            let limit = limit(count, 4 * (len as u64 + 2 * MAX_WIDTH));
            self.ask("features", &request, limit, |mut frame| {
                expect(&frame, "features", "features")?;
                let shape = [count, rows * columns, wide];
                let patches = floats(&mut frame, "features", "patch_tokens", &shape)?;
                let class = vector(&mut frame, "class_token", count)?;
                let pooled = vector(&mut frame, "pooled", count)?;
                Ok((patches, class, pooled))
            })
            .and_then(|(patches, class, pooled)| {
                let tensor = |(values, shape): (Vec<f32>, Vec<usize>)| {
                    are_finite(&values, shape[1..].iter().product())?;
                    Ok::<_, TokenizerError>(Tensor::from_vec(values, shape, &self.device)?)
                };
                Ok(Features {
                    patch_tokens: tensor(patches)?,
                    grid: (rows, columns),
                    class_token: class.map(tensor).transpose()?,
                    pooled: pooled.map(tensor).transpose()?,
                })
            })
        })
    }
}

/// Twice what the arrays of `count` pictures need, so that a wrong shape is named as one.
fn limit(count: usize, bytes_each: u64) -> u64 {
    (count as u64).saturating_mul(bytes_each).saturating_mul(2).saturating_add(SLACK)
}

fn list(items: impl Iterator<Item = impl Into<serde_json::Value>>) -> serde_json::Value {
    serde_json::Value::Array(items.map(Into::into).collect())
}

/// The values of a tensor on the host, copied only if they are not there in C order.
fn on_host<T>(
    tensor: &Tensor,
    look: impl FnOnce(&[f32]) -> Result<T, TokenizerError>,
) -> Result<T, TokenizerError> {
    let (storage, layout) = tensor.storage_and_layout();
    if let (Storage::Cpu(storage), Some((start, end))) = (&*storage, layout.contiguous_offsets()) {
        return look(&storage.as_slice::<f32>()?[start..end]);
    }
    drop(storage);
    look(&tensor.flatten_all()?.to_vec1::<f32>()?)
}
