//! Without candle's backend there is no device that pictures could be on: these types have no values.

use candle_core::{Device, Result, Tensor};

use super::PlaneResize;
use crate::Size;
use crate::filters::PlaneFilter;
use crate::network_input::Levels;
use crate::similarity::Similarity;

pub(super) enum Pictures {}

pub(super) enum Sender {}

impl Sender {
    #[expect(clippy::unnecessary_wraps, reason = "as where there is a device")]
    pub(super) fn to(_: &Device) -> Result<Option<Self>> {
        Ok(None)
    }

    pub(super) fn send(&mut self, _: &[&[u8]], _: Size) -> Result<Pictures> {
        match *self {}
    }
}

impl Pictures {
    #[expect(clippy::unnecessary_wraps, reason = "as where there is a device")]
    pub(super) fn of_levels(_: &Tensor) -> Result<Option<Self>> {
        Ok(None)
    }

    pub(super) fn count(&self) -> usize {
        match *self {}
    }

    pub(super) fn size(&self) -> Size {
        match *self {}
    }

    pub(super) fn to_host(&self) -> Result<Vec<u8>> {
        match *self {}
    }

    pub(super) fn numbers(&self, _: &Levels) -> Result<Tensor> {
        match *self {}
    }

    pub(super) fn resized(&self, _: Size, _: PlaneResize) -> Result<Tensor> {
        match *self {}
    }

    pub(super) fn similarity_means(&self, _: &Similarity, _: &Self) -> Result<Vec<f64>> {
        match *self {}
    }
}

#[expect(clippy::unnecessary_wraps, reason = "as where there is a device")]
pub(super) fn tap_distances(
    _: &[f32],
    _: [&Tensor; 2],
    _: (usize, f32),
) -> Result<Option<Vec<f64>>> {
    Ok(None)
}

#[expect(clippy::unnecessary_wraps, reason = "as where there is a device")]
pub(super) fn filtered(_: &Tensor, _: &PlaneFilter) -> Result<Option<Tensor>> {
    Ok(None)
}
