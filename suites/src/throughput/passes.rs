//! Encode, decode and both of one tokenizer, timed.

use prismbench_core::{
    ElementType, ImageBatch, Latents, Outcome, SampleKey, Tokenizer, TokenizerError,
};
use prismbench_kernels::accelerator::DeviceFailure;

use super::inputs::Inputs;
use super::machine::Machine;
use super::sweep::{Batched, NoTimes, Sweep, Swept};
use crate::{Context, Stage, SuiteError};

/// What is timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Encode,
    Decode,
    RoundTrip,
}

impl Kind {
    pub(super) const ALL: [Self; 3] = [Self::Encode, Self::Decode, Self::RoundTrip];
}

/// All times of a tokenizer.
pub(super) struct Timed {
    /// Of the first encode after loading, in seconds.
    pub(super) first_call: Result<f64, Outcome>,
    /// In the order of [`Kind::ALL`].
    pub(super) passes: [Result<Swept, Outcome>; 3],
    pub(super) seconds: f64,
}

impl Timed {
    pub(super) fn of(
        tokenizer: &dyn Tokenizer,
        inputs: &Inputs<'_>,
        machine: &dyn Machine,
        context: &Context<'_>,
    ) -> Result<Self, SuiteError> {
        let start = machine.now();
        let timing = inputs.protocol.timing;
        if let Some(reason) = other_numbers(tokenizer, inputs) {
            let left_out = Outcome::Skipped { reason };
            let passes = [(); 3].map(|()| Err(left_out.clone()));
            return Ok(Self { first_call: Err(left_out), passes, seconds: 0.0 });
        }
        let (device, interrupted) = (context.device, context.interrupted);
        let sweep = Sweep { machine, device, timing, interrupted };
        let first_call = match first_call(tokenizer, inputs, machine) {
            Ok(seconds) => Ok(seconds),
            Err(error) if is_lost(&error) => return Err(SuiteError::lost(&error)),
            Err(error) => Err(outcome(&error)),
        };
        let one = |done: u64, kind: Kind| {
            if let Err(failure) = &first_call {
                return Ok(Err(failure.clone()));
            }
            let mut call = Call { tokenizer, inputs, kind, ready: None };
            match sweep.run(&mut call) {
                Ok(swept) => Ok(Ok(swept)),
                Err(NoTimes::Tokenizer(error) | NoTimes::OutOfMemory(error)) => {
                    Ok(Err(outcome(&error)))
                }
                Err(NoTimes::Lost(error)) => Err(SuiteError::lost(&error)),
                Err(NoTimes::Interrupted) => Err(SuiteError::Interrupted { done, total: 3 }),
            }
        };
        let [encode, decode, both] = Kind::ALL;
        let passes = [one(0, encode)?, one(1, decode)?, one(2, both)?];
        Ok(Self { first_call, passes, seconds: (machine.now() - start).as_secs_f64() })
    }
}

/// Why a tokenizer does not compute with the numbers of the protocol: only published models do.
pub(super) fn other_numbers(tokenizer: &dyn Tokenizer, inputs: &Inputs<'_>) -> Option<String> {
    let (element, spec) = (inputs.protocol.element_type, tokenizer.spec());
    let none = element != ElementType::F32 && spec.weights.is_empty();
    none.then(|| format!("`{}` has no weights that could be of {element}", spec.id))
}

fn first_call(
    tokenizer: &dyn Tokenizer,
    inputs: &Inputs<'_>,
    machine: &dyn Machine,
) -> Result<f64, TokenizerError> {
    let (batch, keys) = (inputs.batch(1)?, inputs.keys(1));
    let start = machine.now();
    tokenizer.encode(&batch, &inputs.encoding(&keys))?;
    inputs.device.synchronize()?;
    Ok((machine.now() - start).as_secs_f64())
}

fn is_lost(error: &TokenizerError) -> bool {
    DeviceFailure::at_the_bottom_of(error) == Some(DeviceFailure::Lost)
}

/// What a tokenizer cannot do is left out; anything else is a failure.
pub(super) fn outcome(error: &TokenizerError) -> Outcome {
    match error {
        TokenizerError::Unsupported { .. } => Outcome::Skipped { reason: error.to_string() },
        error => Outcome::failed(error),
    }
}

/// One of the three, with what a batch needs.
struct Call<'a> {
    tokenizer: &'a dyn Tokenizer,
    inputs: &'a Inputs<'a>,
    kind: Kind,
    ready: Option<Ready<'a>>,
}

struct Ready<'a> {
    batch: ImageBatch,
    keys: Vec<SampleKey<'a>>,
    /// For a decode alone.
    latents: Option<Latents>,
}

impl Call<'_> {
    fn encode(&self, ready: &Ready<'_>) -> Result<Latents, TokenizerError> {
        let _encode = Stage::Encode.enter();
        self.tokenizer.encode(&ready.batch, &self.inputs.encoding(&ready.keys))
    }

    fn decode(&self, latents: &Latents) -> Result<ImageBatch, TokenizerError> {
        let _decode = Stage::Decode.enter();
        self.tokenizer.decode(latents)
    }
}

impl Batched for Call<'_> {
    fn prepare(&mut self, batch: usize) -> Result<(), TokenizerError> {
        // The last batch's memory is not this one's.
        self.ready = None;
        let (batch, keys) = (self.inputs.batch(batch)?, self.inputs.keys(batch));
        let mut ready = Ready { batch, keys, latents: None };
        if self.kind == Kind::Decode {
            ready.latents = Some(self.encode(&ready)?);
        }
        self.inputs.device.synchronize()?;
        self.ready = Some(ready);
        Ok(())
    }

    fn call(&mut self) -> Result<(), TokenizerError> {
        let Some(ready) = &self.ready else { return Ok(()) };
        match (self.kind, &ready.latents) {
            (Kind::Decode, Some(latents)) => drop(self.decode(latents)?),
            (Kind::Encode, _) => drop(self.encode(ready)?),
            (Kind::RoundTrip | Kind::Decode, _) => drop(self.decode(&self.encode(ready)?)?),
        }
        // A device computes behind our back: a call is over when it is done.
        Ok(self.inputs.device.synchronize()?)
    }
}
