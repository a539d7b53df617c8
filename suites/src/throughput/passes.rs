//! Encode, decode and both of one tokenizer, timed.

use prismbench_core::{ImageBatch, Latents, Outcome, SampleKey, Tokenizer, TokenizerError};

use super::inputs::Inputs;
use super::machine::Machine;
use super::sweep::{Batched, NoTimes, Sweep, Swept};
use crate::{Context, SuiteError};

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
        let sweep = Sweep { machine, timing, interrupted: context.interrupted };
        let first_call = first_call(tokenizer, inputs, machine).map_err(|error| outcome(&error));
        let one = |done: u64, kind: Kind| {
            if let Err(failure) = &first_call {
                return Ok(Err(failure.clone()));
            }
            let mut call = Call { tokenizer, inputs, kind, ready: None };
            match sweep.run(&mut call) {
                Ok(swept) => Ok(Ok(swept)),
                Err(NoTimes::Tokenizer(error)) => Ok(Err(outcome(&error))),
                Err(NoTimes::Interrupted) => Err(SuiteError::Interrupted { done, total: 3 }),
            }
        };
        let [encode, decode, both] = Kind::ALL;
        let passes = [one(0, encode)?, one(1, decode)?, one(2, both)?];
        Ok(Self { first_call, passes, seconds: (machine.now() - start).as_secs_f64() })
    }
}

fn first_call(
    tokenizer: &dyn Tokenizer,
    inputs: &Inputs<'_>,
    machine: &dyn Machine,
) -> Result<f64, TokenizerError> {
    let (batch, keys) = (inputs.batch(1)?, inputs.keys(1));
    let start = machine.now();
    tokenizer.encode(&batch, &inputs.encoding(&keys))?;
    Ok((machine.now() - start).as_secs_f64())
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
        self.tokenizer.encode(&ready.batch, &self.inputs.encoding(&ready.keys))
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
        self.ready = Some(ready);
        Ok(())
    }

    fn call(&mut self) -> Result<(), TokenizerError> {
        let Some(ready) = &self.ready else { return Ok(()) };
        match (self.kind, &ready.latents) {
            (Kind::Decode, Some(latents)) => drop(self.tokenizer.decode(latents)?),
            (Kind::Encode, _) => drop(self.encode(ready)?),
            (Kind::RoundTrip | Kind::Decode, _) => {
                drop(self.tokenizer.decode(&self.encode(ready)?)?);
            }
        }
        Ok(())
    }
}
