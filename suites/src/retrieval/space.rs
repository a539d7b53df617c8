use std::sync::Arc;

use prismbench_core::{JointSpace, Outcome, Tokenizer};
use prismbench_metrics::{
    Alignment, BagOfWords, Features, Groups, MetricError, Retrieval, retrieve,
};

use super::texts::{Texts, flat};
use crate::extraction::{Extracted, embed, extract};
use crate::spool::Spool;
use crate::suite::{joint_sha256, training};
use crate::{Context, Measured, Pictures, SuiteError};

/// Texts and pictures of one tokenizer in one space.
pub(super) struct Space {
    texts: Box<dyn Features>,
    groups: Groups,
    /// From pooled features to the space; `None` where they are in it.
    alignment: Option<Alignment>,
}

/// The spaces of all tokenizers.
pub(super) struct Spaces {
    pub(super) each: Vec<Result<Space, Outcome>>,
    /// sha256 of the pictures that alignments were fitted on; empty without.
    pub(super) learnt_from: String,
}

impl Space {
    pub(super) fn retrieve(&self, images: &dyn Features) -> Result<Retrieval, MetricError> {
        match &self.alignment {
            None => retrieve(self.texts.as_ref(), images, &self.groups),
            Some(alignment) => {
                retrieve(self.texts.as_ref(), &alignment.images(images)?, &self.groups)
            }
        }
    }
}

/// What decides a recall besides tokenizer and protocol: pictures, texts, and what was learnt from.
pub(super) fn reference(
    pictures: &Measured,
    learnt_from: &str,
    texts: &Result<Texts, String>,
) -> String {
    let texts = texts.as_ref().map(Texts::sha256).unwrap_or_default();
    joint_sha256(&[&pictures.sha256, learnt_from, &texts])
}

/// Makes the spaces that the protocol asks for.
pub(super) fn of_all(
    subjects: &[&dyn Tokenizer],
    pictures: &Pictures<'_>,
    texts: &Result<Texts, String>,
    context: &mut Context<'_>,
    warnings: &mut Vec<String>,
) -> Result<Spaces, SuiteError> {
    let none = |outcome: Outcome| {
        let each = subjects.iter().map(|_| Err(outcome.clone())).collect();
        Ok(Spaces { each, learnt_from: String::new() })
    };
    let texts = match texts {
        Ok(texts) => texts,
        Err(reason) => return none(Outcome::Skipped { reason: reason.clone() }),
    };
    if pictures.protocol.joint_space == JointSpace::Own {
        let each = subjects.iter().map(|&subject| own(subject, pictures, texts, context, warnings));
        return Ok(Spaces { each: each.collect(), learnt_from: String::new() });
    }
    let train = training(context, pictures)?;
    let Some(mut learnt) = extract(subjects, &train, context)? else {
        return none(Outcome::Skipped { reason: "this is a shard".to_owned() });
    };
    warnings.append(&mut learnt.warnings);
    let (captions, image_of) = flat(&learnt.captions);
    let of_train = Captions { captions: &captions, image_of: &image_of, train: &train };
    let each = match of_train.align(&learnt.subjects, texts, context, warnings) {
        Ok(each) => each,
        Err(outcome) => return none(outcome),
    };
    Ok(Spaces { each, learnt_from: learnt.pictures.sha256 })
}

/// The space that a model brings along.
fn own(
    subject: &dyn Tokenizer,
    pictures: &Pictures<'_>,
    Texts { texts, groups, set }: &Texts,
    context: &Context<'_>,
    warnings: &mut Vec<String>,
) -> Result<Space, Outcome> {
    let embedded = embed(subject, pictures.protocol, (texts, set), context, warnings)?;
    Ok(Space { texts: Box::new(embedded.into_rows()), groups: groups.clone(), alignment: None })
}

/// The same rows, kept.
fn spooled(features: &dyn Features) -> Result<Spool, MetricError> {
    let read = |error| MetricError::Read(Arc::new(error));
    let mut spool = Spool::new(features.columns());
    let mut row = vec![0.0; features.columns()];
    for number in 0..features.rows() {
        features.read(number, &mut row).map_err(read)?;
        spool.push(&features.name(number), &row).map_err(read)?;
    }
    Ok(spool)
}

/// The captions of the training pictures, one after the other.
struct Captions<'a> {
    captions: &'a [String],
    image_of: &'a [usize],
    train: &'a Pictures<'a>,
}

impl Captions<'_> {
    /// Aligns each tokenizer's pictures to the features of their captions.
    fn align(
        &self,
        images: &[Result<Extracted, Outcome>],
        texts: &Texts,
        context: &Context<'_>,
        warnings: &mut Vec<String>,
    ) -> Result<Vec<Result<Space, Outcome>>, Outcome> {
        if self.captions.is_empty() {
            let reason = "the training pictures have no captions to align with".to_owned();
            return Err(Outcome::Skipped { reason });
        }
        let spaces = |of_captions: &dyn Features, of_texts: &dyn Features| {
            let space = |images: &Result<Extracted, Outcome>| {
                let images = images.as_ref().map_err(Clone::clone)?.features();
                let fitted = Alignment::fit(images, of_captions, self.image_of);
                let fitted = fitted.and_then(|alignment| {
                    let aligned = Box::new(spooled(&alignment.texts(of_texts)?)?);
                    let (groups, alignment) = (texts.groups.clone(), Some(alignment));
                    Ok(Space { texts: aligned, groups, alignment })
                });
                fitted.map_err(|error| Outcome::failed(&error))
            };
            images.iter().map(space).collect()
        };
        match context.text_tower {
            None => {
                let words = BagOfWords::fit(self.captions.iter().map(String::as_str));
                let words = words.map_err(|error| Outcome::failed(&error))?;
                Ok(spaces(&words.features(self.captions), &words.features(&texts.texts)))
            }
            Some(tower) => {
                let set = format!("{} {}", self.train.dataset.id(), self.train.part.name());
                let protocol = self.train.protocol;
                let captions = embed(tower, protocol, (self.captions, &set), context, warnings)?;
                let texts = (&*texts.texts, &*texts.set);
                let texts = embed(tower, protocol, texts, context, warnings)?;
                Ok(spaces(captions.features(), texts.features()))
            }
        }
    }
}
