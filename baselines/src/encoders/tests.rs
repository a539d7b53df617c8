//! What encoders cost, against the figures of papers, own ones and fvcore.

use candle_core::Device;
use prismbench_core::{ElementType, MacDialect, StageCost, Tokenizer};
use prismbench_kernels::nn::Arithmetic;

use super::clip::LARGE_14;
use super::dinov2::{Dinov2Size, MODELS, dinov2_registers};
use super::encoder::Encoder;
use super::mae::MAE_B;
use super::siglip::SIGLIP2_B;
use super::*;
use crate::Hub;
use crate::cost::testing::{at_depth, fvcore, giga, parts, written};
use crate::model::Opening;
use crate::vit::{Scope, Side, TowerConfig};

/// Of an encoder and of what pools its tokens, both without and with the tower's blocks extrapolated.
fn costs(family: Family, depth: u64, side: usize) -> [StageCost; 2] {
    let family = Family { text: None, ..family };
    let of = |part: usize| {
        at_depth(depth, |depth| {
            let scope = Scope::new(family.prefixes);
            let mut expected = family.tower.expected(&scope, family.layouts[0], depth);
            expected.extend(family.head.expected(&family.tower.block, &scope));
            let (_folder, path) = written(&expected);
            let opening = Opening {
                id: "test".to_owned(),
                model: &MODELS[0],
                argument: "--tokenizer an-encoder".to_owned(),
                path: Some(&path),
                revision: None,
                hub: &Hub::from_environment(),
                device: &Device::Cpu,
                arithmetic: Arithmetic::Fast,
                element: ElementType::F32,
            };
            let cost = Encoder::open(&opening, &family).unwrap().cost(side, side).unwrap();
            assert!(cost.decoder.is_none());
            [cost.encoder, cost.head.unwrap_or_default()][part]
        })
    };
    [of(0), of(1)]
}

#[test]
fn dinov2_costs_what_is_published_and_what_fvcore_counts() {
    let sizes = [Dinov2Size::Small, Dinov2Size::Base, Dinov2Size::Large];
    let table =
        [("s", 12, "6.23", "31.84"), ("b", 12, "23.54", "107.38"), ("l", 24, "82.32", "363.41")];
    for (size, (name, depth, small, large)) in sizes.into_iter().zip(table) {
        let [at_256, _] = costs(dinov2_registers(size), depth, 256);
        let [at_512, head] = costs(dinov2_registers(size), depth, 512);
        assert_eq!([giga(at_256.macs()), giga(at_512.macs())], [small, large], "{name}");
        assert_eq!(head, StageCost::default());
        let model = format!("dinov2-reg-{name}");
        assert_eq!(parts(&at_256), fvcore(&model, 256, "encoder"), "{name}");
        if name == "b" {
            // UAE's Table 3 counts the products of its weights alone.
            assert_eq!(giga(MacDialect::MacLinear.of_encoder(&at_256)), "22.28");
            assert_eq!(parts(&at_512), fvcore(&model, 512, "encoder"));
        }
    }
}

#[test]
fn clip_siglip_and_mae_cost_what_is_published_and_what_fvcore_counts() {
    let [clip, head] = costs(LARGE_14, 24, 256);
    assert_eq!(giga((clip + head).macs()), "81.01");
    assert_eq!(parts(&(clip + head)), fvcore("clip-l", 224, "whole"));
    for (side, grid, published) in [(224, 14, "17.56"), (256, 16, "23.20")] {
        let tower = TowerConfig { grid, ..MAE_B.tower };
        let [mae, _] = costs(Family { tower, side: Side::Fixed(side), ..MAE_B }, 12, 256);
        assert_eq!(giga(mae.macs()), published);
        assert_eq!(parts(&mae), fvcore("mae-b", side, "encoder"));
    }
    for (side, grid, published) in [(256, 16, "23.41"), (224, 14, "17.71")] {
        let tower = TowerConfig { grid, ..SIGLIP2_B.tower };
        let family = Family { tower, side: Side::Fixed(side), ..SIGLIP2_B };
        let [siglip, head] = costs(family, 12, 256);
        assert_eq!(giga((siglip + head).macs()), published, "{side}");
        // The head makes its query of the learned vector once, when it is loaded: fvcore counts that product
        // for every picture.
        let mut expected = fvcore("siglip2-b", side, "whole");
        expected[2] -= 768 * 768;
        assert_eq!(parts(&(siglip + head)), expected, "{side}");
    }
}
