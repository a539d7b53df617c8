//! The vision transformer that encoders and decoders here are made of, and how files name its parts.
//!
//! [`Blocks`] is a stack of pre-norm blocks (Dosovitskiy et al. 2021), of use for texts too;
//! [`Tower`] puts patches, class and register tokens and positions before it. A [`Scope`] with
//! [`BlockNames`] or [`TowerNames`] says what a file calls each tensor.

mod batches;
mod block;
mod blocks;
mod input;
mod layouts;
mod names;
mod positions;
mod tower;
mod vision;

pub(crate) use batches::{at_once, few_at_a_time};
pub(crate) use block::BlockConfig;
pub(crate) use blocks::Blocks;
pub(crate) use input::{CLIP_PIXELS, IMAGENET_PIXELS, Input, Pixels, SIGLIP_PIXELS, Side};
pub(crate) use layouts::{
    CLIP_BLOCK, CLIP_VISION, DINO, DINO_NATIVE, MAE, RAE_DECODER_BLOCK, SIGLIP_VISION,
};
pub(crate) use names::{
    AttentionNames, BlockNames, Form, Names, Scope, expect_linear, expect_norm, take_linear,
    take_norm,
};
pub(crate) use positions::Positions;
pub(crate) use tower::{
    FinalNorm, PatchBias, Tapped, Tower, TowerConfig, TowerNames, behind_each_other, no_class_token,
};
pub(crate) use vision::Vision;
